package project

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/history"
)

// Where a project keeps what was written of files that were edited since, and what the templates gave for files with an open conflict.
const (
	baseFolder   = ".rotasmith/base"
	theirsFolder = ".rotasmith/theirs"
)

// search looks for texts that were written once. A text that has not the digest of the record is none, wherever it comes from.
type search struct {
	wants map[string]string // path to digest, of what is not found yet
	found map[string][]byte // by digest
}

func (s *search) accept(file string, text []byte) {
	if text = withoutCR(text); s.wants[file] == generator.Digest(text) {
		s.found[s.wants[file]] = text
		delete(s.wants, file)
	}
}

func (s *search) acceptAll(texts map[string][]byte) {
	for file, text := range texts {
		s.accept(file, text)
	}
}

// bases returns the texts with the digests that are wanted, by their digests: kept in the project, made by the templates of an earlier version or
// from the answers of before, in git, and made by the version that the user names.
func (w *work) bases(ctx context.Context, wants map[string]string) (map[string][]byte, error) {
	s := &search{wants: maps.Clone(wants), found: make(map[string][]byte)}
	for file := range wants {
		for _, folder := range []string{baseFolder, theirsFolder} {
			if text, err := readBounded(w.project, path.Join(folder, file)); err == nil {
				s.accept(file, text)
			}
		}
	}
	if len(s.wants) > 0 {
		w.renderedBefore(s, w.recorded)
	}
	if len(s.wants) > 0 {
		w.committedBefore(ctx, s)
	}
	if len(s.wants) > 0 && w.From != nil {
		texts, err := w.From(ctx, w.text, slices.Sorted(maps.Keys(s.wants)))
		if err != nil {
			return nil, err
		}
		s.acceptAll(texts)
	}
	return s.found, nil
}

// renderedBefore looks in what templates make of answers: these and those of released versions.
func (w *work) renderedBefore(s *search, answers generator.Answers) {
	wanted := func(file string) bool { return s.wants[file] != "" }
	files, _ := w.Renderer.RenderOnly(w.Renderer.Catalog().Resolve(answers), wanted) // a file that cannot be made is not found
	for _, f := range files {
		s.accept(f.Path, f.Data)
	}
	if len(s.wants) > 0 {
		s.acceptAll(history.Find(w.released(), answers, s.wants))
	}
}

// committedBefore looks in the commit that has last changed the record: in its files, and in what templates make of its answers.
func (w *work) committedBefore(ctx context.Context, s *search) {
	commit := w.repo.LastWritten(ctx, generator.LockFile)
	if commit == "" {
		return
	}
	texts := w.repo.Texts(ctx, commit, append(slices.Sorted(maps.Keys(s.wants)), generator.AnswersFile))
	s.acceptAll(texts)
	old := texts[generator.AnswersFile]
	if len(s.wants) == 0 || old == nil || bytes.Equal(old, w.text) {
		return
	}
	if answers, err := generator.ParseAnswers(generator.AnswersFile, old); err == nil {
		w.renderedBefore(s, answers)
	}
}

// noBase says why texts are missing, and what may find them.
func (w *work) noBase(ctx context.Context) string {
	from := "rotasmith update --from VERSION"
	if strings.HasPrefix(w.lock.Rotasmith, "v") {
		from = "rotasmith update --from " + w.lock.Rotasmith
	}
	if why, cure := w.repo.Missing(ctx); why != "" {
		return why + ": " + cure + ", or " + from
	}
	return from + " lets that version write them again"
}

// keepBases adds to a transaction that the project keeps the texts that the next update may need, and no others.
func (w *work) keepBases(t *transaction) error {
	if err := w.keepTexts(t, baseFolder, w.plan.Bases()); err != nil {
		return err
	}
	return w.keepTexts(t, theirsFolder, w.plan.Theirs())
}

func (w *work) keepTexts(t *transaction, folder string, texts map[string][]byte) error {
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		if texts[file] == nil {
			continue
		}
		kept := path.Join(folder, file)
		here, err := w.look(kept)
		if err != nil {
			return err
		}
		if here.strange == "" && !bytes.Equal(here.data, texts[file]) {
			if err := t.write(kept, texts[file], 0o666, here); err != nil {
				return err
			}
		}
	}
	err := fs.WalkDir(w.project, folder, func(kept string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file := strings.TrimPrefix(kept, folder+"/")
		if texts[file] != nil || w.plan.Record(file).Open != (generator.OpenConflict{}) {
			return nil
		}
		here, err := w.look(kept)
		if err != nil || here.strange != "" {
			return err
		}
		return t.remove(kept, here)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// uncommitted refuses to overwrite what a person has written and git does not have. Files that the last update has written can be made again, and without
// git the update itself keeps what it overwrites.
func (w *work) uncommitted(ctx context.Context) error {
	var files []string
	edited := make(map[string][]byte)
	for _, c := range w.plan.Changes {
		if !c.Edited || !c.Write && c.Remove == "" || c.Here.Absent {
			continue
		}
		file := c.Path
		if c.From != "" {
			file = c.From
		}
		edited[file] = c.Here.Data
		files = append(files, file)
	}
	if len(files) == 0 || !w.repo.Exists(ctx) {
		return nil
	}
	written := make(map[string]string)
	if last, err := readJournal(w.disk, undoFolder); err == nil {
		for _, s := range last.Steps {
			written[s.Path] = s.Before
		}
	}
	committed := w.repo.Texts(ctx, "HEAD", files)
	var faults []error
	for _, file := range files {
		is := edited[file]
		if text, ok := committed[file]; ok && bytes.Equal(withoutCR(text), withoutCR(is)) || written[file] == generator.Digest(is) {
			continue
		}
		faults = append(faults, &generator.Fault{
			At: w.name + "/" + file, Msg: "is changed but not committed, and would be merged", Hint: "commit or stash it, then rotasmith update",
		})
	}
	return errors.Join(faults...)
}
