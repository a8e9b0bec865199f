package generator

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	files := generate(t, pairAnswers("secret_name=prod/orders_db"))
	want := map[string]string{
		// Imports of the tree become the module's and are sorted among themselves; a comment that names a path stays.
		"main.go": `package main

import (
	"fmt"

	"github.com/acme/driver"

	"example.com/orders/internal/alpha"
	roles "example.com/orders/internal/pair"
	"example.com/orders/internal/rotation"
)

// The path "example.org/smith" in a comment stays.
func main() { fmt.Println(driver.X, alpha.X, rotation.Run, roles.X) }
`,
		"internal/shared/shared.go":            "package shared\n\nimport \"example.com/orders/internal/rotation\"\n\nvar _ = rotation.Run\n",
		"go.mod":                               "module example.com/orders\n\ngo 1.26\n",
		"terraform/main.tfvars":                "name     = \"prod/orders_db\"\nschedule = \"rate(30 days)\"\n",
		"internal/rotation/testdata/broken.go": "not Go at all\n",
		"README.md": "# orders\n\n    rotasmith new orders --type db-pair --engine alpha --set secret_name=prod/orders_db --no-input\n" +
			"README.md RUNBOOK.md terraform/*.tfvars .github/workflows/* .gitlab-ci.yml \nmade A pair Alpha DB github\n",
	}
	for path, text := range want {
		if diff := cmp.Diff(text, string(files[path].Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if files["run.sh"].Mode != 0o755 || files["main.go"].Mode != 0o644 {
		t.Errorf("modes: run.sh %o, main.go %o", files["run.sh"].Mode, files["main.go"].Mode)
	}
}

func TestRenderTwiceIsTheSame(t *testing.T) {
	if diff := cmp.Diff(generate(t, pairAnswers()), generate(t, pairAnswers())); diff != "" {
		t.Errorf("second run (-first +second):\n%s", diff)
	}
}

func TestRenderRefuses(t *testing.T) {
	tests := []struct{ name, path, text, want string }{
		{"Go that does not parse", "project/a.go", "package\n", "project/a.go: "},
		{"Go that is not formatted", "project/a.go", "package p\n\nimport (\"fmt\"; \"os\")\n", "line 3 has two imports"},
		{"expanded Go that does not parse", "project/a.go.tmpl", "package {{.Name}}-\n", "project/a.go.tmpl: "},
		{"import of a layer that is not taken", "project/a.go", "package a\n\nimport _ \"" + testRoot + "/strategies/single/single\"\n",
			"imports " + testRoot + "/strategies/single/single, which is no part of this project"},
		{"the tree's path outside imports", "project/a.go", "package a\n\nconst x = \"" + testRoot + "\"\n", "names the template tree"},
		{"the tree's path in a text", "project/a.md", "see " + testRoot + "/x\n", "names the template tree"},
		{"the tree's path from a template", "project/a.md.tmpl", testRoot + "\n", "names the template tree"},
		{"HCL", "project/a.tf.tmpl", "resource \"x\" {\n", "project/a.tf.tmpl: "},
		{"expanded HCL", "project/a.tfvars.tmpl", "a = \"{{.Name}}\n", "project/a.tfvars.tmpl: "},
		{"JSON", "project/a.json.tmpl", "{", "is not JSON"},
		{"YAML", "project/a.yaml.tmpl", "a: [\n", "project/a.yaml.tmpl: "},
		{"go.mod of another module", "engines/alpha/common/go.mod.tmpl", "module example.net/z\n", "is not for module example.com/orders"},
		{"CRLF", "project/a.txt", "a\r\nb\n", "has a carriage return"},
		{"unknown field", "project/a.md.tmpl", "{{.Nmae}}", `map has no entry for key "Nmae"`},
		{"unknown function", "project/a.md.tmpl", "{{env \"HOME\"}}", `function "env" not defined`},
		{"clock", "project/a.md.tmpl", "{{now}}", `function "now" not defined`},
		{"template syntax", "project/a.md.tmpl", "{{if}}", "missing value for if"},
		{"words that the engine has not", "project/a.md.tmpl", "{{template \"hint\" .}}", `engines/alpha/words.tmpl: {{define "hint"}} is missing, used in project/a.md.tmpl:1: {{template "hint" .}}`},
		{"words that do not parse", "engines/alpha/words.tmpl", "{{define}}", "engines/alpha/words.tmpl"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewRenderer(openTree(t, map[string]string{test.path: test.text})).Generate(pairAnswers())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// TestWords: an engine has words of its own for the templates of other layers, and they are no file of the project.
func TestWords(t *testing.T) {
	result, err := NewRenderer(openTree(t, map[string]string{
		"project/a.md.tmpl":        "{{template \"hint\" .}}, and that is all\n",
		"engines/alpha/words.tmpl": "{{define \"hint\"}}{{.Name}} on {{.EngineTitle}}{{end}}",
		"engines/beta/words.tmpl":  "{{define \"hint\"}}on another{{end}}",
	})).Generate(pairAnswers())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Files {
		if want := "orders on Alpha DB, and that is all\n"; f.Path == "a.md" && string(f.Data) != want {
			t.Errorf("got %q, want %q", f.Data, want)
		}
		if strings.Contains(f.Path, "words") {
			t.Errorf("%s is emitted", f.Path)
		}
	}
}

func TestRenderReportsEveryFile(t *testing.T) {
	_, err := NewRenderer(openTree(t, map[string]string{"project/a.json.tmpl": "{", "project/b.json.tmpl": "}"})).Generate(pairAnswers())
	if err == nil || !strings.Contains(err.Error(), "a.json") || !strings.Contains(err.Error(), "b.json") {
		t.Errorf("error %v, want both files", err)
	}
}

func TestLock(t *testing.T) {
	files := generate(t, pairAnswers())
	var lock struct {
		Answers   string
		Rotasmith string
		Files     []LockedFile
	}
	dec := json.NewDecoder(bytes.NewReader(files[LockFile].Data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&lock); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]bool)
	for _, f := range lock.Files {
		got[f.Path] = true
		file := files[f.Path]
		if f.SHA256 != Digest(file.Data) {
			t.Errorf("%s: digest differs", f.Path)
		}
		if want := map[bool]string{true: "0755", false: "0644"}[f.Path == "run.sh"]; f.Mode != want {
			t.Errorf("%s: mode %s, want %s", f.Path, f.Mode, want)
		}
	}
	if len(got) != len(files)-1 || got[LockFile] {
		t.Errorf("lock holds %d files of %d", len(got), len(files))
	}
	other := generate(t, pairAnswers("window=3h"))
	if bytes.Contains(other[LockFile].Data, []byte(lock.Answers)) {
		t.Error("other answers have the same digest")
	}
}

// Rewritten imports stand as goimports sorts them, whatever order the project's path brings.
func TestRehomedImportsAreAsGoimportsHasThem(t *testing.T) {
	sources := []string{
		"import \"TREE/a\"",
		"import (\n\t\"TREE/a\"\n\t\"TREE/b\"\n)",
		"import (\n\t\"a.b/a\"\n\t\"TREE/a\"\n)",
		"import (\n\t\"a.b/b\"\n\t\"z.b/b\"\n\n\t\"TREE/a\"\n\t\"z.b/a\"\n)",
		"import (\n\t\"fmt\"\n\t\"os\"\n\n\tz \"TREE/a\"\n\t\"a.b/b\"\n)",
		"import (\n\t\"TREE/a\" // why\n\t\"a.b/b\"\n\t_ \"z.b/b\" // for its effect\n)",
		"import (\n\t// about a\n\t\"TREE/a\"\n\t// about b\n\t\"a.b/b\"\n)",
	}
	for _, source := range sources {
		for _, module := range []string{"a.a/x", "b.b/x", "z.z/x"} {
			text := "package p\n\n" + strings.ReplaceAll(source, "TREE", testRoot+"/project") + "\n\n// After.\nvar X = 1\n"
			want, err := formatImports("p.go", []byte(strings.ReplaceAll(text, testRoot+"/project", module)))
			if err != nil {
				t.Fatal(err)
			}
			result, err := NewRenderer(openTree(t, map[string]string{"project/p/p.go": text})).Generate(pairAnswers("module=" + module))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range result.Files {
				if f.Path == "p/p.go" {
					if diff := cmp.Diff(string(want), string(f.Data)); diff != "" {
						t.Errorf("module %s (-goimports +got):\n%s", module, diff)
					}
				}
			}
		}
	}
}

// One who adds an engine reads at once which texts it lacks, and where each is used.
func TestEveryMissingTextAtOnce(t *testing.T) {
	_, err := NewRenderer(openTree(t, map[string]string{
		"project/a.md.tmpl":          "{{template \"known\" .}}\n\n## Needs\n\nIt needs {{template \"needs\" .}}.\n",
		"project/b.md.tmpl":          "{{if eq .Engine \"beta\"}}{{template \"for beta\" .}}{{else}}{{template \"for alpha\" .}}{{end}}{{template \"needs\" .}}",
		"engines/beta/words.tmpl":    "{{define \"name\"}}the name\n of beta{{end}}",
		"strategies/pair/words.tmpl": "{{define \"known\"}}It is {{template \"name\" .}}.{{end}}",
	})).Generate(pairAnswers())
	want := []string{
		`engines/alpha/words.tmpl: {{define "for alpha"}} is missing, used in project/b.md.tmpl:1: {{if eq .Engine "beta"}}{{template "for beta" .}}{{else}}{{template "for alpha" .}}{{end}}{{template "needs" .}}`,
		`engines/alpha/words.tmpl: {{define "name"}} is missing, used in strategies/pair/words.tmpl:1: {{define "known"}}It is {{template "name" .}}.{{end}}; beta has: the name of beta`,
		`engines/alpha/words.tmpl: {{define "needs"}} is missing, used in project/a.md.tmpl:5 below ## Needs: It needs {{template "needs" .}}.`,
	}
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

// A local value that another layer has to supply is missed when the project is rendered, and not when it is deployed.
func TestUndeclaredTerraformDoesNotRender(t *testing.T) {
	text := "output \"a\" {\n  value = [for x in local.list : \"${x} ${var.suffix}\" if local.name != x]\n}\n"
	_, err := NewRenderer(openTree(t, map[string]string{"project/terraform/outputs.tf": text})).Generate(pairAnswers())
	const want = "project/terraform/outputs.tf:2 uses local.list, which no file of terraform/ declares\n" +
		"project/terraform/outputs.tf:2 uses var.suffix, which no file of terraform/ declares"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	declared := map[string]string{
		"project/terraform/outputs.tf":               text,
		"engines/alpha/common/terraform/engine.tf":   "locals {\n  list = []\n}\n",
		"strategies/pair/terraform/variables.tf":     "variable \"suffix\" {}\n",
		"strategies/common/terraform/x/elsewhere.tf": "variable \"other\" {}\n",
	}
	if _, err := NewRenderer(openTree(t, declared)).Generate(pairAnswers()); err != nil {
		t.Error(err)
	}
}
