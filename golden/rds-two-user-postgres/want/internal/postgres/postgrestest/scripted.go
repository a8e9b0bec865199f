package postgrestest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

const (
	// Password is that of the account on a scripted server.
	Password = "sentinel-password-4711"
	// Echo is in everything that a Scripted server says. A server's own words
	// can hold statements and values, so no error may repeat them.
	Echo = "words-of-the-server"
)

// Authority signs certificates for Scripted servers.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority makes one up.
func NewAuthority(t testing.TB) Authority {
	t.Helper()
	a := Authority{key: newKey(t)}
	a.certificate = a.sign(t, a.key, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

// Server returns the TLS configuration of a server with a certificate.
func (a Authority) Server(t testing.TB, name string, notAfter time.Time) *tls.Config {
	t.Helper()
	key := newKey(t)
	leaf := a.sign(t, key, &x509.Certificate{
		DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotAfter: notAfter,
	})
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
}

func (a Authority) sign(t testing.TB, key *ecdsa.PrivateKey, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(1)
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	parent := a.certificate
	if parent == nil {
		template.Subject = pkix.Name{CommonName: "test authority"}
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// PEM is the authority's certificate.
func (a Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// Roots are what trusts the authority.
func (a Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Scripted is a server on the loopback that does as it is told.
type Scripted struct {
	host  string
	port  int
	Dials atomic.Int32
}

// Serve answers every connection with script, until the test ends.
func Serve(t testing.TB, script func(net.Conn)) *Scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var scripts sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		scripts.Wait()
	})
	address := listener.Addr().(*net.TCPAddr)
	s := &Scripted{host: address.IP.String(), port: address.Port}
	scripts.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.Dials.Add(1)
			scripts.Go(func() {
				defer func() { _ = conn.Close() }()
				script(conn)
			})
		}
	})
	return s
}

// Account is a login to the server, whose certificate is to be for db.test.
func (s *Scripted) Account() database.Account {
	return database.Account{User: "orders", Password: rotation.NewSensitive(Password), Host: s.host, Port: s.port, ServerName: "db.test"}
}

// OverTLS agrees to TLS and goes on with script if the client does too.
func OverTLS(config *tls.Config, script func(*pgproto3.Backend)) func(net.Conn) {
	return func(conn net.Conn) {
		var request [8]byte
		if _, err := io.ReadFull(conn, request[:]); err != nil || binary.BigEndian.Uint32(request[4:]) != 80877103 {
			return
		}
		_, _ = conn.Write([]byte("S"))
		secure := tls.Server(conn, config)
		if secure.HandshakeContext(context.Background()) != nil {
			return
		}
		Plain(script)(secure)
		_ = secure.Close()
	}
}

// Plain reads the start-up message and goes on with script.
func Plain(script func(*pgproto3.Backend)) func(net.Conn) {
	return func(conn net.Conn) {
		backend := pgproto3.NewBackend(conn, conn)
		if _, err := backend.ReceiveStartupMessage(); err == nil {
			script(backend)
		}
	}
}

// Send sends the messages at once.
func Send(backend *pgproto3.Backend, messages ...pgproto3.BackendMessage) {
	for _, message := range messages {
		backend.Send(message)
	}
	_ = backend.Flush()
}

// Refuse ends the log-in with an error.
func Refuse(state, routine string) func(*pgproto3.Backend) {
	return func(backend *pgproto3.Backend) {
		Send(backend, &pgproto3.ErrorResponse{Severity: "FATAL", Code: state, Routine: routine, Message: Echo, Detail: Echo, Hint: Echo, Where: Echo})
	}
}

// Closed reports whether the other side hangs up without another word.
func Closed(conn net.Conn) bool {
	n, _ := conn.Read(make([]byte, 1))
	return n == 0
}

// WantSilent checks that err says neither a secret nor a server's words.
func WantSilent(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{Password, Echo} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error says too much: %v", err)
		}
	}
}
