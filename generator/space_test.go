package generator_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v3"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/golden/hclcheck"
	"github.com/rotasmith/rotasmith/golden/space"
	"github.com/rotasmith/rotasmith/templates"
)

// others are answers to questions without choices, as far from the default as a right answer can be.
var others = map[string]string{
	"name":        "a-1-",
	"module":      "example.net/~o/-p.q_r",
	"secret_name": "/_+=.@-A0",
	"schedule":    "cron(0 4-20/8 ? JAN-DEC SUN#1 *)",
	"window":      "4h",
	"region":      "us-gov-west-1",
	"replicas":    "us-gov-east-1",
	"keep":        "it's \"here\",${x},%{if y}/${z},{{.Name}}/{{end}},#,- a: b,\u2028é😀",
}

// plain are answers to the same questions that need no quoting anywhere; the default serves where there is none.
var plain = map[string]string{"name": "orders", "window": "1h", "region": "eu-west-1"}

// plainly returns answers of the same shape without anything hostile.
func plainly(answers map[string]string) map[string]string {
	same := maps.Clone(answers)
	for key := range others {
		switch {
		case same[key] == "":
		case key == "replicas": // a list's length shows in the files
			same[key] = regions(same[key])
		case plain[key] != "":
			same[key] = plain[key]
		default:
			delete(same, key)
		}
	}
	return same
}

// options returns what a project of a type and an engine can vary in.
func options(t testing.TB, c *generator.Catalog, base map[string]string) []space.Option {
	t.Helper()
	spec, err := c.Resolve(generator.Texts(base)).Spec()
	if err != nil {
		t.Fatal(err)
	}
	var all []space.Option
	for _, r := range spec.Resolved {
		o := space.Option{Key: r.Question.Key, Values: []string{r.Value}}
		add := func(value string) {
			if !slices.Contains(o.Values, value) {
				o.Values = append(o.Values, value)
			}
		}
		switch {
		case base[o.Key] != "" && o.Key != "name":
			continue
		case r.Question.Choices != nil:
			for _, choice := range r.Question.Choices {
				add(choice.Value)
			}
		case others[o.Key] != "":
			add(others[o.Key])
		default:
			t.Errorf("give others an answer to %q, and plain one if its default is empty", o.Key)
		}
		if r.Question.Optional {
			add("")
		}
		all = append(all, o)
	}
	return all
}

// everyPair calls f with answers for every type, target and mode in which every two options meet, or in short tests with one set for each.
func everyPair(t *testing.T, f func(t *testing.T, answers map[string]string)) {
	t.Helper()
	c := openTemplates(t)
	for _, chosen := range c.Combinations() {
		base := maps.Clone(chosen)
		base["name"] = "orders-db"
		rows := space.Pairs(options(t, c, base))
		if testing.Short() {
			rows = rows[:1]
		}
		for i, row := range rows {
			maps.Copy(row, chosen)
			t.Run(fmt.Sprintf("%s %s%s %s %d", chosen["type"], chosen["engine"], chosen["provider"], chosen["mode"], i), func(t *testing.T) { f(t, row) })
		}
	}
}

// leftover is what a template leaves when it was not executed, or was with something missing.
var leftover = regexp.MustCompile(`\{\{-? ?(\.|if |range |end|else|with |hcl |yaml |sh |md |code )|<no value>|%!`)

// For any two options together: the project renders, holds no template marker and no import of the template tree, records its answers so
// that they make the same project again, no answer leaves its string, and its Terraform has no fault that can be found in memory.
func TestEveryPairOfOptions(t *testing.T) {
	c := openTemplates(t)
	everyPair(t, func(t *testing.T, answers map[string]string) {
		result := generateTexts(t, answers)
		checkProject(t, c, result)
		checkTerraform(t, result)
		sameShape(t, generateTexts(t, plainly(answers)), result)
	})
}

// Every branch of every template is taken by some of the combinations: one that is not is dead, or an option that is not tested.
func TestEveryBranchOfEveryTemplate(t *testing.T) {
	if testing.Short() {
		t.Skip("not every branch is met")
	}
	c := openTemplates(t)
	branches := make(generator.Branches)
	everyPair(t, func(t *testing.T, answers map[string]string) {
		spec, err := c.Resolve(generator.Texts(answers)).Spec()
		if err == nil {
			err = branches.Cover(c, spec)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	taken := 0
	for _, name := range slices.Sorted(maps.Keys(branches)) {
		switch {
		case branches[name]:
			taken++
		case strings.Contains(name, ".Engine"), strings.Contains(name, ".Provider"), strings.Contains(name, ".Strategy"): // may wait for one that the tree does not have yet
			t.Logf("not taken: %s", name)
		default:
			t.Errorf("never taken: %s", name)
		}
	}
	t.Logf("template branch coverage: %d of %d", taken, len(branches))
	if len(branches) == 0 {
		t.Error("no template has a branch")
	}
}

// regions names as many regions as a list does.
func regions(list string) string {
	plain := make([]string, len(generator.SplitList(list)))
	for i := range plain {
		plain[i] = fmt.Sprintf("eu-west-%d", i)
	}
	return strings.Join(plain, ",")
}

func generateTexts(t testing.TB, answers map[string]string) *generator.Result {
	t.Helper()
	result, err := renderer(t).Generate(generator.Texts(answers))
	if err != nil {
		t.Fatalf("%v: %v", answers, err)
	}
	return result
}

// recorded is the schema of the AWS provider.
var recorded = sync.OnceValues(func() (*hclcheck.Schema, error) {
	data, err := os.ReadFile("../golden/tfprovider/schema.json")
	if err != nil {
		return nil, err
	}
	return hclcheck.ParseSchema(data)
})

// checkTerraform holds the emitted Terraform to the provider's schema and to what AWS would make of it.
func checkTerraform(t testing.TB, result *generator.Result) {
	t.Helper()
	schema, err := recorded()
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, f := range result.Files {
		if name, ok := strings.CutPrefix(f.Path, "terraform/"); ok {
			files[name] = f.Data
		}
	}
	for _, finding := range schema.Check(files) {
		t.Error(finding)
	}
}

func checkProject(t testing.TB, c *generator.Catalog, result *generator.Result) {
	t.Helper()
	marked := slices.ContainsFunc(result.Spec.Resolved, func(r generator.Resolved) bool { return strings.Contains(r.Value, "{{") })
	for _, f := range result.Files {
		if f.Action == generator.Expand && !marked && leftover.Match(f.Data) {
			t.Errorf("%s: %s is left", f.Path, leftover.Find(f.Data))
		}
		if bytes.Contains(f.Data, []byte(templates.Root)) {
			t.Errorf("%s names the template tree", f.Path)
		}
		if f.Path == generator.AnswersFile {
			answers, err := generator.ParseAnswers(f.Path, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			again, err := c.Resolve(answers).Spec()
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range result.Spec.Resolved {
				if got := again.Resolved[i]; got.Question.Key != r.Question.Key || got.Value != r.Value {
					t.Errorf("%s: %q is recorded as %q", r.Question.Key, r.Value, got.Value)
				}
			}
		}
	}
}

// sameShape expects two projects to differ in the text of strings only.
func sameShape(t testing.TB, a, b *generator.Result) {
	t.Helper()
	if diff := cmp.Diff(a.Plan.String(), b.Plan.String()); diff != "" {
		t.Fatalf("plan (-plain +tried):\n%s", diff)
	}
	for i, f := range a.Files {
		if f.Action != generator.Expand || bytes.Equal(f.Data, b.Files[i].Data) {
			continue
		}
		if diff := cmp.Diff(shape(t, f), shape(t, b.Files[i])); diff != "" {
			t.Errorf("%s: an answer has left its string (-plain +tried):\n%s", f.Path, diff)
		}
	}
}

// shape is what a file says but for its strings.
func shape(t testing.TB, f generator.File) string {
	t.Helper()
	var b strings.Builder
	switch path.Ext(f.Path) {
	case ".tf", ".tfvars", ".hcl":
		if _, diags := hclsyntax.ParseConfig(f.Data, f.Path, hcl.InitialPos); diags.HasErrors() {
			t.Fatalf("%s: %v", f.Path, diags)
		}
		tokens, _ := hclsyntax.LexConfig(f.Data, f.Path, hcl.InitialPos)
		for _, token := range tokens {
			switch token.Type {
			case hclsyntax.TokenQuotedLit:
			case hclsyntax.TokenIdent:
				b.Write(token.Bytes)
			default:
				fmt.Fprintln(&b, token.Type)
			}
		}
	case ".yaml", ".yml":
		var doc yaml.Node
		if err := yaml.Unmarshal(f.Data, &doc); err != nil {
			t.Fatalf("%s: %v", f.Path, err)
		}
		yamlShape(&b, &doc)
	case ".md":
		// Lists of answers may have any length; what begins a block may not come from an answer.
		for line := range strings.Lines(string(f.Data)) {
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "```") || strings.HasPrefix(line, "|") {
				b.WriteString(line[:1])
			}
		}
	default:
		fmt.Fprint(&b, bytes.Count(f.Data, []byte("\n")))
	}
	return b.String()
}

func yamlShape(b *strings.Builder, n *yaml.Node) {
	fmt.Fprintf(b, "%d %s(", n.Kind, n.Tag)
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			b.WriteString(child.Value)
			continue
		}
		yamlShape(b, child)
	}
	b.WriteString(")\n")
}

// FuzzFreeText tries any text as the answer to each question without choices: it is refused with a reason, or it makes a project in which
// everything parses and the answer stays in its string.
func FuzzFreeText(f *testing.F) {
	c := openTemplates(f)
	var free []string
	for _, q := range c.Questions {
		if q.Choices == nil {
			free = append(free, q.Key)
		}
	}
	hostile := []string{
		"", "'", `"`, "${x}", "%{if true}", "$${x}", "a\nb", "\\", "{{.Name}}", "}}", "*/", "//", "`x`", "$(x)", "#", "- a", "a: b", "|", "<b>", "é", "\u2028", "\xff",
	}
	combinations := c.Combinations()
	for n := range max(len(hostile), len(combinations)) { // each text for each question, and each combination for each question
		for i, key := range free {
			f.Add(uint16(n*len(free)+i), others[key]+hostile[n%len(hostile)])
		}
	}
	f.Fuzz(func(t *testing.T, question uint16, text string) {
		key := free[int(question)%len(free)]
		base := maps.Clone(combinations[int(question)/len(free)%len(combinations)])
		maps.Copy(base, map[string]string{"name": "orders", key: text})
		if _, err := c.Resolve(generator.Texts(base)).Spec(); err != nil || strings.Contains(text, "%!") { // looks like a slip of package fmt's
			return
		}
		result := generateTexts(t, base)
		checkProject(t, c, result)
		sameShape(t, generateTexts(t, plainly(base)), result)
	})
}

// For any two options together: the project has a bill, in which each price says where it was read.
func TestEveryProjectHasABill(t *testing.T) {
	c := openTemplates(t)
	everyPair(t, func(t *testing.T, answers map[string]string) {
		bill, err := c.Resolve(generator.Texts(answers)).Bill(nil)
		if err != nil {
			t.Fatal(err)
		}
		if bill.Total() < 0.4 || len(bill.Unknown) == 0 || bill.AsOf == "" {
			t.Errorf("%+v", bill)
		}
		for _, l := range bill.Lines {
			if !strings.HasPrefix(l.Price.Source, "https://aws.amazon.com/") || l.Price.USD <= 0 || l.Price.Unit == "" {
				t.Errorf("%s: %+v", l.What, l.Price)
			}
		}
	})
}
