package redshift

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

var _ database.Session = (*Session)(nil)

// idleLimit is how long a session may be silent. PostgreSQL ends one that is
// silent for seconds, Redshift one that is for a minute at the least; so the
// session ends itself: a process that stood still must not go on where it was,
// because another may have taken its place.
const idleLimit = 10 * time.Second

// Session is a session on Redshift. It is for one goroutine.
type Session struct {
	*postgresconn.Session
	heard time.Time // when the server last answered
	kept  *kept     // how it keeps the passwords of users
}

// begin makes the session independent of what is set for its user, and makes
// sure that it is that user's.
func (s *Session) begin(ctx context.Context, timeout time.Duration) error {
	s.heard = time.Now()
	results, err := s.Exec(ctx, "set up the session", setup(timeout)...)
	if err != nil {
		return err
	}
	if len(results) == 0 || len(results[0]) != 1 || len(results[0][0]) != 1 {
		return rotation.Errorf(rotation.CodeServer, "the server does not answer as Redshift does")
	}
	return s.Identify(results[0][0][0])
}

// setup returns the statements that begin a session, the first of which asks. No
// name may be found where others than the server's owner put things.
func setup(timeout time.Duration) []string {
	return []string{
		"SELECT session_user",
		"SET search_path = pg_catalog",
		fmt.Sprintf("SET statement_timeout = %d", max(1, timeout.Milliseconds())),
	}
}

// Claim implements [database.Session]. The server knows no lock that ends with
// a session. A process that was frozen cannot undo another's rotation all the
// same: strategies ask Secrets Manager after the claim, and a session ends when
// it is idle for too long.
// https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-functions.html
func (s *Session) Claim(context.Context, string) error {
	defer s.hear() // a session that claims is not idle
	return s.awake()
}

// Try implements [database.Session] with a transaction that is rolled back. It
// also fails, as [Session.Diagnose] does, if another user could not log in with
// any password. It sets the digest of a random password that is not kept.
func (s *Session) Try(ctx context.Context, user string, _ rotation.Sensitive) error {
	if user != s.User() {
		if err := s.Diagnose(ctx, user); err != nil {
			return err
		}
	}
	alter, err := s.alter(user, rotation.NewSensitive(rand.Text()))
	if err != nil {
		return err
	}
	return s.Alter(ctx, fmt.Sprintf("try a change of the password of %q", user), "BEGIN", alter, "ROLLBACK")
}

// Change implements [database.Session].
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	alter, err := s.alter(user, password)
	if err != nil {
		return err
	}
	return s.Alter(ctx, fmt.Sprintf("change the password of %q", user), alter)
}

// alter returns the statement that sets user's password.
func (s *Session) alter(user string, password rotation.Sensitive) (string, error) {
	if err := s.CheckName(user); err != nil {
		return "", err
	}
	digest, err := s.Digest(user, password)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("ALTER USER %s PASSWORD %s", postgresconn.Identifier(user), Literal(digest.Reveal())), nil
}

// Diagnose is [rotation.CodeExpired] past user's VALID UNTIL, nil otherwise. At
// the log-in itself the server calls that a wrong password.
func (s *Session) Diagnose(ctx context.Context, user string) error {
	if err := s.CheckName(user); err != nil {
		return err
	}
	results, err := s.Exec(ctx, fmt.Sprintf("look up %q", user),
		"SELECT 1 FROM pg_user WHERE valuntil <= now() AND usename = "+Literal(user))
	if err == nil && len(results[0]) > 0 {
		return rotation.Errorf(rotation.CodeExpired, "user %q is past its VALID UNTIL", user)
	}
	return err
}

// CheckName also refuses a backslash, which in a text of the server's own may
// stand for itself or for something else.
func (s *Session) CheckName(name string) error {
	if strings.Contains(name, `\`) {
		return rotation.Errorf(rotation.CodeBadUsers, "the name %q has a backslash", name)
	}
	return s.Session.CheckName(name)
}

// Literal quotes text without a backslash, see [Session.CheckName].
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Exec is [postgresconn.Session.Exec] for a session that was not silent for too
// long.
func (s *Session) Exec(ctx context.Context, doing string, statements ...string) ([]postgresconn.Rows, error) {
	if err := s.awake(); err != nil {
		return nil, err
	}
	defer s.hear()
	return s.Session.Exec(ctx, doing, statements...)
}

// Alter is [postgresconn.Session.Alter] likewise.
func (s *Session) Alter(ctx context.Context, doing string, statements ...string) error {
	if err := s.awake(); err != nil {
		return err
	}
	defer s.hear()
	return s.Session.Alter(ctx, doing, statements...)
}

// awake ends a session that stood still.
func (s *Session) awake() error {
	// Only the wall's clock goes on while the whole machine is suspended.
	if silent := time.Now().Round(0).Sub(s.heard.Round(0)); silent > idleLimit {
		s.Close()
		return rotation.Errorf(rotation.CodeBusy, "the session was idle for %s, and another rotation may have begun: it is closed", silent.Round(time.Second))
	}
	return nil
}

func (s *Session) hear() { s.heard = time.Now() }
