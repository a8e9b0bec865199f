package golden

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// TestOptionSpacePasses builds, vets and tests projects that together have every
// answer of every question with choices, for each type and whatever else must be
// chosen. Most answers change no code, and most code is that of a recorded case,
// which TestProjectsPass has built: only what is left is built here. As package
// paths are the same in all of them, the build cache makes the rest cheap.
func TestOptionSpacePasses(t *testing.T) {
	if *update {
		t.Skip("recording builds what it records")
	}
	built := make(map[string]bool)
	fails := make(map[string][]string) // by provider
	for _, name := range cases(t) {
		c := load(t, name)
		built[code(c.emit(t).files)] = true
		if i := slices.Index(c.args, "--provider"); i >= 0 {
			fails[c.args[i+1]] = append(fails[c.args[i+1]], c.fails...)
		}
	}
	recorded, all := len(built), eachAnswerOnce(t)
	for _, answers := range all {
		c := golden{args: []string{"new", "orders-db"}, fails: fails[answers["provider"].Value]}
		for _, key := range slices.Sorted(maps.Keys(answers)) {
			if key != "name" {
				c.args = append(c.args, "--set", key+"="+answers[key].Value)
			}
		}
		r := c.emit(t)
		if built[code(r.files)] {
			continue
		}
		built[code(r.files)] = true
		t.Run(strings.Join(c.args[2:], " "), func(t *testing.T) {
			t.Parallel()
			if out, err := c.passes(t, r, ownPackages); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Logf("%d sets of answers; beside %d recorded trees of code %d were built", len(all), recorded, len(built)-recorded)
}

// eachAnswerOnce returns few sets of answers that together choose everything.
func eachAnswerOnce(t *testing.T) []generator.Answers {
	t.Helper()
	catalog, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	rows := 1
	for _, q := range catalog.Questions() {
		if !q.Required() && !q.First {
			rows = max(rows, len(q.Choices))
		}
	}
	var all []generator.Answers
	var walk func(answers generator.Answers, row int)
	walk = func(answers generator.Answers, row int) {
		q, def, open := catalog.Unanswered(answers)
		if !open {
			all = append(all, answers)
			return
		}
		values := []string{def}
		if len(q.Choices) > 0 {
			values = nil
			for _, choice := range q.Choices {
				values = append(values, choice.Value)
			}
			if !q.Required() && !q.First {
				values = values[row%len(values):][:1]
			}
		}
		for _, value := range values {
			walk(generator.Answers{q.Key: {Value: value}}.Over(answers), row)
		}
	}
	for row := range rows {
		walk(generator.Texts(map[string]string{"name": "orders-db"}), row)
	}
	return all
}

// code is a digest of what is compiled.
func code(files tree) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) == ".go" || path.Base(name) == "go.mod" || path.Base(name) == "go.sum" {
			fmt.Fprintf(sum, "%s\x00%s\x00", name, files[name])
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
