package generator

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Question is one thing that a project depends on. Each stands once, here or in the manifest of the feature or layer that it belongs to, and
// feeds the prompts, the flags, the answers file and the documentation.
type Question struct {
	Key     string // as in --set KEY=VALUE and in an answers file
	Prompt  string // what a person is asked
	Help    string // one line on what is accepted, also the help of its flag
	Why     string // one line for a prompt: what the answer changes and what most people choose; Help takes its place when empty
	Default string // {key} stands for the answer to an earlier question; empty: must be answered, unless Optional
	Choices []Choice
	// Pattern is a regular expression that every answer but the empty one matches; what it lets through may still be refused.
	Pattern string
	// Optional allows the empty answer, which leaves the value to AWS or to a Terraform variable.
	Optional bool
	// First makes the first choice that applies the default.
	First bool
	// List makes the answer a list, comma-separated.
	List bool
	// Flag gives the question a flag of its own, named after its key.
	Flag bool
	// Argument makes the question the command's argument, in upper case.
	Argument bool
	// Silent keeps the question out of the prompts.
	Silent bool
	// Layer is the folder of the layer whose manifest asks; the question applies only with it. Empty for the built-in questions.
	Layer string

	validate func(value string, so *Resolution) error
}

// Choice is one of the answers that a question takes.
type Choice struct {
	Value   string
	Help    string
	Aliases []string // other accepted names; what is recorded is Value
	Key     string   // a secret that has this key has this answer; may be empty
}

// chosen reports whether the question's choices are those of the template tree.
func (q *Question) chosen() bool {
	return q.Key == "type" || q.Key == modeKey || slices.Contains(TargetKinds(), q.Key)
}

// Required reports whether the question must be answered: it has no default and may not be empty.
func (q *Question) Required() bool { return q.Default == "" && !q.Optional && !q.First }

// Cure says how the command line answers the question.
func (q *Question) Cure() string {
	switch {
	case q.Argument:
		return strings.ToUpper(q.Key)
	case q.Flag:
		return "--" + q.Key
	}
	return "--set " + q.Key + "=..."
}

// Validate checks one answer beside those to earlier questions, nil for none, and returns it as it is to be recorded.
func (q *Question) Validate(value string, so *Resolution) (string, error) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", advise("leave out what cannot be seen, such as line breaks and tabs", "%s %q has characters that cannot be printed", q.Key, value)
	}
	if value == "" {
		if q.Optional {
			return "", nil
		}
		if q.Choices != nil {
			return "", advise(suggest("", q.names()), "%s is empty", q.Key)
		}
		return "", advise(q.Help, "%s is empty", q.Key)
	}
	if q.Choices != nil {
		return q.choose(value)
	}
	if q.List {
		value = strings.Join(SplitList(value), ",")
	}
	if q.validate != nil {
		if err := q.validate(value, so); err != nil {
			return "", err
		}
	}
	return value, nil
}

func (q *Question) choose(value string) (string, error) {
	for _, c := range q.Choices {
		if value == c.Value || slices.Contains(c.Aliases, value) {
			return c.Value, nil
		}
	}
	return "", advise(suggest(value, q.names()), "unknown %s %q", q.Key, value)
}

// names returns every accepted answer, aliases last.
func (q *Question) names() []string {
	var values, aliases []string
	for _, c := range q.Choices {
		values = append(values, c.Value)
		aliases = append(aliases, c.Aliases...)
	}
	return append(values, aliases...)
}

// defaultAmong returns the default with the answers that it refers to.
func (q *Question) defaultAmong(so *Resolution) string {
	before, rest, found := strings.Cut(q.Default, "{")
	if !found {
		return q.Default
	}
	key, after, _ := strings.Cut(rest, "}")
	if so.Get(key) == "" {
		return ""
	}
	return before + so.Get(key) + after
}

// SplitList splits a comma-separated answer; spaces around an item do not count, nor do empty items.
func SplitList(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
