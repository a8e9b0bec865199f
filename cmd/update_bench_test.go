//go:build unix

package cmd

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/templates"
)

// twelve are the files of the templates that the second version of BenchmarkUpdate changes.
var twelve = []string{
	"project/Makefile.tmpl", "project/terraform/iam.tf", "project/terraform/main.tf", "project/terraform/outputs.tf", "project/terraform/provider.tf",
	"project/terraform/replicas.tf", "project/terraform/rotation.tf", "project/terraform/variables.tf", "project/rotation/rotation.go",
	"project/rotation/serve.go", "project/RUNBOOK.md.tmpl", "engines/postgres/two-user/main.go",
}

// BenchmarkUpdate updates one project with nothing to do, beside a check of it, and a thousand of which twelve files have changed and 50 are edited. What
// these take was measured with others too: copier and cruft start a process and render twice for each project; see the README.
func BenchmarkUpdate(b *testing.B) {
	one := filepath.Join(b.TempDir(), "orders-db")
	newProject(b, one)
	b.Run("nothing to do", func(b *testing.B) {
		var checked, updated time.Duration
		for b.Loop() {
			began := b.Elapsed()
			checkQuietly(b, one)
			between := b.Elapsed()
			quietly(b, nil, 0, "update", one)
			checked += between - began
			updated += b.Elapsed() - between
		}
		b.ReportMetric(float64(updated)/float64(checked), "checks/op")
	})
	second, released := secondVersion(b, one)
	b.Run("1000 projects", func(b *testing.B) {
		var cpu time.Duration
		for b.Loop() {
			b.StopTimer()
			many := b.TempDir()
			for i := range 1000 {
				dir := filepath.Join(many, strconv.Itoa(i))
				linkTree(b, dir, one)
				if i%20 == 0 {
					editCopy(b, filepath.Join(dir, "terraform/iam.tf"))
				}
			}
			b.StartTimer()
			began := cpuTime(b)
			quietly(b, func(a *app) {
				a.open = func() (*generator.Catalog, error) { return generator.Open(os.DirFS(second), templates.Root) }
				a.released = func() []history.Point { return released }
			}, exitDone, "update", many+"/...")
			cpu += cpuTime(b) - began
			b.StopTimer()
			if text, err := os.ReadFile(filepath.Join(many, "20", "terraform/iam.tf")); err != nil || !bytes.HasPrefix(text, []byte(edit)) || !bytes.HasSuffix(text, []byte(change)) {
				b.Fatalf("not merged: %v\n%s", err, text)
			}
			b.StartTimer()
		}
		b.ReportMetric(cpu.Seconds()/float64(b.N), "CPU-s/op")
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapSys-m.HeapReleased)/(1<<20), "MB-heap")
	})
}

// The lines that a person and the second version of the templates add.
const (
	edit   = "# Mine.\n"
	change = "# Changed.\n"
)

// secondVersion writes a second version of the templates to a folder, and makes today's a part of the history.
func secondVersion(b *testing.B, project string) (second string, released []history.Point) {
	b.Helper()
	second = b.TempDir()
	if err := os.CopyFS(second, templates.FS); err != nil {
		b.Fatal(err)
	}
	for _, name := range twelve {
		f, err := os.OpenFile(filepath.Join(second, name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			b.Fatal(err)
		}
		line := change
		if filepath.Ext(name) == ".go" {
			line = "\n//" + change[1:]
		}
		if _, err := f.WriteString(line); err != nil || f.Close() != nil {
			b.Fatal(err)
		}
	}
	answers, err := os.ReadFile(filepath.Join(project, generator.AnswersFile))
	if err != nil {
		b.Fatal(err)
	}
	archive, err := history.Record(nil, "v1.0.0", templates.Root, templates.FS, map[string]string{"orders-db": string(answers)})
	if err != nil {
		b.Fatal(err)
	}
	if released, err = history.Read(archive); err != nil {
		b.Fatal(err)
	}
	return second, released
}

// editCopy edits a file that others are links to.
func editCopy(b *testing.B, file string) {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte(edit), text...), 0o644); err != nil {
		b.Fatal(err)
	}
}

// quietly runs the program and expects an exit code.
func quietly(b *testing.B, change func(*app), code int, args ...string) {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as Main has it
	a := &app{System: System{In: bytes.NewReader(nil), Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }}, open: openTemplates}
	if change != nil {
		change(a)
	}
	if got := a.run(b.Context(), args); got != code {
		b.Fatalf("exit code %d", got)
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
