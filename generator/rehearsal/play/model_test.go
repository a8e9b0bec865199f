package play_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/play"
	"github.com/rotasmith/rotasmith/generator/report"
)

// TestModel takes each test of a project for a run, and a package that does not build for
// one that broke.
func TestModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                       "module example.com/orders-db\n\ngo 1.26\n",
		"internal/good/good_test.go":   "package good\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Run(\"part\", func(*testing.T) {}) }\nfunc TestB(t *testing.T) { t.Error(\"lost\") }\nfunc TestC(t *testing.T) { t.Skip() }\n",
		"internal/wrong/wrong.go":      "package wrong\n\nvar x int = \"\"\n",
		"internal/wrong/wrong_test.go": "package wrong\n\nimport \"testing\"\n\nfunc TestD(t *testing.T) {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := play.Model(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, run := range runs {
		if run.Fault != play.ModelKind || run.Phase != "model" {
			t.Errorf("%s does not say that no server took part", run.Name)
		}
		got = append(got, run.Name+" "+string(run.Outcome)+" "+run.Replay)
	}
	slices.Sort(got)
	want := []string{
		"./internal/good TestA " + string(report.Held) + " ",
		"./internal/good TestB " + string(report.Broken) + " go test -run '^TestB$' ./internal/good",
		"./internal/wrong  " + string(report.Broken) + " go vet ./internal/wrong",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
