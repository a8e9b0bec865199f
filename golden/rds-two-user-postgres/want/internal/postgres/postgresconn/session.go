package postgresconn

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

// closeTimeout bounds the farewell to a server that may have gone.
const closeTimeout = time.Second

// Session is one connection that has logged in. It is for one goroutine.
type Session struct {
	kind Kind
	conn *pgconn.PgConn
	user string // who logged in
}

// User returns the user who logged in.
func (s *Session) User() string { return s.user }

// Said returns what the server said of itself at the log-in under that name, ""
// for nothing.
func (s *Session) Said(name string) string { return s.conn.ParameterStatus(name) }

// Backend returns the server's process that the log-in was answered for.
func (s *Session) Backend() uint32 { return s.conn.PID() }

// CheckName refuses a name of which the server would read only the beginning,
// as [rotation.CodeBadUsers].
func (s *Session) CheckName(name string) error { return s.kind.CheckName(name) }

// Identify is [rotation.CodeIdentity] unless the session is its user's.
func (s *Session) Identify(session string) error {
	if session != s.user {
		return identityError(s.user, session)
	}
	return nil
}

// Rows are a statement's rows as text. NULL is "".
type Rows [][]string

// Exec sends the statements in one message and returns the rows of each. They
// are one transaction unless they say otherwise: all of them happen, or none.
// doing names their purpose in errors and must be safe to print; statements
// never appear in one.
func (s *Session) Exec(ctx context.Context, doing string, statements ...string) ([]Rows, error) {
	results, err := s.exec(ctx, statements...)
	if err != nil {
		return nil, statementError(err, doing)
	}
	return results, nil
}

// Alter is [Session.Exec] for statements one of which carries a new password.
func (s *Session) Alter(ctx context.Context, doing string, statements ...string) error {
	if _, err := s.exec(ctx, statements...); err != nil {
		return changeError(err, doing)
	}
	return nil
}

// Undone runs do in a transaction that is rolled back. do must not end it.
func (s *Session) Undone(ctx context.Context, doing string, do func() error) error {
	if _, err := s.Exec(ctx, doing, "BEGIN"); err != nil {
		return err
	}
	done := do()
	if _, err := s.Exec(ctx, doing, "ROLLBACK"); err != nil {
		return err
	}
	return done
}

// exec is Exec with the driver's error.
func (s *Session) exec(ctx context.Context, statements ...string) ([]Rows, error) {
	read, err := s.conn.Exec(ctx, strings.Join(statements, ";\n")).ReadAll()
	if err != nil {
		if s.conn.TxStatus() != 'I' && !s.conn.IsClosed() {
			_, rollback := s.conn.Exec(ctx, "ROLLBACK").ReadAll()
			err = errors.Join(err, rollback)
		}
		return nil, err
	}
	results := make([]Rows, len(read))
	for i, result := range read {
		for _, values := range result.Rows {
			row := make([]string, len(values))
			for j, value := range values {
				row[j] = string(value)
			}
			results[i] = append(results[i], row)
		}
	}
	return results, nil
}

// Close implements [database.Session].
func (s *Session) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// dial connects to account's host and, unless the account says otherwise, puts
// verified TLS on the connection. ctx must have a deadline.
func (t *Target) dial(ctx context.Context, account database.Account) (net.Conn, error) {
	address := database.Address(account, t.kind.Port)
	conn, err := database.Dial(ctx, address)
	if err != nil || account.Plaintext {
		return conn, err
	}
	secure, err := t.startTLS(ctx, conn, account.ServerName)
	if err != nil {
		_ = conn.Close()
		return nil, database.TLSError(err, address, account.ServerName)
	}
	return secure, nil
}

// startTLS asks the server for TLS and completes the handshake.
func (t *Target) startTLS(ctx context.Context, conn net.Conn, serverName string) (net.Conn, error) {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	request, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	// Exactly one byte is read: what a man in the middle sends after it in
	// clear text must not be taken for what comes through TLS.
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, database.ErrNoTLS
	}
	return database.Handshake(ctx, conn, t.roots, serverName)
}

// discreet is an administrator's connection. It takes every proof of the password and
// not the password itself, however often and in whatever guise the server asks.
type discreet struct {
	net.Conn
	account database.Account
}

func (d discreet) Write(p []byte) (int, error) {
	var message pgproto3.PasswordMessage
	if len(p) > 5 && p[0] == 'p' && message.Decode(p[5:]) == nil && message.Password == d.account.Password.Reveal() {
		return 0, rotation.Errorf(rotation.CodeBadSecret, "the server at %q asks for the administrator's password in clear text: if it is yours and has to, as with LDAP or PAM, "+
			"let key %q of the admin secret be true", d.account.Host, database.KeyClearText)
	}
	return d.Conn.Write(p)
}
