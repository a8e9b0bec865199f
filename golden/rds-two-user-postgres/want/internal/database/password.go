package database

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"example.com/orders-db/internal/rotation"
)

// PasswordPolicy says what a generated password looks like. Letters and digits
// alone are the default everywhere: they survive connection URLs, shells,
// YAML and every driver's own quoting, and 32 of them carry 190 bits.
type PasswordPolicy struct {
	Length int // characters
	// MaxLength is the engine's limit in bytes.
	MaxLength int
	// Classes are sets of characters; a password has at least one of each and
	// begins with one of the first, which must be letters.
	Classes []string
}

// MinPasswordLength is the least length that a policy may ask for.
const MinPasswordLength = 16

// Alphanumeric is the policy of engines that ask for no special characters.
func Alphanumeric(length, maxLength int) PasswordPolicy {
	return PasswordPolicy{
		Length:    length,
		MaxLength: maxLength,
		Classes: []string{
			"abcdefghijklmnopqrstuvwxyz",
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			"0123456789",
		},
	}
}

// Validate refuses a policy that cannot make a safe password, as
// [rotation.CodeBadConfig]. Functions call it when they start.
func (p PasswordPolicy) Validate() error {
	switch {
	case p.Length < MinPasswordLength || p.Length > p.MaxLength:
		return rotation.Errorf(rotation.CodeBadConfig, "a password of %d characters is outside %d to %d", p.Length, MinPasswordLength, p.MaxLength)
	case len(p.Classes) == 0 || strings.ContainsFunc(p.Classes[0], notLetter):
		return rotation.Errorf(rotation.CodeBadConfig, "the password policy has no letters to begin with")
	case slices.ContainsFunc(p.Classes, func(class string) bool { return class == "" || strings.ContainsFunc(class, notPrintable) }):
		return rotation.Errorf(rotation.CodeBadConfig, "the password policy has a class without characters, or with others than printable ASCII")
	}
	return nil
}

func notLetter(r rune) bool    { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }
func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

// Generate returns a new password. Every password that the policy allows is
// equally likely: characters are drawn without bias from all classes, and a
// draw that lacks a class is thrown away whole instead of being patched.
func (p PasswordPolicy) Generate() (rotation.Sensitive, error) {
	if err := p.Validate(); err != nil {
		return rotation.Sensitive{}, err
	}
	alphabet := strings.Join(p.Classes, "")
	for {
		var password strings.Builder
		for i := range p.Length {
			from := alphabet
			if i == 0 {
				from = p.Classes[0]
			}
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(from))))
			if err != nil {
				return rotation.Sensitive{}, fmt.Errorf("reading random bytes: %w", err)
			}
			password.WriteByte(from[n.Int64()])
		}
		if p.accepts(password.String()) {
			return rotation.NewSensitive(password.String()), nil
		}
	}
}

func (p PasswordPolicy) accepts(password string) bool {
	for _, class := range p.Classes {
		if !strings.ContainsAny(password, class) {
			return false
		}
	}
	return true
}
