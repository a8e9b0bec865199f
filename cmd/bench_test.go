package cmd

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator"
)

// BenchmarkNew writes a project. Beside its time it reports how often the same files could have been plainly written meanwhile, had they
// been known beforehand.
func BenchmarkNew(b *testing.B) {
	args := func(dir string) []string {
		return []string{"new", "orders-db", "--type", "rds-two-user", "--engine", "postgres", "--no-input", "--dir", dir}
	}
	b.Run("in-process", func(b *testing.B) {
		sys := System{In: bytes.NewReader(nil), Out: io.Discard, Err: os.Stderr, Getenv: func(string) string { return "" }}
		againstPlainWrites(b, func(dir string) {
			if code := Main(args(dir), sys); code != 0 {
				b.Fatalf("exit code %d", code)
			}
		})
	})
	b.Run("process", func(b *testing.B) {
		exe := build(b)
		againstPlainWrites(b, func(dir string) { start(b, exe, args(dir)...) })
	})
}

// BenchmarkStartup is a process that does nothing but say its version, beside the same plain writes.
func BenchmarkStartup(b *testing.B) {
	exe := build(b)
	againstPlainWrites(b, func(string) { start(b, exe, "version") })
}

// againstPlainWrites times work, and plain writes between its runs.
func againstPlainWrites(b *testing.B, work func(dir string)) {
	b.Helper()
	result, parent := benchProject(b), b.TempDir()
	var plain, worked time.Duration
	for i := 0; b.Loop(); i++ {
		began := b.Elapsed()
		writePlainly(b, filepath.Join(parent, "plain"+strconv.Itoa(i)), result.Files)
		between := b.Elapsed()
		work(filepath.Join(parent, strconv.Itoa(i)))
		plain += between - began
		worked += b.Elapsed() - between
	}
	b.ReportMetric(float64(worked.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(worked)/float64(plain), "plain-writes/op")
}

// benchProject is the project that all of these write or check.
func benchProject(b *testing.B) *generator.Result {
	b.Helper()
	catalog, err := openTemplates()
	if err != nil {
		b.Fatal(err)
	}
	result, err := generator.NewRenderer(catalog).Generate(generator.Texts(map[string]string{
		"name": "orders-db", "type": "rds-two-user", "engine": "postgres",
	}))
	if err != nil {
		b.Fatal(err)
	}
	return result
}

func writePlainly(b *testing.B, dir string, files []generator.File) {
	b.Helper()
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, f.Mode); err != nil {
			b.Fatal(err)
		}
	}
}

func build(b *testing.B) string {
	b.Helper()
	exe := filepath.Join(b.TempDir(), "rotasmith.exe") // the suffix is for Windows
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", exe, "./rotasmith").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return exe
}

func start(b *testing.B, exe string, args ...string) {
	b.Helper()
	if out, err := exec.CommandContext(b.Context(), exe, args...).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}
