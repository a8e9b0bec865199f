// Package golden holds what rotasmith writes: one folder a case, with the
// command line in args, one argument a line, and what came of it.
//
//	args    what a user types after "rotasmith", without --dir
//	plan    what --dry-run prints, without the sizes
//	stdout  what the user reads
//	base    the case that has the rest of the tree; a case without has all of it
//	want/   the files, or those that are not the base's
//	fails   the tests that fail until the user has filled in what is his to write
//
// A base's files count as the case's own but for the module's path, so that an
// edit of the core is recorded and read once; the digests in the lock file of
// such a case are recomputed and not recorded.
//
// A case is compared both ways: a file too many is as wrong as one too few.
// "go test ./golden -update" records, but only a project that is well formed,
// builds, passes go vet and its own tests; read the diff as a user would before
// you commit it.
package golden

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
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

	"github.com/aymanbagabas/go-udiff"

	rotasmith "github.com/rotasmith/rotasmith/cmd"
	"github.com/rotasmith/rotasmith/generator"
)

var update = flag.Bool("update", false, "record the cases anew")

const lockFile = ".rotasmith/lock.json"

// dirPlaceholder stands in recorded texts for the folder that was written to.
const dirPlaceholder = "DIR"

// tree is a project: its files by their slash-separated paths.
type tree map[string]string

func TestGolden(t *testing.T) {
	told := make(map[string]string)
	for _, name := range cases(t) {
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
			c.compare(t, got, told)
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
		plan:   sizes.ReplaceAllString(rotate(t, append(slices.Clone(args), "--dry-run"), dir), "$1"),
		stdout: rotate(t, args, dir),
	}
	r.files = readTree(t, dir)
	return r
}

// sizes are the numbers of bytes in what --dry-run prints, which change with
// every edit of a file.
var sizes = regexp.MustCompile(`(?m)^(\S+ ) *(?:BYTES|\d+) +|, \d+ bytes`)

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
// A change that an earlier case has told in full is only named: told has the
// cases by change.
func (c golden) compare(t *testing.T, got result, told map[string]string) {
	t.Helper()
	var changes []string
	change := func(what, want, now string) {
		diff := udiff.Unified("recorded", "now", want, now)
		if first, ok := told[what+diff]; ok {
			changes = append(changes, what+" as in "+first)
			return
		}
		told[what+diff] = c.name
		changes = append(changes, what+"\n"+diff)
	}
	if c.recorded.stdout != got.stdout {
		change("what is printed changes", c.recorded.stdout, got.stdout)
	}
	if c.recorded.plan != got.plan {
		change("the plan of --dry-run changes", c.recorded.plan, got.plan)
	}
	for _, path := range slices.Sorted(maps.Keys(merged(c.want, got.files))) {
		want, recorded := c.want[path]
		text, emitted := got.files[path]
		switch {
		case path == generator.LockFile && c.base != "":
			checkLock(t, got.files)
		case !recorded:
			changes = append(changes, path+" is new")
		case !emitted:
			changes = append(changes, path+" is not written any more")
		case want != text && path != lockFile:
			change(path+" changes", want, text)
		}
	}
	// The record says of other files what was told already.
	if len(changes) == 0 && c.base == "" && c.want[lockFile] != got.files[lockFile] {
		change(lockFile+" changes", c.want[lockFile], got.files[lockFile])
	}
	if len(changes) > 0 {
		t.Errorf("for who types\n\trotasmith %s\n%s\nIf that is meant: make golden CASE=%s", strings.Join(c.args, " "), strings.Join(changes, "\n"), c.name)
	}
}

// checkLock holds a lock file to the files beside it.
func checkLock(t *testing.T, files tree) {
	t.Helper()
	var lock struct {
		Files []struct{ Path, SHA256 string }
	}
	if err := json.Unmarshal([]byte(files[generator.LockFile]), &lock); err != nil {
		t.Fatalf("%s: %v", generator.LockFile, err)
	}
	locked := map[string]string{generator.LockFile: files[generator.LockFile]}
	for _, f := range lock.Files {
		locked[f.Path] = f.SHA256
	}
	for path, text := range files {
		if path != generator.LockFile && locked[path] != fmt.Sprintf("%x", sha256.Sum256([]byte(text))) {
			t.Errorf("%s has another digest of %s", generator.LockFile, path)
		}
		delete(locked, path)
	}
	for path := range locked {
		t.Errorf("%s has a digest of %s, which is not emitted", generator.LockFile, path)
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
		// Without the temporary folder's path in it, what was built or tested once comes from the cache.
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -trimpath", "GOPROXY=off", "GOWORK=off")
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
			return path == generator.LockFile || path != "go.mod" && strings.ReplaceAll(base[path], module(base), module(got.files)) == text
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
