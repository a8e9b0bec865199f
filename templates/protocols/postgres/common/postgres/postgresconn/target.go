// Package postgresconn logs in to servers that speak PostgreSQL's protocol:
// PostgreSQL, Aurora and Redshift, whose packages add what each has of its own.
//
// A session is one connection, dialled once: when it is gone, it is gone, and
// nothing that was meant for it lands later on another. TLS is verified before
// the driver sees the connection, so that no setting of the driver and nothing
// in its environment can weaken it.
//
// The package keeps no pool, reads no connection string and prepares no
// statement. Which login is tried when is for the strategies to decide.
package postgresconn

import (
	"context"
	"crypto/md5"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Kind is what servers that speak this protocol differ in.
type Kind struct {
	Name     string // in errors
	Port     int    // the usual one
	Database string // the usual one
	// NameLimit is how many bytes of a name count. A server cuts longer ones
	// off without an error, and what is left may be another user.
	NameLimit int
	// Methods are the ways in which a server may ask for a password other than
	// in clear text, in the words of the driver's require_auth. In clear text it
	// may over TLS only, and an administrator's only if the admin secret says so.
	// It never may ask for none: having logged in would then prove nothing.
	Methods string
	// Attend stands between the driver and the connection for account, where a
	// kind of server asks what the driver does not know. It may be nil.
	Attend func(conn net.Conn, account database.Account) net.Conn
}

// CheckName refuses a name of which the server would read only the beginning,
// as [rotation.CodeBadUsers].
func (k Kind) CheckName(name string) error {
	if len(name) > k.NameLimit {
		return rotation.Errorf(rotation.CodeBadUsers, "the name %q is longer than the %d bytes that %s reads", name, k.NameLimit, k.Name)
	}
	return nil
}

// Target opens sessions. It holds no connection and may be kept for the life
// of the process.
type Target struct {
	kind   Kind
	roots  *x509.CertPool
	policy database.PasswordPolicy
	base   *pgconn.Config
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords as policy says. A policy that cannot be met is
// [rotation.CodeBadConfig].
func New(kind Kind, roots *x509.CertPool, policy database.PasswordPolicy) (*Target, error) {
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	base, err := driverConfig()
	if err != nil {
		return nil, err
	}
	return &Target{kind, roots, policy, base}, nil
}

// PasswordPolicy returns what a new password must look like.
func (t *Target) PasswordPolicy() database.PasswordPolicy { return t.policy }

// Login opens a session for account and lets begin have the first word, which is
// to prove that the server takes it for account's user. All that can be wrong
// with a host, its certificate or the credential has its own code; only
// [rotation.CodeAuthRejected] means that the password is not the user's.
func (t *Target) Login(ctx context.Context, account database.Account, begin func(context.Context, *Session) error) (*Session, error) {
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

// Prove logs in for account and leaves again. It fails as [Target.Login] does,
// and takes one exchange with the server less.
func (t *Target) Prove(ctx context.Context, account database.Account) error {
	s, err := t.Login(ctx, account, func(context.Context, *Session) error { return nil })
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

// connect logs in, and no more.
func (t *Target) connect(ctx context.Context, account database.Account) (*Session, error) {
	if err := t.kind.CheckName(account.User); err != nil {
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
		config.Database = t.kind.Database
	}
	config.RequireAuth = t.kind.Methods
	if !account.Plaintext {
		config.RequireAuth += ",password"
	}
	if account.Admin && !account.ClearText {
		conn = discreet{conn, account}
	}
	if t.kind.Attend != nil {
		conn = t.kind.Attend(conn, account)
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
	s := &Session{kind: t.kind, conn: pg, user: account.User}
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

// Identifier quotes name for use in a statement. Statements that define roles
// take no parameters, so names and texts become part of them. name must be
// UTF-8 without NUL, which a secret's and a catalogue's names are.
func Identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal quotes text for use in a statement, in the form that means the same
// whatever the server's standard_conforming_strings says. The same holds for
// text as for an [Identifier]'s name; sessions fix client_encoding, without
// which a backslash could be half of a character.
func Literal(text string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + `'`
}

// MD5Verifier returns what a server stores for user's password under md5.
// Clients that know no better are locked out by anything else.
func MD5Verifier(user string, password rotation.Sensitive) rotation.Sensitive {
	sum := md5.Sum([]byte(password.Reveal() + user))
	return rotation.NewSensitive("md5" + hex.EncodeToString(sum[:]))
}
