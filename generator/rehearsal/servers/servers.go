// Package servers starts real database servers for tests: with TLS under a
// certificate authority of their own, on a free port of the loopback, and gone
// when the test binary is, however it ends.
//
// It installs nothing. Where a server's programs are missing, tests are
// skipped with a hint, but fail if CI is set: there nobody would notice.
package servers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ServerNames are the names and addresses in a server's certificate.
var ServerNames = []string{"localhost", "127.0.0.1"}

// missing ends a test whose server cannot be started for want of programs.
func missing(t testing.TB, hint string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(hint)
	}
	t.Skip(hint)
}

// cached returns a path in the folder in which .ci/setup keeps what it fetched
// and built.
func cached(elem ...string) string {
	dir := os.Getenv("XDG_CACHE_HOME")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(append([]string{dir, "rotasmith"}, elem...)...)
}

// keyPair holds PEM.
type keyPair struct{ certificate, key []byte }

// newCertificates makes an authority and a certificate of it for ServerNames.
func newCertificates() (authority, server keyPair, err error) {
	newTemplate := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial),
			Subject:      pkix.Name{CommonName: name},
			NotBefore:    time.Now().Add(-time.Hour),
			NotAfter:     time.Now().Add(24 * time.Hour),
		}
	}
	sign := func(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (keyPair, error) {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
		if err != nil {
			return keyPair{}, err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		return keyPair{
			certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		}, err
	}

	root := newTemplate(1, "rotasmith test authority")
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	if authority, err = sign(root, root, rootKey, rootKey); err != nil {
		return
	}
	leaf := newTemplate(2, "rotasmith test server")
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range ServerNames {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	server, err = sign(leaf, root, leafKey, rootKey)
	return
}
