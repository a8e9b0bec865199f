package cmd

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
)

func (a *app) catalogCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:     "catalog",
		Short:   "List what can be written: types, engines, providers and every question",
		Long:    "catalog lists the types of rotation, the engines and providers, the answers that bring files of their own, and every question with its\nchoices, its default and what it applies to.",
		Example: "  rotasmith catalog\n  rotasmith catalog --json",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			catalog, err := a.open()
			if err != nil {
				return err
			}
			if !asJSON {
				return a.show(catalogText(catalog))
			}
			return a.print(catalogJSON(catalog))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the catalogue as JSON")
	return c
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of an answers file",
		Long: "schema prints the JSON Schema (draft 2020-12) of an answers file, for editors and CI. A project that was written needs none of\n" +
			"this: it holds the schema of its own answers, which the first line of rotasmith.yaml names.",
		Example: "  rotasmith schema > answers.schema.json",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			catalog, err := a.open()
			if err != nil {
				return err
			}
			return a.print(catalog.Schema())
		},
	}
}

// catalogJSON is for programs: fields are added, never renamed or removed.
func catalogJSON(c *generator.Catalog) ([]byte, error) {
	type mode struct {
		Name     string `json:"name,omitempty"`
		Help     string `json:"help,omitempty"`
		Strategy string `json:"strategy"`
	}
	type typ struct {
		Name    string   `json:"name"`
		Title   string   `json:"title"`
		Help    string   `json:"help"`
		Kind    string   `json:"kind"`
		Targets []string `json:"targets"`
		Modes   []mode   `json:"modes"`
	}
	type target struct {
		Kind    string   `json:"kind"`
		Name    string   `json:"name"`
		Title   string   `json:"title"`
		Aliases []string `json:"aliases"`
		Types   []string `json:"types"`
		Modes   []string `json:"modes"`
		Managed string   `json:"managed,omitempty"`
	}
	type feature struct {
		Question string `json:"question"`
		Answer   string `json:"answer"`
		Target   string `json:"target,omitempty"`
		Shared   string `json:"shared,omitempty"`
	}
	type choice struct {
		Value   string   `json:"value"`
		Help    string   `json:"help"`
		Aliases []string `json:"aliases"`
	}
	type only struct {
		Question string   `json:"question"`
		Answers  []string `json:"answers"`
	}
	type question struct {
		Key      string   `json:"key"`
		Prompt   string   `json:"prompt"`
		Help     string   `json:"help"`
		Why      string   `json:"why,omitempty"`
		Default  string   `json:"default"`
		Required bool     `json:"required"`
		List     bool     `json:"list"`
		Asked    bool     `json:"asked"`
		Answer   string   `json:"answer"`
		Pattern  string   `json:"pattern,omitempty"`
		Choices  []choice `json:"choices"`
		Only     []only   `json:"only"`
	}
	doc := struct {
		Types     []typ      `json:"types"`
		Targets   []target   `json:"targets"`
		Features  []feature  `json:"features"`
		Questions []question `json:"questions"`
	}{[]typ{}, []target{}, []feature{}, []question{}}
	for _, t := range c.Types {
		entry := typ{t.Name, t.Title, t.Help, t.Kind, list(c.TargetsOf(t)), nil}
		for _, m := range t.Modes {
			entry.Modes = append(entry.Modes, mode{m.Name, m.Help, m.Strategy})
		}
		doc.Types = append(doc.Types, entry)
	}
	for _, t := range c.Targets {
		doc.Targets = append(doc.Targets, target{t.Kind, t.Name, t.Title, list(t.Aliases), list(c.TypesOf(t)), list(modesOf(c, t)), t.Managed})
	}
	for _, f := range c.Features() {
		doc.Features = append(doc.Features, feature{f.Question, f.Answer, targetName(f), f.Shared})
	}
	for _, q := range c.Questions {
		entry := question{
			Key: q.Key, Prompt: q.Prompt, Help: q.Help, Why: q.Why, Default: q.Default, Required: q.Required(), List: q.List, Asked: !q.Silent,
			Answer: q.Cure(), Pattern: q.Pattern, Choices: []choice{}, Only: []only{},
		}
		for _, ch := range q.Choices {
			entry.Choices = append(entry.Choices, choice{ch.Value, ch.Help, list(ch.Aliases)})
		}
		for _, o := range c.AppliesTo(q) {
			entry.Only = append(entry.Only, only(o))
		}
		doc.Questions = append(doc.Questions, entry)
	}
	return indented(doc)
}

func modesOf(c *generator.Catalog, target generator.Target) []string {
	var names []string
	for _, t := range c.Types {
		names = append(names, c.ModesOf(t, target)...)
	}
	return names
}

func targetName(f generator.Feature) string {
	if f.Target == nil {
		return ""
	}
	return f.Target.Name
}

// list is never nil: JSON says [] and not null.
func list(items []string) []string { return append([]string{}, items...) }

// catalogText is for people.
func catalogText(c *generator.Catalog) []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Types (--type)")
	for _, t := range c.Types {
		fmt.Fprintf(w, "  %s\t%s: %s\n\t%ss: %s\n", t.Name, t.Title, t.Help, t.Kind, strings.Join(c.TargetsOf(t), ", "))
	}
	for _, kind := range generator.TargetKinds() {
		fmt.Fprintf(w, "\n%ss (--%s)\n", strings.ToUpper(kind[:1])+kind[1:], kind)
		for _, t := range c.Targets {
			if t.Kind == kind {
				describeTarget(w, c, t)
			}
		}
	}
	fmt.Fprintln(w, "\nAnswers that bring files of their own")
	for _, f := range c.Features() {
		fmt.Fprintf(w, "  %s=%s\t%s\n", f.Question, f.Answer, cmp.Or(targetName(f), f.Shared))
	}
	fmt.Fprintln(w, "\nQuestions (--set KEY=VALUE)")
	for _, q := range c.Questions {
		fmt.Fprintf(w, "  %s\t%s: %s\n", q.Key, q.Prompt, q.Help)
		if q.Why != "" {
			fmt.Fprintf(w, "\t%s\n", q.Why)
		}
		for _, ch := range q.Choices {
			fmt.Fprintf(w, "\t- %s\n", describe(ch))
		}
		fmt.Fprintf(w, "\tdefault: %s%s\n", defaultText(q), otherDefaults(c, q))
		if only := appliesText(c, q); only != "" {
			fmt.Fprintf(w, "\tonly for %s\n", only)
		}
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	return trimLines(b.Bytes())
}

func describeTarget(w io.Writer, c *generator.Catalog, t generator.Target) {
	fmt.Fprintf(w, "  %s\t%s\n", t.Name, t.Title)
	for _, line := range []struct{ label, text string }{
		{"also called: ", strings.Join(t.Aliases, ", ")},
		{"types: ", strings.Join(c.TypesOf(t), ", ")},
		{"modes: ", strings.Join(modesOf(c, t), ", ")},
		{"note: ", t.Managed},
	} {
		if line.text != "" {
			fmt.Fprintf(w, "\t%s%s\n", line.label, line.text)
		}
	}
}

func describe(ch generator.Choice) string {
	if ch.Help == "" {
		return ch.Value
	}
	return ch.Value + ": " + ch.Help
}

// defaultText says what happens when a question is not answered.
func defaultText(q generator.Question) string {
	switch {
	case q.Required():
		return "none, must be answered"
	case q.First:
		return "the first that applies"
	case q.Default == "":
		return "empty"
	}
	return q.Default
}

// otherDefaults says for which types a question has another default.
func otherDefaults(c *generator.Catalog, q generator.Question) string {
	var b strings.Builder
	for _, t := range c.Types {
		if def := c.DefaultOf(q, t); def != q.Default {
			fmt.Fprintf(&b, "; %s for %s", def, t.Name)
		}
	}
	return b.String()
}

// appliesText is empty for a question that every project is asked.
func appliesText(c *generator.Catalog, q generator.Question) string {
	var parts []string
	for _, only := range c.AppliesTo(q) {
		parts = append(parts, only.Question+" "+strings.Join(only.Answers, ", "))
	}
	return strings.Join(parts, "; ")
}

// trimLines takes away what a table leaves at the end of its lines.
func trimLines(text []byte) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(text) {
		b.Write(append(bytes.TrimRight(line, " \n"), '\n'))
	}
	return b.Bytes()
}
