package templates_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/rotasmith/rotasmith/templates"
)

// TestPinsAreOurVersions holds what emitted projects require to what this repository is tested with; make pins writes it.
func TestPinsAreOurVersions(t *testing.T) {
	own, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := modfile.Parse("go.mod", own, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]string)
	for _, require := range ours.Require {
		versions[require.Mod.Path] = require.Mod.Version
	}
	pins, err := fs.Glob(templates.FS, "*/*/common/go.mod.tmpl")
	if err != nil || len(pins) == 0 {
		t.Fatalf("no target has a go.mod.tmpl: %v", err)
	}
	for _, path := range pins {
		text, err := fs.ReadFile(templates.FS, path)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := modfile.Parse(path, []byte(strings.Replace(string(text), "{{.Module}}", "example.com/x", 1)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if theirs.Go.Version != ours.Go.Version {
			t.Errorf("%s: go %s, ours is %s", path, theirs.Go.Version, ours.Go.Version)
		}
		for _, require := range theirs.Require {
			// A module that only the tests of a dependency need is listed in one go.mod and not
			// in another.
			want, listed := versions[require.Mod.Path]
			if (listed || !require.Indirect) && require.Mod.Version != want {
				t.Errorf("%s: %s, our version is %q", path, require.Mod, want)
			}
		}
	}
}
