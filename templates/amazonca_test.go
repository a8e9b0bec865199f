package templates_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates"
)

// TestRedshiftRootsAreAmazons holds what Redshift is trusted by to the keys that Amazon Trust Services publishes.
// https://www.amazontrust.com/repository/
func TestRedshiftRootsAreAmazons(t *testing.T) {
	rest, err := fs.ReadFile(templates.FS, "engines/redshift/common/redshift/amazon-ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		key := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
		got[certificate.Subject.CommonName] = hex.EncodeToString(key[:])
	}
	want := map[string]string{
		"Amazon Root CA 1": "fbe3018031f9586bcbf41727e417b7d1c45c2f47f93be372a17b96b50757d5a2",
		"Amazon Root CA 2": "7f4296fc5b6a4e3b35d3c369623e364ab1af381d8fa7121533c9d6c633ea2461",
		"Amazon Root CA 3": "36abc32656acfc645c61b71613c4bf21c787f5cabbee48348d58597803d7abc9",
		"Amazon Root CA 4": "f7ecded5c66047d28ed6466b543c40e0743abe81d109254dcf845d4c2c7853c5",
		"Starfield Services Root Certificate Authority - G2": "2b071c59a0a0ae76b0eadb2bad23bad4580b69c3601b630c2eaf0613afa83f92",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names and keys (-published +here):\n%s", diff)
	}
}
