package database

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// ErrNoTLS is what an engine gives to [TLSError] if a server refuses to speak
// TLS.
var ErrNoTLS = errors.New("the server offers no TLS")

// loginTimeout bounds dialling, TLS and authentication together, and never takes
// more than a third of the time that is left: a host that swallows packets must
// leave time to say so.
const loginTimeout = 10 * time.Second

// Login calls login with a limit on its time. If that runs out, the error is
// [rotation.CodeNoAnswer]; [rotation.CodeDeadline] means that the caller's own time
// was over before. If the server cancels the first statement by a limit of its own,
// it has answered: [rotation.CodeServer].
func Login[S any](ctx context.Context, login func(context.Context) (S, error)) (session S, err error) {
	if err := ctx.Err(); err != nil {
		return session, rotation.Errorf(rotation.CodeDeadline, "no time is left to log in").Because(err)
	}
	limit := loginTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/3)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	session, err = login(ctx)
	cancelled, ok := errors.AsType[*rotation.Error](err)
	switch {
	case rotation.CodeOf(err) != rotation.CodeDeadline:
	case ok && ctx.Err() == nil:
		err = rotation.Errorf(rotation.CodeServer, "%s", cancelled.Detail).Because(err)
	default:
		err = rotation.Errorf(rotation.CodeNoAnswer, "the server does not answer after the log-in").Because(err)
	}
	return session, err
}

// Address returns where account's server listens, usualPort being the port
// that it has if the secret names none.
func Address(account Account, usualPort int) string {
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
	why := "%q cannot be connected to"
	var (
		unknown *net.DNSError
		network net.Error
	)
	switch {
	case errors.As(err, &unknown):
		why = "the name in %q cannot be resolved"
	case errors.As(err, &network) && network.Timeout():
		why = "%q does not answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "%q refuses the connection: nothing listens at that port"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		why = "there is no route to %q from the function's network"
	}
	return rotation.Errorf(rotation.CodeUnreachable, why, address).Because(err)
}

// TLSError classifies the failure of a handshake with the server at address,
// which should have had a certificate for serverName.
func TLSError(err error, address, serverName string) error {
	say := func(code rotation.Code, format string, args ...any) error {
		return rotation.Errorf(code, format, args...).Because(err)
	}
	switch code := rotation.ConnectionCode(err); {
	case errors.Is(err, ErrNoTLS):
		return say(rotation.CodeTLS, "%q offers no TLS", address)
	case code == rotation.CodeNoAnswer:
		return say(code, "%q does not answer", address)
	case code == rotation.CodeDisconnected:
		return say(code, "%q closed the connection before TLS was agreed", address)
	case code == rotation.CodeCertName:
		return say(code, "the certificate of %q is not for the name %q; if the host is an alias, put the certificate's name into the secret's %q", address, serverName, KeyServerName)
	case code == rotation.CodeCertAuthority:
		return say(code, "the certificate of %q is signed by no authority that this function trusts", address)
	case code == rotation.CodeCertExpired:
		return say(code, "the certificate of %q has expired or is not valid yet", address)
	default:
		return say(rotation.CodeTLS, "TLS with %q failed", address)
	}
}

// LoginError classifies a log-in to the server at address that ended without the
// server's answer to it, and returns nil if it did not.
func LoginError(err error, address string) error {
	switch rotation.ConnectionCode(err) {
	case rotation.CodeNoAnswer:
		return Silent(err, address)
	case rotation.CodeDisconnected:
		return HungUp(err, address)
	default:
		return nil
	}
}

// Silent is the error of a log-in to which the server at address gave no answer.
func Silent(err error, address string) error {
	return rotation.Errorf(rotation.CodeNoAnswer, "%q does not answer the log-in", address).Because(err)
}

// HungUp is the error of a log-in in which the server at address closed the
// connection. Drivers have words of their own for that.
func HungUp(err error, address string) error {
	return rotation.Errorf(rotation.CodeDisconnected, "%q closed the connection during the log-in", address).Because(err)
}

// rdsCA holds the root certificates of Amazon RDS, so that trust needs neither the network nor what the Lambda
// runtime happens to ship.
//
//go:embed rds-ca.pem
var rdsCA []byte

// RootCAs returns the certificates that a database server may be vouched for with: those in the PEM file named, or
// if file is empty the engine's own, or if it has none those of Amazon RDS for region and what was added to them.
// Never the system's: any public authority could then answer for the database. A pool without a certificate is an
// error, for it would refuse every server only when the first rotation is due.
func RootCAs(region, file string, own ...[]byte) (*x509.CertPool, error) {
	certificates, source := bytes.Join(own, nil), "the engine's own"
	if len(own) == 0 {
		certificates, source = ofRegion(rdsCA, region), fmt.Sprintf("embedded rds-ca.pem for region %q", region)
	}
	if file != "" {
		read, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read certificate authorities: %w", err)
		}
		certificates, source = read, file
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificates) {
		return nil, fmt.Errorf("read certificate authorities: %s: %w", source, errNoCertificate)
	}
	return pool, nil
}

var errNoCertificate = errors.New("no certificate in PEM form")

// rdsRoot is how the authorities of Amazon RDS are called. Each vouches for one region.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
var rdsRoot = regexp.MustCompile(`^Amazon RDS ([a-z]{2}(?:-[a-z]+)+-[0-9]) Root CA `)

// ofRegion leaves out the authorities of other regions.
func ofRegion(certificates []byte, region string) (kept []byte) {
	for {
		var block *pem.Block
		if block, certificates = pem.Decode(certificates); block == nil {
			return kept
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // as a pool does
		}
		if of := rdsRoot.FindStringSubmatch(cert.Subject.CommonName); of == nil || of[1] == region {
			kept = append(kept, pem.EncodeToMemory(block)...)
		}
	}
}
