package postgres

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

var _ database.Session = (*Session)(nil)

// Session is a session on PostgreSQL. It is for one goroutine.
type Session struct {
	*postgresconn.Session

	actsAs             string // the role that the log-in ended in
	readOnly           bool
	passwordEncryption string
	scramIterations    int
	asked              *asked // for the password that the user logs in with until it is changed here
	text               bool   // see [Target.Text]
}

// begin makes the session independent of what is set for its user, and learns
// in the same round trip what is to be known of the server.
func (s *Session) begin(ctx context.Context, limits timeouts) error {
	results, err := s.Exec(ctx, "set up the session", setup(s.Version(), s.Backend(), limits)...)
	if postgresconn.DividedByZero(err) {
		return rotation.Errorf(rotation.CodeBadSecret, "the host is a connection pooler: it must be the database's own, or key %q must say that", database.KeyDatabaseHost).Because(err)
	}
	if err != nil {
		return err
	}
	if len(results) < 2 || len(results[1]) != 1 || len(results[1][0]) != 6 {
		return rotation.Errorf(rotation.CodeServer, "the server does not answer as PostgreSQL does")
	}
	facts := results[1][0]
	if err := s.Identify(facts[0]); err != nil {
		return err
	}
	s.actsAs = facts[1]
	s.readOnly = facts[2] == "t"
	s.passwordEncryption = facts[3]
	s.scramIterations = scramIterations
	if n, err := strconv.Atoi(facts[4]); err == nil {
		s.scramIterations = n
	}
	return nil
}

// setup returns the statements that begin a session, the second of which asks.
// Behind a pooler the process that runs them is not the one that the log-in was
// answered for: the second fails then, and with it all of them. Their settings would
// be in force in others' sessions, and the next message might be run in another.
func setup(version int, backend uint32, limits timeouts) []string {
	statements := []string{
		// Everything below is read in the encoding that Go writes.
		"SET client_encoding = 'UTF8'",
		"SELECT session_user, current_user, pg_catalog.pg_is_in_recovery()" +
			", pg_catalog.current_setting('password_encryption')" +
			", pg_catalog.current_setting('scram_iterations', true)" +
			fmt.Sprintf(", pg_catalog.int4div(1, CASE WHEN pg_catalog.int4eq(pg_catalog.pg_backend_pid(), %d) THEN 1 ELSE 0 END)", int32(backend)),
		// ALTER ROLE ... SET role makes the session act as another role, whose
		// rights over the user are not the user's own.
		"SET ROLE NONE",
		// No name may be found where others than the server's owner put things.
		"SET search_path = pg_catalog, pg_temp",
		"SET DateStyle = 'ISO'",
		"SET application_name = 'rotation'",
		// A change that was acknowledged must survive a crash of the server,
		// and a user's wish to read only is not the server's.
		"SET synchronous_commit = on",
		"SET default_transaction_read_only = off",
		setting("statement_timeout", limits.statement),
		setting("lock_timeout", limits.lock),
		setting("idle_in_transaction_session_timeout", limits.idle),
	}
	if version >= 14 {
		statements = append(statements, setting("idle_session_timeout", limits.idle))
	}
	return statements
}

// setting returns the statement that sets a timeout, which is at least a
// millisecond since 0 means none.
func setting(name string, d time.Duration) string {
	return fmt.Sprintf("SET %s = %d", name, max(1, d.Milliseconds()))
}

// ActsAs returns the role that sessions of the user act as: that of ALTER ROLE
// ... SET role if it took effect at the log-in, else the user. This session
// itself has gone back to being the user.
func (s *Session) ActsAs() string { return s.actsAs }

// Version returns the server's major version, 0 if it does not say.
func (s *Session) Version() int { return majorVersion(s.Said("server_version")) }

// majorVersion reads versions such as 15.4, 18beta1 and 9.6.24.
func majorVersion(version string) int {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		version = version[:end]
	}
	n, _ := strconv.Atoi(version)
	return n
}

// Claim implements [database.Session] with a lock of this session that only
// rotators take. It is [rotation.CodeNotWriter] on a read-only server.
func (s *Session) Claim(ctx context.Context, user string) error {
	if s.readOnly {
		return rotation.Errorf(rotation.CodeNotWriter, "the server is read-only: the host must be that of the writer")
	}
	_, err := s.Exec(ctx, fmt.Sprintf("claim %q", user), fmt.Sprintf("SELECT pg_catalog.pg_advisory_lock(%d)", claimKey(user)))
	return err
}

// claimKey maps user to the server's 64-bit space of such locks.
func claimKey(user string) int64 {
	sum := sha256.Sum256([]byte("rotasmith\x00" + user))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// Try implements [database.Session] with a transaction that is rolled back. It
// also fails, as [Session.Diagnose] does, if another user could not log in with
// any password. It sets a verifier that no password has, or a random text that is not
// kept: the server cannot tell, and its log holds nothing of value.
func (s *Session) Try(ctx context.Context, user string, _ rotation.Sensitive) error {
	if user != s.User() {
		if err := s.Diagnose(ctx, user); err != nil {
			return err
		}
	}
	verifier := postgresconn.MD5Verifier(user, rotation.NewSensitive(rand.Text()))
	switch {
	case s.text:
		verifier = Nobodys()
	case s.usesSCRAM(rotation.Sensitive{}):
		verifier = scramOfNothing()
	}
	return s.alter(ctx, user, verifier, "try a change of the password of", func(alter string) []string {
		return []string{"BEGIN", alter, "ROLLBACK"}
	})
}

// Change implements [database.Session].
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	return s.setPassword(ctx, user, password, "change the password of", func(alter string) []string {
		return []string{alter}
	})
}

// Activate is [Session.Change] and lets user log in, in one statement: there
// is no moment at which the user has the one without the other.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return s.setPassword(ctx, user, password, "activate", func(alter string) []string {
		return []string{alter + " LOGIN"}
	})
}

func (s *Session) setPassword(ctx context.Context, user string, password rotation.Sensitive, doing string, statements func(alter string) []string) error {
	verifier, err := s.Verifier(user, password)
	if err != nil {
		return err
	}
	return s.alter(ctx, user, verifier, doing, statements)
}

func (s *Session) alter(ctx context.Context, user string, verifier rotation.Sensitive, doing string, statements func(alter string) []string) error {
	doing = fmt.Sprintf("%s %q", doing, user)
	if err := s.CheckName(user); err != nil {
		return err
	}
	// The user is named even if it is the session's own: what CURRENT_USER
	// means depends on who set which role.
	alter := fmt.Sprintf("ALTER ROLE %s PASSWORD %s", postgresconn.Identifier(user), postgresconn.Literal(verifier.Reveal()))
	all := statements(alter)
	if s.text { // the server makes the verifier
		form := "md5"
		if s.usesSCRAM(verifier) {
			form = "scram-sha-256"
		}
		all = append([]string{fmt.Sprintf("SET password_encryption = '%s'", form)}, all...)
	}
	return s.Alter(ctx, doing, all...)
}

// Nobodys returns a random password that is stored nowhere and meets common password
// rules.
func Nobodys() rotation.Sensitive { return rotation.NewSensitive(rand.Text() + "-a1B") }

// Verifier returns what takes password's place in a statement.
func (s *Session) Verifier(user string, password rotation.Sensitive) (rotation.Sensitive, error) {
	if s.text {
		return password, nil
	}
	if !s.usesSCRAM(password) {
		return postgresconn.MD5Verifier(user, password), nil
	}
	return scramVerifier(password, newSalt(), s.scramIterations)
}

// usesSCRAM decides the form in which password is kept, so that the log-in that
// led here works again: what the server asked for then counts, and not what is
// set for one session or another. Where it takes both forms, a password that is
// put back has the one that it had, and a new one that of the server's setting:
// a client that knows only MD5 is locked out by the other.
func (s *Session) usesSCRAM(password rotation.Sensitive) bool {
	switch {
	case s.asked.request == askedSASL:
		return true
	case s.asked.request == askedMD5 && password == s.asked.password:
		return false
	default:
		return s.passwordEncryption == "scram-sha-256"
	}
}

// Diagnose returns why user could not log in with whatever password:
// [rotation.CodeExpired] past its VALID UNTIL, [rotation.CodeLocked] without
// LOGIN, nil if neither. At the log-in itself the server calls the previous a
// wrong password.
func (s *Session) Diagnose(ctx context.Context, user string) error {
	results, err := s.Exec(ctx, fmt.Sprintf("look up %q", user),
		"SELECT rolcanlogin, COALESCE(rolvaliduntil <= pg_catalog.now(), false) FROM pg_catalog.pg_roles WHERE rolname = "+postgresconn.Literal(user))
	if err != nil {
		return err
	}
	for _, row := range results[0] {
		switch {
		case row[0] != "t":
			return rotation.Errorf(rotation.CodeLocked, "user %q may not log in", user)
		case row[1] == "t":
			return rotation.Errorf(rotation.CodeExpired, "user %q is past its VALID UNTIL", user)
		}
	}
	return nil
}

// A server's first message, an AuthenticationRequest, asks for one of these.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	askedMD5  = 5
	askedSASL = 10
)

// asked is what the server wanted of a password at a log-in: the form in which
// it can keep one so that the same log-in works again. SASL goes with SCRAM
// alone. MD5 is asked where the password is kept so, and pg_hba.conf then takes
// both forms.
type asked struct {
	request  uint32
	password rotation.Sensitive // that was asked for
}

// attend lets the target know what the server asks account for, unless that is
// an administrator: it sets the passwords that others log in with.
func (t *Target) attend(conn net.Conn, account database.Account) net.Conn {
	if account.Admin {
		return conn
	}
	return &attendant{Conn: conn, learn: func(request uint32) { t.asked.Store(&asked{request, account.Password}) }}
}

// attendant reads along in the server's first message.
type attendant struct {
	net.Conn
	head  []byte // kind, length, and what is asked for
	learn func(request uint32)
}

const headSize = 9

func (a *attendant) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if missing := headSize - len(a.head); missing > 0 {
		a.head = append(a.head, p[:min(n, missing)]...)
		if len(a.head) == headSize && a.head[0] == 'R' {
			a.learn(binary.BigEndian.Uint32(a.head[5:]))
		}
	}
	return n, err
}
