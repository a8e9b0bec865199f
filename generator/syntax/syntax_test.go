package syntax_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/generator/syntax"
)

func TestParse(t *testing.T) {
	tests := map[string]struct{ good, bad, twice string }{
		"a.go":              {"package a\n\nfunc b() {}\n", "package a\n\nfunc b( {}\n", "package a\n\nfunc b() {}\n\nfunc b() {}\n"},
		"terraform/a.tf":    {"a = 1\n", "a = {\n", "a = 1\na = 2\n"},
		"a.tfvars":          {"a = 1\n", "a = {\n", "a = 1\na = 2\n"},
		"a.hcl":             {"a = 1\n", "a = {\n", "a = 1\na = 2\n"},
		"a.json":            {`{"a": 1}`, `{"a": 1,}`, ""},
		"a.yaml":            {"a: 1\n", "a: [\n", "a: 1\na: 2\n"},
		".github/ci.yml":    {"a: 1\n", "a: [\n", "a: 1\na: 2\n"},
		"go.mod":            {"module a\n", "module a b\n", ""},
		"go.sum":            {"anything", "", ""},
		"README.md":         {"{[(", "", ""},
		"testdata/fails.go": {"package a\n", "no Go", ""},
	}
	for name, tt := range tests {
		if err := syntax.Parse(name, []byte(tt.good)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range []string{tt.bad, tt.twice} {
			if text != "" && syntax.Parse(name, []byte(text)) == nil {
				t.Errorf("%s: %q is taken", name, text)
			}
		}
	}
}
