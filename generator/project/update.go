package project

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/generator/repository"
	"github.com/rotasmith/rotasmith/generator/update"
)

// Updater updates projects to what their answers give with one version of the templates. Several may be updated at once.
type Updater struct {
	Renderer *generator.Renderer
	Set      generator.Answers      // over those that are recorded
	Ours     bool                   // keep what stands in the project, in conflicts
	DryRun   bool                   // write nothing
	Old      func() []history.Point // the templates that may have written the project
	// From returns the files that another version writes for answers; nil: none is asked.
	From func(ctx context.Context, answers []byte, files []string) (map[string][]byte, error)
	// Ask returns the answer to a question that has no default; nil: there is nobody to ask.
	Ask func(ctx context.Context, q generator.Question, so *generator.Resolution) (string, error)
}

// Updated is what came of an update.
type Updated struct {
	Files     int             // that the templates give
	Changes   []update.Change // sorted by path
	Answers   []string        // what is changed in AnswersFile, in words
	Type      string          // of the project
	From      string          // the version that wrote it before; empty if that is not known
	Finished  bool            // an interrupted update was carried through before
	Written   bool            // something is written, or would be
	Importers []string        // files of the user's that import packages by the module's previous path
	NoBase    string          // why what was written once may be missing, where it is, and the cure; may be empty
}

// Conflicts counts the files in which a person has to look.
func (u *Updated) Conflicts() int {
	n := 0
	for _, c := range u.Changes {
		if c.Outcome == update.Conflict {
			n++
		}
	}
	return n
}

// ErrInterrupted says that an update is to be carried through before anything can be said of a project.
var ErrInterrupted = errors.New("an update was interrupted")

// interrupted reports whether an update of a project was decided but not carried through.
func interrupted(project fs.FS) bool {
	_, err := fs.Stat(project, readyFolder+"/"+journalName)
	return err == nil
}

// Run updates the project in dir: all of it, or, when it fails or ctx is cancelled, nothing. When it is killed, the next run carries it through.
// The error joins a *generator.Fault for each thing that the user has to see to first.
func (u *Updater) Run(ctx context.Context, dir string) (*Updated, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // what was written is closed
	return u.runOn(ctx, root, root.FS(), dir)
}

func (u *Updater) runOn(ctx context.Context, d disk, project fs.FS, dir string) (*Updated, error) {
	w := &work{Updater: u, viewer: newViewer(project), disk: d, name: filepath.ToSlash(dir), repo: repository.Of(dir)}
	return w.run(ctx)
}

// Undo takes the last update of the project in dir back and returns its files. Its error is a *generator.Fault if there is none, or if a file of
// it was changed since.
func Undo(ctx context.Context, dir string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // what was written is closed
	return undoOn(ctx, root, dir)
}

func undoOn(ctx context.Context, d disk, dir string) ([]string, error) {
	index := indexOf(ctx, repository.Of(dir))
	finished, err := resume(d, index)
	if err != nil {
		return nil, err
	}
	if _, err := d.Lstat(undoFolder); finished != nil && errors.Is(err, fs.ErrNotExist) {
		return finished, nil // it was an undo that was interrupted
	}
	files, err := takeBack(d, index)
	if changed, ok := errors.AsType[*ChangedError](err); ok {
		return nil, &generator.Fault{At: filepath.ToSlash(dir), Msg: changed.Error(), Hint: "take the update back with git, or by hand: " + undoFolder + " has what stood there"}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &generator.Fault{At: filepath.ToSlash(dir), Msg: "has no update to take back", Hint: "only the last update can be taken back, and once"}
	}
	return files, err
}

// indexOf returns what writes entries into git's index. That is a convenience: the files are right without it.
func indexOf(ctx context.Context, repo repository.Repository) func(lines []string) {
	return func(lines []string) { _ = repo.WriteEntries(context.WithoutCancel(ctx), lines) }
}

// released returns the templates that may have written a project.
func (u *Updater) released() []history.Point {
	if u.Old == nil {
		return nil
	}
	return u.Old()
}

// work is the update of one project.
type work struct {
	*Updater
	viewer
	disk disk
	name string // of the project, in messages
	repo repository.Repository

	text     []byte              // of the answers file
	recorded generator.Answers   // as they stand there
	carried  []generator.Carried // what this version reads otherwise of them
	answers  generator.Answers   // as this version reads them, with what is set
	lock     generator.Lock
	lost     bool
	result   *generator.Result
	known    map[string]any // what the schema of the project asks; nil: not read, or broken
	plan     *update.Plan
	updated  Updated
}

func (w *work) run(ctx context.Context) (*Updated, error) {
	if err := w.finish(ctx); err != nil {
		return nil, err
	}
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	if err := refuseNewer(w.lock.Rotasmith, w.Renderer.Version, w.name); err != nil {
		return nil, err
	}
	if err := w.decide(ctx); err != nil {
		return nil, err
	}
	amended, err := w.amend()
	if err != nil {
		return nil, err
	}
	lock, err := w.nextLock()
	if err != nil {
		return nil, err
	}
	w.updated.Files, w.updated.Changes = len(w.result.Files), w.plan.Changes
	writes := func(c update.Change) bool { return c.Write || c.Remove != "" }
	w.updated.Written = amended != nil || lock != nil || slices.ContainsFunc(w.plan.Changes, writes)
	if !w.updated.Written || w.DryRun {
		return &w.updated, w.uncommitted(ctx)
	}
	if err := w.uncommitted(ctx); err != nil {
		return nil, err
	}
	return &w.updated, w.write(ctx, amended, lock)
}

// finish carries an earlier update through.
func (w *work) finish(ctx context.Context) error {
	if w.DryRun {
		if interrupted(w.project) {
			return ErrInterrupted
		}
		return nil
	}
	finished, err := resume(w.disk, indexOf(ctx, w.repo))
	w.updated.Finished = finished != nil
	return err
}

// read reads what is recorded and makes what would be written now.
func (w *work) read(ctx context.Context) (err error) {
	if w.recorded, err = readAnswers(w.project, w.name); err != nil {
		return err
	}
	if w.text, err = readBounded(w.project, generator.AnswersFile); err != nil {
		return fmt.Errorf("%s: %w", answersPath(w.name), reason(err))
	}
	now, carried := w.Renderer.Catalog().CarryOver(w.recorded)
	w.carried, w.answers = carried, w.Set.Over(now)
	so := w.Renderer.Catalog().Resolve(w.answers)
	for q, open := so.Unanswered(); open && w.Ask != nil && so.Err() == nil; q, open = so.Unanswered() {
		answer, err := w.Ask(ctx, q, so)
		if err != nil {
			return err
		}
		w.answers = generator.Answers{q.Key: {Value: answer}}.Over(w.answers)
		so = w.Renderer.Catalog().Resolve(w.answers)
	}
	if w.result, err = w.Renderer.Render(so); err != nil {
		return unansweredIn(answersPath(w.name), err)
	}
	if err := w.readRecord(ctx); err != nil {
		return err
	}
	w.updated.Type, w.updated.From = w.result.Spec.Type.Name, w.lock.Rotasmith
	return nil
}

// readRecord reads the lock: where it is lost, as git remembers it, and else as the files that are as some version writes them tell.
func (w *work) readRecord(ctx context.Context) error {
	text, err := readBounded(w.project, generator.LockFile)
	if errors.Is(err, fs.ErrNotExist) {
		if text = w.lostLock(ctx); text == nil {
			w.lost = true
			return w.recognize()
		}
	} else if err != nil {
		return fmt.Errorf("%s/%s: %w", w.name, generator.LockFile, reason(err))
	}
	fault := &generator.Fault{At: w.name + "/" + generator.LockFile}
	if bytes.HasPrefix(text, []byte("<<<<<<< ")) || bytes.Contains(text, []byte("\n<<<<<<< ")) {
		fault.Msg, fault.Hint = "has conflict markers", "take either side: git checkout --ours "+generator.LockFile+", then rotasmith update"
		return fault
	}
	if err := json.Unmarshal(text, &w.lock); err != nil {
		fault.Msg, fault.Hint = "is not as rotasmith writes it: "+err.Error(), "restore it: git checkout -- "+generator.LockFile
		return fault
	}
	return nil
}

// lostLock returns the lock as git has it, or had it before it was removed; nil if it has not.
func (w *work) lostLock(ctx context.Context) []byte {
	one := []string{generator.LockFile}
	if text := w.repo.Texts(ctx, "HEAD", one)[generator.LockFile]; text != nil {
		return text
	}
	if commit := w.repo.LastRemoved(ctx, generator.LockFile); commit != "" {
		return w.repo.Texts(ctx, commit+"^", one)[generator.LockFile]
	}
	return nil
}

// recognize records the files that are as a released version has written them.
func (w *work) recognize() error {
	known := make(map[string]bool)
	for _, point := range w.released() {
		files, _ := point.Files(w.recorded, func(file string) bool { return !known[file] }) // one that cannot be made is not recognized
		for _, f := range files {
			here, err := w.look(f.Path)
			if err != nil {
				return err
			}
			if !here.absent && here.strange == "" && generator.Digest(withoutCR(here.data)) == f.SHA256 {
				known[f.Path] = true
				w.lock.Files = append(w.lock.Files, generator.LockedFile{Path: f.Path, Mode: fmt.Sprintf("%04o", f.Mode), SHA256: f.SHA256})
			}
		}
	}
	return nil
}

func withoutCR(data []byte) []byte { return bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")) }

// decide finds out what is done to every file.
func (w *work) decide(ctx context.Context) (err error) {
	w.plan, err = update.Classify(&update.Project{
		Lock: w.lock, Lost: w.lost, Files: w.result.Files, Keep: w.result.Spec.Keep, Ours: w.Ours,
		Look: func(file string) (update.Here, error) {
			s, err := w.look(file)
			return update.Here{Absent: s.absent, Strange: s.strange, Mode: s.mode, Data: s.data}, err
		},
		Folder: func(folder string) (files []string, err error) {
			for name, entry := range w.folder(folder) {
				if entry.Type().IsRegular() {
					files = append(files, name)
				}
			}
			return files, nil
		},
	})
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	var faults []error
	for _, file := range w.plan.Doubts {
		faults = append(faults, &generator.Fault{At: w.name + "/" + file, Msg: "has conflict markers", Hint: "settle them, then rotasmith update"})
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	bases, err := w.bases(ctx, w.plan.Wants())
	if err != nil {
		return err
	}
	w.plan.Merge(bases)
	if err := w.plan.HoldBack(); err != nil {
		return err
	}
	if slices.ContainsFunc(w.plan.Changes, func(c update.Change) bool { return c.NoBase }) {
		w.updated.NoBase = w.noBase(ctx)
	}
	return w.checkModule()
}

// checkModule refuses a project whose go.mod has another module than its answers: new files would import packages by a path that is not theirs.
func (w *work) checkModule() error {
	const file = "go.mod"
	here, err := w.look(file)
	if err != nil || here.absent || here.strange != "" {
		return err
	}
	after := here.data
	for _, c := range w.plan.Changes {
		switch {
		case c.Path != file:
		case c.Outcome == update.Conflict:
			return nil
		case c.Write:
			after = c.Data
		}
	}
	was, is, want := modfile.ModulePath(here.data), modfile.ModulePath(after), w.result.Spec.Module
	if is != want {
		return &generator.Fault{
			At: w.name + "/" + file, Msg: fmt.Sprintf("is for module %s, but the answer to module is %s", is, want),
			Hint: "set module: " + is + " in " + generator.AnswersFile,
		}
	}
	if was != is {
		w.updated.Importers, err = w.importers(was)
	}
	return err
}

// importers returns the Go files that rotasmith does not write and that import packages below a module.
func (w *work) importers(module string) (files []string, err error) {
	written := make(map[string]bool)
	for _, f := range w.result.Files {
		written[f.Path] = true
	}
	err = fs.WalkDir(w.project, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "vendor"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go") || written[file]:
			return nil
		}
		text, err := readBounded(w.project, file)
		if err == nil && (bytes.Contains(text, []byte(`"`+module+`/`)) || bytes.Contains(text, []byte(`"`+module+`"`))) {
			files = append(files, file)
		}
		return nil // what cannot be read imports nothing
	})
	return files, err
}

// amend returns the answers file with what was changed, carried over or is new in it, nil if that is nothing.
func (w *work) amend() ([]byte, error) {
	var edits []generator.Edit
	for _, c := range w.carried {
		edits = append(edits, generator.Edit{Key: c.Key, To: c.To, Value: w.result.Spec.Get(c.To), List: w.isList(c.To)})
		w.updated.Answers = append(w.updated.Answers, c.String())
	}
	last := ""
	for _, r := range w.result.Spec.Resolved {
		key := r.Question.Key
		edit := generator.Edit{To: key, Value: r.Value, List: r.Question.List, After: last}
		recorded, stands := w.recorded[key]
		answer, given := w.answers[key]
		switch {
		case stands && recorded.Value != answer.Value && !w.isCarried(key):
			edit.Key = key
			w.updated.Answers = append(w.updated.Answers, fmt.Sprintf("%s is now %q", key, r.Value))
		case !stands && given && !w.isCarried(key):
			w.updated.Answers = append(w.updated.Answers, fmt.Sprintf("%s is now %q", key, r.Value))
		case !given && w.isNew(key):
			edit.Comment = "new: default"
			w.updated.Answers = append(w.updated.Answers, fmt.Sprintf("question %s is new, answered %q", key, r.Value))
		default:
			if given {
				last = key
			}
			continue
		}
		edits, last = append(edits, edit), key
	}
	if edits == nil {
		return nil, nil
	}
	text, err := generator.EditAnswers(answersPath(w.name), w.text, edits)
	if err == nil {
		w.plan.SetRecord(generator.AnswersFile, text)
	}
	return text, err
}

// isCarried reports whether a question has taken the place of one that was recorded.
func (w *work) isCarried(key string) bool {
	return slices.ContainsFunc(w.carried, func(c generator.Carried) bool { return c.To == key })
}

func (w *work) isList(key string) bool {
	return slices.ContainsFunc(w.result.Spec.Resolved, func(r generator.Resolved) bool { return r.Question.Key == key && r.Question.List })
}

// isNew reports whether a question was not asked when the project was written: its schema does not know it. One that it knows, and that the answers
// file does not have, was taken out by a person.
func (w *work) isNew(key string) bool {
	if w.known == nil {
		var schema struct {
			Properties map[string]any `json:"properties"`
		}
		if text, err := readBounded(w.project, generator.SchemaFile); err == nil {
			_ = json.Unmarshal(text, &schema) // with a broken one, nothing is new
		}
		w.known = schema.Properties
	}
	_, known := w.known[key]
	return w.known != nil && !known
}

// nextLock returns the text of the lock after the update, nil if it says what it says now, whoever has written it.
func (w *work) nextLock() ([]byte, error) {
	answers, err := w.result.Spec.AnswersDigest(nil)
	if err != nil {
		return nil, err
	}
	next := w.plan.Lock(answers, cmp.Or(w.Renderer.Version, generator.Unreleased))
	if _, err := fs.Stat(w.project, generator.LockFile); err == nil && next.Answers == w.lock.Answers && slices.Equal(next.Files, w.lock.Files) {
		return nil, nil
	}
	return next.Text()
}
