package generator

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Question is one thing that a project depends on. Each stands once, here or in the manifest of the layer that it belongs to, and
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

	check func(value string, get Lookup) error
}

// Choice is one of the answers that a question takes.
type Choice struct {
	Value   string
	Help    string
	Aliases []string // other accepted names; what is recorded is Value
	Key     string   // a secret that has this key has this answer; may be empty
}

// Lookup returns the answer to an earlier question by its key, empty if there is none.
type Lookup func(key string) string

// BaseQuestions returns the questions that every project is asked, in order. The choices of type and engine depend on the template
// tree: Catalog.Questions has them, and the questions of the layers.
func BaseQuestions() []Question {
	return []Question{
		{
			Key: "name", Prompt: "Name of the project", Help: "lower-case letters, digits and hyphens; also the folder's name",
			Why:      "lower-case letters, digits and hyphens; names folder, function and secret, and most name what the secret is for",
			Argument: true, Pattern: nameExpr, check: checkName,
		},
		{
			Key: "type", Prompt: "What to rotate", Help: "type of rotation",
			Why:  "decides what a rotation does to those who are connected; most take the one that interrupts nobody",
			Flag: true,
		},
		{
			Key: "engine", Prompt: "Database engine", Help: "database engine",
			Why:  "decides the driver, the statements and the tests; take the one that the database speaks",
			Flag: true,
		},
		{
			Key: "module", Prompt: "Go module path", Help: "Go module path of the emitted project",
			Why:     "the import path of the code: it matters only if other code imports it; most take the repository's path",
			Default: "example.com/{name}", Flag: true, check: checkModule,
		},
		{
			Key: "secret_name", Prompt: "Name of the secret", Help: "its name in Secrets Manager",
			Why:     "what applications ask Secrets Manager for; most keep the project's name",
			Default: "{name}", Pattern: secretNameExpr, check: checkSecretName,
		},
		{
			Key: "schedule", Prompt: "How often to rotate", Help: "30d, rate(12 hours) or cron(0 4 1 * ? *), in UTC",
			Why:     "how old a password may get: 30d, rate(12 hours) or cron(0 4 1 * ? *), in UTC; most take 30d",
			Default: "30d", check: checkSchedule,
		},
		{
			Key: "window", Prompt: "Length of the rotation window", Help: "whole hours such as 3h; empty leaves it to Secrets Manager",
			Why:      "the hours in which a rotation may begin, such as 3h; most leave it empty, which leaves it to Secrets Manager",
			Optional: true, check: checkWindow,
		},
		{
			Key: "region", Prompt: "AWS region", Help: "such as eu-west-1; empty leaves it to a Terraform variable",
			Why:      "where it is deployed, such as eu-west-1; most leave it empty, so that one project serves every region",
			Optional: true, Pattern: regionExpr, check: checkRegion,
		},
		{
			Key: "network", Prompt: "Where the function runs", Help: "the network that reaches the database",
			Why:     "decides whether the function gets subnets and a security group; most databases are reached only from inside their VPC",
			Default: "vpc", Choices: []Choice{
				{Value: "vpc", Help: "inside the database's VPC"},
				{Value: "public", Help: "outside any VPC"},
			},
		},
		{
			Key: "ci", Prompt: "Continuous integration", Help: "whose workflow file to write",
			Why:     "decides which workflow builds and tests every change; most take the one of the place where the code will live",
			Default: "github", Choices: []Choice{
				{Value: "github", Help: "GitHub Actions"},
				{Value: "gitlab", Help: "GitLab CI"},
				{Value: "none", Help: "no workflow"},
			},
		},
		{
			Key: "keep", Prompt: "Files that are yours to change", Help: "path patterns whose changes are reported, never a difference",
			Default:  "README.md,RUNBOOK.md,terraform/terraform.tfvars,.github/workflows/*,.gitlab-ci.yml",
			Optional: true, List: true, Silent: true, check: checkKeep,
		},
	}
}

// Required reports whether the question must be answered: it has no default and may not be empty.
func (q *Question) Required() bool { return q.Default == "" && !q.Optional }

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

// Check validates one answer and returns it as it is to be recorded.
func (q *Question) Check(value string, get Lookup) (string, error) {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return "", fmt.Errorf("%s %q has characters that cannot be printed", q.Key, value)
	}
	if value == "" {
		if q.Optional {
			return "", nil
		}
		return "", advise(q.Help, "%s is empty", q.Key)
	}
	if q.Choices != nil {
		return q.choose(value)
	}
	if q.List {
		value = strings.Join(SplitList(value), ",")
	}
	if q.check != nil {
		if err := q.check(value, get); err != nil {
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

// DefaultFor returns the default with the answers that it refers to.
func (q *Question) DefaultFor(get Lookup) string {
	before, rest, found := strings.Cut(q.Default, "{")
	if !found {
		return q.Default
	}
	key, after, _ := strings.Cut(rest, "}")
	if get(key) == "" {
		return ""
	}
	return before + get(key) + after
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
