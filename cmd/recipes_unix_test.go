//go:build unix

package cmd

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v3"
)

// TestRecipes plays what the README says of many repositories against a bare repository. go and gh stand in: one gives rotasmith as it is here,
// the other notes how it is called.
func TestRecipes(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/recipes", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			for name, script := range map[string]string{"github.sh": githubRecipe(t, text), "gitlab.sh": gitlabRecipe(t, text)} {
				if err := os.WriteFile(env.WorkDir+"/"+name, []byte(script), 0o644); err != nil {
					return err
				}
			}
			env.Setenv("PATH", env.WorkDir+"/bin:"+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"replace": replace, "templates": copyTemplates,
			"renovate": func(ts *testscript.TestScript, _ bool, args []string) { renovate(ts, text, args[0], args[1]) },
		},
	})
}

// block returns the code of the README that begins with a line.
func block(t *testing.T, text []byte, language, first string) []byte {
	t.Helper()
	_, rest, ok := strings.Cut(string(text), "```"+language+"\n"+first)
	code, _, ends := strings.Cut(rest, "\n```\n")
	if !ok || !ends {
		t.Fatalf("the README has no %s that begins with %s", language, first)
	}
	return []byte(first + code + "\n")
}

// shell runs a script as both services do, which end at the first failure.
const shell = "set -eo pipefail\n"

func githubRecipe(t *testing.T, text []byte) string {
	t.Helper()
	var doc struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal(block(t, text, "yaml", "# .github/workflows/rotasmith.yml\n"), &doc); err != nil {
		t.Fatal(err)
	}
	steps := doc.Jobs["update"].Steps
	return shell + steps[len(steps)-1].Run
}

func gitlabRecipe(t *testing.T, text []byte) string {
	t.Helper()
	var doc map[string]struct{ Script []string }
	if err := yaml.Unmarshal(block(t, text, "yaml", "# .gitlab-ci.yml\nrotasmith:"), &doc); err != nil {
		t.Fatal(err)
	}
	return shell + strings.ReplaceAll(strings.Join(doc["rotasmith"].Script, "\n"), "/tmp", "$RUNNER_TEMP")
}

// renovate does what Renovate does by the recipe: it puts a version into a lock, and writes the commands that follow to renovate.sh.
func renovate(ts *testscript.TestScript, text []byte, lock, version string) {
	var doc struct {
		CustomManagers []struct{ ManagerFilePatterns, MatchStrings []string }
		PackageRules   []struct {
			PostUpgradeTasks struct{ Commands []string }
		}
	}
	_, rest, _ := strings.Cut(string(text), "```json\n{\n  \"customManagers\"")
	code, _, _ := strings.Cut(rest, "\n```\n")
	ts.Check(json.Unmarshal([]byte("{\n  \"customManagers\""+code), &doc))
	manager := doc.CustomManagers[0]
	if !regexp.MustCompile(strings.Trim(manager.ManagerFilePatterns[0], "/")).MatchString(lock) {
		ts.Fatalf("%s is not among the files", lock)
	}
	data, err := os.ReadFile(ts.MkAbs(lock))
	ts.Check(err)
	found := regexp.MustCompile(manager.MatchStrings[0]).FindSubmatch(data)
	if found == nil {
		ts.Fatalf("%s holds no version", lock)
	}
	ts.Check(os.WriteFile(ts.MkAbs(lock), []byte(strings.Replace(string(data), string(found[1]), version, 1)), 0o644))
	commands := strings.Join(doc.PackageRules[0].PostUpgradeTasks.Commands, "\n")
	ts.Check(os.WriteFile(ts.MkAbs("renovate.sh"), []byte(shell+strings.ReplaceAll(commands, "{{{newVersion}}}", version)+"\n"), 0o644))
}
