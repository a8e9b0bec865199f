package generator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// B18: a recorded answers file is changed where the answer stands, and every other byte is as it was.
func TestEditAnswers(t *testing.T) {
	const file = "# head\n\nname:   orders   # mine\n'notify': \"ma\\\"il\"  # how\n# about colour\ncolour:\n  - red\n  # dark\n  - blue\n\nwindow:   # none\nkeep: [a, b]\nlast: it's\n# end\n"
	tests := []struct {
		name string
		edit Edit
		want []string // pairs of what is replaced and by what
	}{
		{"nothing", Edit{Key: "name", To: "name", Value: "orders"}, nil},
		{"renamed", Edit{Key: "notify", To: "refresh", Value: `ma"il`}, []string{"'notify'", "refresh"}},
		{"renamed list", Edit{Key: "colour", To: "paint", Value: "red,blue", List: true}, []string{"\ncolour:", "\npaint:"}},
		{"another answer", Edit{Key: "notify", To: "notify", Value: "sns"}, []string{`"ma\"il"`, "sns"}},
		{"both", Edit{Key: "notify", To: "refresh", Value: "a: b"}, []string{`'notify': "ma\"il"`, "refresh: 'a: b'"}},
		{"where there was none", Edit{Key: "window", To: "window", Value: "3h"}, []string{"window: ", "window: 3h "}},
		{"plain", Edit{Key: "last", To: "last", Value: "007"}, []string{"it's", `"007"`}},
		{"another list", Edit{Key: "keep", To: "keep", Value: "x", List: true}, []string{"keep: [a, b]\n", "keep:\n  - x\n"}},
		{"removed", Edit{Key: "notify"}, []string{"'notify': \"ma\\\"il\"  # how\n", ""}},
		{"removed list", Edit{Key: "colour"}, []string{"colour:\n  - red\n  # dark\n  - blue\n", ""}},
		{"removed, the last", Edit{Key: "last"}, []string{"last: it's\n", ""}},
		{"inserted", Edit{To: "new", Value: "x", After: "colour", Comment: "new: default"}, []string{"  - blue\n", "  - blue\nnew: x # new: default\n"}},
		{"inserted list", Edit{To: "new", Value: "x,y", List: true, After: "name", Comment: "new"}, []string{"mine\n", "mine\nnew: # new\n  - x\n  - y\n"}},
		{"inserted empty list", Edit{To: "new", List: true, After: "name", Comment: "new"}, []string{"mine\n", "mine\nnew: [] # new\n"}},
		{"inserted at the end", Edit{To: "new", Value: "", After: "nothing"}, []string{"# end\n", "# end\nnew: \"\"\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, ending := range []string{"\n", "\r\n"} {
				crlf := strings.NewReplacer("\n", ending)
				got, err := EditAnswers("f", []byte(crlf.Replace(file)), []Edit{test.edit})
				if err != nil {
					t.Fatal(err)
				}
				want := file
				if test.want != nil {
					want = strings.Replace(file, test.want[0], test.want[1], 1)
				}
				if diff := cmp.Diff(crlf.Replace(want), string(got)); diff != "" {
					t.Errorf("text (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestEditAnswersRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{name: orders}\n": "f:1:1: not one answer a line",
		"- a\n":            "f:1:1: not a mapping of keys to answers",
		"other: x\n":       `f: has no answer to "name"`,
		"name: &a x\n":     `f: the answer to "name" cannot be changed where it stands`,
	} {
		if got, err := EditAnswers("f", []byte(text), []Edit{{Key: "name", To: "name", Value: "y"}}); err == nil || err.Error() != want {
			t.Errorf("%q: %q, %v, want %s", text, got, err, want)
		}
	}
}

// Answers that were carried over and answers that are new come into the file of a project, and it makes the same project then.
func TestEditsOfAProject(t *testing.T) {
	const text = "# mine\nname: orders\ntype: db-pair\nengine: alpha\nnotify: mail\ncolour: blue # why not\n"
	c := openTree(t, retired)
	recorded, err := ParseAnswers("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	now, carried := c.CarryOver(recorded)
	r := c.Resolve(now)
	edited, err := EditAnswers("f", []byte(text), r.Edits(carried, "new: default"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# mine\nname: orders\ntype: db-pair\nengine: alpha\nusers: made # new: default\n", "\nrefresh: sns\n", "\nkeep: # new: default\n  - README.md\n"} {
		if !strings.Contains(string(edited), want) {
			t.Errorf("no %q in\n%s", want, edited)
		}
	}
	again, err := ParseAnswers("f", edited)
	if err != nil {
		t.Fatal(err)
	}
	if now, carried := c.CarryOver(again); carried != nil {
		t.Errorf("%v", carried)
	} else if edits := c.Resolve(now).Edits(nil, ""); edits != nil {
		t.Errorf("%v", edits)
	}
	for _, res := range r.resolved {
		if got := c.Resolve(again).Get(res.Question.Key); got != res.Value {
			t.Errorf("%s: %q, want %q", res.Question.Key, got, res.Value)
		}
	}
}

// FuzzEditAnswers holds an edit to the one answer that it changes, whatever the file.
func FuzzEditAnswers(f *testing.F) {
	f.Add([]byte("name: orders # x\nci: 'a'\n"), "b")
	f.Add([]byte("? name\n: orders\nci: >-\n  a\n  b\n"), "c d")
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		before, err := ParseAnswers("f", text)
		if err != nil {
			return
		}
		for key := range before {
			got, err := EditAnswers("f", text, []Edit{{Key: key, To: key, Value: value}})
			if err != nil {
				continue
			}
			after, err := ParseAnswers("f", got)
			if err != nil || after[key].Value != value || len(after) != len(before) {
				t.Fatalf("%q: %q, %v", key, got, err)
			}
			for other, a := range before {
				if other != key && after[other].Value != a.Value {
					t.Fatalf("%q changed %q: %q", key, other, got)
				}
			}
		}
	})
}
