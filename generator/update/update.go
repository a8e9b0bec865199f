// Package update decides what an update does to each file of a project: from what was written once, what is here now, and what would be
// written now. It is the pure part: it reads a project only through functions that it is given, and writes nothing.
package update

import (
	"bytes"
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/rotasmith/rotasmith/generator"
)

// Outcome says what an update does to one file.
type Outcome string

// The outcomes. A file that has none of them stays as it is, and there is nothing to say about it.
const (
	Added    Outcome = "added"     // it is new
	Updated  Outcome = "updated"   // it was not edited here, and is what the templates give now
	Merged   Outcome = "merged"    // it was edited here and has changed in the templates
	Conflict Outcome = "conflict"  // the same, and a person has to look
	Removed  Outcome = "removed"   // it is no longer written, and was not edited here
	Left     Outcome = "left"      // it is no longer written, and was edited here: it stays
	NotTaken Outcome = "not-taken" // it is gone here and has changed in the templates: it stays gone
	Kept     Outcome = "kept"      // it is the user's, and both have changed the same lines: it stays, and the change is offered again
	Ours     Outcome = "ours"      // of a conflict, what stands here was kept
	Settled  Outcome = "settled"   // a conflict of an earlier update is settled
)

// Outcomes returns all outcomes in the order in which they are counted.
func Outcomes() []Outcome {
	return []Outcome{Added, Updated, Merged, Removed, Left, NotTaken, Kept, Ours, Settled, Conflict}
}

// Here is what stands at a path of a project.
type Here struct {
	Absent  bool
	Strange string      // says of what is no plain file what it is, as in "is a folder"
	Mode    fs.FileMode // permissions of a plain file
	Data    []byte      // of a plain file
}

// Project is what an update begins with.
type Project struct {
	Lock   generator.Lock   // what was written; empty if that is not known
	Lost   bool             // it is not known: no file that differs counts as the user's own
	Files  []generator.File // what would be written now, sorted by path
	Keep   []string         // patterns of the files that belong to the user
	Ours   bool             // keep what stands here, in conflicts
	Look   func(file string) (Here, error)
	Folder func(folder string) (files []string, err error) // the plain files that stand in a folder
}

// Change is what an update does to one file. Where Write is set, Data and Mode are to stand at Path; where Remove is not empty, that file is to go.
type Change struct {
	Path    string
	From    string // where the text stood before, if the templates have moved the file
	Outcome Outcome
	Note    string // what the outcome does not say; may be empty
	Lines   []int  // of each marker that opens a conflict, from 1

	Write  bool
	Data   []byte
	Mode   fs.FileMode
	Remove string

	Edited bool   // what is overwritten or removed was edited here
	NoBase bool   // what was written once is not to be found
	Here   Here   // what stands there, or at From, before the update
	Base   []byte // what was written once, where that had to be found
	Theirs []byte // what the templates give now; nil: no file
}

// Diff returns a unified diff of what the update does to the file: empty if it does nothing, or if there is no text to show. folder is put before the
// path.
func (c *Change) Diff(folder string) string {
	switch {
	case c.Write && c.Here.Absent:
		return diff(folder, "", nil, c.Path, c.Data)
	case c.Write:
		return diff(folder, cmp.Or(c.From, c.Path), c.Here.Data, c.Path, c.Data)
	case c.Remove != "":
		return diff(folder, c.Remove, c.Here.Data, "", nil)
	}
	return ""
}

// Offer returns a unified diff of what the templates have changed in a file that stays as it is: empty if that is not known.
func (c *Change) Offer(folder string) string {
	if c.Write || c.Remove != "" || c.Base == nil || c.Theirs == nil {
		return ""
	}
	return diff(folder, c.Path, c.Base, c.Path, c.Theirs)
}

// diff returns a unified diff between two texts; an empty path is no file.
func diff(folder, from string, before []byte, to string, after []byte) string {
	if !isText(before) || !isText(after) {
		return ""
	}
	name := func(side, file string) string {
		if file == "" {
			return "/dev/null"
		}
		return side + path.Join(folder, file)
	}
	return udiff.Unified(name("a/", from), name("b/", to), string(before), string(after))
}

func isText(data []byte) bool { return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 }

// Plan is what an update does to a project.
type Plan struct {
	Changes []Change // sorted by path
	Doubts  []string // files that would be merged, but have conflict markers that no update has left

	project *Project
	files   map[string]generator.File
	merging []pending                       // edited here and changed in the templates
	dropped []pending                       // edited here and no longer written
	missing []pending                       // gone here and changed in the templates
	lock    map[string]generator.LockedFile // after the update
	texts   map[string][]byte               // behind the lock's digests, of files that are not as they were given
	theirs  map[string][]byte               // the templates' part of open conflicts
}

// pending is a file that cannot be judged without the text that was written once.
type pending struct {
	path   string
	record generator.LockedFile // zero if both have added the file
	known  bool                 // there is a record
	note   string               // to be said of the file; may be empty
	here   Here
}

// Wants returns the digests of the texts that were written once and are needed now.
func (p *Plan) Wants() map[string]string {
	wants := make(map[string]string)
	for _, list := range [][]pending{p.merging, p.dropped, p.missing} {
		for _, f := range list {
			if f.record.SHA256 != "" {
				wants[f.path] = f.record.SHA256
			}
		}
	}
	return wants
}

// Lock returns the record after the update: of a conflict that is open, a file that is kept or one that is held back it says what it said.
func (p *Plan) Lock(answers, version string) generator.Lock {
	l := generator.Lock{Answers: answers, Rotasmith: version, Files: make([]generator.LockedFile, 0, len(p.lock))}
	for _, f := range p.lock {
		l.Files = append(l.Files, f)
	}
	slices.SortFunc(l.Files, func(a, b generator.LockedFile) int { return strings.Compare(a.Path, b.Path) })
	return l
}

// Bases returns by path the texts that the next update may need: what the lock says was written, of files that are not so.
func (p *Plan) Bases() map[string][]byte { return p.texts }

// Record returns what the next lock says of a file, zero if it says nothing.
func (p *Plan) Record(file string) generator.LockedFile { return p.lock[file] }

// SetRecord notes in the next lock that a file is written, which is not the plan's affair.
func (p *Plan) SetRecord(file string, data []byte) {
	p.lock[file] = generator.LockedFile{Path: file, Mode: "0644", SHA256: generator.Digest(data)}
}

// Theirs returns by path what the templates gave for each file with an open conflict.
func (p *Plan) Theirs() map[string][]byte { return p.theirs }

func (p *Plan) add(c Change) { p.Changes = append(p.Changes, c) }

// record notes in the next lock that a file was offered as it is given now.
func (p *Plan) record(f generator.File) {
	mode := "0644"
	if f.Mode&0o100 != 0 {
		mode = "0755"
	}
	p.lock[f.Path] = generator.LockedFile{Path: f.Path, Mode: mode, SHA256: f.SHA256}
}

func (p *Project) keeps(file string) bool {
	return slices.ContainsFunc(p.Keep, func(pattern string) bool {
		ok, _ := path.Match(pattern, file) // its syntax was checked with the answers
		return ok
	})
}

// lf returns a text whose lines all end in CRLF with LF instead, and whether it was one: so git checks out texts on Windows.
func lf(data []byte) (text []byte, crlf bool) {
	n := bytes.Count(data, []byte("\r\n"))
	if n == 0 || n != bytes.Count(data, []byte("\n")) {
		return data, false
	}
	return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), true
}

// as returns a text of the templates with the line ends of what stands here.
func as(here, text []byte) []byte {
	if _, crlf := lf(here); crlf {
		return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text
}

// digest is that of a text as it was written, whatever line ends it was checked out with.
func digest(data []byte) string {
	text, _ := lf(data)
	return generator.Digest(text)
}
