// Package postgres changes passwords on PostgreSQL. It treats RDS, Aurora and
// self-managed servers alike. A new password reaches the server only as the verifier
// that the server would have stored, never as text.
package postgres

import (
	"cmp"
	"context"
	"crypto/x509"
	"sync/atomic"
	"time"

	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

var kind = postgresconn.Kind{
	Name:      "PostgreSQL",
	Port:      5432,
	Database:  "postgres",
	NameLimit: 63,
	Methods:   "md5,scram-sha-256",
}

// maxPasswordLength is what RDS takes for a password; PostgreSQL itself has no
// limit worth naming.
const maxPasswordLength = 128

// timeouts are the limits that a session sets on the server for its work. A process
// that was frozen, or killed without closing its connection, is thus gone from the
// server before another process is let in.
type timeouts struct {
	// idle ends a session that sends nothing. It spans a log-in elsewhere and
	// a few calls to Secrets Manager, which is what sessions wait for. Before
	// PostgreSQL 14 there is no such limit: a frozen process keeps its claim
	// until it ends, and others are [rotation.CodeBusy].
	idle time.Duration
	// lock ends the wait for a lock. It outlasts idle, so that what waits
	// for the claim of a frozen process gets it instead of giving up.
	lock time.Duration
	// statement ends a statement, and outlasts lock to leave the better error
	// to it.
	statement time.Duration
}

var sessionTimeouts = timeouts{idle: 10 * time.Second, lock: 12 * time.Second, statement: 15 * time.Second}

// within returns the timeouts for work that must end with ctx.
func (t timeouts) within(ctx context.Context) timeouts {
	if deadline, ok := ctx.Deadline(); ok {
		t.statement = min(t.statement, time.Until(deadline))
		t.lock = min(t.lock, t.statement)
	}
	return t
}

// Target opens sessions.
type Target struct {
	*postgresconn.Target
	// Text has new passwords sent as text and not as verifiers, for servers that take no
	// other. Their logs may then hold them.
	Text bool

	timeouts timeouts
	asked    atomic.Pointer[asked] // at the last log-in of a user
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters. A length that the engine
// cannot use is [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int) (*Target, error) {
	t := &Target{timeouts: sessionTimeouts}
	attended := kind
	attended.Attend = t.attend
	conn, err := postgresconn.New(attended, roots, database.Alphanumeric(passwordLength, maxPasswordLength))
	if err != nil {
		return nil, err
	}
	t.Target = conn
	return t, nil
}

// Engines returns the words that a secret's key "engine" may have for this
// engine.
func (*Target) Engines() []string {
	return []string{"postgres", "aurora-postgresql", "postgresql"}
}

// Login opens a session as [postgresconn.Target.Login] does.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	limits := t.timeouts.within(ctx)
	s := new(Session)
	_, err := t.Target.Login(ctx, account, func(ctx context.Context, conn *postgresconn.Session) error {
		s.Session = conn
		return s.begin(ctx, limits)
	})
	if err != nil {
		return nil, err
	}
	s.asked, s.text = cmp.Or(t.asked.Load(), &asked{}), t.Text
	return s, nil
}
