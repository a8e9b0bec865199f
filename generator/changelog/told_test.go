package changelog_test

import (
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/semver"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/generatortest"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/templates"
)

// coming is the version of templates that are not recorded yet: whatever they are released as comes after all that are.
const coming = "v1000000.0.0"

// Every emitted byte that has changed between two recorded versions, or since the last of them, is touched by an entry of CHANGELOG.yaml.
func TestEveryChangeIsTold(t *testing.T) {
	points := history.Points()
	if len(points) == 0 {
		t.Log("no version is recorded yet: make history records one")
		return
	}
	c, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	points = append([]history.Point{point(t, coming, templates.Root, templates.FS, carriedOver(t, c, points[0].Cases))}, points...)
	log, err := changelog.Read(templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range untold(t, log, points) {
		t.Errorf("%s: say in templates/%s what has changed", line, changelog.File)
	}
}

// Of two versions, a change that no entry touches is found: one of another file, another type or another version.
func TestUntold(t *testing.T) {
	const pair, key = "name: orders\ntype: db-pair\nengine: alpha\n", "name: mine\ntype: key\nprovider: acme\n"
	cases := map[string]string{"pair": pair, "key": key}
	changes := map[string]string{
		"project/run.sh": "", "project/new.md": "new\n", "project/.gitignore": "bin\n", "providers/acme/both/main.go": "package main\n",
		"engines/alpha/pair/main.go": "package main\n",
	}
	points := []history.Point{
		point(t, "v1.1.0", generatortest.Root, generatortest.Tree(changes), cases), point(t, "v1.0.0", generatortest.Root, generatortest.Tree(nil), cases),
	}
	log, err := read(t, `
- {version: v1.2.0, severity: fix, text: later, touches: [.gitignore]}
- {version: v1.1.0, severity: fix, text: x, touches: [run.sh, "*.md"]}
- {version: v1.1.0, severity: fix, text: y, touches: [main.go], type: [key]}
- {version: v1.0.0, severity: fix, text: before}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"v1.1.0, key: .gitignore", "v1.1.0, pair: .gitignore", "v1.1.0, pair: main.go"}
	if diff := cmp.Diff(want, untold(t, log, points)); diff != "" {
		t.Errorf("untold (-want +got):\n%s", diff)
	}
}

// point records a version alone.
func point(t *testing.T, version, root string, fsys fs.FS, cases map[string]string) history.Point {
	t.Helper()
	archive, err := history.Record(nil, version, root, fsys, cases)
	if err != nil {
		t.Fatal(err)
	}
	points, err := history.Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	return points[0]
}

// carriedOver returns the answers of recorded projects as this version reads them.
func carriedOver(t *testing.T, c *generator.Catalog, cases []history.Case) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	for _, recorded := range cases {
		_, carried := c.CarryOver(parse(t, recorded.Answers))
		text, err := generator.EditAnswers(recorded.Name, []byte(recorded.Answers), c.Resolve(nil).Edits(carried, "")[:len(carried)])
		if err != nil {
			t.Fatal(err)
		}
		texts[recorded.Name] = string(text)
	}
	return texts
}

func parse(t *testing.T, text string) generator.Answers {
	t.Helper()
	answers, err := generator.ParseAnswers(generator.AnswersFile, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// untold returns, as VERSION, PROJECT: PATH, the files that differ from those of the version before and that no entry in between touches.
// points are the newest first.
func untold(t *testing.T, log changelog.Log, points []history.Point) []string {
	t.Helper()
	var lines []string
	for i := range len(points) - 1 {
		now, before := &points[i], &points[i+1]
		entries := slices.DeleteFunc(slices.Clone(log), func(e changelog.Entry) bool {
			return semver.Compare(e.Version, before.Version) <= 0 || semver.Compare(e.Version, now.Version) > 0
		})
		for _, project := range now.Cases {
			at := slices.IndexFunc(before.Cases, func(c history.Case) bool { return c.Name == project.Name })
			if at < 0 {
				continue
			}
			typ := parse(t, project.Answers)["type"].Value
			for _, file := range changed(t, before, now, before.Cases[at].Answers, project.Answers) {
				if !slices.ContainsFunc(entries, func(e changelog.Entry) bool { return e.Covers(file, typ) }) {
					lines = append(lines, fmt.Sprintf("%s, %s: %s", now.Version, project.Name, file))
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// changed returns the paths of a project that two versions do not write alike.
func changed(t *testing.T, before, now *history.Point, old, answers string) []string {
	t.Helper()
	files := func(p *history.Point, text string) map[string]string {
		made, err := p.Files(parse(t, text), func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		digests := make(map[string]string)
		for _, f := range made {
			digests[f.Path] = f.Mode.String() + f.SHA256
		}
		return digests
	}
	was, is := files(before, old), files(now, answers)
	var paths []string
	for path, digest := range is {
		if was[path] != digest {
			paths = append(paths, path)
		}
	}
	for path := range was {
		if is[path] == "" {
			paths = append(paths, path)
		}
	}
	return paths
}

// The changelog of this very tree can be read, and a tree may have none.
func TestChangelogOfTheTemplates(t *testing.T) {
	log, err := changelog.Read(templates.FS)
	if err != nil || len(log) == 0 {
		t.Errorf("%d entries, %v", len(log), err)
	}
	if log, err := changelog.Read(fstest.MapFS{}); err != nil || log != nil {
		t.Errorf("%v, %v", log, err)
	}
}
