package generator

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

func TestParseAnswers(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"yaml", "# a comment\nname: orders\nschedule: 30d\nwindow:\n", map[string]string{"name": "orders", "schedule": "30d", "window": ""}},
		{"as written", "a: 007\nb: yes\nc: 1e3\nd: 2026-01-02\ne: 0x10\n",
			map[string]string{"a": "007", "b": "yes", "c": "1e3", "d": "2026-01-02", "e": "0x10"}},
		{"lists", "keep: [README.md, 'docs/*']\n", map[string]string{"keep": "README.md,docs/*"}},
		{"json", "{\n\t\"name\": \"orders\",\n\t\"n\": 3, \"b\": true, \"z\": null\n}\n",
			map[string]string{"name": "orders", "n": "3", "b": "true", "z": ""}},
		{"empty", "", map[string]string{}},
		{"comment only", "# nothing\n", map[string]string{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			answers, err := ParseAnswers("f", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]string)
			for key, a := range answers {
				if a.fault != nil {
					t.Errorf("%s: %v", key, a.fault)
				}
				got[key] = a.Value
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("answers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAnswersRefusesWhatIsNoMapping(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"list", "- a\n- b\n", "f:1:1: not a mapping of keys to answers"},
		{"text", "hello\n", "f:1:1: not a mapping of keys to answers"},
		{"syntax", "a: b\nc: [\n", "f:2:1: did not find expected node content"},
		{"open list", "a: b\nc: [d\n", "f:2:1: did not find expected ',' or ']'"},
		{"bad indentation", "a: b\nc: d\n e: f\n", "f:3:2: mapping values are not allowed in this context"},
		{"key after a list", "a:\n- b\nc\nd: e\n", "f:3:1: could not find expected ':'"},
		{"stray text", "a: b\nc: 'd' e\nf: g\n", "f:2:1: did not find expected key"},
		{"tab", "a: b\n\tc: d\n", "f:2:2: found a tab character that violates indentation"},
		{"two documents", "a: b\n---\na: c\n", "f:3:1: a second document"},
		{"bytes", "a: \xff\n", "f: invalid leading UTF-8 octet"},
		{"cut JSON", `{"a": "b"`, "f:1:1: did not find expected ',' or '}'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseAnswers("f", []byte(test.text))
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestEveryFaultOfAFileWithItsPlace(t *testing.T) {
	const text = `name: orders
type: db-pair
engine: alpah
type: db-single
schedule: {every: day}
usres: clone
region: &r eu-west-1
window: *r
ci: !secret x
keep:
  - a,b
`
	answers, err := ParseAnswers("answers.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = openTree(t, nil).Resolve(answers).Spec()
	want := []string{
		`answers.yaml:3:9: unknown engine "alpah" | did you mean "alpha"?`,
		`answers.yaml:4:1: "type" is answered twice | keep one of lines 2 and 4`,
		`answers.yaml:5:11: the answer to "schedule" is no plain text | write a text, or a list of texts`,
		`answers.yaml:6:1: unknown question "usres" | did you mean "users"?`,
		`answers.yaml:7:9: the answer to "region" is no plain text | write a text, or a list of texts`,
		`answers.yaml:8:9: the answer to "window" is no plain text | write a text, or a list of texts`,
		`answers.yaml:9:5: the answer to "ci" is no plain text | write a text, or a list of texts`,
		`answers.yaml:11:5: an item of "keep" is no plain text | write a list of texts without commas`,
	}
	if diff := cmp.Diff(want, faultTexts(err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestPrecedence(t *testing.T) {
	flags, file := Texts(map[string]string{"a": "flag"}), Texts(map[string]string{"a": "file", "b": "file"})
	got := flags.Over(file)
	if got["a"].Value != "flag" || got["b"].Value != "file" || file["a"].Value != "file" {
		t.Errorf("got %v, file left as %v", got, file)
	}
}

// TestRecordedAnswersMakeTheSameProject feeds rotasmith.yaml back as an answers file.
func TestRecordedAnswersMakeTheSameProject(t *testing.T) {
	answers := pairAnswers("users=clone", "schedule=cron(0 4 1 * ? *)", "secret_name=on", "keep=README.md, docs/*", "window=3h")
	first := generate(t, answers)
	recorded, err := ParseAnswers(AnswersFile, first[AnswersFile].Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, generate(t, recorded)); diff != "" {
		t.Errorf("second project (-first +second):\n%s", diff)
	}
}

func FuzzParseAnswers(f *testing.F) {
	f.Add([]byte("a: b\n"))
	f.Add([]byte("{\"a\": [1, 2]}"))
	f.Add([]byte("? [a]\n: b\n<<: {}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		answers, err := ParseAnswers("f", data)
		if err == nil && answers == nil {
			t.Error("neither answers nor an error")
		}
		var plain map[string]string
		if err == nil && len(answers) > 0 && yaml.Unmarshal(data, &plain) == nil {
			for key, a := range answers {
				if want, ok := plain[key]; ok && a.fault == nil && a.Value != want && want != "" {
					t.Errorf("%q: %q, a YAML decoder reads %q", key, a.Value, want)
				}
			}
		}
	})
}

func TestGoVersionIsTheModules(t *testing.T) {
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if got := goLine(t, data); got != GoVersion {
		t.Errorf("go.mod says go %s, GoVersion is %s", got, GoVersion)
	}
}

// goLine returns the language version of a go.mod, without the patch release.
func goLine(t *testing.T, data []byte) string {
	t.Helper()
	m, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(m.Go.Version, ".", 3)
	return strings.Join(parts[:2], ".")
}

// A comment beside an answer is in the recorded file, and still is when that is the answers file of the next project.
func TestCommentsAreKept(t *testing.T) {
	const text = `# Apart.

# Of the platform team.
name: orders # ours

type: db-pair
engine: alpha
# The auditors
# want it weekly.
schedule: 7d # since May
keep:
  # the owners' words
  - README.md # and only that

# The end.
`
	made := text
	for range 2 {
		answers, err := ParseAnswers("f", []byte(made))
		if err != nil {
			t.Fatal(err)
		}
		result, err := NewRenderer(openTree(t, nil)).Generate(answers)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range result.Files {
			if f.Path == AnswersFile {
				made = string(f.Data)
			}
		}
		rest := made
		for _, want := range []string{
			answersHead + "# Apart.\n\n# Of the platform team.\nname: orders # ours\n", "# The auditors\n# want it weekly.\nschedule: 7d # since May\n",
			"keep:\n  # the owners' words\n  - README.md # and only that\n", "# The end.\n",
		} {
			_, after, ok := strings.Cut(rest, want)
			if !ok || strings.Contains(after, strings.TrimSpace(want)) {
				t.Fatalf("want once and in order %q in\n%s", want, made)
			}
			rest = after
		}
	}
}
