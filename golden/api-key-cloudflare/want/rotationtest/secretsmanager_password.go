package rotationtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"math/big"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// GetRandomPassword answers with a password from the operating system's random
// source: of PasswordLength characters (default 32), with at least one of each
// type that is not excluded unless RequireEachIncludedType is false.
func (m *SecretsManager) GetRandomPassword(ctx context.Context, in *secretsmanager.GetRandomPasswordInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetRandomPasswordOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	length := *cmp.Or(in.PasswordLength, aws.Int64(32))
	if length < 1 || length > 4096 {
		return nil, invalidParameter("PasswordLength must be between 1 and 4096.")
	}
	var kinds []string
	for _, kind := range []struct {
		exclude *bool
		chars   string
	}{
		{in.ExcludeLowercase, "abcdefghijklmnopqrstuvwxyz"},
		{in.ExcludeUppercase, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		{in.ExcludeNumbers, "0123456789"},
		{in.ExcludePunctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
		{aws.Bool(!aws.ToBool(in.IncludeSpace)), " "},
	} {
		chars := strings.Map(func(r rune) rune {
			if strings.ContainsRune(aws.ToString(in.ExcludeCharacters), r) {
				return -1
			}
			return r
		}, kind.chars)
		if !aws.ToBool(kind.exclude) && chars != "" {
			kinds = append(kinds, chars)
		}
	}
	if len(kinds) == 0 {
		return nil, invalidParameter("There are no valid characters available for the password.")
	}
	every := *cmp.Or(in.RequireEachIncludedType, aws.Bool(true))
	if every && length < int64(len(kinds)) {
		return nil, invalidParameter("PasswordLength is too short for the required character types.")
	}
	for {
		password := randomText(strings.Join(kinds, ""), int(length))
		missing := func(chars string) bool { return !strings.ContainsAny(password, chars) }
		if !every || !slices.ContainsFunc(kinds, missing) {
			return &secretsmanager.GetRandomPasswordOutput{RandomPassword: aws.String(password)}, nil
		}
	}
}

// randomText is n characters of chars, each equally likely.
func randomText(chars string, n int) string {
	text := make([]byte, n)
	for i := range text {
		// rand.Int fails only if the reader does, and rand.Reader does not.
		k, _ := rand.Int(rand.Reader, big.NewInt(int64(len(chars))))
		text[i] = chars[k.Int64()]
	}
	return string(text)
}
