// Package space says which combinations of answers tests try: few, in which every
// two answers meet. A fault that takes more than two answers to show is rare.
package space

import (
	"github.com/rotasmith/rotasmith/generator"
)

// Option is one question with the answers that it is tried with.
type Option struct {
	Key    string
	Values []string
}

// Bases returns the answers to begin with: one target for each type and mode.
func Bases(c *generator.Catalog) []map[string]string {
	var bases []map[string]string
	seen := make(map[string]bool)
	for _, base := range c.Combinations() {
		if kind := base["type"] + " " + base["mode"]; !seen[kind] {
			seen[kind] = true
			base["name"] = "orders"
			bases = append(bases, base)
		}
	}
	return bases
}

// Choices returns the questions with choices that a project with these answers is
// asked, but for those that base answers: every question that selects files.
func Choices(c *generator.Catalog, base map[string]string) ([]Option, error) {
	spec, err := c.NewSpec(generator.Texts(base))
	if err != nil {
		return nil, err
	}
	var all []Option
	for _, r := range spec.Resolved {
		if _, fixed := base[r.Question.Key]; fixed || r.Question.Choices == nil {
			continue
		}
		o := Option{Key: r.Question.Key}
		for _, choice := range r.Question.Choices {
			o.Values = append(o.Values, choice.Value)
		}
		all = append(all, o)
	}
	return all, nil
}

// Pairs returns few rows of answers in which every answer to a question meets every answer to every other.
func Pairs(all []Option) []map[string]string {
	type pair struct{ a, b, x, y int } // the option a with its value x, and b with y
	open := make(map[pair]bool)
	for a := range all {
		for b := a + 1; b < len(all); b++ {
			for x := range all[a].Values {
				for y := range all[b].Values {
					open[pair{a, b, x, y}] = true
				}
			}
		}
	}
	at := func(a, x, b, y int) pair {
		if a > b {
			a, x, b, y = b, y, a, x
		}
		return pair{a, b, x, y}
	}
	var rows []map[string]string
	for len(open) > 0 {
		row := make([]int, len(all))
		for a := range all {
			best := -1
			for x := range all[a].Values {
				// What is still to be met counts most among those that are chosen already.
				n := 0
				for p := range open {
					switch {
					case p.a == a && p.x == x && p.b > a, p.b == a && p.y == x && p.a > a:
						n++
					}
				}
				for b := range a {
					if open[at(a, x, b, row[b])] {
						n += 100
					}
				}
				if n > best {
					best, row[a] = n, x
				}
			}
		}
		answers := make(map[string]string)
		met := 0
		for a := range all {
			answers[all[a].Key] = all[a].Values[row[a]]
			for b := range a {
				if p := at(a, row[a], b, row[b]); open[p] {
					delete(open, p)
					met++
				}
			}
		}
		if met == 0 {
			for p := range open { // the greedy choice is stuck: take one of the pairs, whatever stands around it
				answers[all[p.a].Key], answers[all[p.b].Key] = all[p.a].Values[p.x], all[p.b].Values[p.y]
				delete(open, p)
				break
			}
		}
		rows = append(rows, answers)
	}
	return rows
}
