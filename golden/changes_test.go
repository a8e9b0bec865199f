package golden

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/aymanbagabas/go-udiff"

	"github.com/rotasmith/rotasmith/generator"
)

// entry is the line of a plan for one file.
type entry struct {
	path   string
	action generator.Action
	source string
	digest string
}

// copied reports whether the file is one of templates/ but for its imports.
func (e entry) copied() bool { return e.action == generator.Copy || e.action == generator.Rehome }

// entryIn returns what a line of a plan says, if it is one for a file.
func entryIn(line string) (e entry, ok bool) {
	f := strings.Fields(line)
	if len(f) < 3 {
		return entry{}, false
	}
	e = entry{path: f[0], action: generator.Action(f[1]), source: f[2]}
	if len(f) > 3 {
		e.digest = f[3]
	}
	return e, slices.Contains([]generator.Action{generator.Copy, generator.Rehome, generator.Expand, generator.Record}, e.action)
}

// entriesOf returns the entries of a plan by path.
func entriesOf(plan string) map[string]entry {
	all := make(map[string]entry)
	for line := range strings.Lines(plan) {
		if e, ok := entryIn(line); ok {
			all[e.path] = e
		}
	}
	return all
}

// digest is short to be read in a diff. The texts are no attack, and an edit leaves
// 48 bits as they were once in 3e14 edits.
func digest(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text))[:12] }

// module is the module's path in a project's rotasmith.yaml, which is recorded of
// every case.
func module(files tree) string {
	for line := range strings.Lines(files[generator.AnswersFile]) {
		if path, ok := strings.CutPrefix(line, "module: "); ok {
			return strings.TrimSpace(path)
		}
	}
	return ""
}

// normal returns a file of a project as it is in a module that all cases share:
// the paths of modules alone make no difference.
func normal(files tree, path string) string {
	return strings.ReplaceAll(files[path], module(files), "example.com/MODULE")
}

// text names what many cases may have: a file as normal has it.
type text struct{ path, digest string }

func textOf(files tree, path string) text { return text{path, digest([]byte(normal(files, path)))} }

// recording is what is recorded of some cases, or would be.
type recording struct {
	cases map[string]result
	texts map[text]string // what is recorded of any case
}

// newRecording returns what is recorded of projects, in their order: of what is not
// copied, each text once.
func newRecording(all []golden, now func(golden) result) recording {
	r := recording{make(map[string]result), make(map[text]string)}
	for _, c := range all {
		emitted := now(c)
		kept := result{stdout: emitted.stdout, files: make(tree)}
		var plan strings.Builder
		for line := range strings.Lines(emitted.plan) {
			e, ok := entryIn(line)
			t := textOf(emitted.files, e.path)
			_, known := r.texts[t]
			digested := ""
			switch {
			case !ok, c.name != sampleCase && e.path == generator.LockFile:
			case c.name != sampleCase && e.copied():
				source, err := fs.ReadFile(c.templates, e.source)
				if err != nil {
					panic(err) // the generator has read it
				}
				digested = " " + digest(source)
			case known && e.path != generator.AnswersFile: // which says what the project is
				digested = " " + t.digest
			default:
				kept.files[e.path] = emitted.files[e.path]
				r.texts[t] = normal(emitted.files, e.path)
			}
			plan.WriteString(strings.TrimSuffix(line, "\n") + digested + "\n")
		}
		kept.plan = plan.String()
		r.cases[c.name] = kept
	}
	return r
}

// recordedOf returns what is recorded of all cases.
func recordedOf(all []golden) recording {
	r := recording{make(map[string]result), make(map[text]string)}
	for _, c := range all {
		r.cases[c.name] = c.recorded
		for path := range c.recorded.files {
			r.texts[textOf(c.recorded.files, path)] = normal(c.recorded.files, path)
		}
	}
	return r
}

// change is one difference, in the user's terms.
type change struct {
	what string
	diff string // "" where the sample does not have it
}

// changesOf compares what was recorded of a case with what is written now and what
// would be recorded of that.
func (c golden) changesOf(before, after recording, now result) (all []change) {
	say := func(what, was, is string) {
		if was != is {
			all = append(all, change{what, udiff.Unified("recorded", "now", was, is)})
		}
	}
	say("what is printed changes", c.recorded.stdout, now.stdout)
	was, is := entriesOf(c.recorded.plan), entriesOf(after.cases[c.name].plan)
	for _, path := range slices.Sorted(maps.Keys(merged(merged(was, is), entriesIn(c.recorded.files)))) {
		old, planned := was[path]
		e, written := is[path]
		kept, own := c.recorded.files[path]
		switch {
		case !written:
			all = append(all, change{what: path + " is not written any more"})
		case !planned:
			all = append(all, change{what: path + " is new, from " + e.source})
		case old.action != e.action || old.source != e.source:
			all = append(all, change{what: fmt.Sprintf("%s comes from %s (%s), and came from %s (%s)", path, e.source, e.action, old.source, old.action)})
		case path == generator.LockFile: // says of other files what is told already
		case e.copied() && c.name == sampleCase:
			say("templates/"+e.source+" changes", kept, now.files[path])
		case e.copied() && old.digest != e.digest:
			all = append(all, change{what: "templates/" + e.source + " changes"})
		case e.copied():
		case own:
			say(path+" changes", normal(c.recorded.files, path), normal(now.files, path))
		default:
			text, found := before.texts[text{path, old.digest}]
			if !found {
				all = append(all, change{what: path + " is recorded of no case any more"})
				continue
			}
			say(path+" changes", text, normal(now.files, path))
		}
	}
	if c.name == sampleCase && len(all) == 0 {
		say(generator.LockFile+" changes", c.recorded.files[generator.LockFile], now.files[generator.LockFile])
	}
	if was, is := prose(c.recorded.plan), prose(now.plan); len(all) == 0 {
		say("the plan of --dry-run changes", was, is)
	}
	return all
}

// entriesIn names files like a plan.
func entriesIn(files tree) map[string]entry {
	all := make(map[string]entry)
	for path := range files {
		all[path] = entry{path: path}
	}
	return all
}

// prose is what a plan says beside its entries.
func prose(plan string) (said string) {
	for line := range strings.Lines(plan) {
		if _, ok := entryIn(line); !ok {
			said += line
		}
	}
	return said
}

// changes are those of many cases.
type changes struct {
	mu    sync.Mutex
	cases map[change][]string
	diffs map[string]string // of sources, by what changes
}

// add adds those of a case and reports whether there are any.
func (all *changes) add(c golden, found []change) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.cases == nil {
		all.cases, all.diffs = make(map[change][]string), make(map[string]string)
	}
	for _, one := range found {
		if strings.HasPrefix(one.what, "templates/") { // all who get it get the same
			all.diffs[one.what] = cmp.Or(one.diff, all.diffs[one.what])
			one.diff = ""
		}
		all.cases[one] = append(all.cases[one], c.name)
	}
	return len(found) > 0
}

// String tells each change once, and who gets it of how many cases.
func (all *changes) String(of int) string {
	if len(all.cases) == 0 {
		return ""
	}
	var text strings.Builder
	names := make(map[string]bool)
	for _, one := range slices.SortedFunc(maps.Keys(all.cases), func(a, b change) int {
		return cmp.Or(cmp.Compare(a.what, b.what), cmp.Compare(a.diff, b.diff))
	}) {
		who := slices.Sorted(slices.Values(all.cases[one]))
		for _, name := range who {
			names[name] = true
		}
		to := strings.Join(who, ", ")
		if len(who) == of {
			to = "every case"
		}
		fmt.Fprintf(&text, "\n%s, for %s\n%s", one.what, to, cmp.Or(one.diff, all.diffs[one.what]))
	}
	only := ""
	if len(names) == 1 {
		only = " CASE=" + slices.Collect(maps.Keys(names))[0]
	}
	return text.String() + "\nIf that is meant: make golden" + only
}

func merged[V any](a, b map[string]V) map[string]V {
	all := make(map[string]V)
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// TestLocksAreTrue holds the lock file of every project to the files beside it.
func TestLocksAreTrue(t *testing.T) {
	everyProject(t, func(t *testing.T, files tree) {
		var lock struct {
			Files []struct{ Path, SHA256 string }
		}
		if err := json.Unmarshal([]byte(files[generator.LockFile]), &lock); err != nil {
			t.Fatalf("%s: %v", generator.LockFile, err)
		}
		locked := make(map[string]string)
		for _, f := range lock.Files {
			locked[f.Path] = f.SHA256
		}
		for path, text := range files {
			if path != generator.LockFile && locked[path] != fmt.Sprintf("%x", sha256.Sum256([]byte(text))) {
				t.Errorf("%s has another digest of %s", generator.LockFile, path)
			}
			delete(locked, path)
		}
		for path := range locked {
			t.Errorf("%s has a digest of %s, which is not emitted", generator.LockFile, path)
		}
	})
}

// TestChangesAreToldOnce changes a file of templates/ and a template, and reads
// what is told of them: each once, with those who get it.
func TestChangesAreToldOnce(t *testing.T) {
	project := func(name, core, readme string) result {
		return result{
			plan: "core.go rehome  project/core.go\nREADME.md expand  project/README.md.tmpl\n" + generator.AnswersFile + " record  answers\n\n3 files\n",
			files: tree{
				"core.go":             core,
				"README.md":           readme + " example.com/" + name,
				generator.AnswersFile: "name: " + name + "\nmodule: example.com/" + name + "\n",
			},
		}
	}
	all := func(core string) []golden {
		sources := fstest.MapFS{"project/core.go": {Data: []byte(core)}}
		return []golden{{name: sampleCase, templates: sources}, {name: "other", templates: sources}}
	}
	before := newRecording(all("old core"), func(c golden) result { return project(c.name, "old core", "old text of") })
	if got := slices.Collect(maps.Keys(before.cases["other"].files)); !slices.Equal(got, []string{generator.AnswersFile}) {
		t.Errorf("%v is recorded beside the sample, and only what differs need be", got)
	}

	told := func(before recording, core, readme string) string {
		found := new(changes)
		now := func(c golden) result { return project(c.name, core, readme) }
		after := newRecording(all(core), now)
		for _, c := range all(core) {
			c.recorded = before.cases[c.name]
			found.add(c, c.changesOf(before, after, now(c)))
		}
		return found.String(3)
	}
	text := told(before, "new core", "new text of")
	for _, want := range []string{
		"templates/project/core.go changes, for other, " + sampleCase + "\n", "+new core", "README.md changes, for other, " + sampleCase + "\n", "+new text of",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q stands %d times in\n%s", want, strings.Count(text, want), text)
		}
	}
	if text := told(before, "old core", "old text of"); text != "" {
		t.Errorf("nothing changes, and told is %s", text)
	}
	delete(before.texts, textOf(project("other", "", "old text of").files, "README.md"))
	if text, want := told(before, "old core", "old text of"), "README.md is recorded of no case any more, for other\n"; !strings.Contains(text, want) {
		t.Errorf("%q is not in %s", want, text)
	}
}
