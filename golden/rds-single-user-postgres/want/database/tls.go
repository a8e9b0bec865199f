package database

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"os"
)

// rdsCA holds the root certificates of Amazon RDS, so that trust needs neither the network nor what the Lambda
// runtime happens to ship.
//
//go:embed rds-ca.pem
var rdsCA []byte

// RootCAs returns the certificates that a database server may be vouched for with: those in the PEM file named, or
// if file is empty the engine's own, or if it has none those of Amazon RDS. Never the system's: any public authority
// could then answer for the database. A pool without a certificate is an error, for it would refuse every server only
// when the first rotation is due.
func RootCAs(file string, own ...[]byte) (*x509.CertPool, error) {
	certificates, source := bytes.Join(own, nil), "the engine's own"
	if len(own) == 0 {
		certificates, source = rdsCA, "embedded rds-ca.pem"
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
