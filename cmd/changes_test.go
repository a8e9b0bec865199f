package cmd

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
)

// released is rotasmith of a version with the test tree and changes to it.
func released(t *testing.T, version string, changes map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	a := &app{
		System:  System{In: strings.NewReader(""), Out: &out, Err: &errOut, Getenv: func(string) string { return "" }},
		version: version,
		open: func() (*generator.Catalog, error) {
			return generator.Open(generatortest.Tree(changes), generatortest.Root)
		},
	}
	code = a.run(t.Context(), args)
	return code, out.String(), errOut.String()
}

// A project is told, by version and severity, what it lacks: changes of its own files since it was written, and no others.
func TestCheckTellsWhatIsLacked(t *testing.T) {
	t.Chdir(t.TempDir())
	changes := map[string]string{"project/run.sh": "#!/bin/sh\nexit 1\n", "CHANGELOG.yaml": `
- {version: v1.2.0, severity: fix, text: run.sh fails, touches: [run.sh]}
- {version: v1.2.0, severity: security, text: main.go says nothing, touches: [main.go]}
- {version: v1.2.0, severity: fix, text: for keys, type: [key]}
- {version: v1.2.0, severity: fix, text: in no file, touches: [nothing]}
- {version: v1.1.0, severity: fix, text: before}
`}
	if code, _, errOut := released(t, "v1.1.0", nil, "new", "orders", "--type", "db-pair", "--engine", "alpha", "--no-input"); code != exitDone {
		t.Fatal(errOut)
	}
	code, page, _ := released(t, "v1.2.0", changes, "check", "orders", "--format", "markdown")
	want := "| orders | v1.1.0 | 2 | 0 | 0 |\n\n### orders\n\n- **security**, v1.2.0: main.go says nothing\n- **fix**, v1.2.0: run.sh fails\n\n"
	if code != exitDifferent || !strings.Contains(page, want) {
		t.Errorf("exit code %d, no\n%s in\n%s", code, want, page)
	}
	_, out, _ := released(t, "v1.2.0", changes, "check", "orders", "--format", "json")
	want = `"changes":[{"version":"v1.2.0","severity":"security","text":"main.go says nothing","touches":["main.go"]},{"version":"v1.2.0","severity":"fix"`
	if !strings.Contains(out, want) || strings.Contains(out, "before") {
		t.Errorf("no %s in\n%s", want, out)
	}
	same := maps.Clone(changes)
	delete(same, "project/run.sh")
	if code, page, _ = released(t, "v1.1.0", same, "check", "orders", "--format", "markdown"); code != exitDone || strings.Contains(page, "fails") {
		t.Errorf("exit code %d\n%s", code, page)
	}
}

// B19: an earlier version than the one that wrote a project says so, and offers nothing.
func TestCheckByAnEarlierVersion(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, _, errOut := released(t, "v1.10.0", nil, "new", "orders", "--type", "db-pair", "--engine", "alpha", "--no-input"); code != exitDone {
		t.Fatal(errOut)
	}
	code, out, errOut := released(t, "v1.9.0", map[string]string{"project/run.sh": "older\n"}, "check", "orders")
	want := "rotasmith: error: orders: was written by rotasmith v1.10.0, and this is v1.9.0\n" +
		"rotasmith: hint: go install github.com/rotasmith/rotasmith/cmd/rotasmith@v1.10.0, or a later version\n"
	if code != exitUsage || errOut != want || strings.Contains(out, "run.sh") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errOut)
	}
}
