// Package documentdb logs in to Amazon DocumentDB, 5.0 or newer, and changes
// passwords there. It speaks to MongoDB in the same way.
//
// The driver keeps pools, watches servers and reconnects by itself. Here it is
// given a line to one server that carries two connections and no third: once
// the session's connection is gone, no statement of it arrives later on
// another. TLS is verified before the driver sees a connection. How the user is
// authenticated is left to the server and the driver to agree upon.
//
// The protocol knows no other way to set a password than to send it: it crosses
// the wire inside TLS.
package documentdb

import (
	"context"
	"crypto/x509"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

const (
	defaultPort = 27017

	// users is the database that all users belong to, whatever database they
	// work with.
	// https://docs.aws.amazon.com/documentdb/latest/developerguide/security.managing-users.html
	users = "admin"

	// maxPasswordLength is DocumentDB's own limit.
	maxPasswordLength = 100
)

// Target opens sessions. It holds no connection and may be kept for the life
// of the process.
type Target struct {
	roots  *x509.CertPool
	policy database.PasswordPolicy
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters. A length that the
// engine cannot use is [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int) (*Target, error) {
	policy := database.Alphanumeric(passwordLength, maxPasswordLength)
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	return &Target{roots: roots, policy: policy}, nil
}

// Engines returns the words that a secret's key "engine" may have for this
// engine.
func (*Target) Engines() []string { return []string{"mongo", "docdb", "documentdb", "mongodb"} }

// PasswordPolicy returns what a new password must look like.
func (t *Target) PasswordPolicy() database.PasswordPolicy { return t.policy }

// Login opens a session for account and proves that the server takes it for
// account's user, which is [rotation.CodeIdentity] otherwise. All that can be
// wrong with a host, its certificate or the credential has its own code; only
// [rotation.CodeAuthRejected] means that the password is not the user's.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	return database.Login(ctx, func(ctx context.Context) (*Session, error) { return t.login(ctx, account, (*Session).begin) })
}

// Prove logs in for account and leaves again. It fails as [Target.Login] does,
// and takes one exchange with the server less.
func (t *Target) Prove(ctx context.Context, account database.Account) error {
	s, err := database.Login(ctx, func(ctx context.Context) (*Session, error) { return t.login(ctx, account, (*Session).identify) })
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// login connects, and lets first be the first that is said. ctx must have a
// deadline.
func (t *Target) login(ctx context.Context, account database.Account, first func(*Session, context.Context) error) (*Session, error) {
	deadline, _ := ctx.Deadline()
	limit := time.Until(deadline)
	line := newLine(ctx, account, t.roots)
	client, err := mongo.Connect(options.Client().
		SetHosts([]string{database.Address(account, defaultPort)}).
		SetDirect(true).
		SetDialer(line).
		SetAuth(options.Credential{AuthSource: users, Username: account.User, Password: account.Password.Reveal(), PasswordSet: true}).
		SetMaxPoolSize(1).
		SetConnectTimeout(limit).
		SetServerSelectionTimeout(limit).
		// Nothing is sent twice, and the server is watched on one connection.
		SetRetryWrites(false).
		SetRetryReads(false).
		SetMaxAdaptiveRetries(0).
		SetServerMonitoringMode(options.ServerMonitoringModePoll))
	if err != nil {
		return nil, rotation.Errorf(rotation.CodeBadSecret, "the driver cannot log in with the keys %q, %q and %q", database.KeyHost, database.KeyPort, database.KeyUser).Because(err)
	}
	s := &Session{client: client, line: line, user: account.User}
	if err := first(s, ctx); err != nil {
		s.Close()
		return nil, loginError(err, account)
	}
	return s, nil
}
