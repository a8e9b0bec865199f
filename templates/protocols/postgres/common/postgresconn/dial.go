package postgresconn

import (
	"context"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/wire"
)

// dial connects to account's host and, unless the account says otherwise, puts
// verified TLS on the connection. ctx must have a deadline.
func (t *Target) dial(ctx context.Context, account database.Account) (net.Conn, error) {
	address := wire.Address(account, t.kind.Port)
	conn, err := wire.Dial(ctx, address)
	if err != nil || account.Plaintext {
		return conn, err
	}
	secure, err := t.startTLS(ctx, conn, account.ServerName)
	if err != nil {
		_ = conn.Close()
		return nil, wire.TLSError(err, address, account.ServerName)
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
		return nil, wire.ErrNoTLS
	}
	return wire.Handshake(ctx, conn, t.roots, serverName)
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
