package generator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
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

// maxCompared bounds what is read of one file, in bytes; no template comes near.
const maxCompared = 8 << 20

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
// nothing but files that were or would be written, follows no link out of the project, and takes foreign files for none of its business.
// name is what messages call the project's folder. The error joins one *Fault for each thing that is wrong with the recorded answers.
func (c *Catalog) Compare(project fs.FS, name string) ([]Difference, error) {
	answers, err := readAnswers(project, name)
	if err != nil {
		return nil, err
	}
	result, err := c.Generate(answers)
	if err != nil {
		return nil, unansweredIn(answersPath(name), err)
	}
	full, err1 := result.Spec.answersDigest(everyKey)
	given, err2 := result.Spec.answersDigest(func(key string) bool { _, ok := answers[key]; return ok })
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	cmp := &comparison{project: project, keep: result.Spec.Keep, cause: TemplateMoved, folders: make(map[string]map[string]fs.DirEntry)}
	cmp.readLock(result.Files, full)
	// A question that this version has added is answered by its default: that is not a change of the answers.
	if cmp.recorded && cmp.lock.Answers != full && cmp.lock.Answers != given {
		cmp.cause = AnswersChanged
		cmp.add(Difference{Path: AnswersFile, Kind: AnswersChanged, Note: "the files were written for other answers"})
	}
	if err := cmp.run(result.Files, full); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	slices.SortFunc(cmp.found, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return cmp.found, nil
}

// Recorded returns the project that its recorded answers describe. name is what messages call its folder.
func (c *Catalog) Recorded(project fs.FS, name string) (*Spec, error) {
	answers, err := readAnswers(project, name)
	if err != nil {
		return nil, err
	}
	spec, err := c.NewSpec(answers)
	if err != nil {
		return nil, unansweredIn(answersPath(name), err)
	}
	return spec, nil
}

func answersPath(name string) string { return path.Join(filepath.ToSlash(name), AnswersFile) }

// readAnswers reads the answers that a project was written with.
func readAnswers(project fs.FS, name string) (Answers, error) {
	text, err := readBounded(project, AnswersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Fault{At: name, Msg: "has no " + AnswersFile, Hint: "name the folder of a project, or FOLDER/... for all projects below it"}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", answersPath(name), reason(err))
	}
	return ParseAnswers(answersPath(name), text)
}

// unansweredIn puts the file into the faults that stand nowhere: what was not answered is cured there.
func unansweredIn(file string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	for _, part := range joined.Unwrap() {
		if f, ok := errors.AsType[*Fault](part); ok && f.At == "" {
			f.At, f.Hint = file, "answer it there"
		}
	}
	return err
}

// reason leaves the path out of an error that is put behind a better one.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// errTooLong is for a file that is longer than anything that was ever written.
var errTooLong = fmt.Errorf("longer than %d bytes", maxCompared)

// bounded is a plain file that was read.
type bounded struct {
	data []byte
	mode fs.FileMode
	size int64
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	f, err := openBounded(fsys, name)
	return f.data, err
}

func openBounded(fsys fs.FS, name string) (b bounded, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return b, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return b, err
	}
	b.mode, b.size = info.Mode(), info.Size()
	if !b.mode.IsRegular() {
		return b, errors.New("no plain file")
	}
	if b.size > maxCompared {
		return b, errTooLong
	}
	data := bytes.NewBuffer(make([]byte, 0, b.size+bytes.MinRead))
	_, err = data.ReadFrom(io.LimitReader(f, maxCompared))
	b.data = data.Bytes()
	return b, err
}

// comparison is one walk over the files of a project.
type comparison struct {
	project  fs.FS
	keep     []string
	cause    Kind // why a file that nobody touched can differ
	lock     lock
	lockText []byte
	recorded bool // the lock could be read
	current  bool // and is what would be written now
	byPath   map[string]lockedFile
	folders  map[string]map[string]fs.DirEntry // what was found in them
	found    []Difference
}

// readLock reads the record. One that is what would be written is not taken apart before there is a difference to explain.
func (c *comparison) readLock(files []File, answers string) {
	text, err := readBounded(c.project, LockFile)
	if err != nil {
		return // run looks at the file as at any other
	}
	c.lockText = text
	i := slices.IndexFunc(files, func(f File) bool { return f.Path == LockFile })
	if c.current = bytes.Equal(text, files[i].Data); c.current {
		c.recorded, c.lock.Answers = true, answers
		return
	}
	c.recorded = json.Unmarshal(text, &c.lock) == nil
}

// record returns what the lock says of a file.
func (c *comparison) record(file string) (f lockedFile, known bool) {
	if !c.recorded {
		return f, false
	}
	if c.byPath == nil {
		if c.current {
			_ = json.Unmarshal(c.lockText, &c.lock) // it was written by this very program
		}
		c.byPath = make(map[string]lockedFile, len(c.lock.Files))
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

func (c *comparison) run(files []File, answers string) error {
	written := make(map[string]bool, len(files))
	var lockFile File
	for _, f := range files {
		written[f.Path] = true
		switch f.Path {
		case AnswersFile: // what is compared is what it says
		case LockFile:
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
		if !written[f.Path] && checkPath(f.Path) == nil && !strings.ContainsFunc(f.Path, unicode.IsControl) {
			if err := c.compareDropped(f); err != nil {
				return err
			}
		}
	}
	return c.compareLock(lockFile, answers)
}

// sight is what stands where a file should be.
type sight struct {
	absent     bool
	strange    string // what it is instead of a plain file
	executable bool
	data       []byte
}

func (c *comparison) look(file string) (sight, error) {
	mode, err := c.stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sight{absent: true}, nil
	case errors.Is(err, fs.ErrPermission):
		return sight{}, err
	case err != nil: // a folder on the way is none, or leads out of the project
		return sight{strange: reason(err).Error()}, nil
	case mode.IsDir():
		return sight{strange: "is a folder"}, nil
	case mode&fs.ModeSymlink != 0:
		return sight{strange: "is a symbolic link"}, nil
	case !mode.IsRegular():
		return sight{strange: "is no plain file"}, nil
	}
	f, err := openBounded(c.project, file)
	switch {
	case errors.Is(err, errTooLong):
		return sight{strange: fmt.Sprintf("has %d bytes", f.size)}, nil
	case errors.Is(err, fs.ErrNotExist):
		return sight{absent: true}, nil
	case err != nil:
		return sight{}, err
	}
	return sight{data: f.data, executable: f.mode&0o100 != 0}, nil
}

// stat returns the type of a file, from one look at its folder for all files in it.
func (c *comparison) stat(file string) (fs.FileMode, error) {
	folder := path.Dir(file)
	entries, seen := c.folders[folder]
	if !seen {
		if list, err := fs.ReadDir(c.project, folder); err == nil {
			entries = make(map[string]fs.DirEntry, len(list))
			for _, e := range list {
				entries[e.Name()] = e
			}
		}
		c.folders[folder] = entries
	}
	if e, ok := entries[path.Base(file)]; ok {
		return e.Type(), nil
	}
	info, err := fs.Lstat(c.project, file) // says best what is wrong
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// compare adds what is different about one file.
func (c *comparison) compare(f File) error {
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
func (c *comparison) blame(here, want []byte, record lockedFile, known bool) (Kind, string) {
	switch {
	case !c.recorded:
		return Edited, "or the template has moved on: " + LockFile + " does not say"
	case !known:
		return Edited, "stands where a new file would be written"
	case record.SHA256 == digest(here):
		return c.cause, ""
	case record.SHA256 != digest(want):
		return Edited, "and the " + c.cause.String()
	}
	return Edited, ""
}

// compareDropped looks at a file that was written once and would not be now.
func (c *comparison) compareDropped(f lockedFile) error {
	s, err := c.look(f.Path)
	if err != nil || s.absent || s.strange != "" {
		return err
	}
	d := Difference{Path: f.Path, Kind: c.cause, Note: "is not written any more", here: s.data}
	if digest(s.data) != f.SHA256 {
		d.Kind = Edited
	}
	c.add(d)
	return nil
}

// compareLock adds the record itself when it is not that of the files, but for those whose changes are the user's.
func (c *comparison) compareLock(f File, answers string) error {
	if !c.recorded {
		return c.compare(f)
	}
	var given lock
	if err := json.Unmarshal(f.Data, &given); err != nil {
		return err
	}
	want := c.recordOf(given.Files)
	owned := func(file lockedFile) bool { return file.Path == AnswersFile || c.isKept(file.Path) }
	if c.lock.Answers == answers &&
		slices.Equal(slices.DeleteFunc(slices.Clone(c.lock.Files), owned), slices.DeleteFunc(slices.Clone(want), owned)) {
		return nil
	}
	text, err := lockText(answers, want)
	if err != nil {
		return err
	}
	d := Difference{Path: LockFile, Kind: Edited, Note: "records other files than are here", here: c.lockText, want: text}
	if c.lock.Answers != answers || slices.ContainsFunc(c.found, func(d Difference) bool { return !d.Kept && d.Kind == c.cause }) {
		d.Kind, d.Note = c.cause, ""
	}
	c.add(d)
	return nil
}

// recordOf returns what the lock has to say once the diffs that apply are applied. Of a file that is not taken over it says what it says
// now: a digest of bytes that were never written would make an untouched file look edited.
func (c *comparison) recordOf(given []lockedFile) []lockedFile {
	left := map[string]bool{AnswersFile: true} // it is no file to take over
	for i := range c.found {
		if d := &c.found[i]; !d.Applies() {
			left[d.Path] = true
		}
	}
	isLeft := func(f lockedFile) bool { return left[f.Path] }
	files := slices.DeleteFunc(slices.Clone(given), isLeft)
	for _, f := range c.lock.Files {
		if isLeft(f) {
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(a, b lockedFile) int { return strings.Compare(a.Path, b.Path) })
	return files
}
