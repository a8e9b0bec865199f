// Package redshift changes passwords on Amazon Redshift. It was made from AWS's
// documentation and the source of AWS's own drivers, and tested on PostgreSQL
// and on a scripted server.
//
// A new password reaches the server only as a digest, of the kind that the
// server keeps for the user that applications log in as, even if an admin sets
// it: SHA-256, with which PostgreSQL's drivers cannot log in, or else MD5, with
// which all can. So a rotation never takes a user's clients away, and no query
// log holds a password.
// https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
package redshift

import (
	"cmp"
	"context"
	"crypto/x509"
	_ "embed"
	"net"
	"sync/atomic"
	"time"

	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Authorities are the root certificates of Amazon Trust Services, which vouch
// for Redshift; those of RDS do not.
// https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-ssl-support.html
//
//go:embed amazon-ca.pem
var Authorities []byte

var kind = postgresconn.Kind{
	Name:      "Redshift",
	Port:      5439,
	Database:  "dev",
	NameLimit: 127, // https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
	Methods:   "md5",
}

const (
	// maxPasswordLength is what the server takes for a password in clear text.
	maxPasswordLength = 64

	// statementTimeout is what the server ends a statement after.
	statementTimeout = 15 * time.Second
)

// Target opens sessions.
type Target struct {
	*postgresconn.Target
	// kept is how the server keeps the password of the user that it last asked
	// for one. Administrators do not count: what they set, others log in with.
	// Strategies have AWSCURRENT's user log in before they let one act.
	kept atomic.Pointer[kept]
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters. A length that the
// engine cannot use is [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int) (*Target, error) {
	t := new(Target)
	attended := kind
	attended.Attend = t.attend
	conn, err := postgresconn.New(attended, roots, database.Alphanumeric(passwordLength, maxPasswordLength))
	if err != nil {
		return nil, err
	}
	t.Target = conn
	return t, nil
}

func (t *Target) attend(conn net.Conn, account database.Account) net.Conn {
	a := &attendant{Conn: conn, learn: t.kept.Store}
	if account.Admin {
		a.learn = func(*kept) {}
	}
	return a
}

// Engines returns the words that a secret's key "engine" may have for this
// engine.
func (*Target) Engines() []string { return []string{"redshift"} }

// Login opens a session as [postgresconn.Target.Login] does.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	timeout := statementTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	s := new(Session)
	_, err := t.Target.Login(ctx, account, func(ctx context.Context, conn *postgresconn.Session) error {
		s.Session = conn
		return s.begin(ctx, timeout)
	})
	if err != nil {
		return nil, err
	}
	s.kept = cmp.Or(t.kept.Load(), &kept{}) // every driver knows MD5
	return s, nil
}
