package project

import (
	"maps"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
)

// asked are questions of an earlier version, and gone is what became of them.
var (
	asked = map[string]string{
		"features/colour/question.yaml":   "key: colour\nprompt: Colour\nhelp: any\ndefault: blue\n",
		"features/notify/question.yaml":   "key: notify\nprompt: Notify\nhelp: how\ndefault: mail\nchoices: [{value: mail}, {value: none}]\n",
		"features/refresh/question.yaml":  "",
		"features/consumer/question.yaml": "", // it comes after refresh
		"features/ci/question.yaml":       "key: ci\nprompt: CI\nhelp: which\nafter: notify\ndefault: github\nchoices: [{value: github}, {value: gitlab}, {value: none}]\n",
	}
	gone = map[string]string{"retired.yaml": "notify: {renamed: refresh, values: {mail: sns}}\ncolour: {removed: nothing is painted}\n"}
)

// writtenBy is a project of the test tree with changes as it is on the disk.
func writtenBy(t *testing.T, changes map[string]string, more ...string) fstest.MapFS {
	t.Helper()
	project := make(fstest.MapFS)
	result, err := openTree(t, changes).Generate(generator.Texts(generatortest.Pair(more...)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Files {
		project[f.Path] = &fstest.MapFile{Data: f.Data, Mode: f.Mode}
	}
	return project
}

// B18: a question that was renamed or removed stops no command on a project of before, and is no change of its answers.
func TestCompareCarriesOver(t *testing.T) {
	project := writtenBy(t, asked)
	drift, err := Compare(openTree(t, gone), project, "orders")
	if err != nil {
		t.Fatal(err)
	}
	found := drift.Differences
	got := make(map[string]string)
	for _, d := range found {
		got[string(d.Kind)+" "+d.Path] += d.Note + ";"
	}
	want := map[string]string{
		"template-moved rotasmith.yaml":                 "question colour is no longer asked: nothing is painted;question notify is now refresh, and its answer mail is now sns;",
		"template-moved .rotasmith/answers.schema.json": ";",
		"template-moved .rotasmith/lock.json":           ";",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
	if d := found[len(found)-1]; d.Path != generator.AnswersFile || d.Line == 0 || d.Kept || d.Applies() {
		t.Errorf("%+v", d)
	}

	edit(project, generator.AnswersFile, "notify: mail", "notify: none") // which is another answer
	if drift, err = Compare(openTree(t, gone), project, "orders"); err != nil || !hasKind(drift.Differences, AnswersChanged) {
		t.Errorf("%+v, %v", drift, err)
	}
}

// What a project costs is told with its carried answers.
func TestRecordedCarriesOver(t *testing.T) {
	tree := maps.Clone(gone)
	c, err := generator.Open(generatortest.Tree(tree), generatortest.Root)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Recorded(c, writtenBy(t, asked), "orders")
	if err != nil || r.Get("refresh") != "sns" || r.Get("notify") != "" {
		t.Errorf("refresh %q, %v", r.Get("refresh"), err)
	}
}

func hasKind(found []Difference, kind Kind) bool {
	for i := range found {
		if found[i].Kind == kind {
			return true
		}
	}
	return false
}
