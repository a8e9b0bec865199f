package function

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A change of a file that goes into a function makes another one, and
// no other change does.
func TestBuildsWhatChanged(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	files := map[string]string{
		"go.mod":          "module example.com/rotator\n\ngo 1.26\n",
		"main.go":         "package main\n\nimport \"example.com/rotator/said\"\n\nfunc main() { println(said.Text) }\n",
		"said/said.go":    "package said\n\nimport _ \"embed\"\n\n//go:embed text.txt\nvar Text string\n",
		"said/text.txt":   "one",
		"README.md":       "one",
		"rotasmith.yaml":  "one",
		"said/x_test.go":  "package said\n",
		"terraform/x.tf":  "",
		"said/COMMENT.md": "",
	}
	said := func(change, to string) (output, program string) {
		t.Helper()
		dir := t.TempDir()
		for path, text := range files {
			if path == change {
				text = to
			}
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := Build(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		program, err := filepath.EvalSymlinks(filepath.Join(dir, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bootstrap")).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out)), program
	}
	_, first := said("", "")
	for _, path := range []string{"README.md", "rotasmith.yaml", "said/x_test.go", "terraform/x.tf", "said/COMMENT.md"} {
		if _, program := said(path, "package said\n\n// another\n"); program != first {
			t.Errorf("%s makes another function", path)
		}
	}
	if output, program := said("said/text.txt", "two"); output != "two" || program == first {
		t.Errorf("with another text it says %q", output)
	}
}
