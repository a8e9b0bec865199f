package history_test

import (
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
	"github.com/rotasmith/rotasmith/generator/history"
)

// pair is the rotasmith.yaml of a project.
const pair = "name: orders\ntype: db-pair\nengine: alpha\n"

// changes are what three versions change in the test tree. The second has no script, the third has it again.
var changes = []map[string]string{
	nil,
	{"project/new.txt": "new\n", "project/run.sh": ""},
	{"project/new.txt": "newer\n"},
}

var versions = []string{"v1.0.0", "v1.9.0", "v1.10.0"}

// archived records the versions one after the other.
func archived(t *testing.T) []byte {
	t.Helper()
	var archive []byte
	for i, version := range versions {
		var err error
		if archive, err = record(archive, version, changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	return archive
}

func record(archive []byte, version string, changes map[string]string) ([]byte, error) {
	return history.Record(archive, version, generatortest.Root, generatortest.Tree(changes), map[string]string{"pair": pair})
}

func read(t *testing.T, archive []byte) []history.Point {
	t.Helper()
	points, err := history.Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func parsed(t *testing.T, text string) generator.Answers {
	t.Helper()
	answers, err := generator.ParseAnswers(generator.AnswersFile, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func treeOf(t *testing.T, fsys fs.FS) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(fsys, path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Every point has the templates that were recorded, and gives the project that they gave; the newest comes first.
func TestRead(t *testing.T) {
	points := read(t, archived(t))
	if len(points) != len(versions) {
		t.Fatalf("%d points", len(points))
	}
	for i, p := range points {
		at := len(versions) - 1 - i
		if p.Version != versions[at] || p.Root != generatortest.Root {
			t.Errorf("point %d is %s of %s", i, p.Version, p.Root)
		}
		if diff := cmp.Diff(treeOf(t, generatortest.Tree(changes[at])), treeOf(t, p.FS)); diff != "" {
			t.Errorf("%s (-recorded +read):\n%s", p.Version, diff)
		}
		digest, err := p.Digest(parsed(t, pair))
		if err != nil || len(p.Cases) != 1 || p.Cases[0] != (history.Case{Name: "pair", Answers: pair, SHA256: digest}) {
			t.Errorf("%s: digest %s, recorded %v, %v", p.Version, digest, p.Cases, err)
		}
	}
	if points[0].Cases[0].SHA256 == points[2].Cases[0].SHA256 {
		t.Error("other files have the same digest")
	}
}

// The newest point may be recorded again until it is released. An older one stays, and nothing comes between.
func TestRecord(t *testing.T) {
	archive := archived(t)
	again, err := record(archive, "v1.10.0", map[string]string{"project/new.txt": "newest\n"})
	if err != nil {
		t.Fatal(err)
	}
	points := read(t, again)
	if text, err := fs.ReadFile(points[0].FS, "project/new.txt"); len(points) != 3 || err != nil || string(text) != "newest\n" {
		t.Errorf("%d points, the newest has %q, %v", len(points), text, err)
	}
	for version, want := range map[string]string{
		"v1.9.0":  "v1.9.0 does not follow v1.10.0, which is recorded",
		"v1.9.1":  "v1.9.1 does not follow v1.10.0, which is recorded",
		"1.11.0":  `"1.11.0" is no version such as v1.2.0`,
		"(devel)": `"(devel)" is no version such as v1.2.0`,
		"":        `"" is no version such as v1.2.0`,
	} {
		if _, err := record(archive, version, nil); err == nil || err.Error() != want {
			t.Errorf("%q: %v", version, err)
		}
	}
	if _, err := history.Record(nil, "v1.0.0", generatortest.Root, generatortest.Tree(nil), map[string]string{"bad": "name: x\n"}); err == nil || !strings.HasPrefix(err.Error(), "case bad: ") {
		t.Errorf("a case that the templates do not give: %v", err)
	}
	if _, err := history.Record([]byte("damaged"), "v1.0.0", generatortest.Root, generatortest.Tree(nil), nil); err == nil {
		t.Error("a damaged archive is taken for an empty one")
	}
}

// A point that changes little costs little: each text stands once, beside the texts that are like it.
func TestRecordIsSmall(t *testing.T) {
	// No two of these are alike, and each is longer than gzip looks back.
	noise := func(seed string) string {
		var b strings.Builder
		for b.Len() < 40_000 {
			seed = generator.Digest([]byte(seed))
			b.WriteString(seed)
		}
		return b.String()
	}
	long := noise("long")[:20_000]
	tree := func(changes map[string]string) map[string]string {
		files := map[string]string{"project/long.txt": long, "project/noise.txt": noise("noise"), "project/other/noise.txt": noise("more")}
		maps.Copy(files, changes)
		return files
	}
	first, err := record(nil, "v1.0.0", tree(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]map[string]string{
		"a line more": {"project/long.txt": long + "one line more\n"},
		"moved":       {"project/long.txt": "", "project/texts/long.txt": long},
	} {
		second, err := record(first, "v1.1.0", tree(changed))
		if err != nil {
			t.Fatal(err)
		}
		if grown := len(second) - len(first); grown > 1000 {
			t.Errorf("%s: %d bytes, and %d before", name, len(second), len(first))
		}
	}
}

// I10: what a version wrote is found by its digest, in whichever version that is; what has another digest is not.
func TestFind(t *testing.T) {
	points := read(t, archived(t))
	digest := func(text string) string { return generator.Digest([]byte(text)) }
	for text, want := range map[string]bool{"new\n": true, "newer\n": true, "newest\n": false} {
		found := history.Find(points, parsed(t, pair), map[string]string{"new.txt": digest(text), "run.sh": digest("never\n"), "none.txt": digest(text)})
		if string(found["new.txt"]) != text && want || len(found) > 1 || !want && len(found) > 0 {
			t.Errorf("%q: found %q", text, found)
		}
	}
	// A question that a version did not ask does not keep it from being found.
	if found := history.Find(points, parsed(t, pair+"asked_later: yes\n"), map[string]string{"new.txt": digest("new\n")}); len(found) != 1 {
		t.Errorf("with a new answer: found %q", found)
	}
	// Answers that the versions refuse find nothing.
	if found := history.Find(points, parsed(t, "name: orders\ntype: none\n"), map[string]string{"new.txt": digest("new\n")}); len(found) != 0 {
		t.Errorf("with a bad answer: found %q", found)
	}
}

// One file that cannot be made any more does not keep the others from being found.
func TestFindBesideABrokenFile(t *testing.T) {
	var archive []byte
	archive, err := history.Record(archive, "v1.0.0", generatortest.Root, generatortest.Tree(map[string]string{
		"project/new.txt": "new\n", "project/broken.txt.tmpl": "{{.NoSuchField.At.All}}",
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{"new.txt": generator.Digest([]byte("new\n")), "broken.txt": generator.Digest([]byte("x"))}
	if found := history.Find(read(t, archive), parsed(t, pair), wanted); len(found) != 1 || string(found["new.txt"]) != "new\n" {
		t.Errorf("found %q", found)
	}
}

var update = flag.Bool("update", false, "record the fixture anew, in a form that older programs may not read")

// An archive that was recorded once can be read for good.
func TestFixture(t *testing.T) {
	fixture := filepath.Join("testdata", "history.tar.gz")
	if *update {
		if err := os.WriteFile(fixture, archived(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	points := read(t, archive)
	var got []string
	for _, p := range points {
		text, _ := fs.ReadFile(p.FS, "project/new.txt")
		got = append(got, p.Version+" "+p.Root+" "+p.Cases[0].Name+" "+string(text))
	}
	want := []string{
		"v1.10.0 example.org/smith/templates pair newer\n", "v1.9.0 example.org/smith/templates pair new\n", "v1.0.0 example.org/smith/templates pair ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	before, after := treeOf(t, points[2].FS), treeOf(t, points[1].FS)
	if maps.Equal(before, after) || before["project/run.sh"] == "" || after["project/run.sh"] != "" {
		t.Errorf("before %q, after %q", before["project/run.sh"], after["project/run.sh"])
	}
}

// What is embedded can be read.
func TestPoints(t *testing.T) {
	for _, p := range history.Points() {
		if len(p.Cases) == 0 {
			t.Errorf("%s shows no case", p.Version)
		}
	}
}
