package database

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
)

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
