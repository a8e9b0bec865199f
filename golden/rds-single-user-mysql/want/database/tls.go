package database

import (
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
// the embedded ones of Amazon RDS if file is empty. Never the system's: a public authority must not be able to
// answer for the database. A pool without a certificate is an error, for it would refuse every server only when
// the first rotation is due.
func RootCAs(file string) (*x509.CertPool, error) {
	certificates, source := rdsCA, "embedded rds-ca.pem"
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
