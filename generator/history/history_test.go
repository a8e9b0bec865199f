package history_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
	"github.com/rotasmith/rotasmith/generator/history"
)

const answers = "name: orders\ntype: db-pair\nengine: alpha\n"

// archived records versions of the test tree, each with its changes to it.
func archived(t *testing.T, changes ...map[string]string) []byte {
	t.Helper()
	var archive []byte
	for i, c := range changes {
		var err error
		version := []string{"v1.0.0", "v1.1.0", "v1.10.0"}[i]
		archive, err = history.Record(archive, version, generatortest.Root, generatortest.Tree(c), map[string]string{"pair": answers})
		if err != nil {
			t.Fatal(err)
		}
	}
	return archive
}

func read(t *testing.T, archive []byte) []history.Point {
	t.Helper()
	points, err := history.Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	return points
}

// Every point gives the project that its templates gave, newest first.
func TestPoints(t *testing.T) {
	points := read(t, archived(t, nil, map[string]string{"project/new.txt": "new\n", "project/run.sh": ""}, map[string]string{"project/new.txt": "newer\n"}))
	parsed, err := generator.ParseAnswers("rotasmith.yaml", []byte(answers))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		version, text string
		script        bool
	}{{"v1.10.0", "newer\n", true}, {"v1.1.0", "new\n", false}, {"v1.0.0", "", true}}
	for i, p := range points {
		files, err := p.Files(parsed, func(path string) bool { return path == "new.txt" || path == "run.sh" })
		if err != nil {
			t.Fatal(err)
		}
		text, script := "", false
		for _, f := range files {
			if f.Path == "new.txt" {
				text = string(f.Data)
			} else {
				script = true
			}
		}
		if p.Version != want[i].version || text != want[i].text || script != want[i].script {
			t.Errorf("point %d: %s has %q, run.sh: %t", i, p.Version, text, script)
		}
		digest, err := p.Digest(parsed)
		if err != nil || len(p.Cases) != 1 || p.Cases[0].SHA256 != digest {
			t.Errorf("%s: digest %s, recorded %v, %v", p.Version, digest, p.Cases, err)
		}
	}
	if len(points) != len(want) {
		t.Errorf("%d points", len(points))
	}
}
