package generator_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
	"github.com/rotasmith/rotasmith/generator/history"
)

// forgotten returns the questions and choices of a schema, as KEY and KEY=CHOICE, that a catalogue neither asks nor has retired.
func forgotten(t *testing.T, c *generator.Catalog, schema []byte) []string {
	t.Helper()
	var doc struct {
		Properties map[string]struct {
			OneOf []struct{ Const string }
		}
	}
	if err := json.Unmarshal(schema, &doc); err != nil {
		t.Fatal(err)
	}
	accepted := func(key, value string) bool {
		now, carried := c.CarryOver(generator.Texts(map[string]string{key: value}))
		i := slices.IndexFunc(c.Questions, func(q generator.Question) bool { return now[q.Key] != generator.Answer{} })
		if i < 0 {
			return len(carried) > 0 // removed
		}
		q := c.Questions[i]
		_, err := q.Validate(now[q.Key].Value, nil)
		return q.Choices == nil || err == nil
	}
	var names []string
	for key, property := range doc.Properties {
		if len(property.OneOf) == 0 && !accepted(key, "x") {
			names = append(names, key)
		}
		for _, choice := range property.OneOf {
			if !accepted(key, choice.Const) {
				names = append(names, key+"="+choice.Const)
			}
		}
	}
	slices.Sort(names)
	return names
}

// B18: every key and choice that ever stood in the schema of a recorded project or version is a question and a choice, or retired.
func TestNothingRecordedIsForgotten(t *testing.T) {
	c := openTemplates(t)
	sample, err := os.ReadFile("../golden/rds-two-user-postgres/want/" + generator.SchemaFile)
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string][]byte{"the sample": sample}
	archives, err := filepath.Glob("../golden/*/want.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if f.Name == generator.SchemaFile {
				schemas[path] = f.Data
			}
		}
	}
	for _, p := range history.Points() {
		past, err := generator.Open(p.FS, p.Root)
		if err != nil {
			t.Fatal(err)
		}
		if schemas[p.Version], err = past.Schema(); err != nil {
			t.Fatal(err)
		}
	}
	if len(schemas) < 10 {
		t.Fatalf("only %d schemas", len(schemas))
	}
	for name, schema := range schemas {
		if names := forgotten(t, c, schema); len(names) > 0 {
			t.Errorf("%s: add to templates/retired.yaml what became of %q", name, names)
		}
	}
}

func TestForgotten(t *testing.T) {
	schema := []byte(`{"properties": {"name": {}, "notify": {"oneOf": [{"const": "mail"}, {"const": "pigeon"}]}, "colour": {}, "shape": {},
		"ci": {"oneOf": [{"const": "github"}, {"const": "jenkins"}, {"const": "travis"}]}}}`)
	c, err := generator.Open(generatortest.Tree(map[string]string{
		"retired.yaml": "notify: {renamed: refresh, values: {mail: sns}}\ncolour: {removed: gone}\nci: {values: {jenkins: none}}\n",
	}), generatortest.Root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ci=travis", "notify=pigeon", "shape"}, forgotten(t, c, schema)); diff != "" {
		t.Errorf("forgotten (-want +got):\n%s", diff)
	}
}
