// Package golden holds what rotasmith writes: one folder a case, with the
// command line in args, one argument a line, and what came of it.
//
//	args    what a user types after "rotasmith", without --dir
//	plan    what --dry-run prints
//	stdout  what the user reads
//	base    the case that has the rest of the tree; a case without has all of it
//	want/   the files, or those that are not the base's
//	fails   the tests that fail until the user has filled in what is his to write
//
// A case is compared both ways: a file too many is as wrong as one too few.
// "go test ./golden -update" records, but only a project that is well formed,
// builds, passes go vet and its own tests; read the diff as a user would before
// you commit it.
package golden

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	rotasmith "github.com/rotasmith/rotasmith/cmd"
)

var update = flag.Bool("update", false, "record the cases anew")

// dirPlaceholder stands in recorded texts for the folder that was written to.
const dirPlaceholder = "DIR"

// tree is a project: its files by their slash-separated paths.
type tree map[string]string

func TestGolden(t *testing.T) {
	names := cases(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			got := c.run(t)
			if *update {
				if out, err := c.passes(t, got.files); err != nil {
					t.Fatalf("not recorded, since the project does not pass: %v\n%s", err, out)
				}
				c.record(t, got)
				c = load(t, name)
			}
			c.compare(t, got)
		})
	}
}

// TestProjectsPass builds, vets and tests every recorded project as its owner
// would, without a network.
func TestProjectsPass(t *testing.T) {
	if *update {
		t.Skip("recording has done it")
	}
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			if c.base != "" && !slices.ContainsFunc(slices.Collect(maps.Keys(c.recorded.files)), func(path string) bool { return strings.HasSuffix(path, ".go") }) {
				t.Skipf("its code is that of %s", c.base) // compare proves it
			}
			if out, err := c.passes(t, c.want); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestNothingIsIgnored holds the emitted .gitignore to ignoring no file that was
// emitted with it.
func TestNothingIsIgnored(t *testing.T) {
	for _, name := range cases(t) {
		dir := t.TempDir()
		files := load(t, name).want
		writeTree(t, dir, files)
		if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", dir).CombinedOutput(); err != nil {
			t.Fatalf("git init: %v\n%s", err, out)
		}
		cmd := exec.CommandContext(t.Context(), "git", "-C", dir, "check-ignore", "--stdin")
		cmd.Stdin = strings.NewReader(strings.Join(slices.Sorted(maps.Keys(files)), "\n"))
		out, err := cmd.Output()
		if len(out) > 0 {
			t.Errorf("%s ignores what it emits:\n%s", name, out)
		} else if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 { // 1: none is ignored
			t.Errorf("git check-ignore: %v", err)
		}
	}
}

// result is what one run of the command line left.
type result struct {
	plan, stdout string
	files        tree
}

// golden is one recorded case.
type golden struct {
	name     string
	args     []string
	base     string
	fails    []string
	recorded result // want/ alone in files
	want     tree   // the whole tree
}

func cases(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("*/args")
	if err != nil || len(found) == 0 {
		t.Fatalf("no golden case: %v", err)
	}
	for i, path := range found {
		found[i] = filepath.Dir(path)
	}
	// Full trees come first: the others are recorded as what differs from them.
	slices.SortStableFunc(found, func(a, b string) int { return strings.Compare(read(t, a, "base"), read(t, b, "base")) })
	return found
}

func load(t testing.TB, name string) golden {
	t.Helper()
	c := golden{
		name:  name,
		args:  strings.Split(strings.TrimSpace(read(t, name, "args")), "\n"),
		base:  strings.TrimSpace(read(t, name, "base")),
		fails: strings.Fields(read(t, name, "fails")),
	}
	c.recorded = result{plan: read(t, name, "plan"), stdout: read(t, name, "stdout"), files: readTree(t, filepath.Join(name, "want"))}
	c.want = make(tree)
	if c.base != "" {
		base := load(t, c.base)
		if base.base != "" {
			t.Fatalf("%s stands on %s, which is no full tree itself", name, c.base)
		}
		// What is left of the base, in this case's module and without what the
		// plan does not have.
		for path, text := range base.want {
			if planned(c.recorded.plan, path) {
				c.want[path] = strings.ReplaceAll(text, module(base.want), module(c.recorded.files, base.want))
			}
		}
	}
	maps.Copy(c.want, c.recorded.files)
	return c
}

// planned reports whether a recorded plan has path.
func planned(plan, path string) bool {
	for line := range strings.Lines(plan) {
		if fields := strings.Fields(line); slices.Contains(fields, path) {
			return true
		}
	}
	return false
}

// module returns the module path in the first go.mod of trees.
func module(trees ...tree) string {
	for _, files := range trees {
		for line := range strings.Lines(files["go.mod"]) {
			if path, ok := strings.CutPrefix(line, "module "); ok {
				return strings.TrimSpace(path)
			}
		}
	}
	return ""
}

// run does what the user would: a dry run, then the real one.
func (c golden) run(t testing.TB) result {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	args := append(slices.Clone(c.args), "--dir", dir, "--no-input")
	r := result{
		plan:   rotate(t, append(slices.Clone(args), "--dry-run"), dir),
		stdout: rotate(t, args, dir),
	}
	r.files = readTree(t, dir)
	return r
}

func rotate(t testing.TB, args []string, dir string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := rotasmith.Main(args, rotasmith.System{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(string) string { return "" }})
	if code != 0 {
		t.Fatalf("rotasmith %s: exit %d\n%s", strings.Join(args, " "), code, &errs)
	}
	return strings.ReplaceAll(out.String(), dir, dirPlaceholder)
}

// compare tells in the user's terms what is different from what was recorded.
func (c golden) compare(t *testing.T, got result) {
	t.Helper()
	if diff := cmp.Diff(c.recorded.stdout, got.stdout); diff != "" {
		t.Errorf("what the user reads has changed (-recorded +now):\n%s", diff)
	}
	if diff := cmp.Diff(c.recorded.plan, got.plan); diff != "" {
		t.Errorf("the plan has changed (-recorded +now):\n%s", diff)
	}
	for _, path := range slices.Sorted(maps.Keys(merged(c.want, got.files))) {
		want, recorded := c.want[path]
		text, emitted := got.files[path]
		switch {
		case !recorded:
			t.Errorf("%s is new: record it with make golden if it should be there", path)
		case !emitted:
			t.Errorf("%s is not emitted any more", path)
		case want != text:
			t.Errorf("%s has changed (-recorded +now):\n%s", path, cmp.Diff(want, text))
		}
	}
}

func merged(a, b tree) tree {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// passes builds, vets and tests a project with what the module cache has. Where
// tests are to fail, exactly those must, and none once the project has the files
// that its README shows.
func (c golden) passes(t testing.TB, files tree) (string, error) {
	t.Helper()
	dir := t.TempDir()
	writeTree(t, dir, files)
	sound := [][]string{{"build", "./..."}, {"vet", "./..."}, {"vet", "-tags", "db", "./..."}}
	if len(c.fails) > 0 {
		if out, err := goCommands(t, dir, sound...); err != nil {
			return out, err
		}
		out, _ := goCommands(t, dir, []string{"test", "./..."})
		var failed []string
		for _, found := range failure.FindAllStringSubmatch(out, -1) {
			failed = append(failed, found[1])
		}
		if failed, want := set(failed), set(c.fails); !slices.Equal(failed, want) {
			return out, fmt.Errorf("the tests %q fail, and %q should", failed, want)
		}
		for _, found := range shown.FindAllStringSubmatch(files["README.md"], -1) {
			write(t, filepath.Join(dir, filepath.FromSlash(found[1])), found[2])
		}
	}
	return goCommands(t, dir, append(sound, []string{"test", "./..."})...)
}

var (
	failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	shown   = regexp.MustCompile("(?ms)^```go (\\S+)\n(.*?)^```$") // a file by its path
)

// goCommands runs the go command in a folder, up to a failure.
func goCommands(t testing.TB, dir string, commands ...[]string) (string, error) {
	t.Helper()
	for _, args := range commands {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "go " + strings.Join(args, " ") + "\n" + string(out), err
		}
	}
	return "", nil
}

// record replaces what is recorded of a case.
func (c golden) record(t testing.TB, got result) {
	t.Helper()
	want := filepath.Join(c.name, "want")
	if err := os.RemoveAll(want); err != nil {
		t.Fatal(err)
	}
	files := maps.Clone(got.files)
	if c.base != "" {
		base := load(t, c.base).want
		maps.DeleteFunc(files, func(path, text string) bool {
			return path != "go.mod" && strings.ReplaceAll(base[path], module(base), module(got.files)) == text
		})
	}
	writeTree(t, want, files)
	write(t, filepath.Join(c.name, "plan"), got.plan)
	write(t, filepath.Join(c.name, "stdout"), got.stdout)
}

// read returns a file of a case, "" if there is none.
func read(t testing.TB, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func readTree(t testing.TB, dir string) tree {
	t.Helper()
	files := make(tree)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files[filepath.ToSlash(rel)] = read(t, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func writeTree(t testing.TB, dir string, files tree) {
	t.Helper()
	for path, text := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(path)), text)
	}
}
