// Package golden holds what rotasmith writes: one folder a case, with the
// command line in args, one argument a line, and what came of it.
//
//	args        what a user types after "rotasmith", without --dir
//	plan        what --dry-run prints, without the sizes, and digests
//	stdout      what the user reads
//	want/       the files of the living sample's project
//	want.txtar  files of another case's project
//	fails       the tests that fail until the user has filled in what is theirs to write
//
// The living sample has its whole project in want/. want.txtar of another case has
// what is expanded from a template or recorded by the generator, but each text once:
// in the first case that has it, the sample before all, whatever the module's path.
// A line of their plan ends with a digest instead: of the file in templates/ that
// is copied, or of such a text. So an edit of the core is read once, as a diff of
// the sample, and the plans say who gets it. Lock files are recomputed.
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
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	rotasmith "github.com/rotasmith/rotasmith/cmd"
	"github.com/rotasmith/rotasmith/templates"
)

var update = flag.Bool("update", false, "record the cases anew")

// sampleCase is the case whose project is recorded whole. The README leads to it.
const sampleCase = "rds-two-user-postgres"

// dirPlaceholder stands in recorded texts for the folder that was written to.
const dirPlaceholder = "DIR"

// tree is a project: its files by their slash-separated paths.
type tree map[string]string

// TestGolden compares what is written with what is recorded. It tells each
// change once and names the cases that get it.
func TestGolden(t *testing.T) {
	all := loadAll(t)
	before, after := recordedOf(all), newRecording(all, func(c golden) result { return c.emit(t) })
	found := new(changes)
	t.Cleanup(func() {
		if text := found.String(len(all)); text != "" {
			t.Error(text)
		}
	})
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if *update {
				if out, err := c.passes(t, c.emit(t), everyPackage); err != nil {
					t.Fatalf("not recorded, since the project does not pass: %v\n%s", err, out)
				}
				c.save(t, after.cases[c.name])
				return
			}
			if found.add(c, c.changesOf(before, after, c.emit(t))) {
				t.Fail() // TestGolden says why
			}
		})
	}
}

// result is what one run of the command line left, or what is recorded of it.
type result struct {
	plan, stdout string
	files        tree
}

// golden is one recorded case.
type golden struct {
	name     string
	args     []string
	fails    []string
	recorded result
	// templates is what plans name the sources in.
	templates fs.FS
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
	return found
}

// loadAll returns every case, the sample first.
func loadAll(t testing.TB) []golden {
	t.Helper()
	all := []golden{load(t, sampleCase)}
	for _, name := range cases(t) {
		if name != sampleCase {
			all = append(all, load(t, name))
		}
	}
	return all
}

func load(t testing.TB, name string) golden {
	t.Helper()
	return golden{
		name:      name,
		args:      strings.Split(strings.TrimSpace(read(t, name, "args")), "\n"),
		fails:     strings.Fields(read(t, name, "fails")),
		recorded:  result{plan: read(t, name, "plan"), stdout: read(t, name, "stdout"), files: wanted(t, name)},
		templates: templates.FS,
	}
}

// emitted is what the command line of a case leaves now.
func emitted(t testing.TB, name string) result {
	t.Helper()
	return load(t, name).emit(t)
}

// runs are the results by command line: the same answers give the same files.
var runs sync.Map

func (c golden) emit(t testing.TB) result {
	t.Helper()
	once, _ := runs.LoadOrStore(strings.Join(c.args, "\n"), sync.OnceValues(func() (result, error) { return run(c.args) }))
	r, err := once.(func() (result, error))()
	if err != nil {
		t.Fatal(err)
	}
	r.files = maps.Clone(r.files)
	return r
}

// run does what the user would: a dry run, then the real one.
func run(args []string) (r result, err error) {
	above, err := os.MkdirTemp("", "golden-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(above)
	dir := filepath.Join(above, "project")
	args = append(slices.Clone(args), "--dir", dir, "--no-input")
	if r.plan, err = rotate(append(slices.Clone(args), "--dry-run"), dir); err != nil {
		return r, err
	}
	r.plan = sizes.ReplaceAllString(r.plan, "$1")
	if r.stdout, err = rotate(args, dir); err != nil {
		return r, err
	}
	r.files, err = treeIn(dir)
	return r, err
}

// sizes are the numbers of bytes in what --dry-run prints, which change with
// every edit of a file.
var sizes = regexp.MustCompile(`(?m)^(\S+ ) *(?:BYTES|\d+) +|, \d+ bytes`)

func rotate(args []string, dir string) (stdout string, err error) {
	var out, errs bytes.Buffer
	code := rotasmith.Main(args, rotasmith.System{In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(string) string { return "" }})
	if code != 0 {
		return "", fmt.Errorf("rotasmith %s: exit %d\n%s", strings.Join(args, " "), code, &errs)
	}
	return strings.ReplaceAll(out.String(), dir, dirPlaceholder), nil
}

// archive is the file that records the texts of every case except the sample, whose files are recorded one by one.
const archive = "want.txtar"

// wanted returns the files that are recorded of a case.
func wanted(t testing.TB, name string) tree {
	t.Helper()
	if name == sampleCase {
		return readTree(t, filepath.Join(name, "want"))
	}
	files := make(tree)
	for _, f := range txtar.Parse([]byte(read(t, name, archive))).Files {
		files[f.Name] = string(f.Data)
	}
	return files
}

// save replaces what is recorded of a case.
func (c golden) save(t testing.TB, r result) {
	t.Helper()
	if c.name == sampleCase {
		want := filepath.Join(c.name, "want")
		if err := os.RemoveAll(want); err != nil {
			t.Fatal(err)
		}
		writeTree(t, want, r.files)
	} else {
		var a txtar.Archive
		for _, path := range slices.Sorted(maps.Keys(r.files)) {
			a.Files = append(a.Files, txtar.File{Name: path, Data: []byte(r.files[path])})
		}
		write(t, filepath.Join(c.name, archive), string(txtar.Format(&a)))
		if diff := cmp.Diff(r.files, wanted(t, c.name)); diff != "" {
			t.Fatalf("%s does not hold what it was given, such as a file that ends within a line:\n%s", archive, diff)
		}
	}
	write(t, filepath.Join(c.name, "plan"), r.plan)
	write(t, filepath.Join(c.name, "stdout"), r.stdout)
}

// read returns a file of a case, "" if there is none.
func read(t testing.TB, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	files, err := treeIn(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

func treeIn(dir string) (tree, error) {
	files := make(tree)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	return files, err
}

func writeTree(t testing.TB, dir string, files tree) {
	t.Helper()
	for path, text := range files {
		write(t, filepath.Join(dir, filepath.FromSlash(path)), text)
	}
}
