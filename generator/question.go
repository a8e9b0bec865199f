package generator

import (
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

// modeKey is the question of how a type of rotation is done, asked where a target leaves a choice.
const modeKey = "mode"

// BaseQuestions returns the built-in questions, in order. Some have choices that depend on the template tree: Catalog.Questions has them,
// and the questions of the layers.
func BaseQuestions() []Question {
	return []Question{
		{
			Key: "name", Prompt: "Name of the project", Help: "lower-case letters, digits and hyphens; also the folder's name",
			Why:      "names the folder, the function and the secret: lower-case letters, digits and hyphens; most say what the secret is for",
			Argument: true, Pattern: nameExpr, check: checkName,
		},
		{
			Key: "type", Prompt: "What to rotate", Help: "type of rotation",
			Why:  "decides what is rotated and whom that interrupts; for a database most take the one that interrupts nobody",
			Flag: true,
		},
		{
			Key: "engine", Prompt: "Database engine", Help: "database engine",
			Why:  "decides the driver, the statements and the tests; take the one that the database speaks",
			Flag: true,
		},
		{
			Key: "provider", Prompt: "Provider of the key", Help: "whose API makes and revokes the keys",
			Why:  "decides which API makes, proves and revokes the keys; take the one that the key is for",
			Flag: true,
		},
		{
			Key: modeKey, Prompt: "How to rotate", Help: "what a rotation does to the former credential",
			Why:   "decides how long the former credential works beside the new one; most take the one that interrupts nobody",
			First: true,
		},
		{
			Key: "module", Prompt: "Go module path", Help: "Go module path of the emitted project",
			Why:     "the import path of the code, which matters only to code that imports it; most take the repository's path",
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
			Why:      "how long after its time a rotation may begin, such as 3h; most leave it empty, and Secrets Manager decides",
			Optional: true, check: checkWindow,
		},
		{
			Key: "region", Prompt: "AWS region", Help: "such as eu-west-1; empty leaves it to a Terraform variable",
			Why:      "where it is deployed, such as eu-west-1; most leave it empty, so that one project serves every region",
			Optional: true, Pattern: regionExpr, check: checkRegion,
		},
		{
			Key: "secret", Prompt: "Where the secret comes from", Help: "made here, or one that exists, by its ARN",
			Why:     "decides whether Terraform makes the secret or takes one that is in use; most have a new one made",
			Default: "create", Choices: []Choice{
				{Value: "create", Help: "made here, empty, and given its first value by make seed"},
				{Value: "existing", Help: "there already: its value, key and policy stay as they are"},
			},
		},
		{
			Key: "secrets", Prompt: "Secrets behind the function", Help: "one function may rotate many secrets of the same kind",
			Why:     "decides what Terraform's values begin with, one secret or several; most begin with one and add others at any time",
			Default: "one", Choices: []Choice{
				{Value: "one", Help: "one secret"},
				{Value: "many", Help: "many, whose rotations begin at different hours"},
			},
		},
		{
			Key: "replicas", Prompt: "Regions with a replica", Help: "such as eu-central-1,us-east-1; empty for none",
			Why:      "other regions that get a read-only copy of the secret, such as eu-central-1,us-east-1; most leave it empty",
			Optional: true, List: true, check: checkReplicas,
		},
		{
			Key: "kms", Prompt: "Key that encrypts the secret", Help: "the key of what is made here",
			Why:     "decides whose key encrypts the secret and the log; most have one made, whose policy says who may read the secret",
			Default: "create", Choices: []Choice{
				{Value: "create", Help: "a customer managed key made for it"},
				{Value: "existing", Help: "a customer managed key of yours, by its ARN"},
				{Value: "aws", Help: "the keys that AWS manages, at no cost and for this account only"},
			},
		},
		{
			Key: "network", Prompt: "Where the function runs", Help: "the network that reaches the database or the API",
			Why:     "decides whether the function gets subnets and a security group; most databases are reached only in a VPC, most APIs from anywhere",
			Default: "vpc", Choices: []Choice{
				{Value: "vpc", Help: "inside a VPC, such as the database's"},
				{Value: "public", Help: "outside any VPC"},
			},
		},
		{
			Key: "alerts", Prompt: "Alerts", Help: "who is told when a rotation fails or does not come",
			Why:     "decides whether failed and overdue rotations reach somebody; most take sns, which mail, chat and pagers subscribe to",
			Default: "sns", Choices: []Choice{
				{Value: "sns", Help: "an SNS topic, alarms and a dashboard"},
				{Value: "none", Help: "something else watches"},
			},
		},
		{
			Key: "refresh", Prompt: "Telling the applications", Help: "how applications learn that the secret has a new value",
			Why:     "decides how applications learn of a new value without waiting for their cache to age; most take sns",
			Default: "sns", Choices: []Choice{
				{Value: "sns", Help: "an SNS topic, for any number of them"},
				{Value: "sqs", Help: "an SQS queue, for one that works them off"},
				{Value: "none", Help: "they are not told, and find out for themselves"},
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
			Default:  "README.md,RUNBOOK.md,terraform/*.tfvars,.github/workflows/*,.gitlab-ci.yml",
			Optional: true, List: true, Silent: true, check: checkKeep,
		},
	}
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

// Check validates one answer and returns it as it is to be recorded.
func (q *Question) Check(value string, get Lookup) (string, error) {
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
