package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/golden/e2e/keys"
	"github.com/rotasmith/rotasmith/golden/function"
	"github.com/rotasmith/rotasmith/templates"
)

// keyScenario is one way in which one provider's keys rotate.
type keyScenario struct {
	provider, mode, strategy string
	answer                   string // that gives the provider code of its own, such as style=github
}

func (s keyScenario) name() string { return strings.TrimSuffix(s.mode+", "+s.answer, ", ") }

// TestKeys kills the functions of all providers whose keys a rotation makes, after
// every call and in every mode. The catalogue names them: one more is killed as well,
// or fails here.
func TestKeys(t *testing.T) {
	t.Parallel()
	// go test keeps results until a file changes that the test has looked at, and does
	// not see which files another go test reads.
	for _, dir := range []string{"keys", filepath.Join("..", "..", "templates")} {
		if err := filepath.WalkDir(dir, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range keyScenarios(t) {
		t.Run(s.provider+"/"+s.name(), func(t *testing.T) {
			t.Parallel()
			for _, kills := range s.killed(t) {
				report(row{
					server: s.provider, scenario: s.name(), steady: kills.Steady, anew: kills.Anew, gap: "-",
					points: kills.Points, deadEnds: kills.DeadEnds, orphans: kills.Orphans, deadPoints: kills.DeadPoints,
				})
			}
		})
	}
}

// elsewhere are providers that cannot be reached like the others, and why.
var elsewhere = map[string]string{
	"custom": "its functions are empty until the owner writes them; the golden case proves the example in its README",
}

// keyScenarios are those of the catalogue, but for keys that a person makes.
func keyScenarios(t *testing.T) (all []keyScenario) {
	t.Helper()
	catalog, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(map[string][]string) // by provider
	for _, f := range catalog.Features() {
		if f.Target != nil {
			answers[f.Target.Name] = append(answers[f.Target.Name], f.Question+"="+f.Answer)
		}
	}
	for _, kind := range catalog.Types {
		for _, target := range catalog.Targets {
			for _, mode := range kind.Modes {
				if elsewhere[target.Name] != "" {
					continue
				}
				if kind.Name != "api-key" || target.Kind != kind.Kind || mode.Name == "assisted" || !slices.Contains(target.Strategies, mode.Strategy) {
					continue
				}
				s := keyScenario{provider: target.Name, mode: mode.Name, strategy: mode.Strategy}
				for _, s.answer = range append(answers[target.Name], "")[:max(1, len(answers[target.Name]))] {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// beside is the test that stands beside a provider's own, whose scripted server it
// takes: "wire" is what those call it.
const beside = `package main

import (
	"testing"

	"github.com/rotasmith/rotasmith/golden/e2e/keys"
)

func TestKilled(t *testing.T) { keys.Killed(t, wire, SINGLE) }
`

// hurry builds the project's function with hardly a pause between two looks at the
// labels: this Secrets Manager is never out of date, and there are thousands of looks.
func hurry(t *testing.T, project string) {
	t.Helper()
	const pause, short = "const ReadsLag = 10 * time.Second", "const ReadsLag = time.Millisecond"
	file := filepath.Join(project, "internal", "rotation", "handler.go")
	source, err := os.ReadFile(file)
	if err != nil || strings.Count(string(source), pause) != 1 {
		t.Fatalf("%s has no %q (%v)", file, pause, err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(source), pause, short, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := function.Build(t.Context(), project); err != nil {
		t.Fatal(err)
	}
}

// killed emits the project, lays the test over the provider's folder and runs it where
// the project is.
func (s keyScenario) killed(t *testing.T) (rows []keys.Row) {
	t.Helper()
	args := []string{"--type", "api-key", "--provider", s.provider, "--set", "mode=" + s.mode}
	if s.answer != "" {
		args = append(args, "--set", s.answer)
	}
	project, aside := write(t, args), t.TempDir()
	hurry(t, project)
	folder, err := filepath.Abs(filepath.Join("..", "..", "templates", "providers", s.provider, s.strategy))
	if err != nil {
		t.Fatal(err)
	}
	file, overlay, test := filepath.Join(aside, "killed_test.go"), filepath.Join(aside, "overlay.json"), filepath.Join(aside, "killed.test")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(folder, "killed_test.go"): file}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		file:    strings.Replace(beside, "SINGLE", strconv.FormatBool(s.mode == "roll"), 1),
		overlay: string(replaced),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", test, ".")
	build.Dir = folder
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the tests of %s in %s need a scripted server in a variable named wire: %v\n%s", s.provider, s.strategy, err, out)
	}
	run := exec.CommandContext(t.Context(), test, "-test.run", "^TestKilled$", "-test.timeout", "5m")
	run.Dir = project
	if out, err := run.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(project, keys.Rows))
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil {
		t.Errorf("no kills: %v", err)
	}
	return rows
}
