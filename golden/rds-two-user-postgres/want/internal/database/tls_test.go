package database

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEmbeddedRoots reads the bundle certificate by certificate, as RootCAs skips what it cannot parse. (C6)
func TestEmbeddedRoots(t *testing.T) {
	now := time.Now()
	certificates := 0
	for rest := rdsCA; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("certificate %d: %v", certificates+1, err)
		}
		certificates++
		name := cert.Subject.CommonName
		if !bytes.Equal(cert.RawIssuer, cert.RawSubject) {
			t.Errorf("%s: issued by %v, want itself", name, cert.Issuer)
		}
		if err := cert.CheckSignatureFrom(cert); err != nil {
			t.Errorf("%s: not signed by itself: %v", name, err)
		}
		if !rdsRoot.MatchString(name) {
			t.Errorf("%s: is not the authority of one region", name)
		}
		if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			t.Errorf("%s: valid from %v to %v, not now", name, cert.NotBefore, cert.NotAfter)
		}
	}
	if blocks := bytes.Count(rdsCA, []byte("-----BEGIN")); certificates == 0 || certificates != blocks {
		t.Errorf("%d certificates read of %d in the file", certificates, blocks)
	}
}

// C6 (B2): of the embedded authorities those of the function's region are trusted, and with them those that
// the owner added. No other region's, and never an authority for AWS's own tests.
func TestRegion(t *testing.T) {
	names := map[string]*x509.Certificate{}
	for rest := rdsCA; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		names[cert.Subject.CommonName] = cert
	}
	pool, err := RootCAs("eu-west-1", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, cert := range names {
		_, err := cert.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if trusted, want := err == nil, strings.HasPrefix(name, "Amazon RDS eu-west-1 "); trusted != want {
			t.Errorf("%s: trusted is %t, want %t", name, trusted, want)
		}
	}
	for _, region := range []string{"", "xx-nowhere-1"} {
		if _, err := RootCAs(region, ""); !errors.Is(err, errNoCertificate) {
			t.Errorf("region %q: got %v, want %v", region, err, errNoCertificate)
		}
	}
}

func TestRootCAs(t *testing.T) {
	dir := t.TempDir()
	one, _ := pem.Decode(rdsCA)
	private := filepath.Join(dir, "private.pem")
	if err := os.WriteFile(private, pem.EncodeToMemory(one), 0o600); err != nil {
		t.Fatal(err)
	}
	noise := filepath.Join(dir, "noise.pem")
	if err := os.WriteFile(noise, []byte("no certificate here\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	embedded, err := RootCAs("eu-west-1", "")
	if err != nil {
		t.Fatalf("embedded bundle: %v", err)
	}
	replaced, err := RootCAs("eu-west-1", private)
	if err != nil {
		t.Fatalf("private authority: %v", err)
	}
	want := x509.NewCertPool()
	want.AppendCertsFromPEM(pem.EncodeToMemory(one))
	if !replaced.Equal(want) || replaced.Equal(embedded) {
		t.Error("a file of one certificate must replace the embedded bundle, not join it")
	}
	if own, err := RootCAs("", "", pem.EncodeToMemory(one)); err != nil || !own.Equal(want) {
		t.Errorf("an engine's own authorities must take the place of the embedded bundle: %v", err)
	}
	if own, err := RootCAs("eu-west-1", private, rdsCA); err != nil || !own.Equal(want) {
		t.Errorf("a file must take the place of an engine's own authorities: %v", err)
	}
	if _, err := RootCAs("", "", []byte("no certificate here")); !errors.Is(err, errNoCertificate) {
		t.Errorf("an engine without a certificate: got error %v, want %v", err, errNoCertificate)
	}
	if _, err := RootCAs("", noise); !errors.Is(err, errNoCertificate) {
		t.Errorf("file without a certificate: got error %v, want %v", err, errNoCertificate)
	}
	if _, err := RootCAs("", filepath.Join(dir, "absent.pem")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent file: got error %v, want %v", err, fs.ErrNotExist)
	}
}
