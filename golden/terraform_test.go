package golden

import (
	"path"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/golden/space"
)

// mostFiles is how many .tf files an owner is asked to know.
const mostFiles = 16

// TestTerraformIsFewFiles counts the .tf files of every kind of project.
func TestTerraformIsFewFiles(t *testing.T) {
	c, renderer := openTemplates(t)
	for _, base := range space.Bases(c) {
		var files []string
		for name := range terraform(t, renderer, base) {
			if path.Ext(name) == ".tf" {
				files = append(files, name)
			}
		}
		if len(files) == 0 || len(files) > mostFiles {
			t.Errorf("%v: %d files: %s", base, len(files), strings.Join(set(files), " "))
		}
	}
}
