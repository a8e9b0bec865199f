package generator

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator/generatortest"
)

// An answer is changed or added in its place, and no other byte changes.
func TestAmend(t *testing.T) {
	const mine = "# Mine.\nname:   'orders'   # the shop's\n\n# Why a pair:\ntype: db-pair\nengine: alpha\nci: github # for now\nkeep: # ours\n- README.md\n\n- \"docs/*\"\n# The end."
	amend := func(text string, more ...string) string {
		t.Helper()
		spec, err := openTree(t, nil).Resolve(Texts(generatortest.Pair(append([]string{"keep=README.md,docs/*"}, more...)...))).Spec()
		if err != nil {
			t.Fatal(err)
		}
		var set, added []string
		for _, m := range more {
			key, _, _ := strings.Cut(m, "=")
			set = append(set, key)
		}
		for _, key := range []string{"alerts", "window"} {
			if !strings.Contains(text, key+":") {
				added = append(added, key)
			}
		}
		has := func(keys []string) func(string) bool {
			return func(key string) bool { return strings.Contains(" "+strings.Join(keys, " ")+" ", " "+key+" ") }
		}
		got, err := spec.Amend([]byte(text), has(set), has(added))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	added := strings.Replace(mine, "engine: alpha\n", "engine: alpha\nwindow: \"\" # new: default\nalerts: sns # new: default\n", 1)
	tests := []struct {
		name, text string
		set        []string
		want       string
	}{
		{"new questions", mine, nil, added},
		{"nothing to do", added, nil, added},
		{"a changed answer keeps its comment", added, []string{"ci=gitlab"}, strings.Replace(added, "ci: github # for now", "ci: gitlab # for now", 1)},
		{"a changed list", added, []string{"keep=RUNBOOK.md"},
			strings.Replace(added, "keep: # ours\n- README.md\n\n- \"docs/*\"\n", "keep: # ours\n  - RUNBOOK.md\n", 1)},
		{"an answer that was not given", added, []string{"schedule=7d"},
			strings.Replace(added, "engine: alpha\n", "engine: alpha\nschedule: 7d\n", 1)},
		{"Windows", strings.ReplaceAll(mine, "\n", "\r\n"), nil, strings.ReplaceAll(added, "\n", "\r\n")},
		{"no newline at the end", "name: orders\ntype: db-pair\nengine: alpha\nwindow: ''", nil,
			"name: orders\ntype: db-pair\nengine: alpha\nwindow: ''\nalerts: sns # new: default\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, amend(test.text, test.set...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Answers that do not stand one below the other are written anew when one changes, and only then.
func TestAmendOfJSON(t *testing.T) {
	spec, err := openTree(t, nil).Resolve(Texts(generatortest.Pair("ci=none"))).Spec()
	if err != nil {
		t.Fatal(err)
	}
	const text = `{"name": "orders", "type": "db-pair", "engine": "alpha"}`
	never := func(string) bool { return false }
	if got, err := spec.Amend([]byte(text), never, never); string(got) != text || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	got, err := spec.Amend([]byte(text), func(key string) bool { return key == "ci" }, never)
	if err != nil || !strings.Contains(string(got), "\nci: none\n") {
		t.Errorf("%s, %v", got, err)
	}
}
