package cmd

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/project"
)

// newOptions is what `rotasmith new` was told.
type newOptions struct {
	name      []string // at most one
	flags     generator.Answers
	sets      []string
	files     []string          // with answers, the later over the earlier
	shared    generator.Answers // of the files that are for every project
	secret    string
	facts     generator.Answers // what the secret says
	dir       string
	dirSet    bool
	secretSet bool
	noInput   bool
	plain     bool
	dryRun    bool
	json      bool
}

func (a *app) newCommand() *cobra.Command {
	o := &newOptions{flags: make(generator.Answers)}
	c := &cobra.Command{
		Use:   "new [NAME]",
		Short: "Write a new rotator project",
		Long: "new asks what it was not told and writes a complete project to ./NAME, or to --dir.\n" +
			"A flag or --set wins over --answers, and a later --answers over an earlier one. Below them come the files that ROTASMITH_ANSWERS\n" +
			"lists, the nearest .rotasmith.yaml in the working folder or above it, what --from-secret finds, and the defaults. --dry-run says\n" +
			"where each answer comes from.\n\n" +
			"The folder may hold other files, as a fresh clone does: what is written to README.md, .gitignore and .gitattributes goes below what\n" +
			"is there. Where any other file is in the way it is named, and nothing is written.\n\n" +
			"--from-secret is the only thing here that talks to AWS: it reads the secret's description, schedule, key and replicas, the names\n" +
			"of its keys and its engine. No value is printed or kept.",
		Example: "  rotasmith new orders-db",
		Args:    atMost(1),
	}
	texts := make(map[string]*string)
	for _, q := range generator.BaseQuestions() {
		if q.Flag {
			texts[q.Key] = c.Flags().String(q.Key, "", q.Help)
		}
	}
	c.Flags().StringArrayVar(&o.sets, "set", nil, "answer to any question of rotasmith catalog, as `KEY=VALUE`; repeatable")
	c.Flags().StringArrayVar(&o.files, "answers", nil, "YAML or JSON `file` with answers, - for stdin; repeatable, and the later wins")
	c.Flags().StringVar(&o.secret, "from-secret", "", "name or ARN of a secret in AWS whose description and key names answer what they can")
	c.Flags().StringVar(&o.dir, "dir", "", "folder to write to, ./NAME if not given")
	c.Flags().BoolVar(&o.noInput, "no-input", false, "never ask; what is not answered and has no default is an error")
	c.Flags().BoolVar(&o.plain, "accessible", false, "ask line by line with numbered choices, for a screen reader")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print every file, its source and its size, and each answer and where it comes from; write nothing")
	c.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o.name = args
		for key, text := range texts {
			if cmd.Flags().Changed(key) {
				o.flags[key] = generator.Answer{Value: *text, At: "--" + key}
			}
		}
		o.dirSet = cmd.Flags().Changed("dir")
		o.secretSet = cmd.Flags().Changed("from-secret")
		return a.runNew(cmd.Context(), o)
	}
	a.completeNew(c, texts)
	return c
}

func (a *app) runNew(ctx context.Context, o *newOptions) error {
	catalog, err := a.open()
	if err != nil {
		return err
	}
	answers, err := a.collect(ctx, o)
	if err != nil {
		return err
	}
	if o.secretSet {
		if o.facts, err = a.readSecret(ctx, catalog, o.secret); err != nil {
			return err
		}
		a.tellFacts(o, catalog, answers)
	}
	result, err := a.project(ctx, o, catalog, answers)
	if err != nil {
		return err
	}
	r := o.report(result)
	joined, err := project.Joined(r.Dir, r.Files)
	if err == nil && len(joined) > 0 {
		fmt.Fprintf(a.Err, "rotasmith: note: what rotasmith writes to %s goes below what is there\n", strings.Join(joined, " and "))
	}
	if err == nil && !o.dryRun {
		err = project.Write(ctx, r.Dir, r.Files)
	}
	if err != nil {
		return cannotWrite(r.Dir, err)
	}
	return a.printNew(o, r)
}

// project returns the project that is to be written, after a conversation where there is a person to have one with.
func (a *app) project(ctx context.Context, o *newOptions, catalog *generator.Catalog, answers generator.Answers) (*generator.Result, error) {
	renderer := a.renderer(catalog)
	if t, ok := a.prompter.(*surveyTerminal); ok && o.plain {
		a.prompter = t.plain()
	}
	if a.prompter != nil && !o.noInput && !slices.Contains(o.files, "-") {
		return a.converse(ctx, o, renderer, catalog, answers)
	}
	so := catalog.Resolve(catalog.Fill(answers, o.facts))
	if managed := so.Managed(); managed != "" {
		fmt.Fprintf(a.Err, "rotasmith: note: %s\n", managed)
	}
	return o.render(renderer, so)
}

// render makes the project for its folder: a file that stands there already is not only rotasmith's, and so belongs to the user.
func (o *newOptions) render(renderer *generator.Renderer, so *generator.Resolution) (*generator.Result, error) {
	result, err := renderer.Render(so)
	if err != nil {
		return nil, err
	}
	dir := o.target(result.Spec.Name)
	joined, err := project.Joined(dir, result.Files)
	if err != nil {
		return nil, cannotWrite(dir, err)
	}
	keep := slices.Clone(result.Spec.Keep)
	for _, file := range joined {
		if !result.Spec.Keeps(file) {
			keep = append(keep, file)
		}
	}
	if len(keep) == len(result.Spec.Keep) {
		return result, nil
	}
	return renderer.Render(so.With("keep", strings.Join(keep, ",")))
}

// target returns the folder to write to.
func (o *newOptions) target(name string) string {
	if o.dirSet {
		return o.dir
	}
	return name
}

// collect returns the answers that were given without a prompt, the highest precedence on top.
func (a *app) collect(ctx context.Context, o *newOptions) (generator.Answers, error) {
	if o.dirSet && o.dir == "" {
		return nil, usagef("name the folder to write to", "--dir is empty")
	}
	answers := maps.Clone(o.flags)
	if len(o.name) == 1 {
		answers["name"] = generator.Answer{Value: o.name[0]}
	}
	set, err := parseSets(o.sets)
	if err != nil {
		return nil, err
	}
	for key, answer := range set {
		if other, ok := answers[key]; ok && other.Value != answer.Value {
			return nil, usagef("keep one of them", "%s %q and --set %s=%s contradict each other", cmp.Or(other.At, argument), other.Value, key, answer.Value)
		}
	}
	answers = answers.Over(set)
	if o.shared, err = a.sharedAnswers(ctx); err != nil {
		return nil, err
	}
	files, err := a.readLayers(ctx, o.files)
	if err != nil {
		return nil, err
	}
	answers = answers.Over(files).Over(o.shared)
	if _, ok := answers["name"]; !ok && o.dirSet {
		abs, err := filepath.Abs(o.dir)
		if err != nil {
			return nil, err
		}
		answers["name"] = generator.Answer{Value: filepath.Base(abs), At: "--dir"}
	}
	return answers, nil
}

// argument is where a name stands that is the command's argument.
const argument = "NAME"

func parseSets(sets []string) (generator.Answers, error) {
	answers := make(generator.Answers, len(sets))
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok || key == "" {
			return nil, usagef("write --set KEY=VALUE", "--set %q is not KEY=VALUE", set)
		}
		if _, twice := answers[key]; twice {
			return nil, usagef("keep one of them", "--set %s is given twice", key)
		}
		answers[key] = generator.Answer{Value: value, At: "--set " + key}
	}
	return answers, nil
}

// report returns what is told of a project.
func (o *newOptions) report(result *generator.Result) *report {
	commandDir := ""
	if o.dirSet {
		commandDir = o.dir
	}
	dir := o.target(result.Spec.Name)
	return &report{
		Name: result.Spec.Name, Dir: dir, DryRun: o.dryRun,
		Command: result.Spec.Command(commandDir, slices.Collect(maps.Keys(o.shared))...),
		Next:    []string{"cd " + generator.ShellQuote(dir), "make test", "make package"},
		Files:   result.Files,
		Answers: result.Spec.Resolved,
		Cost:    result.Bill.Total(),
	}
}

// printNew prints what was made and what to do next.
func (a *app) printNew(o *newOptions, r *report) error {
	switch {
	case o.json:
		return a.print(r.json())
	case o.dryRun:
		return a.show(r.plan())
	default:
		return a.show(r.summary(columns(a.Out)))
	}
}
