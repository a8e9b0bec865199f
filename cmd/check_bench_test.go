package cmd

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// BenchmarkCheck checks one project and a thousand. Beside its time it reports how often the same files could have been plainly read and
// plainly written meanwhile, and for the thousand how much memory the program held at its end.
func BenchmarkCheck(b *testing.B) {
	one := filepath.Join(b.TempDir(), "orders-db")
	newProject(b, one)
	b.Run("in-process", func(b *testing.B) {
		againstPlainFiles(b, one, 1, func() { checkQuietly(b, one) })
	})
	b.Run("process", func(b *testing.B) {
		exe := build(b)
		againstPlainFiles(b, one, 1, func() { start(b, exe, "check", one) })
	})
	b.Run("1000 projects", func(b *testing.B) {
		many := b.TempDir()
		for i := range 1000 {
			linkTree(b, filepath.Join(many, strconv.Itoa(i)), one)
		}
		b.ResetTimer()
		againstPlainFiles(b, many, 1000, func() { checkQuietly(b, many+"/...") })
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapSys-m.HeapReleased)/(1<<20), "MB-heap")
	})
}

func checkQuietly(b *testing.B, target string) {
	b.Helper()
	sys := System{In: bytes.NewReader(nil), Out: io.Discard, Err: os.Stderr, Getenv: func(string) string { return "" }}
	if code := Main([]string{"check", target}, sys); code != 0 {
		b.Fatalf("exit code %d", code)
	}
}

// againstPlainFiles times work, and between its runs plain reads of every file below dir, and plain writes of the files of one of the projects
// there.
func againstPlainFiles(b *testing.B, dir string, projects int, work func()) {
	b.Helper()
	result, parent := benchProject(b), b.TempDir()
	var read, written, worked time.Duration
	for i := 0; b.Loop(); i++ {
		began := b.Elapsed()
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				_, err = os.ReadFile(path)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		isRead := b.Elapsed()
		writePlainly(b, filepath.Join(parent, strconv.Itoa(i)), result.Files)
		isWritten := b.Elapsed()
		work()
		read += isRead - began
		written += isWritten - isRead
		worked += b.Elapsed() - isWritten
	}
	b.ReportMetric(float64(worked.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(worked)/float64(read), "plain-reads/op")
	b.ReportMetric(float64(worked)/float64(written)/float64(projects), "plain-writes/project")
}

// linkTree makes a tree of links to the same files: a thousand copies would only fill the disk.
func linkTree(b *testing.B, to, from string) {
	b.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		return os.Link(path, target)
	})
	if err != nil {
		b.Fatal(err)
	}
}
