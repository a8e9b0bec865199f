// Package postgres logs in to PostgreSQL and changes passwords there. RDS,
// Aurora and servers of one's own are alike to it.
//
// A session is one connection, dialled once: when it is gone, it is gone, and
// nothing that was meant for it lands later on another. TLS is verified before
// the driver sees the connection, so that no setting of the driver and nothing
// in its environment can weaken it. A new password reaches the server only as
// the verifier that the server would have stored, never as text.
//
// The package keeps no pool, reads no connection string and prepares no
// statement. Which login is tried when is for the strategies to decide.
package postgres

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders-db/database"
	"example.com/orders-db/rotation"
)

const (
	defaultPort     = 5432
	defaultDatabase = "postgres"

	// maxPasswordLength is what RDS takes for a password; PostgreSQL itself
	// has no limit worth naming.
	maxPasswordLength = 128

	// loginTimeout bounds dialling, TLS and authentication together, and
	// never takes more than a third of the time that is left: a host that
	// swallows packets must leave time to say so.
	loginTimeout = 10 * time.Second
)

// timeouts are what a session asks the server to end its work after. A process
// that was frozen, or killed without closing its connection, is thus gone from
// the server before anybody else is let in.
type timeouts struct {
	// idle ends a session that sends nothing. It spans a log-in elsewhere and
	// a few calls to Secrets Manager, which is what sessions wait for. Before
	// PostgreSQL 14 there is no such limit: a frozen process keeps its claim
	// until it ends, and others are [rotation.CodeBusy].
	idle time.Duration
	// lock ends the wait for a lock. It outlasts idle, so that whoever waits
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

// Target opens sessions. It holds no connection and may be kept for the life
// of the process.
type Target struct {
	roots    *x509.CertPool
	policy   database.PasswordPolicy
	base     *pgconn.Config
	timeouts timeouts
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters. What it cannot work
// with is a [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int) (*Target, error) {
	policy := database.Alphanumeric(passwordLength, maxPasswordLength)
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	base, err := driverConfig()
	if err != nil {
		return nil, err
	}
	return &Target{roots: roots, policy: policy, base: base, timeouts: sessionTimeouts}, nil
}

// Engines returns the words that a secret's key "engine" may have for this
// engine.
func (*Target) Engines() []string {
	return []string{"postgres", "aurora-postgresql", "postgresql"}
}

// PasswordPolicy returns what a new password must look like.
func (t *Target) PasswordPolicy() database.PasswordPolicy { return t.policy }

// Login opens a session for account and proves that the server takes it for
// account's user, which is [rotation.CodeIdentity] otherwise. All that can be
// wrong with a host, its certificate or the credential has its own code; only
// [rotation.CodeAuthRejected] means that the password is not the user's.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, rotation.Errorf(rotation.CodeDeadline, "no time is left to log in").Because(err)
	}
	limits := t.timeouts.within(ctx)
	ctx, cancel := context.WithTimeout(ctx, loginLimit(ctx))
	defer cancel()

	s, err := t.connect(ctx, account)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, limits); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Prove logs in for account and leaves again. It fails as [Target.Login] does,
// and takes one exchange with the server less.
func (t *Target) Prove(ctx context.Context, account database.Account) error {
	if err := ctx.Err(); err != nil {
		return rotation.Errorf(rotation.CodeDeadline, "no time is left to log in").Because(err)
	}
	ctx, cancel := context.WithTimeout(ctx, loginLimit(ctx))
	defer cancel()

	s, err := t.connect(ctx, account)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// connect logs in, and no more.
func (t *Target) connect(ctx context.Context, account database.Account) (*Session, error) {
	if err := CheckName(account.User); err != nil {
		return nil, err
	}
	conn, err := t.dial(ctx, account)
	if err != nil {
		return nil, err
	}
	config := t.base.Copy()
	config.User = account.User
	config.Password = account.Password.Reveal()
	config.Database = account.Database
	if config.Database == "" {
		config.Database = defaultDatabase
	}
	// "none" is in neither list: where the server asks for no password, having
	// logged in proves nothing. Without TLS the password itself is not sent,
	// whoever asks for it.
	config.RequireAuth = "password,md5,scram-sha-256"
	if account.Plaintext {
		config.RequireAuth = "md5,scram-sha-256"
	}
	dialled := false
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		// The driver dials once more to cancel a statement. It must not be
		// given this connection again, and needs no other: the server's own
		// time-outs end the statement.
		if dialled {
			return nil, errDialledOnce
		}
		dialled = true
		return conn, nil
	}
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		_ = conn.Close()
		return nil, loginError(err, account)
	}
	s := &Session{conn: pg, user: account.User}
	// Servers say at once whose session it is, in an encoding of their own.
	if who := pg.ParameterStatus("session_authorization"); who != "" && who != s.user && isASCII(s.user) {
		s.Close()
		return nil, identityError(s.user, who)
	}
	return s, nil
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

var errDialledOnce = errors.New("a session is dialled once")

// loginLimit returns how long a log-in may take.
func loginLimit(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(loginTimeout, time.Until(deadline)/3)
	}
	return loginTimeout
}

// driverConfig returns a configuration that holds nothing from outside. The
// driver makes one only by parsing, and parsing reads PG* variables and files
// in the home directory; so every setting that it would look up is pinned here,
// and what could still come through is overwritten.
func driverConfig() (*pgconn.Config, error) {
	config, err := pgconn.ParseConfig("host=unused port=5432 user=unused password=unused database=unused " +
		"sslmode=disable sslrootcert='' sslcert='' sslkey='' sslnegotiation='' sslpassword='' sslsni='' passfile='' " +
		"connect_timeout=0 target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 " +
		"channel_binding=prefer require_auth='' krbsrvname='' krbspn=''")
	if err != nil {
		return nil, rotation.Errorf(rotation.CodeBadConfig, "the environment variable PGSERVICE names a service that cannot be read: unset it").Because(err)
	}
	// One address, so that the driver makes one attempt: it would try a
	// refused password again on a host's second address. The address is not
	// used, Login dials by itself.
	config.Fallbacks = nil
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.RuntimeParams = nil
	return config, nil
}
