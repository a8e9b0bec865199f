// Package wire connects to a database server: a connection, verified TLS, and
// a code for everything that can be wrong with either. What is said on the
// connection is the engine's own.
package wire

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

	"example.com/orders-db/database"
	"example.com/orders-db/rotation"
)

// ErrNoTLS is what an engine gives to [TLSError] if a server refuses to speak
// TLS.
var ErrNoTLS = errors.New("the server offers no TLS")

// Address returns where account's server listens, usualPort being the port
// that it has if the secret names none.
func Address(account database.Account, usualPort int) string {
	port := account.Port
	if port == 0 {
		port = usualPort
	}
	return net.JoinHostPort(account.Host, strconv.Itoa(port))
}

// Dial connects to address. All failures are [rotation.CodeUnreachable].
func Dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(err, address)
	}
	return conn, nil
}

// Handshake puts TLS on conn, whose server must have a certificate for
// serverName that roots vouch for. It returns the error as it is, for
// [TLSError].
func Handshake(ctx context.Context, conn net.Conn, roots *x509.CertPool, serverName string) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS12})
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
	case IsTimeout(err):
		return rotation.Errorf(rotation.CodeUnreachable, "%q does not answer", address).Because(err)
	default:
		return rotation.Errorf(rotation.CodeUnreachable, "%q refuses the connection", address).Because(err)
	}
}

// TLSError tells a connection that broke before TLS was agreed, which is
// [rotation.CodeUnreachable], from a server that was refused, which is
// [rotation.CodeTLS].
func TLSError(err error, address, serverName string) error {
	var (
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case IsTimeout(err):
		return rotation.Errorf(rotation.CodeUnreachable, "%q does not answer", address).Because(err)
	case IsBroken(err):
		return rotation.Errorf(rotation.CodeUnreachable, "%q closed the connection before TLS was agreed", address).Because(err)
	case errors.Is(err, ErrNoTLS):
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

// IsTimeout reports whether err says that time ran out.
func IsTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// IsBroken reports whether err says that the other side hung up.
func IsBroken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
