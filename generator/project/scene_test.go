package project

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/generator/update"
)

// changes are put over the test tree: what a version of the templates has.
type changes = map[string]string

// scene is a project in a repository, written by a first version of the templates, to be updated to a second one.
type scene struct {
	*testing.T
	dir    string // the project
	to     changes
	change func(*Updater)
	err    error
}

// newScene writes a project of the first version and commits it. more are answers beside the least.
func newScene(t *testing.T, from, to changes, more ...string) *scene {
	t.Helper()
	s := &scene{T: t, dir: filepath.Join(t.TempDir(), "orders"), to: to, change: func(*Updater) {}}
	s.new(s.dir, from, more...)
	s.git("init", "-q")
	s.commit()
	return s
}

// new writes a project.
func (s *scene) new(dir string, tree changes, more ...string) {
	s.Helper()
	result, err := openTree(s.T, tree).Generate(generator.Texts(generatortest.Pair(more...)))
	if err != nil {
		s.Fatal(err)
	}
	if err := Write(s.Context(), dir, result.Files); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) git(args ...string) string {
	s.Helper()
	c := exec.CommandContext(s.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	c.Dir = s.dir
	out, err := c.CombinedOutput()
	if err != nil {
		s.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (s *scene) commit() {
	s.Helper()
	s.git("add", "-A", "-f")
	s.git("commit", "-q", "--allow-empty", "-m", "x")
}

func (s *scene) path(file string) string { return filepath.Join(s.dir, filepath.FromSlash(file)) }

func (s *scene) read(file string) string {
	s.Helper()
	text, err := os.ReadFile(s.path(file))
	if err != nil {
		s.Fatal(err)
	}
	return string(text)
}

func (s *scene) write(file, text string) {
	s.Helper()
	writeFile(s.T, s.path(file), text)
}

// edit replaces text in a file, which must be there.
func (s *scene) edit(file, old, text string) {
	s.Helper()
	was := s.read(file)
	if !strings.Contains(was, old) {
		s.Fatalf("%s has no %q:\n%s", file, old, was)
	}
	s.write(file, strings.Replace(was, old, text, 1))
}

func (s *scene) remove(file string) {
	s.Helper()
	if err := os.Remove(s.path(file)); err != nil {
		s.Fatal(err)
	}
}

// updater returns what updates projects to a version of the templates.
func (s *scene) updater(tree changes) *Updater {
	s.Helper()
	u := &Updater{Renderer: openTree(s.T, tree)}
	s.change(u)
	return u
}

// update updates the project to the second version. It keeps an error.
func (s *scene) update() *Updated {
	s.Helper()
	var u *Updated
	u, s.err = s.updater(s.to).Run(s.Context(), s.dir)
	return u
}

// updated updates the project, which must not fail, and expects what is said of it: a line for each change.
func (s *scene) updated(want ...string) *Updated {
	s.Helper()
	u := s.update()
	if s.err != nil {
		s.Fatal(s.err)
	}
	var got []string
	for _, c := range u.Changes {
		if c.Path == generator.SchemaFile {
			continue
		}
		got = append(got, said(c))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("changes (-want +got):\n%s", diff)
	}
	return u
}

func said(c update.Change) string {
	text := c.Path
	if len(c.Lines) > 0 {
		text += fmt.Sprintf(":%d", c.Lines[0])
	}
	text += ": " + string(c.Outcome)
	if c.From != "" {
		text += " from " + c.From
	}
	if c.Note != "" {
		text += ", " + c.Note
	}
	return text
}

// wants expects the content of a file.
func (s *scene) wants(file, text string) {
	s.Helper()
	if diff := cmp.Diff(text, s.read(file)); diff != "" {
		s.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// absent expects that a file is not there.
func (s *scene) absent(file string) {
	s.Helper()
	if _, err := os.Lstat(s.path(file)); err == nil {
		s.Errorf("%s is there", file)
	}
}

// again updates once more, and expects that nothing is written.
func (s *scene) again() *Updated {
	s.Helper()
	before := s.everything()
	u := s.update()
	if s.err != nil {
		s.Fatal(s.err)
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" || u.Written {
		s.Errorf("the second update wrote (-before +after):\n%s", diff)
	}
	return u
}

// everything is the whole project but git's folder: path to mode, time and content. Files that are kept for taking back are left out.
func (s *scene) everything() map[string]string { s.Helper(); return everything(s.T, s.dir) }

func everything(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file == ".git" || file == undoFolder {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				return err
			}
			text = string(data)
		}
		all[file] = fmt.Sprintf("%s %s\n%s", info.Mode(), info.ModTime(), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checked expects the differences that are left, as check finds them.
func (s *scene) checked(want ...string) {
	s.Helper()
	found, err := Compare(openTree(s.T, s.to), os.DirFS(s.dir), "orders")
	if err != nil {
		s.Fatal(err)
	}
	var got []string
	for _, d := range found.Differences {
		got = append(got, d.Path+": "+string(d.Kind))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("check (-want +got):\n%s", diff)
	}
}

// released makes a version of the templates a part of the history.
func (s *scene) released(tree changes) {
	s.Helper()
	result, err := openTree(s.T, tree).Generate(generator.Texts(generatortest.Pair()))
	if err != nil {
		s.Fatal(err)
	}
	answers := ""
	for _, f := range result.Files {
		if f.Path == generator.AnswersFile {
			answers = string(f.Data)
		}
	}
	archive, err := history.Record(nil, "v1.0.0", generatortest.Root, generatortest.Tree(tree), map[string]string{"x": answers})
	if err != nil {
		s.Fatal(err)
	}
	points, err := history.Read(archive)
	if err != nil {
		s.Fatal(err)
	}
	s.changed(func(u *Updater) { u.Old = func() []history.Point { return points } })
}

// changed changes what updates are done with.
func (s *scene) changed(change func(*Updater)) {
	before := s.change
	s.change = func(u *Updater) { before(u); change(u) }
}

func over(lower changes, upper changes) changes {
	all := maps.Clone(lower)
	maps.Copy(all, upper)
	return all
}
