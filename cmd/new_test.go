package cmd

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// countdown is a context that is cancelled once its error has been asked for n times.
type countdown struct {
	context.Context
	n int
}

func (c *countdown) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

// TestInterruptedHalfWay cancels a run at its first look at the context, at the last, and between.
func TestInterruptedHalfWay(t *testing.T) {
	const enough = 1 << 20
	whole := &countdown{t.Context(), enough}
	if code, _, errOut := newOrders(whole, t); code != 0 {
		t.Fatalf("exit code %d, stderr %q", code, errOut)
	}
	looks := enough - whole.n
	if looks < 10 {
		t.Errorf("the context is looked at %d times only", looks)
	}
	for _, n := range []int{0, 1, looks / 2, looks - 2, looks - 1} {
		code, out, errOut := newOrders(&countdown{t.Context(), n}, t)
		if code != exitInterrupted || out != "" || errOut != "rotasmith: error: interrupted, nothing was written\n" {
			t.Errorf("cancelled at %d: exit code %d, stdout %q, stderr %q", n, code, out, errOut)
		}
		if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
			t.Errorf("cancelled at %d: left behind %v, %v", n, left, err)
		}
	}
}

// newOrders makes a project in a new working folder.
func newOrders(ctx context.Context, t *testing.T) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	var out, errOut bytes.Buffer
	a := &app{
		System: System{In: strings.NewReader(""), Out: &out, Err: &errOut, Getenv: func(string) string { return "" }},
		open:   func() (*generator.Catalog, error) { return generator.Open(templates.FS, templates.Root) },
	}
	code = a.run(ctx, []string{"new", "orders-db", "--dir", "below/orders-db", "--type", "rds-two-user", "--engine", "postgres", "--no-input"})
	return code, out.String(), errOut.String()
}

// scripted answers from a map, and Enter for what is not there.
type scripted map[string]string

func (s scripted) Ask(_ context.Context, a ask) (string, error) {
	answer, ok := s[a.Key]
	if !ok {
		answer = a.def
	}
	return answer, a.accept(answer)
}

func (s scripted) Say(string) {}

func (scripted) Width() int { return 80 }

func TestAskedAndToldGiveTheSameCommand(t *testing.T) {
	t.Chdir(t.TempDir())
	var out bytes.Buffer
	a := &app{
		System:   System{In: strings.NewReader(""), Out: &out, Err: os.Stderr, Getenv: func(string) string { return "" }},
		open:     func() (*generator.Catalog, error) { return generator.Open(templates.FS, templates.Root) },
		prompter: scripted{"name": "orders-db", "type": "rds-single-user", "engine": "postgres", "change_as": "admin"},
	}
	if code := a.run(t.Context(), []string{"new", "--set", "ci=gitlab", "--dry-run"}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	asked := out.String()
	out.Reset()
	a.prompter = nil
	told := []string{"new", "orders-db", "--type", "rds-single-user", "--engine", "postgres", "--set", "change_as=admin", "--set", "ci=gitlab",
		"--dry-run"}
	if code := a.run(t.Context(), told); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if asked != out.String() {
		t.Errorf("asked:\n%s\ntold:\n%s", asked, out.String())
	}
}

func TestTree(t *testing.T) {
	var files []generator.File
	for _, p := range []string{".gitignore", "a/x.go", "a/y.go", "b/" + strings.Repeat("long", 15), "b/" + strings.Repeat("name", 5), "main.go"} {
		files = append(files, generator.File{Entry: generator.Entry{Path: p}})
	}
	want := `      .gitignore main.go
  a/  x.go y.go
  b/  ` + strings.Repeat("long", 15) + `
      ` + strings.Repeat("name", 5) + "\n"
	if got := tree(files, treeWidth); got != want {
		t.Errorf("tree\n%swant\n%s", got, want)
	}
}
