package generictest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
)

// Each runs a test for the project's description. Where there is none yet it is run
// for every one that a project can begin with.
func Each(t *testing.T, test func(*testing.T, generic.Description)) {
	t.Helper()
	paths := []string{filepath.FromSlash("generic/provider.json")}
	if _, err := os.Stat(paths[0]); err != nil {
		paths, _ = filepath.Glob(filepath.FromSlash("../features/style/*/generic/provider.json.tmpl"))
	}
	if len(paths) == 0 {
		t.Fatal("there is no generic/provider.json")
	}
	for _, path := range paths {
		t.Run(filepath.ToSlash(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			d, err := generic.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			test(t, d)
		})
	}
}
