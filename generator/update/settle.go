package update

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/merge"
)

// noBase says why a file cannot be merged.
const noBase = "what rotasmith wrote is not to be found, so yours stays"

// Merge judges what Classify has left, with the texts that were written once, by their digests. A text that has another digest is none.
func (p *Plan) Merge(bases map[string][]byte) {
	found := func(record generator.LockedFile) []byte {
		if text, _ := lf(bases[record.SHA256]); generator.Digest(text) == record.SHA256 && text != nil {
			return text
		}
		return nil
	}
	for _, f := range p.merging {
		given := p.files[f.path]
		if !f.known {
			p.offer(f, given, nil, Change{Path: f.path, Note: "both added it"})
			continue
		}
		base := found(f.record)
		if base == nil {
			p.refuse(Change{Path: f.path, Note: noBase, NoBase: true, Here: f.here, Edited: true, Theirs: given.Data}, f.record, true)
			continue
		}
		p.offer(f, given, base, Change{Path: f.path})
	}
	p.mergeMoved(found)
	for _, f := range p.missing {
		p.add(Change{
			Path: f.path, Outcome: NotTaken, Note: f.note, Here: Here{Absent: true}, Base: found(f.record), Theirs: p.files[f.path].Data,
		})
	}
	p.merging, p.dropped, p.missing = nil, nil, nil
	slices.SortStableFunc(p.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
}

// offer merges one file. base is nil where both have added it.
func (p *Plan) offer(f pending, given generator.File, base []byte, c Change) {
	c.Here, c.Base, c.Theirs, c.Edited = f.here, base, given.Data, true
	c.Mode = mergedMode(given, f.record, f.known, f.here)
	merged := merge.File(given.Path, base, f.here.Data, given.Data)
	c.Note = strings.Join(slices.DeleteFunc(slices.Concat([]string{c.Note}, merged.Notes), func(s string) bool { return s == "" }), "; ")
	switch {
	case merged.Clean():
		c.Outcome, c.Data = Merged, merged.Text
		p.write(c, given)
	case len(merged.Conflicts) == 0 || p.project.keeps(given.Path) && !p.project.Ours:
		p.leave(f, base, c, merged.Reason)
	case p.project.Ours:
		c.Outcome, c.Data = Ours, ours(merged.Text)
		p.write(c, given)
	default:
		c.Outcome, c.Data, c.Write, c.Lines = Conflict, merged.Text, true, merged.Conflicts
		if c.Note == "" {
			c.Note = "both changed it"
		}
		p.add(c)
		p.open(f, given, base)
	}
}

// write adds a change that leaves nothing to decide, if it changes anything.
func (p *Plan) write(c Change, given generator.File) {
	c.Write = c.From != "" || c.Mode != c.Here.Mode || !bytes.Equal(c.Data, c.Here.Data)
	if digest(c.Data) != given.SHA256 {
		p.texts[given.Path] = given.Data
	}
	if c.Write || c.Outcome == Ours {
		p.add(c)
	}
}

// leave leaves a file as it is that cannot be merged, or whose conflicts do not concern a file of the user's. Of a file that the templates
// have moved, the new one is held back.
func (p *Plan) leave(f pending, base []byte, c Change, reason string) {
	c.Note = cmp.Or(reason, "both changed it") + ", so yours stays"
	moved := c.From != ""
	to := c.Path
	if moved {
		c.Note += "; " + to + ", which it has become, is not written"
		c.Path, c.From, c.Remove = f.path, "", ""
	}
	p.texts[c.Path] = base
	switch outcome := p.refuse(c, f.record, f.known); {
	case outcome == Ours:
		p.texts[c.Path] = c.Theirs
	case moved:
		delete(p.lock, to)
	}
}

// open records a conflict: the file is that of before, until the markers are gone.
func (p *Plan) open(f pending, given generator.File, base []byte) {
	record := p.lock[given.Path]
	record.Open = generator.OpenConflict{Theirs: given.SHA256, Yours: digest(f.here.Data)}
	record.SHA256 = f.record.SHA256
	if f.record.Mode != "" {
		record.Mode = f.record.Mode
	}
	p.lock[given.Path] = record
	p.texts[given.Path], p.theirs[given.Path] = base, given.Data
}

// mergeMoved merges each file that is no longer written into the new one that it has become, if there is such a one. Where that cannot be
// known, the new file is held back: with both, Terraform would have every resource twice.
func (p *Plan) mergeMoved(found func(generator.LockedFile) []byte) {
	added := make(map[string][]byte)
	for _, c := range p.Changes {
		if c.Outcome == Added {
			added[c.Path] = c.Data
		}
	}
	from := make(map[string][]byte)
	for _, f := range p.dropped {
		if from[f.path] = found(f.record); from[f.path] == nil {
			from[f.path], _ = lf(f.here.Data) // the nearest that is known
		}
	}
	moved := merge.Renames(from, added)
	for _, f := range p.dropped {
		to, isMoved := moved[f.path]
		if !isMoved {
			p.add(Change{Path: f.path, Outcome: Left, Note: "edited here, so it stays", Here: f.here, Edited: true})
			continue
		}
		p.Changes = slices.DeleteFunc(p.Changes, func(c Change) bool { return c.Path == to })
		if base := found(f.record); base != nil {
			p.offer(f, p.files[to], base, Change{Path: to, From: f.path, Remove: f.path})
			continue
		}
		outcome := p.refuse(Change{
			Path: f.path, NoBase: true, Note: noBase + "; " + to + ", which it seems to have become, is not written", Here: f.here, Edited: true,
			Theirs: p.files[to].Data,
		}, f.record, true)
		if outcome != Ours {
			delete(p.lock, to)
		}
	}
}

// HoldBack turns every change that would give Terraform a block twice into a conflict in which the file stays as it is.
func (p *Plan) HoldBack() error {
	for _, folder := range p.terraformFolders() {
		before, err := p.terraform(folder)
		if err != nil {
			return err
		}
		for {
			doubled := merge.DoubledAddresses(before, p.after(before, folder, ""))
			if len(doubled) == 0 || !p.holdBackOne(before, folder, doubled) {
				break
			}
		}
	}
	return nil
}

// holdBackOne holds back the first change without which fewer blocks stand twice.
func (p *Plan) holdBackOne(before map[string][]byte, folder string, doubled []string) bool {
	for i, c := range p.Changes {
		if !c.Write || path.Dir(c.Path) != folder || path.Ext(c.Path) != ".tf" {
			continue
		}
		left := merge.DoubledAddresses(before, p.after(before, folder, c.Path))
		if len(left) >= len(doubled) {
			continue
		}
		twice := slices.DeleteFunc(slices.Clone(doubled), func(address string) bool { return slices.Contains(left, address) })
		p.Changes = slices.Delete(p.Changes, i, i+1)
		p.holdBack(c, strings.Join(twice, ", ")+" would stand twice, so it is not written")
		slices.SortStableFunc(p.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
		return true
	}
	return false
}

// holdBack takes a change back.
func (p *Plan) holdBack(c Change, note string) {
	file := cmp.Or(c.From, c.Path)
	record, known := p.project.record(file)
	record.Open = generator.OpenConflict{}
	outcome := p.refuse(Change{Path: file, Note: note, Here: c.Here, Edited: c.Edited, Base: c.Base, Theirs: c.Theirs}, record, known)
	if c.From != "" && outcome != Ours {
		delete(p.lock, c.Path)
	}
	delete(p.texts, c.Path)
	delete(p.theirs, c.Path)
	if c.Base != nil {
		p.texts[file] = c.Base
	}
}

func (p *Project) record(file string) (generator.LockedFile, bool) {
	for _, r := range p.Lock.Files {
		if r.Path == file {
			return r, true
		}
	}
	return generator.LockedFile{}, false
}

// terraformFolders returns those in which a Terraform file is written.
func (p *Plan) terraformFolders() []string {
	var folders []string
	for _, c := range p.Changes {
		if folder := path.Dir(c.Path); c.Write && path.Ext(c.Path) == ".tf" && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return folders
}

// terraform reads the Terraform files of a folder. It returns none if all of them will be what the templates give, which names no block twice.
func (p *Plan) terraform(folder string) (map[string][]byte, error) {
	names, err := p.project.Folder(folder)
	if err != nil {
		return nil, err
	}
	texts := make(map[string][]byte)
	given := true
	for _, name := range names {
		file := path.Join(folder, name)
		if path.Ext(file) != ".tf" {
			continue
		}
		here, err := p.project.Look(file)
		if err != nil {
			return nil, err
		}
		if here.Absent || here.Strange != "" {
			continue
		}
		texts[file] = here.Data
		given = given && p.becomesGiven(file, here)
	}
	if given {
		return nil, nil
	}
	return texts, nil
}

// becomesGiven reports whether a file will be as the templates give it, or gone.
func (p *Plan) becomesGiven(file string, here Here) bool {
	for _, c := range p.Changes {
		switch {
		case c.Remove == file:
			return true
		case c.Path == file && c.Write:
			return c.Outcome == Updated || c.Outcome == Added
		}
	}
	f, written := p.files[file]
	return written && digest(here.Data) == f.SHA256
}

// after returns the Terraform files of a folder after the update, without what the update writes to the file skip.
func (p *Plan) after(before map[string][]byte, folder, skip string) map[string][]byte {
	if before == nil {
		return nil
	}
	after := maps.Clone(before)
	for _, c := range p.Changes {
		if c.Path == skip && skip != "" {
			continue
		}
		if c.Remove != "" {
			delete(after, c.Remove)
		}
		if c.Write && path.Dir(c.Path) == folder && path.Ext(c.Path) == ".tf" {
			after[c.Path] = c.Data
		}
	}
	return after
}
