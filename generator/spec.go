package generator

import (
	"path"
	"slices"
	"strings"
)

// Spec is a project, fully answered and validated.
type Spec struct {
	Name     string
	Module   string
	Type     Type
	Target   Target
	Strategy string // its folder below strategies/
	Schedule *Schedule
	Keep     []string // patterns of paths that belong to the user
	Resolved []Resolved
	Layers   []string // the folders of the template tree that it is made of
}

// Get returns the recorded answer to a question, empty when it does not apply.
func (s *Spec) Get(key string) string {
	for _, r := range s.Resolved {
		if r.Question.Key == key {
			return r.Value
		}
	}
	return ""
}

// Keeps reports whether a file of the project belongs to the user.
func (s *Spec) Keeps(file string) bool {
	return slices.ContainsFunc(s.Keep, func(pattern string) bool {
		ok, _ := path.Match(pattern, file) // its syntax was checked with the answers
		return ok
	})
}

// Command returns the command line that asks nothing and makes the same project, quoted for a POSIX shell. dir is left out when empty.
// Answers that are the default are left out too, unless their keys are among those to be named.
func (s *Spec) Command(dir string, named ...string) string {
	words := []string{"rotasmith", "new", s.Name}
	for _, r := range s.Resolved {
		switch {
		case r.Question.Argument || r.IsDefault && !slices.Contains(named, r.Question.Key):
		case r.Question.Flag:
			words = append(words, "--"+r.Question.Key, r.Value)
		default:
			words = append(words, "--set", r.Question.Key+"="+r.Value)
		}
	}
	if dir != "" {
		words = append(words, "--dir", dir)
	}
	words = append(words, "--no-input")
	for i, w := range words {
		words[i] = ShellQuote(w)
	}
	return strings.Join(words, " ")
}

// owners returns the owners of the project's target.
func (s *Spec) owners() []string { return s.Target.owners() }

// layers returns the folders that a project is made of, the general before the special. A folder for an answer is taken if it exists.
func (c *Catalog) layers(s *Spec) []string {
	layers := []string{"project"}
	strategies, _ := c.strategyLayers(s.Strategy, nil) // Open has checked it
	layers = append(layers, strategies...)
	for _, owner := range s.owners() {
		layers = append(layers, owner+"/common", owner+"/"+s.Strategy)
	}
	for _, r := range s.Resolved {
		if r.Question.Choices == nil {
			continue
		}
		feature := "features/" + r.Question.Key + "/" + r.Value
		layers = append(layers, feature)
		for _, owner := range slices.Concat(strategies, s.owners()) {
			layers = append(layers, owner+"/"+feature)
		}
	}
	return slices.DeleteFunc(layers, func(layer string) bool { return !isFolder(c.fsys, layer) })
}
