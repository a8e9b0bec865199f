package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rotasmith/rotasmith/generator"
)

// completeNew adds what depends on the template tree, read only when it is asked for: the choices in the help, and shell completion.
func (a *app) completeNew(c *cobra.Command, flags map[string]*string) {
	c.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if catalog, err := a.open(); err == nil {
			for i, t := range catalog.Types {
				targets := catalog.TargetsOf(t)
				if i == 0 {
					c.Example += fmt.Sprintf("\n  rotasmith new orders-db --type %s --%s %s --set schedule=7d --dry-run --no-input", t.Name, t.Kind, targets[0])
				}
				c.Example += fmt.Sprintf("\n  rotasmith new my-%s --type %s --%s %s --no-input", t.Name, t.Name, t.Kind, targets[0])
			}
			for key := range flags {
				if names := choices(named(catalog.Questions, key)); len(names) > 0 {
					c.Flags().Lookup(key).Usage += ": " + strings.Join(names, ", ")
				}
			}
		}
		a.explain(cmd, args)
	})
	complete := func(list func(questions []generator.Question, word string) []string, more cobra.ShellCompDirective) cobra.CompletionFunc {
		return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			catalog, err := a.open()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return list(catalog.Questions, word), cobra.ShellCompDirectiveNoFileComp | more
		}
	}
	errs := []error{
		c.MarkFlagDirname("dir"),
		c.MarkFlagFilename("answers", "yaml", "yml", "json"),
		c.RegisterFlagCompletionFunc("set", a.completeSets),
	}
	for key := range flags {
		errs = append(errs, c.RegisterFlagCompletionFunc(key, complete(func(questions []generator.Question, _ string) []string {
			return choices(named(questions, key))
		}, 0)))
	}
	if err := errors.Join(errs...); err != nil {
		panic(err) // only for a flag that this file does not define
	}
	c.ValidArgsFunction = cobra.NoFileCompletions
}

// completeSets completes --set with what applies beside the other flags and is not answered by them.
func (a *app) completeSets(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	catalog, err := a.open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	sets, _ := c.Flags().GetStringArray("set")
	given := make(generator.Answers)
	for _, set := range sets {
		answer, _ := parseSets([]string{set}) // one that is still typed is none
		given = answer.Over(given)
	}
	c.Flags().Visit(func(f *pflag.Flag) {
		if named(catalog.Questions, f.Name).Flag {
			given[f.Name] = generator.Answer{Value: f.Value.String()}
		}
	})
	questions := slices.DeleteFunc(catalog.Resolve(given).Askable(), func(q generator.Question) bool {
		_, answered := given[q.Key]
		return answered
	})
	return completeSet(questions, word), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeSet completes KEY=VALUE: first the key, then its choices or its default.
func completeSet(questions []generator.Question, word string) []string {
	var words []string
	for _, q := range questions {
		key := q.Key + "="
		switch {
		case !strings.HasPrefix(word, key):
			words = append(words, key)
		case q.Choices != nil:
			for _, c := range q.Choices {
				words = append(words, cobra.CompletionWithDesc(key+c.Value, c.Help))
			}
		case q.Default != "" && !strings.Contains(q.Default, "{"):
			words = append(words, cobra.CompletionWithDesc(key+q.Default, q.Help))
		}
	}
	return words
}

func choices(q generator.Question) []string {
	var values []string
	for _, c := range q.Choices {
		values = append(values, c.Value)
	}
	return values
}
