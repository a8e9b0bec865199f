package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/database"
	"example.com/orders-db/rotation"
)

// dial connects to account's host and, unless the account says otherwise, puts
// verified TLS on the connection. ctx must have a deadline.
func (t *Target) dial(ctx context.Context, account database.Account) (net.Conn, error) {
	port := account.Port
	if port == 0 {
		port = defaultPort
	}
	address := net.JoinHostPort(account.Host, strconv.Itoa(port))
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(err, address)
	}
	if account.Plaintext {
		return conn, nil
	}
	secure, err := t.startTLS(ctx, conn, account.ServerName)
	if err != nil {
		_ = conn.Close()
		return nil, tlsError(err, address, account.ServerName)
	}
	return secure, nil
}

var errNoTLS = errors.New("the server offers no TLS")

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
		return nil, errNoTLS
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: t.roots, ServerName: serverName, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, conn.SetDeadline(time.Time{})
}

func dialError(err error, address string) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return rotation.Errorf(rotation.CodeUnreachable, "the name in %q cannot be resolved", address).Because(err)
	case isTimeout(err):
		return rotation.Errorf(rotation.CodeUnreachable, "%q does not answer", address).Because(err)
	default:
		return rotation.Errorf(rotation.CodeUnreachable, "%q refuses the connection", address).Because(err)
	}
}

// tlsError tells a connection that broke from a server that was refused.
func tlsError(err error, address, serverName string) error {
	var (
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case isTimeout(err):
		return rotation.Errorf(rotation.CodeUnreachable, "%q does not answer", address).Because(err)
	case isBroken(err):
		return rotation.Errorf(rotation.CodeUnreachable, "%q closed the connection before TLS was agreed", address).Because(err)
	case errors.Is(err, errNoTLS):
		return rotation.Errorf(rotation.CodeTLS, "%q offers no TLS", address)
	case errors.As(err, &name):
		return rotation.Errorf(rotation.CodeTLS, "the certificate of %q is not for the name %q; if the host is an alias, put the certificate's name into the secret's %q", address, serverName, database.KeyServerName).Because(err)
	case errors.As(err, &authority):
		return rotation.Errorf(rotation.CodeTLS, "the certificate of %q is signed by no authority that this function trusts", address).Because(err)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return rotation.Errorf(rotation.CodeTLS, "the certificate of %q has expired or is not valid yet", address).Because(err)
	default:
		return rotation.Errorf(rotation.CodeTLS, "TLS with %q failed", address).Because(err)
	}
}

// isTimeout reports whether err says that time ran out.
func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// isBroken reports whether err says that the other side hung up.
func isBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
