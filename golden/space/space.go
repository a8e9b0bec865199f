// Package space says which combinations of answers tests try: few, in which every
// two answers meet. A fault that takes more than two answers to show is rare.
package space

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	spec, err := c.Resolve(generator.Texts(base)).Spec()
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

// Cover returns answers for few projects, whose Terraform a slow judge can take.
// In them every type and mode meets every answer to a question that changes
// Terraform, and every two of those meet. Questions that only some types are asked
// get each of their answers.
func Cover(c *generator.Catalog) ([]map[string]string, error) {
	renderer := generator.NewRenderer(c)
	bases := Bases(c)
	target := Option{Key: "target"}
	count := make(map[string]int)
	var all []Option
	own := make([][]Option, len(bases))
	for i, base := range bases {
		target.Values = append(target.Values, strconv.Itoa(i))
		choices, err := Choices(c, base)
		if err != nil {
			return nil, err
		}
		for _, o := range choices {
			changes, err := changesTerraform(renderer, base, o)
			if err != nil {
				return nil, err
			}
			if !changes {
				continue
			}
			own[i] = append(own[i], o)
			if count[o.Key]++; count[o.Key] == 1 {
				all = append(all, o)
			}
		}
	}
	common := slices.DeleteFunc(all, func(o Option) bool { return count[o.Key] < len(bases) })
	var rows []map[string]string
	turn := make([]int, len(bases))
	for _, row := range Pairs(append([]Option{target}, common...)) {
		at, err := strconv.Atoi(row[target.Key])
		if err != nil {
			return nil, err
		}
		delete(row, target.Key)
		for _, o := range own[at] {
			if _, given := row[o.Key]; !given {
				row[o.Key] = o.Values[turn[at]%len(o.Values)]
			}
		}
		turn[at]++
		maps.Copy(row, bases[at])
		rows = append(rows, row)
	}
	return rows, nil
}

// changesTerraform reports whether an answer to a question changes what is emitted
// for Terraform.
func changesTerraform(renderer *generator.Renderer, base map[string]string, o Option) (bool, error) {
	var first []byte
	for i, value := range o.Values {
		answers := maps.Clone(base)
		answers[o.Key] = value
		result, err := renderer.Generate(generator.Texts(answers))
		if err != nil {
			return false, err
		}
		var text []byte
		for _, f := range result.Files {
			if strings.HasPrefix(f.Path, "terraform/") {
				text = append(append(text, f.Path...), f.Data...)
			}
		}
		if i == 0 {
			first = text
		} else if !bytes.Equal(text, first) {
			return true, nil
		}
	}
	return false, nil
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
				// Pairs with values that are chosen already count most.
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
