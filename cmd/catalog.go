package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
)

func (a *app) catalogCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:     "catalog",
		Short:   "List what can be written: types, engines and every question",
		Long:    "catalog lists the types of rotation, the engines, the answers that bring files of their own, and every question with its\nchoices, its default and what it applies to.",
		Example: "  rotasmith catalog\n  rotasmith catalog --json",
		Args:    atMost(0),
		RunE: func(*cobra.Command, []string) error {
			catalog, err := a.open()
			if err != nil {
				return err
			}
			text := catalogText(catalog)
			if asJSON {
				if text, err = catalogJSON(catalog); err != nil {
					return err
				}
			}
			_, err = a.Out.Write(text)
			return err
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
			text, err := catalog.Schema()
			if err == nil {
				_, err = a.Out.Write(text)
			}
			return err
		},
	}
}

// catalogJSON is for programs: fields are added, never renamed or removed.
func catalogJSON(c *generator.Catalog) ([]byte, error) {
	type typ struct {
		Name     string   `json:"name"`
		Title    string   `json:"title"`
		Help     string   `json:"help"`
		Strategy string   `json:"strategy"`
		Engines  []string `json:"engines"`
	}
	type engine struct {
		Name    string   `json:"name"`
		Title   string   `json:"title"`
		Aliases []string `json:"aliases"`
		Types   []string `json:"types"`
	}
	type feature struct {
		Question string `json:"question"`
		Answer   string `json:"answer"`
		Engine   string `json:"engine,omitempty"`
	}
	type choice struct {
		Value   string   `json:"value"`
		Help    string   `json:"help"`
		Aliases []string `json:"aliases"`
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
		Types    []string `json:"types"`
		Engines  []string `json:"engines"`
	}
	doc := struct {
		Types     []typ      `json:"types"`
		Engines   []engine   `json:"engines"`
		Features  []feature  `json:"features"`
		Questions []question `json:"questions"`
	}{[]typ{}, []engine{}, []feature{}, []question{}}
	for _, t := range c.Types {
		doc.Types = append(doc.Types, typ{t.Name, t.Title, t.Help, t.Strategy, list(c.EnginesOf(t))})
	}
	for _, e := range c.Engines {
		doc.Engines = append(doc.Engines, engine{e.Name, e.Title, list(e.Aliases), list(c.TypesOf(e))})
	}
	for _, f := range c.Features() {
		doc.Features = append(doc.Features, feature(f))
	}
	for _, q := range c.Questions() {
		types, engines := c.AppliesTo(q)
		entry := question{
			Key: q.Key, Prompt: q.Prompt, Help: q.Help, Why: q.Why, Default: q.Default, Required: q.Required(), List: q.List, Asked: !q.Silent,
			Answer: q.Cure(), Pattern: q.Pattern, Choices: []choice{}, Types: list(types), Engines: list(engines),
		}
		for _, ch := range q.Choices {
			entry.Choices = append(entry.Choices, choice{ch.Value, ch.Help, list(ch.Aliases)})
		}
		doc.Questions = append(doc.Questions, entry)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(doc)
	return b.Bytes(), err
}

// list is never nil: JSON says [] and not null.
func list(items []string) []string { return append([]string{}, items...) }

// catalogText is for people.
func catalogText(c *generator.Catalog) []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Types (--type)")
	for _, t := range c.Types {
		fmt.Fprintf(w, "  %s\t%s: %s\n\tengines: %s\n", t.Name, t.Title, t.Help, strings.Join(c.EnginesOf(t), ", "))
	}
	fmt.Fprintln(w, "\nEngines (--engine)")
	for _, e := range c.Engines {
		fmt.Fprintf(w, "  %s\t%s\n", e.Name, e.Title)
		if len(e.Aliases) > 0 {
			fmt.Fprintf(w, "\talso called: %s\n", strings.Join(e.Aliases, ", "))
		}
		fmt.Fprintf(w, "\ttypes: %s\n", strings.Join(c.TypesOf(e), ", "))
	}
	fmt.Fprintln(w, "\nAnswers that bring files of their own")
	for _, f := range c.Features() {
		fmt.Fprintf(w, "  %s=%s\t%s\n", f.Question, f.Answer, f.Engine)
	}
	fmt.Fprintln(w, "\nQuestions (--set KEY=VALUE)")
	for _, q := range c.Questions() {
		fmt.Fprintf(w, "  %s\t%s: %s\n", q.Key, q.Prompt, q.Help)
		if q.Why != "" {
			fmt.Fprintf(w, "\t%s\n", q.Why)
		}
		for _, ch := range q.Choices {
			fmt.Fprintf(w, "\t- %s\n", describe(ch))
		}
		fmt.Fprintf(w, "\tdefault: %s\n", defaultText(q))
		if only := appliesText(c, q); only != "" {
			fmt.Fprintf(w, "\tonly for %s\n", only)
		}
	}
	_ = w.Flush() // a bytes.Buffer takes everything
	return trimLines(b.Bytes())
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
	case q.Default == "":
		return "empty"
	}
	return q.Default
}

// appliesText is empty for a question that every project is asked.
func appliesText(c *generator.Catalog, q generator.Question) string {
	var parts []string
	types, engines := c.AppliesTo(q)
	if len(types) > 0 {
		parts = append(parts, "type "+strings.Join(types, ", "))
	}
	if len(engines) > 0 {
		parts = append(parts, "engine "+strings.Join(engines, ", "))
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
