package generator_test

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

func compile(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func answersSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := openTemplates(t).Schema()
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, text)
}

func fromYAML(t testing.TB, text []byte) any {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaAcceptsEveryGoldenProject(t *testing.T) {
	archives, err := filepath.Glob("../golden/*/want.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no golden project: %v", err)
	}
	sample, err := os.ReadFile("../golden/rds-two-user-postgres/want/" + generator.AnswersFile)
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[string][]byte{"the sample": sample}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == generator.AnswersFile })
		if i < 0 {
			t.Fatalf("%s has no %s", path, generator.AnswersFile)
		}
		recorded[path] = archive.Files[i].Data
	}
	all := answersSchema(t)
	for name, text := range recorded {
		if err := all.Validate(fromYAML(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A project's own schema and that of all projects both accept what the project records, whatever was chosen.
func TestSchemaAcceptsWhatIsRecorded(t *testing.T) {
	all := answersSchema(t)
	everyPair(t, func(t *testing.T, answers map[string]string) {
		result, err := renderer(t).Generate(generator.Texts(answers))
		if err != nil {
			t.Fatal(err)
		}
		files := make(map[string][]byte)
		for _, f := range result.Files {
			files[f.Path] = f.Data
		}
		recorded := files[generator.AnswersFile]
		if first, _, _ := strings.Cut(string(recorded), "\n"); !strings.HasSuffix(first, "$schema="+generator.SchemaFile) {
			t.Errorf("the first line names no schema: %s", first)
		}
		for name, schema := range map[string]*jsonschema.Schema{"own": compile(t, files[generator.SchemaFile]), "all": all} {
			if err := schema.Validate(fromYAML(t, recorded)); err != nil {
				t.Errorf("%s schema: %v", name, err)
			}
		}
	})
}

// Each fault is refused by the schema and by rotasmith, and what stands before it by neither.
func TestSchemaRefusesWhatRotasmithRefuses(t *testing.T) {
	good := map[string]string{
		"name": "orders", "type": "rds-two-user", "engine": "aurora-postgresql", "region": "", "window": "~", "keep": "[README.md, 'docs/*']",
	}
	tests := []struct{ name, key, value string }{
		{"unknown key", "pasword", "x"},
		{"unknown choice", "ci", "jenkins"},
		{"unknown type", "type", "rds-three-user"},
		{"unknown engine", "engine", "postgrez"},
		{"question of another type", "change_as", "self"},
		{"name with a capital", "name", "Orders"},
		{"name of 41 characters", "name", strings.Repeat("a", 41)},
		{"region with a space", "region", "eu west 1"},
		{"empty answer", "module", "''"},
		{"mapping", "secret_name", "{a: b}"},
		{"list with a comma in an item", "keep", "['a,b']"},
		{"secret name with a quote", "secret_name", `'a"b'`},
	}
	schema := answersSchema(t)
	refused := func(t *testing.T, answers map[string]string) (bySchema, byRotasmith error) {
		var text strings.Builder
		for key, value := range answers {
			text.WriteString(key + ": " + value + "\n")
		}
		parsed, err := generator.ParseAnswers("answers.yaml", []byte(text.String()))
		if err == nil {
			_, err = openTemplates(t).Resolve(parsed).Spec()
		}
		return schema.Validate(fromYAML(t, []byte(text.String()))), err
	}
	if bySchema, byRotasmith := refused(t, good); bySchema != nil || byRotasmith != nil {
		t.Fatalf("good answers refused: %v, %v", bySchema, byRotasmith)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answers := maps.Clone(good)
			answers[test.key] = test.value
			if bySchema, byRotasmith := refused(t, answers); bySchema == nil || byRotasmith == nil {
				t.Errorf("schema: %v; rotasmith: %v", bySchema, byRotasmith)
			}
		})
	}
}

// Every question stands in the schema with its help, and nothing else does.
func TestSchemaHasEveryQuestion(t *testing.T) {
	text, err := openTemplates(t).Schema()
	if err != nil {
		t.Fatal(err)
	}
	properties := fromYAML(t, text).(map[string]any)["properties"].(map[string]any)
	for _, q := range openTemplates(t).Questions {
		property, ok := properties[q.Key].(map[string]any)
		if !ok || property["title"] != q.Prompt || property["description"] != q.Help {
			t.Errorf("%s: %v", q.Key, property)
		}
		delete(properties, q.Key)
	}
	if len(properties) > 0 {
		t.Errorf("no question for %v", properties)
	}
}

func TestFeaturesAreTheFolders(t *testing.T) {
	folders, err := fs.Glob(templates.FS, "features/*/*")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := fs.Glob(templates.FS, "*/*/features/*/*")
	if err != nil {
		t.Fatal(err)
	}
	folders = slices.DeleteFunc(folders, func(name string) bool { return path.Base(name) == "question.yaml" })
	if got := openTemplates(t).Features(); len(got) != len(folders)+len(targets) || len(got) == 0 {
		t.Errorf("%d features, %d folders", len(got), len(folders)+len(targets))
	}
}
