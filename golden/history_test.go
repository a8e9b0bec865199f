package golden

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/templates"
)

var (
	recordAs = flag.String("record", "", "record the templates in the history as those of this version")
	released = flag.String("released", "", "fail unless the history has the templates as those of this version")
)

// lost are the cases that this program no longer writes as a released version did, "VERSION CASE", each with the reason. An update of such a
// project needs its base from elsewhere.
var lost = map[string]string{}

// historyFile is what package history embeds.
var historyFile = filepath.Join("..", "generator", "history", "history.tar.gz")

// TestHistory writes every case anew with the templates of each recorded version. With -record it records another one; with -released it fails
// unless the templates are the newest.
func TestHistory(t *testing.T) {
	if *recordAs != "" {
		if err := recordHistory(t, loadAll(t), historyFile, *recordAs); err != nil {
			t.Fatal(err)
		}
		return
	}
	points := history.Points()
	if *released != "" {
		if err := isNewest(points, *released); err != nil {
			t.Errorf("%v: make history VERSION=%s, and commit", err, *released)
		}
	}
	if testing.Short() {
		points = points[:min(1, len(points))]
	}
	explained := maps.Clone(lost)
	for _, p := range points {
		for name, err := range reproduced(p) {
			key := p.Version + " " + name
			if _, known := explained[key]; known != (err != nil) {
				t.Errorf("%s: %v; listed as lost: %t", key, err, known)
			}
			delete(explained, key)
		}
	}
	if len(explained) > 0 && !testing.Short() {
		t.Errorf("no such version or case: %v", slices.Sorted(maps.Keys(explained)))
	}
}

// reproduced tells of every case of a point why it does not come out as it did, nil if it does.
func reproduced(p history.Point) map[string]error {
	outcome := make(map[string]error)
	for _, c := range p.Cases {
		answers, err := generator.ParseAnswers(c.Name, []byte(c.Answers))
		var digest string
		if err == nil {
			digest, err = p.Digest(answers)
		}
		if err == nil && digest != c.SHA256 {
			err = fmt.Errorf("another project than %s wrote: check out both and compare what they write for %s", p.Version, c.Name)
		}
		outcome[c.Name] = err
	}
	return outcome
}

// recordHistory adds the templates, and what they give for cases, to an archive.
func recordHistory(t *testing.T, all []golden, file, version string) error {
	t.Helper()
	archive, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	projects := make(map[string]string)
	for _, c := range all {
		projects[c.name] = c.emit(t).files[generator.AnswersFile]
	}
	if archive, err = history.Record(archive, version, templates.Root, templates.FS, projects); err != nil {
		return err
	}
	return os.WriteFile(file, archive, 0o644)
}

// The templates of today, recorded as a version, give every case as it is, or the first in a short run.
func TestHistoryOfToday(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history.tar.gz")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all := loadAll(t)
	if testing.Short() {
		all = all[:1]
	}
	if err := recordHistory(t, all, file, "v9.0.0"); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	points, err := history.Read(archive)
	if err != nil || len(points) != 1 {
		t.Fatalf("%d points, %v", len(points), err)
	}
	t.Logf("%d bytes", len(archive))
	outcome := reproduced(points[0])
	if len(outcome) != len(all) {
		t.Errorf("%d cases of %d", len(outcome), len(all))
	}
	for name, err := range outcome {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := isNewest(points, "v9.0.0"); err != nil {
		t.Error(err)
	}
	changed := []history.Point{{Version: "v9.0.0", FS: fstest.MapFS{}}}
	if isNewest(points, "v9.0.1") == nil || isNewest(nil, "v9.0.0") == nil || isNewest(changed, "v9.0.0") == nil {
		t.Error("a version without its templates may be released")
	}

	// What is recorded is what users get, but for the files in which the generator records it.
	c := all[0]
	emitted := c.emit(t).files
	answers, err := generator.ParseAnswers(c.name, []byte(emitted[generator.AnswersFile]))
	if err != nil {
		t.Fatal(err)
	}
	wanted := make(map[string]string)
	for _, e := range entriesOf(c.recorded.plan) {
		if e.action != generator.Record {
			wanted[e.path] = generator.Digest([]byte(emitted[e.path]))
		}
	}
	found := history.Find(points, answers, wanted)
	for path := range wanted {
		if diff := cmp.Diff(emitted[path], string(found[path])); diff != "" {
			t.Errorf("%s (-emitted +found):\n%s", path, diff)
		}
	}
}

// isNewest tells why the templates are not recorded as the newest version, nil if they are.
func isNewest(points []history.Point, version string) error {
	if len(points) == 0 || points[0].Version != version {
		return fmt.Errorf("the history does not end with %s", version)
	}
	now, err := treeOf(templates.FS)
	if err != nil {
		return err
	}
	then, err := treeOf(points[0].FS)
	if err != nil {
		return err
	}
	if !maps.Equal(now, then) {
		return fmt.Errorf("the templates have changed since they were recorded as %s", version)
	}
	return nil
}

func treeOf(fsys fs.FS) (tree, error) {
	files := make(tree)
	err := fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(fsys, path)
		files[path] = string(text)
		return err
	})
	return files, err
}
