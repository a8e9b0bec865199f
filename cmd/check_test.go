package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rotasmith/rotasmith/generator/project"
)

// rotate runs rotasmith without a terminal.
func rotate(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = Main(args, System{In: strings.NewReader(""), Out: &out, Err: &errOut, Getenv: func(string) string { return "" }})
	return code, out.String(), errOut.String()
}

func newProject(t testing.TB, dir string) {
	t.Helper()
	if code, _, errOut := rotate(t, "new", "orders-db", "--type", "rds-two-user", "--engine", "postgres", "--no-input", "--dir", dir); code != 0 {
		t.Fatal(errOut)
	}
}

// plantAll makes a folder with projects that have every kind of difference, and one that cannot be checked.
func plantAll(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, dir := range []string{"a b", "ä/#%", "bad", "moved", "stale"} {
		newProject(t, dir)
	}
	change := func(path, old, text string) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Replace(data, []byte(old), []byte(text), 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	change("a b/main.go", "package", "// Mine.\npackage")
	change("a b/README.md", "#", "# Mine:")
	change("bad/rotasmith.yaml", "name:", "nane:")
	change("stale/rotasmith.yaml", "schedule: 30d", "schedule: 7d")
	if err := os.Remove("ä/#%/go.mod"); err != nil {
		t.Fatal(err)
	}
	// go.mod is what the record says was written, and not what is written now: its template has moved on.
	lock, err := os.ReadFile("moved/.rotasmith/lock.json")
	if err != nil {
		t.Fatal(err)
	}
	change("moved/go.mod", "go 1", "// Old.\ngo 1")
	data, err := os.ReadFile("moved/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Files []struct{ Path, SHA256 string }
	}
	if err := json.Unmarshal(lock, &record); err != nil {
		t.Fatal(err)
	}
	for _, f := range record.Files {
		if f.Path == "go.mod" {
			change("moved/.rotasmith/lock.json", f.SHA256, fmt.Sprintf("%x", sha256.Sum256(data)))
		}
	}
}

func TestSARIFIsValid(t *testing.T) {
	text, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	plantAll(t)
	for _, target := range []string{"...", "moved", mustAbs(t, "a b"), "ä/..."} {
		_, out, _ := rotate(t, "check", target, "--format", "sarif")
		log, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
		if err != nil {
			t.Fatalf("%s: %v\n%s", target, err, out)
		}
		if err := schema.Validate(log); err != nil {
			t.Errorf("%s: %v\n%s", target, err, out)
		}
		if target != "..." {
			continue
		}
		for _, kind := range project.Kinds() {
			if !strings.Contains(out, `"ruleId":"`+string(kind)+`"`) {
				t.Errorf("no result of kind %s", kind)
			}
		}
		for _, uri := range []string{`"uri":"a%20b/main.go"`, `"uri":"%C3%A4/%23%25/go.mod"`} {
			if !strings.Contains(out, uri) {
				t.Errorf("no %s in\n%s", uri, out)
			}
		}
	}
	if err := schema.Validate(map[string]any{"version": "2.1.0", "runs": []any{map[string]any{"results": 1}}}); err == nil {
		t.Error("the schema accepts anything")
	}
}

// Every format tells of the same files, and each is what it says it is.
func TestCheckFormatsAgree(t *testing.T) {
	plantAll(t)
	code, text, _ := rotate(t, "check", "...")
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	_, out, _ := rotate(t, "check", "./...", "--format", "json")
	var doc struct {
		Projects []struct {
			Dir         string
			Differences []jsonDifference
			Errors      []jsonError
		}
		Summary tally
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	_, github, _ := rotate(t, "check", "./...", "--format", "github")
	total := 0
	for _, p := range doc.Projects {
		for _, d := range p.Differences {
			total++
			place := p.Dir + "/" + d.Path
			if !strings.Contains(text, "\n"+place+":") && !strings.HasPrefix(text, place+":") {
				t.Errorf("text has no %s", place)
			}
			if !strings.Contains(text, d.Diff) {
				t.Errorf("text has no diff of %s", place)
			}
			if !strings.Contains(github, "file="+githubValue.Replace(place)+",") {
				t.Errorf("github has no %s", place)
			}
		}
	}
	s := doc.Summary
	counted := s.Kept
	for _, kind := range project.Kinds() {
		if s.Kinds[kind] == 0 {
			t.Errorf("no %s in the summary", kind)
		}
		counted += s.Kinds[kind]
	}
	if total != counted || s.Projects != 5 || s.Different != 4 || s.Unchecked != 1 {
		t.Errorf("%d differences, summary %+v", total, s)
	}
}

func mustAbs(t *testing.T, dir string) string {
	t.Helper()
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func wantNothingHere(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// Check finds the planted differences and no others, in every format.
func TestPlantedAndNothingElse(t *testing.T) {
	plantAll(t)
	want := []string{
		"a b/README.md edited kept", "a b/main.go edited",
		"moved/.rotasmith/lock.json template-moved", "moved/go.mod template-moved",
		"stale/rotasmith.yaml answers-changed",
		"ä/#%/go.mod missing",
	}
	kinds := make(map[string]string) // by their words
	for _, kind := range project.Kinds() {
		kinds[kind.String()] = string(kind)
	}
	found := func(place, words string) string {
		kept := ""
		if rest, ok := strings.CutPrefix(words, "kept: "); ok {
			words, kept = rest, " kept"
		}
		words, _, _ = strings.Cut(words, ", ")
		return regexp.MustCompile(`:\d+$`).ReplaceAllString(place, "") + " " + kinds[words] + kept
	}
	read := map[string]func(out string) (got []string){
		"text": func(out string) (got []string) {
			for line := range strings.Lines(out) {
				if place, words, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && strings.IndexAny(line, "-+@ \\") != 0 && strings.Contains(place, "/") {
					got = append(got, found(place, words))
				}
			}
			return got
		},
		"json": func(out string) (got []string) {
			var doc struct {
				Projects []struct {
					Dir         string
					Differences []jsonDifference
				}
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Error(err)
			}
			for _, p := range doc.Projects {
				for _, d := range p.Differences {
					words := d.Kind.String()
					if d.Kept {
						words = "kept: " + words
					}
					got = append(got, found(p.Dir+"/"+d.Path, words))
				}
			}
			return got
		},
		"github": func(out string) (got []string) {
			for line := range strings.Lines(out) {
				command, message, _ := strings.Cut(strings.TrimPrefix(line, "::"), "::")
				if place, words, ok := strings.Cut(strings.ReplaceAll(strings.TrimSpace(message), "%25", "%"), ": "); ok && !strings.Contains(command, "bad/") {
					got = append(got, found(place, words))
				}
			}
			return got
		},
		"sarif": func(out string) (got []string) {
			var doc struct {
				Runs []struct {
					Results []struct{ Message struct{ Text string } }
				}
			}
			if err := json.Unmarshal([]byte(out), &doc); err != nil {
				t.Error(err)
			}
			for _, r := range doc.Runs[0].Results {
				place, words, _ := strings.Cut(r.Message.Text, ": ")
				got = append(got, found(place, words))
			}
			return got
		},
	}
	for _, format := range checkFormats {
		_, out, _ := rotate(t, "check", "...", "--format", format)
		got := slices.DeleteFunc(read[format](out), func(line string) bool { // how much an answer changes is the templates' affair
			return strings.HasPrefix(line, "stale/") && line != "stale/rotasmith.yaml answers-changed" && strings.Contains(line, " answers-changed")
		})
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-planted +found):\n%s", format, diff)
		}
	}
}
