package database

import (
	"crypto/x509"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// DefaultPasswordLength gives 190 bits with letters and digits.
const DefaultPasswordLength = 32

// Config is what every database engine is told by the function's environment.
type Config struct {
	// Roots are the authorities that may vouch for a server.
	Roots *x509.CertPool
	// PasswordLength is the length of new passwords, in characters.
	PasswordLength int
	// Text has new passwords sent as text, for servers that take no hashes.
	Text bool
}

// ConfigFromEnv reads DB_CA_FILE, PASSWORD_LENGTH, PASSWORD_FORM, and AWS_REGION, which
// Lambda sets. An engine that Amazon RDS
// does not vouch for names its authorities, in PEM form.
func ConfigFromEnv(env *rotation.Env, authorities ...[]byte) (Config, error) {
	config := Config{
		PasswordLength: env.Int("PASSWORD_LENGTH", DefaultPasswordLength),
		Text:           env.OneOf("PASSWORD_FORM", "hash", "hash", "text") == "text",
	}
	roots, err := RootCAs(env.String("AWS_REGION", ""), env.String("DB_CA_FILE", ""), authorities...)
	if err != nil {
		env.Refuse("DB_CA_FILE", "cannot be used: "+err.Error())
	}
	config.Roots = roots
	return config, env.Err()
}
