package cmd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

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

func (s scripted) Ask(_ context.Context, p prompt) (string, outcome, error) {
	answer, ok := s[p.Key]
	if !ok {
		answer = p.def
	}
	return answer, answered, p.accept(answer)
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
	source := regexp.MustCompile(`(?m) (asked|default|NAME|--\S+.*)$`) // which is what differs
	if told := source.ReplaceAllString(out.String(), ""); source.ReplaceAllString(asked, "") != told {
		t.Errorf("asked:\n%s\ntold:\n%s", asked, told)
	}
}

// listening is scripted and keeps what it is told.
type listening struct {
	scripted
	told *strings.Builder
}

func (l listening) Say(text string) { l.told.WriteString(text) }

// Where Secrets Manager rotates by itself, a person is told and asked whether to go on; without a conversation, stderr has a
// note.
func TestManagedTarget(t *testing.T) {
	t.Chdir(t.TempDir())
	const managed = "Secrets Manager rotates these by itself, without a function: see the page on managed external secrets before writing one"
	manifest, err := fs.ReadFile(templates.FS, "providers/cloudflare/provider.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tree := replaced{templates.FS, "providers/cloudflare/provider.yaml", append(manifest, "managed: '"+managed+"'\n"...)}
	run := func(prompter Prompter, args ...string) (code int, out, errOut string) {
		var o, e bytes.Buffer
		a := &app{
			System:   System{In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }},
			open:     func() (*generator.Catalog, error) { return generator.Open(tree, templates.Root) },
			prompter: prompter,
		}
		code = a.run(t.Context(), append([]string{"new", "--dry-run"}, args...))
		return code, o.String(), e.String()
	}
	filesOf := func(plan string) string { // without the answers, which tell where each came from
		files, _, _ := strings.Cut(plan, "\nANSWER")
		return files
	}
	_, plain, _ := run(nil, "orders", "--type", "api-key", "--provider", "cloudflare")
	if code, out, errOut := run(nil, "orders", "--type", "api-key", "--provider", "cloudflare", "--no-input"); code != 0 || out != plain ||
		errOut != "rotasmith: note: "+managed+"\n" {
		t.Errorf("exit code %d, stderr %q", code, errOut)
	}
	for answer, want := range map[string]int{"yes": exitDone, "no": exitInterrupted} {
		told := new(strings.Builder)
		script := scripted{"name": "orders", "type": "api-key", "provider": "cloudflare", "answer": answer}
		code, out, errOut := run(listening{script, told})
		if code != want || (code == exitDone) != (filesOf(out) == filesOf(plain)) || strings.Contains(errOut, "note") {
			t.Errorf("%s: exit code %d, stderr %q, stdout\n%s", answer, code, errOut, out)
		}
		if told.String() != "\n"+wrap(managed, 80) {
			t.Errorf("%s: told %q", answer, told)
		}
	}
	told := new(strings.Builder)
	run(listening{scripted{"name": "orders", "type": "api-key", "provider": "openai"}, told})
	if told.Len() > 0 {
		t.Errorf("told of another provider %q", told)
	}
}

// replaced is a file system with another content of one file.
type replaced struct {
	fs.FS
	name string
	data []byte
}

func (r replaced) Open(name string) (fs.File, error) {
	if name == r.name {
		return fstest.MapFS{name: {Data: r.data}}.Open(name)
	}
	return r.FS.Open(name)
}

func TestTree(t *testing.T) {
	var files []generator.File
	for _, p := range []string{".gitignore", "a/x.go", "a/y.go", "b/" + strings.Repeat("long", 15), "b/" + strings.Repeat("name", 5), "internal/a/x.go", "internal/b/x.go", "internal/b/y.go", "main.go"} {
		files = append(files, generator.File{Entry: generator.Entry{Path: p}})
	}
	want := `               .gitignore main.go
  a/           x.go y.go
  b/           ` + strings.Repeat("long", 15) + `
               ` + strings.Repeat("name", 5) + `
  internal/a/  1 file
  internal/b/  2 files
`
	if got := tree(files, treeWidth); got != want {
		t.Errorf("tree\n%swant\n%s", got, want)
	}
}

// Answers that do not come are waited for, and that is said.
func TestWaitingForStdin(t *testing.T) {
	t.Chdir(t.TempDir())
	in, typed := io.Pipe()
	said, errs := io.Pipe()
	code := make(chan int, 1)
	go func() {
		a := &app{System: System{In: in, Out: io.Discard, Err: errs, Getenv: func(string) string { return "" }}, open: openTemplates}
		code <- a.run(t.Context(), []string{"new", "--answers", "-"})
	}()
	line, err := bufio.NewReader(said).ReadString('\n')
	if want := "rotasmith: note: waiting for answers on stdin, up to its end\n"; line != want || err != nil {
		t.Errorf("said %q, %v", line, err)
	}
	if _, err := io.WriteString(typed, "{name: x, type: rds-two-user, engine: postgres}"); err != nil {
		t.Fatal(err)
	}
	if err := typed.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitDone {
		t.Errorf("exit code %d", got)
	}
}

func TestHang(t *testing.T) {
	const table = "" +
		"Words\n" +
		"  a          one two three four five six\n" +
		"             - seven eight nine ten eleven\n" +
		"  b          a price of many      3    0.5 each\n" +
		"  of-a-long-name  one two three four\n" +
		"  rotasmith new orders-db --no-input --dry-run\n"
	const want = "" +
		"Words\n" +
		"  a          one two three\n" +
		"             four five six\n" +
		"             - seven eight\n" +
		"             nine ten eleven\n" +
		"  b          a price of many,\n" +
		"             3, 0.5 each\n" +
		"  of-a-long-name  one two\n" +
		"    three four\n" +
		"  rotasmith new orders-db --no-input --dry-run\n"
	if diff := cmp.Diff(want, hang(table, 30)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// B28: the text that a person has given is not echoed without end.
func TestMessagesAreBounded(t *testing.T) {
	t.Chdir(t.TempDir())
	var many strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&many, "k%d: x\n", i)
	}
	if err := os.WriteFile("many.yaml", []byte(many.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"new", strings.Repeat("a", 100_000), "--type", "rds-two-user", "--engine", "postgres"},
		{"new", "x", "--answers", "many.yaml", "--type", "rds-two-user", "--engine", "postgres"},
		{"new", "x", "--type", strings.Repeat("é", 100_000), "--json"},
		{strings.Repeat("c", 100_000)},
	} {
		code, out, errOut := rotate(t, args...)
		if code != exitUsage || len(out)+len(errOut) > 8000 || !utf8.ValidString(errOut) {
			t.Errorf("%.20s: exit code %d, %d bytes", args, code, len(out)+len(errOut))
		}
		if slices.Contains(args, "many.yaml") && !strings.Contains(errOut, "rotasmith: error: and 49980 more\n") {
			t.Errorf("not said how many more:\n%s", errOut)
		}
	}
}
