package golden

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// scope says which packages of a project are vetted and tested.
type scope int

const (
	// everyPackage is what the owner of a project runs.
	everyPackage scope = iota
	// ownPackages leaves out those that are a package of templates/, file by
	// file: they are vetted and tested there, and TestCopiesAreTheirSources
	// holds them to it.
	ownPackages
)

// TestProjectsPass builds every recorded project without a network, and vets and
// tests one project of each kind whole and of the others what is their own.
func TestProjectsPass(t *testing.T) {
	if *update {
		t.Skip("recording has done it")
	}
	if testing.Short() {
		t.Skip("builds projects")
	}
	whole := make(map[string]bool) // by the strategies that make a kind
	for _, c := range loadAll(t) {
		r, of := c.emit(t), ownPackages
		if kind := strategies(r.plan); !whole[kind] {
			whole[kind], of = true, everyPackage
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if out, err := c.passes(t, r, of); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// strategies are the folders of strategies that a project is made from.
func strategies(plan string) string {
	var all []string
	for _, e := range entriesOf(plan) {
		if elem := strings.Split(e.source, "/"); elem[0] == "strategies" {
			all = append(all, elem[1])
		}
	}
	return strings.Join(set(all), " ")
}

// TestCopiesAreTheirSources holds every copied file of every project to the file
// in templates/ that it is a copy of: byte by byte, and Go up to its imports, of
// which those of templates/ name the same packages in the project.
func TestCopiesAreTheirSources(t *testing.T) {
	for _, name := range cases(t) {
		r := emitted(t, name)
		entries := entriesOf(r.plan)
		home := make(map[string]string) // import paths
		for _, e := range entries {
			if path.Ext(e.path) == ".go" {
				home[path.Join(templates.Root, path.Dir(e.source))] = path.Join(module(r.files), path.Dir(e.path))
			}
		}
		copies := 0
		for _, e := range entries {
			if !e.copied() {
				continue
			}
			copies++
			text, err := fs.ReadFile(templates.FS, e.source)
			if err != nil {
				t.Fatal(err)
			}
			want, got := string(text), r.files[e.path]
			if e.action == generator.Rehome {
				want, got = withImportsApart(t, want, home), withImportsApart(t, got, nil)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s is not %s (-source +copy):\n%s", name, e.path, e.source, diff)
			}
		}
		if copies < len(entries)/2 {
			t.Errorf("%s has %d copies in %d files", name, copies, len(entries))
		}
	}
}

// withImportsApart returns Go code with its imports, sorted and as home has them,
// at its end. A comment beside an import stays with it.
func withImportsApart(t *testing.T, text string, home map[string]string) string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Decls) == 0 {
		return text
	}
	var specs []string
	for _, spec := range f.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if to, ok := home[importPath]; ok {
			importPath = to
		}
		said := importPath + " " + spec.Doc.Text() + spec.Comment.Text()
		if spec.Name != nil {
			said = spec.Name.Name + " " + said
		}
		specs = append(specs, strings.TrimSpace(said))
	}
	slices.Sort(specs)
	from, to := fset.Position(f.Decls[0].Pos()).Offset, fset.Position(f.Decls[len(f.Decls)-1].End()).Offset
	return text[:from] + text[to:] + strings.Join(specs, "\n")
}

// TestNothingIsIgnored holds the emitted .gitignore to ignoring no file that was
// emitted with it.
func TestNothingIsIgnored(t *testing.T) {
	everyProject(t, func(t *testing.T, files tree) {
		dir := t.TempDir()
		writeTree(t, dir, files)
		if out, err := exec.CommandContext(t.Context(), "git", "init", "-q", dir).CombinedOutput(); err != nil {
			t.Fatalf("git init: %v\n%s", err, out)
		}
		cmd := exec.CommandContext(t.Context(), "git", "-C", dir, "check-ignore", "--stdin")
		cmd.Stdin = strings.NewReader(strings.Join(slices.Sorted(maps.Keys(files)), "\n"))
		out, err := cmd.Output()
		if len(out) > 0 {
			t.Errorf("the project ignores what it has:\n%s", out)
		} else if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 { // 1: none is ignored
			t.Errorf("git check-ignore: %v", err)
		}
	})
}

// passes builds, vets and tests a project with what the module cache has. Where
// tests are to fail, exactly those must, and none once the project has the files
// that its README shows.
func (c golden) passes(t testing.TB, r result, of scope) (string, error) {
	t.Helper()
	dir := t.TempDir()
	writeTree(t, dir, r.files)
	packages, build := []string{"./..."}, []string{"build", "./..."}
	if of == ownPackages {
		// This compiles every package and every test, so that go.mod has what they need, and
		// links none: a package's test does that.
		packages, build = own(t, r.plan), []string{"list", "-export", "-deps", "-test", "-tags", "db", "./..."}
	}
	if len(packages) == 0 {
		return goCommands(t, dir, build)
	}
	sound := [][]string{build, append([]string{"vet"}, packages...), append([]string{"vet", "-tags", "db"}, packages...)}
	test := append([]string{"test"}, packages...)
	if len(c.fails) > 0 {
		if out, err := goCommands(t, dir, sound...); err != nil {
			return out, err
		}
		out, _ := goCommands(t, dir, test)
		var failed []string
		for _, found := range failure.FindAllStringSubmatch(out, -1) {
			failed = append(failed, found[1])
		}
		if failed, want := set(failed), set(c.fails); !slices.Equal(failed, want) {
			return out, fmt.Errorf("the tests %q fail, and %q should", failed, want)
		}
		for _, found := range shown.FindAllStringSubmatch(r.files["README.md"], -1) {
			write(t, filepath.Join(dir, filepath.FromSlash(found[1])), found[2])
		}
	}
	return goCommands(t, dir, append(sound, test)...)
}

var (
	failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	shown   = regexp.MustCompile("(?ms)^```go (\\S+)\n(.*?)^```$") // a file by its path
)

// own returns the packages of a project that differ in any file from a package of
// templates/. It ignores prose, which no code reads, and in the project's root every
// file that is not Go: the package's tests in templates/ pass without those files.
func own(t testing.TB, plan string) (packages []string) {
	t.Helper()
	from := make(map[string][]string) // folders of sources by package
	files := make(map[string]int)
	for _, e := range entriesOf(plan) {
		dir, kind := path.Dir(e.path), path.Ext(e.path)
		if kind == ".md" || dir == "." && kind != ".go" {
			continue
		}
		files[dir]++
		if e.copied() {
			from[dir] = append(from[dir], path.Dir(e.source))
		}
		if kind == ".go" && !slices.Contains(packages, dir) {
			packages = append(packages, dir)
		}
	}
	packages = slices.DeleteFunc(packages, func(dir string) bool {
		home := set(from[dir])
		return len(home) == 1 && len(from[dir]) == files[dir] && files[dir] == filesIn(t, home[0])
	})
	for i, dir := range packages {
		packages[i] = "./" + dir
	}
	return set(packages)
}

// filesIn counts what own counts in a folder of templates/.
func filesIn(t testing.TB, dir string) (n int) {
	t.Helper()
	entries, err := fs.ReadDir(templates.FS, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".tmpl"); !e.IsDir() && path.Ext(name) != ".md" {
			n++
		}
	}
	return n
}

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
