package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"golang.org/x/text/secure/precis"

	"example.com/orders-db/internal/rotation"
)

const (
	// scramIterations is the server's own default, in force wherever it has
	// no setting for it (before PostgreSQL 16).
	scramIterations = 4096
	scramSaltLength = 16
)

// scramVerifier returns what a server stores for password under
// scram-sha-256: enough to check a log-in, not enough to make one.
// https://datatracker.ietf.org/doc/html/rfc5803
func scramVerifier(password rotation.Sensitive, salt []byte, iterations int) (rotation.Sensitive, error) {
	salted, err := pbkdf2.Key(sha256.New, normalise(password.Reveal()), salt, iterations, sha256.Size)
	if err != nil {
		return rotation.Sensitive{}, rotation.Errorf(rotation.CodeServer, "the verifier of the password cannot be computed").Because(err)
	}
	storedKey := sha256.Sum256(keyed(salted, "Client Key"))
	return scramText(salt, iterations, storedKey[:], keyed(salted, "Server Key")), nil
}

// scramOfNothing returns a verifier that no password satisfies. It has one
// iteration because the server goes through all of them, to see that what it is
// given is not the verifier of an empty password (AlterRole in
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/commands/user.c).
func scramOfNothing() rotation.Sensitive {
	return scramText(random(scramSaltLength), 1, random(sha256.Size), random(sha256.Size))
}

func scramText(salt []byte, iterations int, storedKey, serverKey []byte) rotation.Sensitive {
	base64 := base64.StdEncoding.EncodeToString
	return rotation.NewSensitive(fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, base64(salt), base64(storedKey), base64(serverKey)))
}

// normalise prepares password as the driver does when it logs in, so that what
// is set here is what logs in here. Letters and digits stay as they are.
func normalise(password string) string {
	if prepared, err := precis.OpaqueString.String(password); err == nil {
		return prepared
	}
	return password
}

func keyed(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

func newSalt() []byte { return random(scramSaltLength) }

func random(n int) []byte {
	bytes := make([]byte, n)
	_, _ = rand.Read(bytes) // never fails: https://pkg.go.dev/crypto/rand#Read
	return bytes
}
