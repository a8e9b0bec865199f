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
)

// Kinds returns all kinds.
func Kinds() []Kind { return []Kind{Edited, Missing, TemplateMoved, AnswersChanged} }

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Edited:
		return "edited here"
	case TemplateMoved:
		return "template has moved on"
	case AnswersChanged:
		return "answers changed but not regenerated"
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
	mode       bool // the mode is not that of the file that is given, which no diff says
}

// Applies reports whether Diff may be applied: it takes the difference away, and nothing that the user has edited, deleted or owns. That is so
// where the template alone has changed. Where the answers have, files that the user owns may still say the old ones.
func (d *Difference) Applies() bool {
	return d.Kind == TemplateMoved && !d.Kept && d.text && !d.mode && !bytes.Equal(d.here, d.want)
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

// Compare returns the differences between a project and what its recorded answers give with this template tree, sorted by path. It reads
// nothing but files that were or would be written, follows no link out of the project, and ignores files that rotasmith did not write.
// name is what messages call the project's folder. The error joins one *Fault for each thing that is wrong with the recorded answers.
func Compare(r *generator.Renderer, project fs.FS, name string) ([]Difference, error) {
	answers, err := readAnswers(project, name)
	if err != nil {
		return nil, err
	}
	result, err := r.Generate(answers)
	if err != nil {
		return nil, unansweredIn(answersPath(name), err)
	}
	full, err1 := result.Spec.AnswersDigest(nil)
	answered, err2 := result.Spec.AnswersDigest(func(key string) bool { _, ok := answers[key]; return ok })
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	cmp := &comparison{project: project, keep: result.Spec.Keep, cause: TemplateMoved, folders: make(map[string]map[string]fs.DirEntry)}
	cmp.readLock(result.Files, full)
	// A question that this version has added is answered by its default: that is not a change of the answers.
	if cmp.recorded && cmp.lock.Answers != full && cmp.lock.Answers != answered {
		cmp.cause = AnswersChanged
		cmp.add(Difference{Path: generator.AnswersFile, Kind: AnswersChanged, Note: "the files were written for other answers"})
	}
	if err := cmp.run(result.Files, full); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	slices.SortFunc(cmp.found, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return cmp.found, nil
}

// Recorded returns what the recorded answers of a project come to. name is what messages call its folder.
func Recorded(c *generator.Catalog, project fs.FS, name string) (*generator.Resolution, error) {
	answers, err := readAnswers(project, name)
	if err != nil {
		return nil, err
	}
	r := c.Resolve(answers)
	_, err = r.Spec()
	return r, unansweredIn(answersPath(name), err)
}

func answersPath(name string) string { return path.Join(filepath.ToSlash(name), generator.AnswersFile) }

// readAnswers reads the answers that a project was written with.
func readAnswers(project fs.FS, name string) (generator.Answers, error) {
	text, err := readBounded(project, generator.AnswersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &generator.Fault{At: name, Msg: "has no " + generator.AnswersFile, Hint: "name the folder of a project, or FOLDER/... for all projects below it"}
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
	project  fs.FS
	keep     []string
	cause    Kind // why a file that the owner did not touch can differ
	lock     generator.Lock
	lockText []byte
	recorded bool // the lock could be read
	current  bool // and is what would be written now
	byPath   map[string]generator.LockedFile
	folders  map[string]map[string]fs.DirEntry // what was found in them
	found    []Difference
}

// readLock reads the record. One that is what would be written is not taken apart before there is a difference to explain.
func (c *comparison) readLock(files []generator.File, answers string) {
	text, err := readBounded(c.project, generator.LockFile)
	if err != nil {
		return // run looks at the file as at any other
	}
	c.lockText = text
	i := slices.IndexFunc(files, func(f generator.File) bool { return f.Path == generator.LockFile })
	if c.current = bytes.Equal(text, files[i].Data); c.current {
		c.recorded, c.lock.Answers = true, answers
		return
	}
	c.recorded = json.Unmarshal(text, &c.lock) == nil
}

// record returns what the lock says of a file.
func (c *comparison) record(file string) (f generator.LockedFile, known bool) {
	if !c.recorded {
		return f, false
	}
	if c.byPath == nil {
		if c.current {
			_ = json.Unmarshal(c.lockText, &c.lock) // it was written by this very program
		}
		c.byPath = make(map[string]generator.LockedFile, len(c.lock.Files))
		for _, f := range c.lock.Files {
			c.byPath[f.Path] = f
		}
	}
	f, known = c.byPath[file]
	return f, known
}

func (c *comparison) isKept(file string) bool {
	return slices.ContainsFunc(c.keep, func(pattern string) bool {
		ok, _ := path.Match(pattern, file) // its syntax was checked with the answers
		return ok
	})
}

func (c *comparison) add(d Difference) {
	d.Kept = c.isKept(d.Path)
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
	if c.current {
		return nil
	}
	for _, f := range c.lock.Files {
		if !written[f.Path] && generator.ValidatePath(f.Path) == nil && !strings.ContainsFunc(f.Path, unicode.IsControl) {
			if err := c.compareDropped(f); err != nil {
				return err
			}
		}
	}
	return c.compareLock(lockFile, answers)
}

// compare adds what is different about one file.
func (c *comparison) compare(f generator.File) error {
	s, err := c.look(f.Path)
	if err != nil {
		return err
	}
	executable := f.Mode&0o100 != 0
	modeDiffers := runtime.GOOS != "windows" && s.strange == "" && s.executable != executable
	if !s.absent && s.strange == "" && !modeDiffers && bytes.Equal(s.data, f.Data) {
		return nil
	}
	record, known := c.record(f.Path)
	d := Difference{Path: f.Path, Kind: Edited, Note: s.strange, want: f.Data, mode: modeDiffers}
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
		if s.executable {
			d.Note = "is executable"
		}
		if known && (record.Mode == "0755") == s.executable {
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
	d := Difference{Path: f.Path, Kind: c.cause, Note: "is not written any more", here: s.data}
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
	owned := func(file generator.LockedFile) bool { return file.Path == generator.AnswersFile || c.isKept(file.Path) }
	if c.lock.Answers == answers &&
		slices.Equal(slices.DeleteFunc(slices.Clone(c.lock.Files), owned), slices.DeleteFunc(slices.Clone(want), owned)) {
		return nil
	}
	text, err := (&generator.Lock{Answers: answers, Files: want}).Text()
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
