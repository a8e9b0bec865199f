package update

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
)

// project is one in memory, with what it was written with.
type project struct {
	files map[string]string
	lock  generator.Lock
	bases map[string][]byte // what was ever written, by digest
}

func rendered(files map[string]string) []generator.File {
	var all []generator.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		data := []byte(files[name])
		all = append(all, generator.File{Entry: generator.Entry{Path: name}, Mode: 0o644, Data: data, SHA256: generator.Digest(data)})
	}
	return all
}

func newProject(files map[string]string) *project {
	p := &project{files: maps.Clone(files), bases: make(map[string][]byte)}
	for _, f := range rendered(files) {
		p.lock.Files = append(p.lock.Files, generator.LockedFile{Path: f.Path, Mode: "0644", SHA256: f.SHA256})
		p.bases[f.SHA256] = f.Data
	}
	return p
}

// update updates the project to what would be written now.
func (p *project) update(t *testing.T, files map[string]string) *Plan {
	t.Helper()
	plan, err := Classify(&Project{
		Lock: p.lock, Files: rendered(files),
		Look: func(file string) (Here, error) {
			text, ok := p.files[file]
			return Here{Absent: !ok, Mode: 0o644, Data: []byte(text)}, nil
		},
		Folder: func(folder string) (names []string, err error) {
			for file := range p.files {
				if path.Dir(file) == folder {
					names = append(names, path.Base(file))
				}
			}
			return names, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	plan.Merge(p.bases)
	if err := plan.HoldBack(); err != nil {
		t.Fatal(err)
	}
	for _, c := range plan.Changes {
		if c.Remove != "" {
			delete(p.files, c.Remove)
		}
		if c.Write {
			p.files[c.Path] = string(c.Data)
		}
	}
	p.lock = plan.Lock("", "")
	for _, f := range rendered(files) {
		p.bases[f.SHA256] = f.Data
	}
	return plan
}

// outcomes says what a plan does, a file a line.
func outcomes(plan *Plan) string {
	var b strings.Builder
	for _, c := range plan.Changes {
		fmt.Fprintf(&b, "%s %s\n", c.Path, c.Outcome)
	}
	return b.String()
}

// I10: a text that has not the digest of the record is no base, wherever it comes from.
func TestBaseOfAnotherDigest(t *testing.T) {
	p := newProject(map[string]string{"a.md": "one\ntwo\nthree\n"})
	p.bases[p.lock.Files[0].SHA256] = []byte("one\ntwo\nthree, not so\n")
	p.files["a.md"] = "one\ntwo\nmine\n"
	plan := p.update(t, map[string]string{"a.md": "ONE\ntwo\nthree\n"})
	if got := outcomes(plan); got != "a.md conflict\n" || !plan.Changes[0].NoBase || plan.Changes[0].Write || p.files["a.md"] != "one\ntwo\nmine\n" {
		t.Errorf("%s%s", got, p.files["a.md"])
	}
}

// The decision of an update without the text that was written once, for each state of a file. The merge has its own tests.
func TestClassify(t *testing.T) {
	tests := []struct {
		name            string
		was, here, will string // "-" is no file
		want            string
	}{
		{"nothing changed", "a\n", "a\n", "a\n", ""},
		{"the template", "a\n", "a\n", "b\n", "f.md updated\n"},
		{"the person", "a\n", "mine\n", "a\n", ""},
		{"both, the same", "a\n", "b\n", "b\n", ""},
		{"both", "a\n", "mine\n", "b\n", "f.md conflict\n"},
		{"deleted", "a\n", "-", "a\n", ""},
		{"deleted, and the template", "a\n", "-", "b\n", "f.md not-taken\n"},
		{"dropped", "a\n", "a\n", "-", "f.md removed\n"},
		{"dropped and edited", "a\n", "mine\n", "-", "f.md left\n"},
		{"dropped and deleted", "a\n", "-", "-", ""},
		{"new", "-", "-", "b\n", "f.md added\n"},
		{"new, and there already", "-", "b\n", "b\n", ""},
		{"new, and another there", "-", "mine\n", "b\n", "f.md conflict\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files := func(text string) map[string]string {
				if text == "-" {
					return nil
				}
				return map[string]string{"f.md": text}
			}
			p := newProject(files(test.was))
			p.files = files(test.here)
			if p.files == nil {
				p.files = make(map[string]string)
			}
			if got := outcomes(p.update(t, files(test.will))); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// Whole projects with edits at random, over several versions at random: no line of a person is lost, files that were not edited become what the
// templates give (I3), and a second update changes nothing (I5).
func TestRandomEdits(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 60
	}
	total := make(map[Outcome]int)
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		version := firstVersion(r)
		p := newProject(version)
		marks := 0
		for range 3 {
			mine := p.edit(r, &marks)
			version = nextVersion(r, version)
			before, records := maps.Clone(p.files), p.lock.Files
			plan := p.update(t, version)
			for _, c := range plan.Changes {
				total[c.Outcome]++
			}
			for mark := range mine {
				if !slices.ContainsFunc(slices.Collect(maps.Values(p.files)), func(text string) bool { return strings.Contains(text, mark) }) {
					t.Fatalf("seed %d: %q is lost\n%s\nbefore: %q\nafter: %q", seed, mark, outcomes(plan), before, p.files)
				}
			}
			for _, record := range records {
				text, given := version[record.Path]
				if given && generator.Digest([]byte(before[record.Path])) == record.SHA256 && p.files[record.Path] != text {
					t.Fatalf("seed %d: %s was not edited, and is not what the templates give\n%s%q", seed, record.Path, outcomes(plan), p.files[record.Path])
				}
			}
			again := maps.Clone(p.files)
			if p.update(t, version); !maps.Equal(again, p.files) {
				t.Fatalf("seed %d: the second update changed a file", seed)
			}
		}
	}
	for _, o := range []Outcome{Added, Updated, Merged, Conflict, Removed, Left, NotTaken} {
		if total[o] < 10 {
			t.Errorf("%s: %d of %v", o, total[o], total)
		}
	}
	t.Log(total)
}

func firstVersion(r *rand.Rand) map[string]string {
	files := make(map[string]string)
	for i := range 8 {
		files[fmt.Sprintf("d/f%d.md", i)] = text(r, 4+r.IntN(12))
	}
	return files
}

// text is lines of which many are the same.
func text(r *rand.Rand, lines int) string {
	var b strings.Builder
	for range lines {
		fmt.Fprintf(&b, "line %d\n", r.IntN(9))
	}
	return b.String()
}

// nextVersion changes, adds, drops and renames files.
func nextVersion(r *rand.Rand, version map[string]string) map[string]string {
	next := maps.Clone(version)
	for _, file := range slices.Sorted(maps.Keys(version)) {
		switch r.IntN(8) {
		case 0:
			delete(next, file)
		case 1:
			next[strings.TrimSuffix(file, ".md")+"x.md"] = change(r, next[file], func() string { return fmt.Sprintf("line %d\n", r.IntN(9)) })
			delete(next, file)
		case 2, 3, 4:
			next[file] = change(r, next[file], func() string { return fmt.Sprintf("line %d\n", r.IntN(9)) })
		}
	}
	next[fmt.Sprintf("d/new%d.md", r.IntN(1000))] = text(r, 6)
	return next
}

// change replaces, inserts and removes lines.
func change(r *rand.Rand, text string, line func() string) string {
	lines := slices.Collect(strings.Lines(text))
	for range 1 + r.IntN(3) {
		at := r.IntN(len(lines) + 1)
		switch r.IntN(3) {
		case 0:
			lines = slices.Insert(lines, at, line())
		case 1:
			if at < len(lines) {
				lines[at] = line()
			}
		default:
			if at < len(lines) && !strings.Contains(lines[at], "mine ") {
				lines = slices.Delete(lines, at, at+1)
			}
		}
	}
	return strings.Join(lines, "")
}

// edit edits as a person does: in files without an open conflict, and now and then one is settled or deleted. It returns the lines that are theirs.
func (p *project) edit(r *rand.Rand, marks *int) map[string]bool {
	for _, file := range slices.Sorted(maps.Keys(p.files)) {
		open := strings.Contains(p.files[file], "<<<<<<< ")
		switch n := r.IntN(10); {
		case open && n < 5:
			p.files[file] = string(ours([]byte(p.files[file]))) + "settled\n"
		case open:
		case n < 4:
			p.files[file] = change(r, p.files[file], func() string { *marks++; return fmt.Sprintf("mine %d.\n", *marks) })
		case n == 4:
			delete(p.files, file)
		case n == 5:
			*marks++
			p.files[fmt.Sprintf("d/new%d.md", r.IntN(1000))] = fmt.Sprintf("mine %d.\n", *marks)
		}
	}
	mine := make(map[string]bool)
	for _, text := range p.files {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "mine ") {
				mine[line] = true
			}
		}
	}
	return mine
}
