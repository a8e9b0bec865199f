package templates_test

import (
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"slices"
	"testing"

	"github.com/rotasmith/rotasmith/templates"
)

// TestRootsAreAmazons holds the bundle that projects begin with to roots of Amazon RDS. Its owner adds any other root that
// the project trusts.
func TestRootsAreAmazons(t *testing.T) {
	rest, err := fs.ReadFile(templates.FS, "strategies/database/database/rds-ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	certificates := 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificates++
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatalf("certificate %d: %v", certificates, err)
		}
		if !slices.Equal(cert.Issuer.OrganizationalUnit, []string{"Amazon RDS"}) || !cert.IsCA {
			t.Errorf("%s: issued by %v, want a root of Amazon RDS", cert.Subject.CommonName, cert.Issuer)
		}
	}
	if certificates == 0 {
		t.Error("the bundle holds no certificate")
	}
}
