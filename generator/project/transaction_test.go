package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
)

// dyingDisk is one on which the program is killed before an operation, or in the middle of one that writes a file.
type dyingDisk struct {
	*os.Root
	left int // operations until then
	torn bool
}

type killed struct{}

func (d *dyingDisk) count() {
	if d.left--; d.left < 0 {
		panic(killed{})
	}
}

func (d *dyingDisk) Chmod(name string, mode fs.FileMode) error {
	d.count()
	return d.Root.Chmod(name, mode)
}
func (d *dyingDisk) Link(from, to string) error   { d.count(); return d.Root.Link(from, to) }
func (d *dyingDisk) Remove(name string) error     { d.count(); return d.Root.Remove(name) }
func (d *dyingDisk) RemoveAll(name string) error  { d.count(); return d.Root.RemoveAll(name) }
func (d *dyingDisk) Rename(from, to string) error { d.count(); return d.Root.Rename(from, to) }
func (d *dyingDisk) MkdirAll(name string, mode fs.FileMode) error {
	d.count()
	return d.Root.MkdirAll(name, mode)
}

func (d *dyingDisk) WriteFile(name string, data []byte, mode fs.FileMode) error {
	if d.torn && d.left == 0 {
		_ = d.Root.WriteFile(name, data[:len(data)/2], mode)
	}
	d.count()
	return d.Root.WriteFile(name, data, mode)
}

// dies runs work on a disk that dies, and reports whether it did.
func dies(t *testing.T, dir string, after int, torn bool, work func(d disk, project fs.FS)) (dead bool) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	work(&dyingDisk{root, after, torn}, root.FS())
	return false
}

// start is a scene without git, whose update does all that an update can do, and copies of it.
func start(t *testing.T) *scene {
	s := newScene(t, first, second)
	if err := os.RemoveAll(s.path(".git")); err != nil {
		t.Fatal(err)
	}
	s.released(first)
	s.edit("Makefile", "go build", "go build -v")
	s.edit("docs/a.md", "two", "2")
	s.edit("terraform/topics.tf", "value = 1", "value = 11")
	s.remove("latin.txt")
	return s
}

func (s *scene) copy(name string) *scene {
	s.Helper()
	c := *s
	c.dir = filepath.Join(s.TempDir(), name)
	if err := os.CopyFS(c.dir, os.DirFS(s.dir)); err != nil {
		s.Fatal(err)
	}
	return &c
}

// content is every file below the project with its mode, also what is kept for taking back, but none of what is only made ready.
func (s *scene) content() map[string]string {
	s.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(os.DirFS(s.dir), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file == readyFolder {
				return fs.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err == nil {
			all[file] = info.Mode().String() + "\n" + s.read(file)
		}
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// I8, case 35: killed before any operation on the disk, or in the middle of one that writes, an update has changed nothing or is carried through by
// the next run, which ends where an undisturbed one does.
func TestUpdateKilledAnywhere(t *testing.T) {
	s := start(t)
	before := s.content()
	whole := s.copy("whole")
	whole.update()
	if whole.err != nil {
		t.Fatal(whole.err)
	}
	after := whole.content()
	kills, half := 0, 0
	for _, torn := range []bool{false, true} {
		for n := 0; ; n++ {
			k := s.copy("killed")
			if !dies(t, k.dir, n, torn, func(d disk, project fs.FS) { k.updater(k.to).runOn(t.Context(), d, project, k.dir) }) {
				break
			}
			kills++
			if interrupted(os.DirFS(k.dir)) {
				half++
			} else if diff := cmp.Diff(before, k.content()); diff != "" && cmp.Diff(after, k.content()) != "" {
				t.Fatalf("killed at operation %d: half is done (-before +killed):\n%s", n, diff)
			}
			// The run after it may be killed as well.
			dies(t, k.dir, n%11, torn, func(d disk, project fs.FS) { k.updater(k.to).runOn(t.Context(), d, project, k.dir) })
			k.update()
			if k.err != nil {
				t.Fatalf("after operation %d: %v", n, k.err)
			}
			if diff := cmp.Diff(after, k.content()); diff != "" {
				t.Fatalf("killed at operation %d, then run (-undisturbed +killed):\n%s", n, diff)
			}
			if _, err := os.Lstat(k.path(readyFolder)); err == nil {
				t.Fatalf("killed at operation %d: %s is left", n, readyFolder)
			}
		}
	}
	if t.Logf("%d kills, %d of them half-way", kills, half); half < 20 || kills < 2*half {
		t.Errorf("%d kills, %d of them half-way", kills, half)
	}
}

// I9: taking back an update gives what was before it, wherever that is killed.
func TestUndo(t *testing.T) {
	s := start(t)
	before := s.content()
	s.update()
	if s.err != nil {
		t.Fatal(s.err)
	}
	n := 0
	for ; ; n++ {
		k := s.copy("killed")
		dead := dies(t, k.dir, n, false, func(d disk, _ fs.FS) { undoOn(t.Context(), d, k.dir) })
		if dead {
			if _, err := Undo(t.Context(), k.dir); err != nil {
				t.Fatalf("after operation %d: %v", n, err)
			}
		}
		if diff := cmp.Diff(before, k.content()); diff != "" {
			t.Fatalf("killed at operation %d (-before +after undo):\n%s", n, diff)
		}
		if !dead {
			_, err := Undo(t.Context(), k.dir)
			if fault, ok := errors.AsType[*generator.Fault](err); !ok || fault.Msg != "has no update to take back" {
				t.Errorf("the second undo: %v", err)
			}
			break
		}
	}
	if n < 20 {
		t.Errorf("%d kills", n)
	}
}

// I9: times are as before, too, and so is what git's index says of a conflict.
func TestUndoInGit(t *testing.T) {
	s := newScene(t, first, second)
	s.edit("Makefile", "go build", "go build -v")
	s.commit()
	before, index := s.everything(), s.git("ls-files", "-s")
	s.updated(but("Makefile:4: conflict, both changed it")...)
	if s.git("ls-files", "-s") == index {
		t.Error("the index has no conflict")
	}
	if _, err := Undo(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("-before +after undo:\n%s", diff)
	}
	if diff := cmp.Diff(index, s.git("ls-files", "-s")); diff != "" {
		t.Errorf("index (-before +after undo):\n%s", diff)
	}
}

// An update whose files were changed since is not taken back.
func TestUndoRefusesWhatWasChangedSince(t *testing.T) {
	s := start(t)
	s.update()
	s.edit("docs/a.md", "2", "3")
	before := s.content()
	_, err := Undo(t.Context(), s.dir)
	if err == nil || !strings.HasSuffix(err.Error(), `: "docs/a.md" was changed since the last update`) {
		t.Error(err)
	}
	if diff := cmp.Diff(before, s.content()); diff != "" {
		t.Errorf("written (-before +after):\n%s", diff)
	}
}

// A file that is changed while an update is carried through is not overwritten: both texts are kept, and once the person has decided, the rest follows.
func TestUpdateStopsAtAFileThatChangesMeanwhile(t *testing.T) {
	s := start(t)
	for n := 0; !interrupted(os.DirFS(s.dir)); n++ {
		dies(t, s.dir, n, false, func(d disk, project fs.FS) { s.updater(s.to).runOn(t.Context(), d, project, s.dir) })
	}
	s.write("docs/a.md", "meanwhile\n")
	s.update()
	if s.err == nil || !strings.Contains(s.err.Error(), `"docs/a.md" has changed while it was updated`) {
		t.Fatal(s.err)
	}
	s.wants("docs/a.md", "meanwhile\n")
	_, ready, _ := strings.Cut(s.err.Error(), "stands in ")
	s.wants(ready, "one\n2\nthree\nfour\nfive\nSIX\nseven\n")
	s.write("docs/a.md", s.read(ready))
	s.update()
	if s.err != nil {
		t.Fatal(s.err)
	}
}

// A dry run needs no disk to write to: a run that is asked to say it stops at an update that was interrupted.
func TestUpdateDryOfAnInterruptedOne(t *testing.T) {
	s := start(t)
	for n := 0; !interrupted(os.DirFS(s.dir)); n++ {
		dies(t, s.dir, n, false, func(d disk, project fs.FS) { s.updater(s.to).runOn(t.Context(), d, project, s.dir) })
	}
	s.changed(func(u *Updater) { u.DryRun = true })
	before := s.everything()
	if s.update(); !errors.Is(s.err, ErrInterrupted) {
		t.Error(s.err)
	}
	if diff := cmp.Diff(before, s.everything()); diff != "" {
		t.Errorf("written (-before +after):\n%s", diff)
	}
}
