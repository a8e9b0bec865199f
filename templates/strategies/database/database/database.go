package database

import (
	"context"
	"crypto/x509"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// Session is one open connection that has logged in. An engine never reconnects it:
// once the connection is gone every method fails, so that no statement arrives late.
//
// Errors are [rotation.Error]s. A method that fails with
// [rotation.CodeDisconnected] or [rotation.CodeDeadline] leaves open whether
// the server did it; any other code says that it did not.
type Session interface {
	// Claim makes this session the only one among all rotators that may
	// change user, until it is closed. It waits for another's claim, at the
	// most as long as a server lets an idle session live, and then fails with
	// [rotation.CodeBusy]. Engines that know no such lock return nil.
	Claim(ctx context.Context, user string) error
	// Try proves that the server would accept the change, and changes nothing.
	Try(ctx context.Context, user string, password rotation.Sensitive) error
	// Change sets user's password, which may be the session's own user.
	Change(ctx context.Context, user string, password rotation.Sensitive) error
	// Close ends the connection and with it the claim. It never blocks for
	// longer than a second and its outcome does not matter.
	Close()
}

// Diagnoser is a [Session] that can tell why another user cannot log in with
// any password: [rotation.CodeExpired], [rotation.CodeLocked], or nil.
type Diagnoser interface {
	Diagnose(ctx context.Context, user string) error
}

// Ask is [Session.Try] with a new random password. Password rules, such as one
// against reuse, may refuse the one that is in force.
func Ask(ctx context.Context, session Session, user string, policy PasswordPolicy) error {
	password, err := policy.Generate()
	if err != nil {
		return err
	}
	return session.Try(ctx, user, password)
}

// Accepted returns nil if login proves that the password is right: it succeeded, or
// failed only for a limit of the user, which servers check after the password (C20).
func Accepted(login error) error {
	if rotation.CodeOf(login) == rotation.CodeUserLimit {
		return nil
	}
	return login
}

// DefaultPasswordLength gives 190 bits with letters and digits.
const DefaultPasswordLength = 32

// Config is what every database engine is told by the function's environment.
type Config struct {
	// Roots are the authorities that may vouch for a server.
	Roots *x509.CertPool
	// PasswordLength is the length of new passwords, in characters.
	PasswordLength int
}

// ConfigFromEnv reads DB_CA_FILE, PASSWORD_LENGTH, and AWS_REGION, which Lambda sets. An
// engine whose certificates Amazon RDS does not sign passes its authorities, in PEM
// form.
func ConfigFromEnv(env *rotation.Env, authorities ...[]byte) (Config, error) {
	config := Config{PasswordLength: env.Int("PASSWORD_LENGTH", DefaultPasswordLength)}
	roots, err := RootCAs(env.String("AWS_REGION", ""), env.String("DB_CA_FILE", ""), authorities...)
	if err != nil {
		env.Refuse("DB_CA_FILE", "cannot be used: "+err.Error())
	}
	config.Roots = roots
	return config, env.Err()
}
