// Package project looks after projects that are written to the disk: it writes them, and finds out what has become of them since.
package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/rotasmith/rotasmith/generator"
)

// Kind says why a file of a project is not what its answers give.
type Kind string

// The kinds of difference.
const (
	Edited         Kind = "edited"          // it was changed here
	Missing        Kind = "missing"         // it was written and is gone
	TemplateMoved  Kind = "template-moved"  // it is as it was written, but the templates give another one now
	AnswersChanged Kind = "answers-changed" // the same, since the answers are not those it was written for
	Conflict       Kind = "conflict"        // an update has left a conflict in it
	Interrupted    Kind = "interrupted"     // of the whole project: an update of it was, and nothing else is looked at
	LineEndings    Kind = "line-endings"    // of the whole project: files have CRLF where LF was written
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Edited, Missing, TemplateMoved, AnswersChanged, Conflict, Interrupted, LineEndings}
}

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Edited:
		return "edited here"
	case TemplateMoved:
		return "template has moved on"
	case AnswersChanged:
		return "answers changed but not regenerated"
	case Interrupted:
		return "an update was interrupted"
	case LineEndings:
		return "CRLF line endings"
	default:
		return string(k)
	}
}

// Difference is one file of a project that is not what its answers give.
type Difference struct {
	Path string
	Kind Kind
	Kept bool   // the user owns it: worth a word, but no fault
	Note string // what the kind does not say; may be empty
	Line int    // where the first difference is in the file that is here, from 1; 0 when that says nothing

	here, want []byte // nil: no file
	text       bool
	unsaid     bool // the mode or the line endings are not those of the file that is given, which no diff says
}

// Drift is what has become of a project since it was written.
type Drift struct {
	Version     string          // of rotasmith that wrote it, as of its lock; empty if that does not say
	Spec        *generator.Spec // what its recorded answers describe; nil if an update was interrupted
	Files       []string        // the paths of what was written, or would be, sorted
	Differences []Difference
}

// Applies reports whether Diff may be applied: it takes the difference away, and nothing that the user has edited, deleted or owns. That is so
// where the template alone has changed. Where the answers have, files that the user owns may still say the old ones.
func (d *Difference) Applies() bool {
	return d.Kind == TemplateMoved && !d.Kept && d.text && !d.unsaid && !bytes.Equal(d.here, d.want)
}

// Diff returns a unified diff that leads from what is here to what is given by the answers, empty when the file is not text. folder is put
// before the path, with a slash: it names the project from where the diff is to be applied.
func (d *Difference) Diff(folder string) string {
	if !d.text {
		return ""
	}
	name := path.Join(folder, d.Path)
	from, to := "a/"+name, "b/"+name
	if d.here == nil {
		from = "/dev/null"
	}
	if d.want == nil {
		to = "/dev/null"
	}
	return udiff.Unified(from, to, string(d.here), string(d.want))
}

// Compare returns what has become of a project beside what its recorded answers give with this template tree, its differences sorted by
// path. It reads nothing but files that were or would be written, follows no link out of the project, and ignores files that rotasmith did
// not write. name is what messages call the project's folder. The error joins one *Fault for each thing that is wrong with the recorded
// answers; a project that a later version than the renderer's has written is refused.
func Compare(r *generator.Renderer, project fs.FS, name string) (*Drift, error) {
	cmp := &comparison{viewer: newViewer(project), cause: TemplateMoved}
	cmp.readLock()
	if err := refuseNewer(cmp.lock.Rotasmith, r.Version, name); err != nil {
		return nil, err
	}
	if interrupted(project) {
		return &Drift{Version: cmp.lock.Rotasmith, Differences: []Difference{{Path: readyFolder, Kind: Interrupted, Note: "rotasmith update finishes it"}}}, nil
	}
	answers, err := readAnswers(project, name)
	if err != nil {
		return nil, err
	}
	now, carried := r.Catalog().CarryOver(answers)
	result, err := r.Generate(now)
	if err != nil {
		return nil, unansweredIn(answersPath(name), err)
	}
	full, err1 := result.Spec.AnswersDigest(nil)
	answered, err2 := result.Spec.RecordedDigest(answers, carried)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	cmp.spec = result.Spec
	for _, c := range carried {
		cmp.add(Difference{Path: generator.AnswersFile, Kind: TemplateMoved, Note: c.String(), Line: c.Line})
	}
	// A question that this version has added is answered by its default: that is not a change of the answers.
	if cmp.recorded && cmp.lock.Answers != full && cmp.lock.Answers != answered {
		cmp.cause = AnswersChanged
		cmp.add(Difference{Path: generator.AnswersFile, Kind: AnswersChanged, Note: "the files were written for other answers"})
	}
	if err := cmp.run(result.Files, full); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	slices.SortStableFunc(cmp.found, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return &Drift{Version: cmp.lock.Rotasmith, Spec: result.Spec, Files: cmp.paths(result.Files), Differences: cmp.found}, nil
}

// paths returns what was written and what would be.
func (c *comparison) paths(files []generator.File) []string {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	for _, f := range c.lock.Files {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// Recorded returns what the recorded answers of a project come to. name is what messages call its folder.
func Recorded(c *generator.Catalog, project fs.FS, name string) (*generator.Resolution, error) {
	answers, err := readAnswers(project, name)
	if err != nil {
		return nil, err
	}
	now, _ := c.CarryOver(answers)
	r := c.Resolve(now)
	_, err = r.Spec()
	return r, unansweredIn(answersPath(name), err)
}

func answersPath(name string) string { return path.Join(filepath.ToSlash(name), generator.AnswersFile) }

// readAnswers reads the answers that a project was written with.
func readAnswers(project fs.FS, name string) (generator.Answers, error) {
	text, err := readBounded(project, generator.AnswersFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(project, generator.LockFile); err == nil {
			return nil, &generator.Fault{
				At: name, Msg: fmt.Sprintf("has no %s, and %s says that it had one", generator.AnswersFile, generator.LockFile),
				Hint: "restore it: git checkout -- " + generator.AnswersFile,
			}
		}
		return nil, &generator.Fault{At: name, Msg: "has no " + generator.AnswersFile, Hint: "name the folder of a project"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", answersPath(name), reason(err))
	}
	return generator.ParseAnswers(answersPath(name), text)
}

// unansweredIn puts the file into the faults that stand nowhere: what was not answered is cured there.
func unansweredIn(file string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	for _, part := range joined.Unwrap() {
		if f, ok := errors.AsType[*generator.Fault](part); ok && f.At == "" {
			f.At, f.Hint = file, "answer it there"
		}
	}
	return err
}

// comparison is one walk over the files of a project.
type comparison struct {
	viewer
	spec     *generator.Spec
	cause    Kind // why a file that the owner did not touch can differ
	lock     generator.Lock
	lockText []byte
	recorded bool // the lock could be read
	byPath   map[string]generator.LockedFile
	found    []Difference
	crlf     int // files with CRLF where LF was written
}

// readLock reads the record.
func (c *comparison) readLock() {
	text, err := readBounded(c.project, generator.LockFile)
	if err != nil {
		return // run looks at the file as at any other
	}
	c.lockText = text
	c.recorded = json.Unmarshal(text, &c.lock) == nil
	c.byPath = make(map[string]generator.LockedFile, len(c.lock.Files))
	for _, f := range c.lock.Files {
		c.byPath[f.Path] = f
	}
}

func (c *comparison) add(d Difference) {
	d.Kept = c.spec.Keeps(d.Path) && d.Kind != Conflict
	d.text = isText(d.here) && isText(d.want) && (d.here != nil || d.want != nil)
	if d.text && d.here != nil {
		d.Line = firstDifference(d.here, d.want)
	}
	c.found = append(c.found, d)
}

func isText(data []byte) bool { return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 }

// firstDifference returns the first line of here, from 1, that is not in want.
func firstDifference(here, want []byte) int {
	same := 0
	for same < len(here) && same < len(want) && here[same] == want[same] {
		same++
	}
	return min(1+bytes.Count(here[:same], []byte("\n")), max(1, bytes.Count(here, []byte("\n"))))
}

func (c *comparison) run(files []generator.File, answers string) error {
	written := make(map[string]bool, len(files))
	var lockFile generator.File
	for _, f := range files {
		written[f.Path] = true
		switch f.Path {
		case generator.AnswersFile: // what is compared is what it says
		case generator.LockFile:
			lockFile = f
		default:
			if err := c.compare(f); err != nil {
				return err
			}
		}
	}
	for _, f := range c.lock.Files {
		if !written[f.Path] && generator.ValidatePath(f.Path) == nil && !strings.ContainsFunc(f.Path, unicode.IsControl) {
			if err := c.compareDropped(f); err != nil {
				return err
			}
		}
	}
	c.addLineEndings()
	return c.compareLock(lockFile, answers)
}

// compare adds what is different about one file.
func (c *comparison) compare(f generator.File) error {
	s, err := c.look(f.Path)
	if err != nil {
		return err
	}
	ends := c.takeOutCRLF(&s, f)
	executable := f.Mode&0o100 != 0
	modeDiffers := runtime.GOOS != "windows" && s.strange == "" && s.executable() != executable
	record, known := c.byPath[f.Path]
	if d, ok := conflictIn(f, s, record.Open); ok {
		c.add(d)
		return nil
	}
	if !s.absent && s.strange == "" && !modeDiffers && bytes.Equal(s.data, f.Data) {
		return nil
	}
	d := Difference{Path: f.Path, Kind: Edited, Note: s.strange, want: f.Data, unsaid: modeDiffers || ends}
	switch {
	case s.absent && (known || !c.recorded):
		d.Kind = Missing
	case s.absent:
		d.Kind, d.Note = c.cause, "is new"
	case s.strange != "":
		d.want = nil
	case !bytes.Equal(s.data, f.Data):
		d.here = s.data
		d.Kind, d.Note = c.blame(s.data, f.Data, record, known)
	default: // the mode
		d.want = nil
		d.Note = "is not executable"
		if s.executable() {
			d.Note = "is executable"
		}
		if known && (record.Mode == "0755") == s.executable() {
			d.Kind = c.cause
		}
	}
	c.add(d)
	return nil
}

// blame says who changed a file that is not what is wanted.
func (c *comparison) blame(here, want []byte, record generator.LockedFile, known bool) (Kind, string) {
	switch {
	case !c.recorded:
		return Edited, "or the template has moved on: " + generator.LockFile + " does not say"
	case !known:
		return Edited, "stands where a new file would be written"
	case record.SHA256 == generator.Digest(here):
		return c.cause, ""
	case record.SHA256 != generator.Digest(want):
		return Edited, "and the " + c.cause.String()
	}
	return Edited, ""
}

// compareDropped looks at a file that was written once and would not be now.
func (c *comparison) compareDropped(f generator.LockedFile) error {
	s, err := c.look(f.Path)
	if err != nil || s.absent || s.strange != "" {
		return err
	}
	ends := c.takeOutCRLF(&s, generator.File{Entry: generator.Entry{Path: f.Path}})
	d := Difference{Path: f.Path, Kind: c.cause, Note: "is not written any more", here: s.data, unsaid: ends}
	if generator.Digest(s.data) != f.SHA256 {
		d.Kind = Edited
	}
	c.add(d)
	return nil
}

// compareLock adds the record itself when it is not that of the files, but for those whose changes are the user's.
func (c *comparison) compareLock(f generator.File, answers string) error {
	if !c.recorded {
		return c.compare(f)
	}
	var fresh generator.Lock
	if err := json.Unmarshal(f.Data, &fresh); err != nil {
		return err
	}
	want := c.recordOf(fresh.Files)
	owned := func(file generator.LockedFile) bool {
		return file.Path == generator.AnswersFile || c.spec.Keeps(file.Path)
	}
	if c.lock.Answers == answers &&
		slices.Equal(slices.DeleteFunc(slices.Clone(c.lock.Files), owned), slices.DeleteFunc(slices.Clone(want), owned)) {
		return nil
	}
	text, err := (&generator.Lock{Answers: answers, Rotasmith: fresh.Rotasmith, Files: want}).Text()
	if err != nil {
		return err
	}
	d := Difference{Path: generator.LockFile, Kind: Edited, Note: "records other files than are here", here: c.lockText, want: text}
	if c.lock.Answers != answers || slices.ContainsFunc(c.found, func(d Difference) bool { return !d.Kept && d.Kind == c.cause }) {
		d.Kind, d.Note = c.cause, ""
	}
	c.add(d)
	return nil
}

// recordOf returns what the lock has to say once the diffs that apply are applied. Of a file that is not taken over it says what it says
// now: a digest of bytes that were never written would make an untouched file look edited.
func (c *comparison) recordOf(fresh []generator.LockedFile) []generator.LockedFile {
	left := map[string]bool{generator.AnswersFile: true} // it is no file to take over
	for i := range c.found {
		if d := &c.found[i]; !d.Applies() {
			left[d.Path] = true
		}
	}
	isLeft := func(f generator.LockedFile) bool { return left[f.Path] }
	files := slices.DeleteFunc(slices.Clone(fresh), isLeft)
	for _, f := range c.lock.Files {
		if isLeft(f) {
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(a, b generator.LockedFile) int { return strings.Compare(a.Path, b.Path) })
	return files
}
