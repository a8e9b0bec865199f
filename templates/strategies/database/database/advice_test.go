package database

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// C6, C25: the cure that RUNBOOK.md has for a certificate, or for a server that cannot
// be reached, helps: the next connection is made.
func TestAdvice(t *testing.T) {
	trusted, own := newAuthority(t), newAuthority(t)
	valid, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	account := Account{Host: "localhost", ServerName: "localhost"}
	well := &server{certificate: trusted.issue(t, "localhost", valid)}
	port := well.listen(t)
	for code, test := range map[rotation.Code]struct {
		server *server
		cured  func(*Account, *authority)
	}{
		rotation.CodeCertAuthority: { // its authority is added to those that are trusted
			&server{certificate: own.issue(t, "localhost", valid)},
			func(_ *Account, trust *authority) { *trust = own },
		},
		rotation.CodeCertName: {
			&server{certificate: trusted.issue(t, "db.example.com", valid)},
			func(a *Account, _ *authority) { a.ServerName = "db.example.com" },
		},
		rotation.CodeCertExpired:  {server: &server{certificate: trusted.issue(t, "localhost", past)}},
		rotation.CodeTLS:          {server: &server{certificate: trusted.issue(t, "localhost", valid), newest: tls.VersionTLS11}},
		rotation.CodeDisconnected: {server: &server{hangsUp: true}},
		rotation.CodeNoAnswer:     {server: &server{silent: true}},
		rotation.CodeUnreachable:  {server: &server{away: true}},
	} {
		t.Run(string(code), func(t *testing.T) {
			account, trust, patience := account, trusted, 10*time.Second
			account.Port = test.server.listen(t)
			if test.server.silent {
				patience = 50 * time.Millisecond
			}
			wantCode(t, connect(t, account, trust, patience), code)
			if test.cured != nil {
				test.cured(&account, &trust)
			} else {
				account.Port = port // the server is as it should be
			}
			if err := connect(t, account, trust, 10*time.Second); err != nil {
				t.Errorf("after its cure: %v", err)
			}
		})
	}
}

// connect does what engines do before they log in.
func connect(t *testing.T, account Account, trust authority, patience time.Duration) error {
	t.Helper()
	roots, err := RootCAs("eu-west-1", trust.file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	address := Address(account, 0)
	conn, err := Dial(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := Handshake(ctx, conn, roots, account.ServerName); err != nil {
		return TLSError(err, address, account.ServerName)
	}
	return nil
}

// server is one that speaks TLS and closes the connection, if it does so much.
type server struct {
	certificate           tls.Certificate
	newest                uint16 // version, 0 for every one
	hangsUp, silent, away bool
}

// listen serves until the test ends, and returns the port.
func (s *server) listen(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	if s.away {
		_ = listener.Close()
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.serve(conn)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

func (s *server) serve(conn net.Conn) {
	switch {
	case s.silent:
		_, _ = io.Copy(io.Discard, conn) // until the caller has given up
	case !s.hangsUp:
		config := &tls.Config{Certificates: []tls.Certificate{s.certificate}, MinVersion: tls.VersionTLS10, MaxVersion: s.newest} //nolint:gosec // what is refused
		_ = tls.Server(conn, config).Handshake()
	}
	_ = conn.Close()
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // in PEM form, as DB_CA_FILE names it
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, file: filepath.Join(t.TempDir(), "authority.pem")}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a authority) issue(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
}
