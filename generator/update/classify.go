package update

import (
	"bytes"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"unicode"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/merge"
)

// Classify looks at every file that was or would be written. What it cannot judge without a text that was written once, it leaves to Merge.
// The answers file and the lock itself are not its affair.
func Classify(project *Project) (p *Plan, err error) {
	p = &Plan{
		project: project,
		files:   make(map[string]generator.File, len(project.Files)),
		lock:    make(map[string]generator.LockedFile, len(project.Files)),
		texts:   make(map[string][]byte),
		theirs:  make(map[string][]byte),
	}
	records := make(map[string]generator.LockedFile, len(project.Lock.Files))
	for _, r := range project.Lock.Files {
		records[r.Path] = r
	}
	for _, f := range project.Files {
		p.files[f.Path] = f
		switch f.Path {
		case generator.AnswersFile:
			if r, known := records[f.Path]; known {
				p.lock[f.Path] = r
			}
		case generator.LockFile:
		default:
			here, err := project.Look(f.Path)
			if err != nil {
				return nil, err
			}
			record, known := records[f.Path]
			p.classify(f, record, known, here)
		}
	}
	for _, r := range project.Lock.Files {
		if _, written := p.files[r.Path]; written || generator.ValidatePath(r.Path) != nil || strings.ContainsFunc(r.Path, unicode.IsControl) {
			continue
		}
		here, err := project.Look(r.Path)
		if err != nil {
			return nil, err
		}
		p.classifyDropped(r, here)
	}
	for i := range p.missing {
		f := &p.missing[i]
		if f.note, err = p.lookAlike(p.files[f.path], records); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// lookAlike names the file beside one that is gone that it may have become.
func (p *Plan) lookAlike(f generator.File, records map[string]generator.LockedFile) (note string, err error) {
	folder := path.Dir(f.Path)
	names, err := p.project.Folder(folder)
	if err != nil {
		return "", err
	}
	others := make(map[string][]byte)
	for _, name := range names {
		file := path.Join(folder, name)
		_, written := p.files[file]
		if _, was := records[file]; was || written || path.Ext(file) != path.Ext(f.Path) {
			continue
		}
		here, err := p.project.Look(file)
		if err != nil {
			return "", err
		}
		others[file], _ = lf(here.Data)
	}
	if to, ok := merge.Renames(map[string][]byte{f.Path: f.Data}, others)[f.Path]; ok {
		note = "seems to be " + to + " now"
	}
	return note, nil
}

// classify judges a file that would be written.
func (p *Plan) classify(f generator.File, record generator.LockedFile, known bool, here Here) {
	settled := false
	if record.Open != (generator.OpenConflict{}) {
		switch {
		case here.Absent || here.Strange != "":
			settled = true
		case merge.HasMarkers(here.Data):
			p.stillOpen(f, record, here)
			return
		default:
			settled = digest(here.Data) != record.Open.Yours
		}
		if settled {
			record.SHA256 = record.Open.Theirs
		}
		known = record.SHA256 != "" // or both have added the file, and the conflict was thrown away
		record.Open = generator.OpenConflict{}
	}
	p.record(f)
	before := len(p.Changes) + len(p.merging)
	switch {
	case here.Strange != "":
		p.strange(f, record, known, here)
	case here.Absent && !known:
		p.add(Change{Path: f.Path, Outcome: Added, Write: true, Data: f.Data, Mode: f.Mode, Here: here, Theirs: f.Data})
	case here.Absent:
		if record.SHA256 != f.SHA256 {
			p.missing = append(p.missing, pending{path: f.Path, record: record, known: true})
		}
	default:
		p.present(f, record, known, here)
	}
	if settled && len(p.Changes)+len(p.merging) == before {
		p.add(Change{Path: f.Path, Outcome: Settled, Here: here, Theirs: f.Data})
	}
}

// present judges a plain file that would be written.
func (p *Plan) present(f generator.File, record generator.LockedFile, known bool, here Here) {
	text, _ := lf(here.Data)
	mode := mergedMode(f, record, known, here)
	switch {
	case bytes.Equal(text, f.Data):
		p.changeMode(f, here, mode)
	case known && f.SHA256 == record.SHA256:
		p.texts[f.Path] = f.Data
		p.changeMode(f, here, mode)
	case f.Path == generator.SchemaFile, known && generator.Digest(text) == record.SHA256:
		p.add(Change{
			Path: f.Path, Outcome: Updated, Write: true, Data: as(here.Data, f.Data), Mode: mode, Here: here, Theirs: f.Data,
		})
	case merge.HasMarkers(here.Data):
		p.Doubts = append(p.Doubts, f.Path)
	case p.project.Lost:
		lost := generator.LockedFile{Path: f.Path, Mode: record.Mode, SHA256: record.SHA256}
		p.merging = append(p.merging, pending{path: f.Path, record: lost, known: true, here: here})
	default:
		p.merging = append(p.merging, pending{path: f.Path, record: record, known: known, here: here})
	}
}

// changeMode adds a change of the mode alone, if there is one.
func (p *Plan) changeMode(f generator.File, here Here, mode fs.FileMode) {
	if mode == here.Mode || runtime.GOOS == "windows" {
		return
	}
	note := "is executable now"
	if mode&0o100 == 0 {
		note = "is no longer executable"
	}
	p.add(Change{Path: f.Path, Outcome: Updated, Note: note, Write: true, Data: here.Data, Mode: mode, Here: here, Theirs: f.Data})
}

// mergedMode returns the permissions that a file is to have: those that it has here, and of the executable bit the change, whoever made it.
func mergedMode(f generator.File, record generator.LockedFile, known bool, here Here) fs.FileMode {
	const executable = 0o111
	was, want, is := record.Mode == "0755", f.Mode&0o100 != 0, here.Mode&0o100 != 0
	switch {
	case !known || is != was || want == was:
		return here.Mode
	case want:
		return here.Mode | here.Mode>>2&executable // for those who may read it
	}
	return here.Mode &^ executable
}

// strange judges a path where something else stands than a plain file.
func (p *Plan) strange(f generator.File, record generator.LockedFile, known bool, here Here) {
	if known && record.SHA256 == f.SHA256 {
		return
	}
	p.refuse(Change{Path: f.Path, Note: here.Strange + ", so it stays", Here: here, Theirs: f.Data}, record, known)
}

// stillOpen leaves a file alone that still has the markers of an earlier update, or takes the user's part of what is between them.
func (p *Plan) stillOpen(f generator.File, record generator.LockedFile, here Here) {
	c := Change{Path: f.Path, Here: here, Edited: true, Theirs: f.Data}
	if p.project.Ours {
		c.Outcome, c.Write, c.Data, c.Mode = Ours, true, ours(here.Data), here.Mode
		p.add(c)
		record.SHA256, record.Open = record.Open.Theirs, generator.OpenConflict{}
		p.lock[f.Path] = record
		return
	}
	c.Outcome, c.Note, c.Lines = Conflict, "its markers are still there", markers(here.Data)
	p.add(c)
	p.lock[f.Path] = record
}

// refuse adds a conflict in which the file stays as it is. What --ours keeps is not offered again.
func (p *Plan) refuse(c Change, record generator.LockedFile, known bool) Outcome {
	switch {
	case p.project.Ours:
		c.Outcome = Ours
	case p.project.keeps(c.Path):
		c.Outcome = Kept
	default:
		c.Outcome = Conflict
	}
	p.add(c)
	if c.Outcome == Ours {
		return Ours
	}
	delete(p.lock, c.Path)
	if known {
		p.lock[c.Path] = record
	}
	return c.Outcome
}

// classifyDropped judges a file that was written once and would not be now.
func (p *Plan) classifyDropped(record generator.LockedFile, here Here) {
	if here.Absent || here.Strange != "" {
		return
	}
	sum := digest(here.Data)
	if record.Open != (generator.OpenConflict{}) {
		if merge.HasMarkers(here.Data) && !p.project.Ours {
			p.add(Change{Path: record.Path, Outcome: Conflict, Note: "is no longer written, and its markers are still there", Here: here, Lines: markers(here.Data)})
			p.lock[record.Path] = record
			return
		}
		if sum != record.Open.Yours {
			record.SHA256 = record.Open.Theirs
		}
	}
	record.Open = generator.OpenConflict{}
	if sum == record.SHA256 {
		p.add(Change{Path: record.Path, Outcome: Removed, Remove: record.Path, Here: here})
		return
	}
	p.dropped = append(p.dropped, pending{path: record.Path, record: record, known: true, here: here})
}

// markers returns the lines, from 1, where conflicts begin.
func markers(text []byte) []int {
	var lines []int
	for i, line := range bytes.Split(text, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("<<<<<<< ")) {
			lines = append(lines, i+1)
		}
	}
	return lines
}

// ours takes of each conflict in a text what stood here.
func ours(text []byte) []byte {
	var kept []byte
	const (
		outside = iota
		inOurs
		inTheirs
	)
	at := outside
	for line := range bytes.Lines(text) {
		switch {
		case at == outside && bytes.HasPrefix(line, []byte("<<<<<<< ")):
			at = inOurs
		case at == inOurs && (bytes.HasPrefix(line, []byte("||||||| ")) || bytes.HasPrefix(line, []byte("======="))):
			at = inTheirs
		case at == inTheirs && bytes.HasPrefix(line, []byte(">>>>>>> ")):
			at = outside
		case at != inTheirs:
			kept = append(kept, line...)
		}
	}
	return kept
}
