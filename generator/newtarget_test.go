package generator_test

import (
	"cmp"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// with is the real template tree and files beside it.
func with(t *testing.T, files map[string]string) *generator.Catalog {
	t.Helper()
	tree := make(fstest.MapFS)
	err := fs.WalkDir(templates.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(templates.FS, name)
		tree[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	c, err := generator.Open(tree, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const toyMain = "// The rotation function.\npackage main\n\nfunc main() {}\n"

// README.md of engines/ promises this: an engine or a provider is one folder, and one refusal names all that it lacks.
func TestAnEngineOrAProviderIsOneFolder(t *testing.T) {
	hcl := map[string]string{"account in tfvars": "\n    account = {}", "account in tests": "{}"} // the others are prose
	lacks := regexp.MustCompile(`(?m)^\S+: \{\{define "([^"]+)"\}\} is missing, used in \S+:\d+.*; \w+ has: `)
	for name, toy := range map[string]struct {
		folder  string
		answers map[string]string
		files   map[string]string
		refused []string // beside the texts
		rest    map[string]string
	}{
		"engine of two users": {
			"engines/toy", map[string]string{"name": "x", "type": "rds-two-user", "engine": "toy"},
			map[string]string{"engine.yaml": "name: toy\ntitle: Toy DB\n", "two-user/main.go": toyMain, "common/go.mod.tmpl": "module {{.Module}}\n\ngo {{.GoVersion}}\n"},
			[]string{"uses local.engine, which no file of terraform/ declares", "uses local.default_port, which no file of terraform/ declares", "uses local.max_password_length, which no file of terraform/ declares"},
			map[string]string{"common/terraform/engine.tf": "locals {\n  engine              = \"toy\"\n  default_port        = 7\n  max_password_length = 64\n  engine_settings     = {}\n}\n"},
		},
		"engine of one user": {
			"engines/toy", map[string]string{"name": "x", "type": "rds-single-user", "engine": "toy"},
			map[string]string{
				"engine.yaml": "name: toy\ntitle: Toy DB\n", "single-user/main.go": toyMain, "common/go.mod.tmpl": "module {{.Module}}\n\ngo {{.GoVersion}}\n",
				"common/terraform/engine.tf": "locals {\n  engine              = \"toy\"\n  default_port        = 7\n  max_password_length = 64\n  engine_settings     = {}\n}\n",
			}, nil, nil,
		},
		"provider": {
			"providers/toy", map[string]string{"name": "x", "type": "api-key", "provider": "toy"},
			map[string]string{"provider.yaml": "name: toy\ntitle: Toy\n", "overlap/main.go": toyMain, "common/go.mod.tmpl": "module {{.Module}}\n\ngo {{.GoVersion}}\n"},
			[]string{"uses local.provider_settings, which no file of terraform/ declares"},
			map[string]string{"common/terraform/account.tf": "locals {\n  account_keys      = []\n  provider_settings = {}\n}\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := make(map[string]string)
			for file, text := range toy.files {
				files[toy.folder+"/"+file] = text
			}
			c := with(t, files)
			_, err := generator.NewRenderer(c).Generate(generator.Texts(toy.answers))
			if err == nil {
				t.Fatal("it lacks nothing")
			}
			words := ""
			for _, m := range lacks.FindAllStringSubmatch(err.Error(), -1) {
				words += "{{define \"" + m[1] + "\"}}" + cmp.Or(hcl[m[1]], "toy") + "{{end}}\n"
			}
			for _, want := range toy.refused {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in\n%v", want, err)
				}
			}
			maps.Copy(files, map[string]string{toy.folder + "/words.tmpl": words})
			for file, text := range toy.rest {
				files[toy.folder+"/"+file] = text
			}
			c = with(t, files)
			result, err := generator.NewRenderer(c).Generate(generator.Texts(toy.answers))
			if err != nil {
				t.Fatalf("a second refusal: %v", err)
			}
			if len(result.Files) == 0 || strings.Count(words, "\n") == 0 {
				t.Error("nothing was written")
			}
			t.Logf("%d texts", strings.Count(words, "\n"))
		})
	}
}

// README.md of features/ promises this: a question is one folder, and so is an answer with its line in question.yaml.
func TestAQuestionIsOneFolder(t *testing.T) {
	c := with(t, map[string]string{
		"features/mood/question.yaml": "key: mood\nafter: network\nprompt: Mood\nhelp: how it looks\ndefault: none\nchoices:\n" +
			"  - {value: none, help: as usual}\n  - {value: blue, help: in blue}\n",
		"features/mood/blue/BLUE.md.tmpl": "{{md .Name}} is {{md .Mood}}.\n",
	})
	answers := map[string]string{"name": "x", "type": "rds-two-user", "engine": "postgres", "mood": "blue"}
	result, err := generator.NewRenderer(c).Generate(generator.Texts(answers))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(result.Files, func(f generator.File) bool { return f.Path == "BLUE.md" })
	if at < 0 || string(result.Files[at].Data) != "x is blue.\n" {
		t.Errorf("file %d", at)
	}
	keys := make([]string, 0, len(c.Questions))
	for _, q := range c.Questions {
		keys = append(keys, q.Key)
	}
	if at := slices.Index(keys, "mood"); keys[at-1] != "network" {
		t.Errorf("order %v", keys)
	}
	if !strings.Contains(result.Spec.Command(""), "--set mood=blue") {
		t.Error(result.Spec.Command(""))
	}
	text, err := c.Schema()
	if err != nil || !strings.Contains(string(text), `"const": "blue"`) {
		t.Errorf("schema: %v", err)
	}
}
