package project

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"

	"github.com/rotasmith/rotasmith/generator"
)

// Where a change of several files is made ready, and where it can be taken back from. Neither is kept in git.
const (
	readyFolder = ".rotasmith/update"
	undoFolder  = ".rotasmith/undo"
	journalName = "journal.json"
)

// disk is the part of *os.Root that a transaction uses.
type disk interface {
	Chmod(name string, mode fs.FileMode) error
	Link(from, to string) error
	Lstat(name string) (fs.FileInfo, error)
	MkdirAll(name string, mode fs.FileMode) error
	ReadFile(name string) ([]byte, error)
	Remove(name string) error
	RemoveAll(name string) error
	Rename(from, to string) error
	WriteFile(name string, data []byte, mode fs.FileMode) error
}

// transaction changes several files of a project, all or none of them, whenever the program is killed. Everything is written into readyFolder;
// once the journal stands there, the change is decided, and every later run carries it through. Each file that it overwrites or removes goes to
// undoFolder, with a journal of the way back, which is a transaction like it.
type transaction struct {
	disk disk
	way  journal
	back journal
}

// journal is what a transaction does.
type journal struct {
	Steps []step   `json:"steps"`
	Index []string `json:"index,omitempty"` // for git update-index --index-info: the entries of its files in git's index
}

// step is what a transaction does to one file. It can be done again, and seen to be done.
type step struct {
	Path   string `json:"path"`
	File   string `json:"file,omitempty"`   // in the transaction's folder, to be moved to Path; empty: the file at Path is removed
	Before string `json:"before,omitempty"` // the digest of what stands at Path before; empty: nothing
	After  string `json:"after,omitempty"`  // and after
}

// begin makes a transaction ready for its first step.
func begin(d disk) (*transaction, error) {
	t := &transaction{disk: d}
	if err := d.RemoveAll(readyFolder); err != nil {
		return nil, err
	}
	return t, d.MkdirAll(t.undo(""), 0o777)
}

// undo returns the path of a file of the way back as long as the transaction is not carried through.
func (t *transaction) undo(file string) string { return path.Join(readyFolder, "undo", file) }

// write makes ready that data will stand at a path. here is what stands there: its permissions stay but for those of mode.
func (t *transaction) write(file string, data []byte, mode fs.FileMode, here sight) error {
	name := strconv.Itoa(len(t.way.Steps))
	ready := path.Join(readyFolder, name)
	if err := t.disk.WriteFile(ready, data, mode); err != nil {
		return err
	}
	if !here.absent { // what is there has other permissions than a new file would get
		if err := t.disk.Chmod(ready, mode); err != nil {
			return err
		}
	}
	return t.step(step{file, name, digestOf(here), generator.Digest(data)}, name, here)
}

// remove makes ready that nothing will stand at a path.
func (t *transaction) remove(file string, here sight) error {
	return t.step(step{file, "", digestOf(here), ""}, strconv.Itoa(len(t.way.Steps)), here)
}

// step notes a step and its way back, for which it keeps what is here by the name saved.
func (t *transaction) step(s step, saved string, here sight) error {
	t.way.Steps = append(t.way.Steps, s)
	if here.absent {
		saved = ""
	}
	t.back.Steps = append(t.back.Steps, step{s.Path, saved, s.After, s.Before})
	if here.absent {
		return nil
	}
	if t.disk.Link(s.Path, t.undo(saved)) == nil {
		return nil
	}
	// Not every file system has links.
	if err := t.disk.WriteFile(t.undo(saved), here.data, here.mode); err != nil {
		return err
	}
	return t.disk.Chmod(t.undo(saved), here.mode)
}

// commit decides the change and carries it through. index is handed the entries of git's index at its end.
func (t *transaction) commit(index func(lines []string)) error {
	if err := t.journal(t.undo(journalName), t.back); err != nil {
		return err
	}
	written := path.Join(readyFolder, "journal.written")
	if err := t.journal(written, t.way); err != nil {
		return err
	}
	if err := t.disk.Rename(written, path.Join(readyFolder, journalName)); err != nil {
		return err
	}
	return carryThrough(t.disk, t.way, index)
}

func (t *transaction) journal(file string, j journal) error {
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return t.disk.WriteFile(file, text, 0o666)
}

// resume carries a transaction through that was decided, and returns its files; it clears away one that was not.
func resume(d disk, index func(lines []string)) (files []string, err error) {
	j, err := readJournal(d, readyFolder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := d.Lstat(readyFolder); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, d.RemoveAll(readyFolder)
	case err != nil:
		return nil, err
	}
	return j.files(), carryThrough(d, j, index)
}

func (j *journal) files() []string {
	files := make([]string, len(j.Steps))
	for i, s := range j.Steps {
		files[i] = s.Path
	}
	return files
}

// takeBack turns the last transaction round, if no file of it was changed since. It returns the files.
func takeBack(d disk, index func(lines []string)) (files []string, err error) {
	j, err := readJournal(d, undoFolder)
	if err != nil {
		return nil, err
	}
	var changed []string
	for _, s := range j.Steps {
		is, err := digestAt(d, s.Path)
		if err != nil {
			return nil, err
		}
		if is != s.Before {
			changed = append(changed, s.Path)
		}
	}
	if len(changed) > 0 {
		return nil, &ChangedError{changed}
	}
	if err := d.Rename(undoFolder, readyFolder); err != nil {
		return nil, err
	}
	return j.files(), carryThrough(d, j, index)
}

// ChangedError says which files were changed since an update, which can no longer be taken back.
type ChangedError struct{ Files []string }

func (e *ChangedError) Error() string {
	text := fmt.Sprintf("%q was changed since the last update", e.Files[0])
	if n := len(e.Files) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

func readJournal(d disk, folder string) (j journal, err error) {
	text, err := d.ReadFile(path.Join(folder, journalName))
	if err != nil {
		return j, err
	}
	if err := json.Unmarshal(text, &j); err != nil {
		return j, fmt.Errorf("%s/%s: %w", folder, journalName, err)
	}
	return j, nil
}

// carryThrough does each step that is not done.
func carryThrough(d disk, j journal, index func(lines []string)) error {
	for _, s := range j.Steps {
		if err := s.do(d); err != nil {
			return err
		}
	}
	if len(j.Index) > 0 && index != nil {
		index(j.Index)
	}
	back := path.Join(readyFolder, "undo")
	if _, err := d.Lstat(back); err == nil {
		if err := errors.Join(d.RemoveAll(undoFolder), d.Rename(back, undoFolder)); err != nil {
			return err
		}
	}
	return d.RemoveAll(readyFolder)
}

// do does one step. A file that is neither as it was nor as it is to be is left alone, and so is what was to stand there.
func (s *step) do(d disk) error {
	ready := path.Join(readyFolder, s.File)
	if s.File != "" {
		if _, err := d.Lstat(ready); errors.Is(err, fs.ErrNotExist) {
			return nil // it was moved
		}
	}
	is, err := digestAt(d, s.Path)
	switch {
	case err != nil:
		return err
	case s.File == "" && is == "":
		return nil
	case is != s.Before && is != s.After:
		return fmt.Errorf("%q has changed while it was updated; what it was to become stands in %s", s.Path, ready)
	case s.File != "":
		return errors.Join(d.MkdirAll(path.Dir(s.Path), 0o777), d.Rename(ready, s.Path))
	}
	if err := d.Remove(s.Path); err != nil {
		return err
	}
	removeEmpty(d, path.Dir(s.Path))
	return nil
}

// removeEmpty removes a folder and those above it that are empty.
func removeEmpty(d disk, folder string) {
	for folder != "." && d.Remove(folder) == nil {
		folder = path.Dir(folder)
	}
}

// digestAt returns the digest of the plain file at a path, empty if nothing is there.
func digestAt(d disk, file string) (string, error) {
	info, err := d.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "update", Path: file, Err: errors.New("is no plain file any more")}
	}
	data, err := d.ReadFile(file)
	return generator.Digest(data), err
}

func digestOf(here sight) string {
	if here.absent {
		return ""
	}
	return generator.Digest(here.data)
}

var _ disk = (*os.Root)(nil)
