// Package mysqlconn logs in to servers that speak MySQL's protocol: MySQL,
// MariaDB and Aurora, whose packages add what each has of its own.
//
// A session is one connection, dialled once: when it is gone, it is gone, and
// nothing that was meant for it lands later on another. That is why the driver
// is used without a pool. TLS is verified against the authorities and the name
// that are given here and nothing else.
package mysqlconn

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"encoding/binary"
	"net"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

const (
	defaultPort = 3306

	// maxPasswordLength is what RDS takes for a password.
	maxPasswordLength = 41
)

// timeouts are the limits that a session sets on the server for its work. A
// process that was frozen, or killed without closing its connection, is thus
// gone from the server before another process is let in.
type timeouts struct {
	// idle ends a session that sends nothing. It spans a log-in elsewhere and
	// a few calls to Secrets Manager, which is what sessions wait for.
	idle time.Duration
	// lock ends a change that waits for a lock, on MariaDB every statement.
	// The server does not notice meanwhile that its client is gone.
	lock time.Duration
	// claim ends the wait for a claim. It outlasts the others, so that what
	// waits for the claim of a dead process gets it instead of giving up.
	claim time.Duration
	// statement ends a query, and outlasts claim to leave the better error to
	// it.
	statement time.Duration
}

var sessionTimeouts = timeouts{idle: 10 * time.Second, lock: 10 * time.Second, claim: 12 * time.Second, statement: 15 * time.Second}

// within returns the timeouts for work that must end with ctx.
func (t timeouts) within(ctx context.Context) timeouts {
	if deadline, ok := ctx.Deadline(); ok {
		t.statement = min(t.statement, time.Until(deadline))
		t.claim = min(t.claim, t.statement)
		t.lock = min(t.lock, t.statement)
	}
	return t
}

// Target opens sessions. It holds no connection and may be kept for the life
// of the process.
type Target struct {
	roots    *x509.CertPool
	policy   database.PasswordPolicy
	names    NameLimit
	timeouts timeouts
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters, of a server with such
// names. A length that the engine cannot use is [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int, names NameLimit) (*Target, error) {
	policy := database.Alphanumeric(passwordLength, maxPasswordLength)
	// The rules of validate_password and simple_password_check, where they are
	// in force, ask for one of these too.
	policy.Classes = append(policy.Classes, "-_")
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	return &Target{roots: roots, policy: policy, names: names, timeouts: sessionTimeouts}, nil
}

// PasswordPolicy returns what a new password must look like.
func (t *Target) PasswordPolicy() database.PasswordPolicy { return t.policy }

// Login opens a session for account and proves that the server takes it for
// account's user, which is [rotation.CodeIdentity] otherwise: where an account
// is missing, an anonymous one may answer for it. All that can be wrong with a
// host, its certificate or the credential has its own code; only
// [rotation.CodeAuthRejected] means that the password is not the user's.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	limits := t.timeouts.within(ctx)
	return t.open(ctx, account, func(ctx context.Context, s *Session) error { return s.begin(ctx, limits) })
}

// Prove logs in for account and leaves again, and asks nothing: applications may
// be waiting for it to be over. So it does not see facts that a server tells
// only to a statement: the session's user, and on some servers that the password
// has expired.
func (t *Target) Prove(ctx context.Context, account database.Account) error {
	s, err := t.open(ctx, account, func(context.Context, *Session) error { return nil })
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// open logs in and lets begin have the first word.
func (t *Target) open(ctx context.Context, account database.Account, begin func(context.Context, *Session) error) (*Session, error) {
	if err := t.names.Check(account.User); err != nil {
		return nil, err
	}
	return database.Login(ctx, func(ctx context.Context) (*Session, error) {
		s, err := t.connect(ctx, account)
		if err != nil {
			return nil, err
		}
		if err := begin(ctx, s); err != nil {
			s.Close()
			return nil, err
		}
		return s, nil
	})
}

// connect logs in, and no more.
func (t *Target) connect(ctx context.Context, account database.Account) (*Session, error) {
	address := database.Address(account, defaultPort)
	config := mysql.NewConfig()
	config.User = account.User
	config.Passwd = account.Password.Reveal()
	if !account.Admin {
		config.DBName = account.Database
	}
	config.Net, config.Addr = "tcp", address
	config.Logger = &mysql.NopLogger{} // what went wrong is in the errors
	config.ConnectionAttributes = "program_name:rotation"
	if !account.Plaintext {
		config.TLS = &tls.Config{RootCAs: t.roots, ServerName: account.ServerName, MinVersion: tls.VersionTLS12}
	}
	said := new(greeting)
	opened, err := dial(ctx, config, said)
	if err != nil {
		return nil, loginError(err, account, address)
	}
	return &Session{conn: opened.(conn), user: account.User, greeted: said.connection()}, nil
}

// dial makes the one attempt that there is.
func dial(ctx context.Context, config *mysql.Config, said *greeting) (opened driver.Conn, err error) {
	var dialled net.Conn
	config.DialFunc = func(ctx context.Context, _, address string) (_ net.Conn, err error) {
		dialled, err = database.Dial(ctx, address)
		said.Conn = dialled
		return said, err
	}
	// The driver believes the lengths in a greeting, which something other
	// than a MySQL server may have sent.
	defer func() {
		if recover() != nil {
			_ = dialled.Close()
			err = mysql.ErrMalformPkt
		}
	}()
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return connector.Connect(ctx)
}

// greeting is a connection that keeps the beginning of what the server says.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
type greeting struct {
	net.Conn
	head []byte
}

// greetingSize has room for a packet's head, the protocol, a version and the
// connection's id.
const greetingSize = 256

func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if room := greetingSize - len(g.head); room > 0 {
		g.head = append(g.head, p[:min(n, room)]...)
	}
	return n, err
}

// connection returns the id that the server gave the connection, "" if it gave none.
func (g *greeting) connection() string {
	const head, protocol = 4, 1
	_, rest, ok := bytes.Cut(g.head[min(len(g.head), head+protocol):], []byte{0})
	if !ok || len(rest) < 4 {
		return ""
	}
	return strconv.FormatUint(uint64(binary.LittleEndian.Uint32(rest)), 10)
}

// conn is what the driver's connections can do.
type conn interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
}
