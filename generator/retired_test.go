package generator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// retired is a tree in which three questions and a choice have gone.
var retired = map[string]string{"retired.yaml": `notify: {renamed: signal, values: {mail: sns}}
signal: {renamed: refresh}
colour: {removed: the dashboard has its own theme}
ci: {values: {jenkins: none}}
`}

// B18: an answer that an earlier version recorded is carried over to the questions and choices of this one.
func TestCarryOver(t *testing.T) {
	const text = "name: orders\nnotify: mail\ncolour: blue\nci: jenkins\nschedule: 7d\n"
	answers, err := ParseAnswers("old.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	now, carried := openTree(t, retired).CarryOver(answers)
	got := make(map[string]string)
	for key, a := range now {
		got[key] = a.Value
	}
	if diff := cmp.Diff(map[string]string{"name": "orders", "refresh": "sns", "ci": "none", "schedule": "7d"}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	var words []string
	for _, c := range carried {
		words = append(words, c.String())
	}
	want := []string{
		"question notify is now refresh, and its answer mail is now sns", "question colour is no longer asked: the dashboard has its own theme",
		"answer jenkins to ci is now none",
	}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Errorf("carried (-want +got):\n%s", diff)
	}
	if carried[1].Line != 3 || answers["colour"].Value != "blue" {
		t.Errorf("line %d, and the answers given are %v", carried[1].Line, answers)
	}
}

// An answer that was carried over still is told where it stands, and a question that is answered by both its names is refused.
func TestCarriedAnswersAreJudged(t *testing.T) {
	for text, want := range map[string]string{
		"notify: pigeon\n":                `old.yaml:4:9: unknown refresh "pigeon" | one of: sns, sqs, none`,
		"notify: mail\nrefresh: none\n":   `old.yaml:4:1: "notify" is now "refresh", which is answered too | keep one of lines 4 and 5`,
		"refresh: none\nsignal: [a, b]\n": `old.yaml:5:1: "signal" is now "refresh", which is answered too | keep one of lines 4 and 5`,
	} {
		answers, err := ParseAnswers("old.yaml", []byte("name: orders\ntype: db-pair\nengine: alpha\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		c := openTree(t, retired)
		now, _ := c.CarryOver(answers)
		if _, err := c.Resolve(now).Spec(); !strings.HasPrefix(strings.Join(faultTexts(err), "\n"), want) {
			t.Errorf("%q: %v, want %s", text, faultTexts(err), want)
		}
	}
}

// A retired question that is given anew is refused with its name of today: a flag or an answers file is not read from a project.
func TestRetiredIsRefused(t *testing.T) {
	_, err := openTree(t, retired).Resolve(pairAnswers("notify=mail", "colour=blue", "ci=jenkins")).Spec()
	want := []string{
		`unknown ci "jenkins" | it is now "none"`,
		`question "colour" is no longer asked | leave it out: the dashboard has its own theme`,
		`question "notify" is now "refresh" | answer refresh in its place, with sns for mail`,
	}
	if diff := cmp.Diff(want, faultTexts(err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// A retirement that leads nowhere is refused when the tree is opened.
func TestRetirementsAreVerified(t *testing.T) {
	for text, want := range map[string]string{
		"ci: {renamed: refresh}":                  `retired.yaml: question "ci" is still asked`,
		"old: {renamed: older}":                   `retired.yaml: question "old" is now "older", which no question is`,
		"a: {renamed: b}\nb: {renamed: a}":        `retired.yaml: question "a" is renamed in a circle`,
		"old: {renamed: ci, removed: it is gone}": `retired.yaml: question "old" is both renamed and removed`,
		"old: {}":                         `retired.yaml: say of question "old" what became of it: renamed, removed or values`,
		"old: {values: {a: b}}":           `retired.yaml: question "old" is not asked: say what it is renamed to`,
		"ci: {values: {github: none}}":    `retired.yaml: answer "github" to "ci" is still taken`,
		"ci: {values: {jenkins: travis}}": `retired.yaml: answer "jenkins" to "ci": unknown ci "travis"`,
		"ci: {values: {jenkins: [x]}}":    `retired.yaml: yaml`,
	} {
		if _, err := Open(testTree(map[string]string{"retired.yaml": text}), testRoot); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
