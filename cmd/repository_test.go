package cmd

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// An action from another repository is pinned by commit: a tag can be moved.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`@[0-9a-f]{40} # v[0-9.]+$`)
	found := 0
	err := fs.WalkDir(os.DirFS("../.github"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile("../.github/" + path)
		for line := range strings.Lines(string(text)) {
			if _, action, ok := strings.Cut(strings.TrimSpace(line), "uses: "); ok && !strings.HasPrefix(action, "./") {
				found++
				if !pinned.MatchString(action) {
					t.Errorf("%s: %s", path, action)
				}
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d actions, %v", found, err)
	}
}
