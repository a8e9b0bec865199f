package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
)

// newOptions is what `rotasmith new` was told.
type newOptions struct {
	name      []string // at most one
	flags     generator.Answers
	sets      []string
	answers   string
	secret    string
	facts     generator.Answers // what the secret says
	dir       string
	dirSet    bool
	secretSet bool
	fileSet   bool
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
			"A flag wins over --set, --set over the answers file, that over what --from-secret finds, and that over the defaults.\n\n" +
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
	c.Flags().StringVar(&o.answers, "answers", "", "YAML or JSON `file` with answers, - for stdin")
	c.Flags().StringVar(&o.secret, "from-secret", "", "name or ARN of a secret in AWS whose description and key names answer what they can")
	c.Flags().StringVar(&o.dir, "dir", "", "folder to write to, ./NAME if not given")
	c.Flags().BoolVar(&o.noInput, "no-input", false, "never ask; what is not answered and has no default is an error")
	c.Flags().BoolVar(&o.plain, "accessible", false, "ask line by line with numbered choices, for a screen reader")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print every file, its source and its size, and write nothing")
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
		o.fileSet = cmd.Flags().Changed("answers")
		return a.runNew(cmd.Context(), o)
	}
	a.completeNew(c, texts)
	return c
}

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
				if names := choices(named(catalog.Questions(), key)); len(names) > 0 {
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
			return list(catalog.Questions(), word), cobra.ShellCompDirectiveNoFileComp | more
		}
	}
	errs := []error{
		c.MarkFlagDirname("dir"),
		c.MarkFlagFilename("answers", "yaml", "yml", "json"),
		c.RegisterFlagCompletionFunc("set", complete(completeSet, cobra.ShellCompDirectiveNoSpace)),
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

func (a *app) runNew(ctx context.Context, o *newOptions) error {
	catalog, err := a.open()
	if err != nil {
		return err
	}
	answers, err := a.given(ctx, o)
	if err != nil {
		return err
	}
	if o.secretSet {
		if o.facts, err = a.readSecret(ctx, catalog, o.secret); err != nil {
			return err
		}
		a.tellFacts(o, catalog.Fill(answers, o.facts), answers)
	}
	if t, ok := a.prompter.(*surveyTerminal); ok && o.plain {
		a.prompter = t.plain()
	}
	if a.prompter != nil && !o.noInput && o.answers != "-" {
		if err := a.ask(ctx, o, catalog, answers); err != nil {
			return err
		}
	} else if managed := catalog.Managed(answers); managed != "" {
		fmt.Fprintf(a.Err, "rotasmith: note: %s\n", managed)
	}
	result, err := catalog.Generate(catalog.Fill(answers, o.facts))
	if err != nil {
		return err
	}
	r, err := o.report(catalog, result)
	if err != nil {
		return err
	}
	if o.dryRun {
		_, err = generator.CheckTarget(r.Dir)
	} else {
		err = generator.Write(ctx, r.Dir, r.Files)
	}
	if err != nil {
		return cannotWrite(r.Dir, err)
	}
	return a.printNew(o, r)
}

// target returns the folder to write to.
func (o *newOptions) target(name string) string {
	if o.dirSet {
		return o.dir
	}
	return name
}

// given collects the answers that were given without a prompt, the highest precedence on top.
func (a *app) given(ctx context.Context, o *newOptions) (generator.Answers, error) {
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
	answers = answers.Over(set)
	if o.fileSet {
		file, err := a.readAnswers(ctx, o.answers)
		if err != nil {
			return nil, err
		}
		answers = answers.Over(file)
	}
	if _, ok := answers["name"]; !ok && o.dirSet {
		abs, err := filepath.Abs(o.dir)
		if err != nil {
			return nil, err
		}
		answers["name"] = generator.Answer{Value: filepath.Base(abs), At: "--dir"}
	}
	return answers, nil
}

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

// stdinPatience is how long answers may take to come from stdin before it is said that they are waited for.
const stdinPatience = time.Second

// maxAnswers bounds what is read as an answers file, in bytes.
const maxAnswers = 1 << 20

func (a *app) readAnswers(ctx context.Context, file string) (generator.Answers, error) {
	const hint = "name a file with --answers, or - for stdin"
	name, in := "stdin", a.In
	switch file {
	case "":
		return nil, usagef(hint, "--answers is empty")
	case "-":
		waiting := time.AfterFunc(stdinPatience, func() {
			fmt.Fprintln(a.Err, "rotasmith: note: waiting for answers on stdin, up to its end")
		})
		defer waiting.Stop()
	default:
		f, err := os.Open(file)
		if err != nil {
			return nil, &hinted{err, hint, exitUsage}
		}
		defer func() { _ = f.Close() }() // it was only read
		name, in = file, f
	}
	data, err := readAll(ctx, io.LimitReader(in, maxAnswers+1))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &hinted{err, hint, exitUsage}
	}
	if len(data) > maxAnswers {
		return nil, usagef("it should hold one line a question", "%s: longer than %d bytes", name, maxAnswers)
	}
	return generator.ParseAnswers(name, data)
}

// readAll reads until the end or until ctx is done: stdin may be a pipe that nobody closes.
func readAll(ctx context.Context, in io.Reader) ([]byte, error) {
	type content struct {
		data []byte
		err  error
	}
	done := make(chan content, 1)
	go func() {
		data, err := io.ReadAll(in)
		done <- content{data, err}
	}()
	select {
	case c := <-done:
		return c.data, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// allTheSame is asked where Secrets Manager needs no function.
const allTheSame = "Write a function all the same"

// ask adds to answers what is still open. What was given is checked first, so that nobody answers nine questions for nothing.
func (a *app) ask(ctx context.Context, o *newOptions, catalog *generator.Catalog, answers generator.Answers) error {
	if err := catalog.Check(answers); err != nil {
		return err
	}
	if name, ok := answers["name"]; ok {
		if _, err := generator.CheckTarget(o.target(name.Value)); err != nil {
			return err
		}
	}
	t := &talk{a, o, catalog, answers, nil, make(map[string]string), make(map[string]bool)}
	agreed := "" // to which way without a function
	for {
		filled := catalog.Fill(answers, o.facts)
		q, def, open := catalog.Unanswered(filled)
		managed := catalog.Managed(filled)
		var err error
		switch {
		case managed != agreed && managed != "":
			a.prompter.Say("\n" + wrap(managed, a.prompter.Width()))
			err = a.agree(ctx, allTheSame, "yes goes on with the questions; no leaves everything as it was", len(t.asked) > 0)
			if err == nil {
				agreed = managed
			}
		case open:
			err = t.put(ctx, q, def, filled)
		case len(t.asked) == 0 || o.dryRun:
			return nil
		default:
			if err = a.confirm(ctx, o, catalog, filled); err == nil {
				return nil
			}
		}
		switch {
		case errors.Is(err, errBack):
			t.takeBack(t.asked[len(t.asked)-1])
		case errors.Is(err, errChange):
			err = t.change(ctx)
			if err != nil && !errors.Is(err, errBack) {
				return err
			}
		case err != nil:
			return err
		}
	}
}

// talk is what came of a conversation so far.
type talk struct {
	*app
	o       *newOptions
	catalog *generator.Catalog
	answers generator.Answers
	asked   []string          // the keys of the questions, in the order in which they were answered
	before  map[string]string // what was answered and taken back
	usual   map[string]bool   // keys that were answered by their defaults
}

// put asks a question and keeps the answer. What was answered before and does not go with it is taken back, and so is a default that would
// be another now.
func (t *talk) put(ctx context.Context, q generator.Question, def string, filled generator.Answers) error {
	fitting := slices.DeleteFunc(slices.Clone(q.Choices), func(choice generator.Choice) bool { return !t.fits(q.Key, choice.Value) })
	if len(fitting) > 0 { // else what was given contradicts itself, which the refusal of any answer says best
		q.Choices = fitting
	}
	usual := def
	if last, ok := t.before[q.Key]; ok && t.catalog.CheckAnswer(q, last, filled) == nil && t.fits(q.Key, last) {
		def = last
	}
	if len(q.Choices) == 1 { // what was given leaves no other
		t.answers[q.Key] = generator.Answer{Value: q.Choices[0].Value}
		return nil
	}
	value, err := t.prompter.Ask(ctx, ask{q, def, len(t.asked) > 0, func(answer string) error {
		if err := t.catalog.CheckAnswer(q, answer, filled); err != nil || q.Key != "name" {
			return err
		}
		if _, err := generator.CheckTarget(t.o.target(answer)); err != nil {
			return &hinted{err, "choose another name", exitUsage}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	t.asked = append(t.asked, q.Key)
	t.answers[q.Key] = generator.Answer{Value: value}
	t.usual[q.Key] = value == usual
	for _, key := range t.later(q.Key) {
		if !t.fits(key, t.answers[key].Value) || t.usual[key] && !t.catalog.IsDefault(key, t.answers) {
			t.takeBack(key)
		}
	}
	return nil
}

// fits reports whether an answer goes with those that were given and with those that a person gave to earlier questions.
func (t *talk) fits(key, value string) bool {
	with := maps.Clone(t.answers)
	for _, later := range t.later(key) {
		delete(with, later)
	}
	with[key] = generator.Answer{Value: value}
	return t.catalog.Check(with) == nil
}

// later returns the keys that a person answered and that are asked after key, in order.
func (t *talk) later(key string) []string {
	var keys []string
	questions := t.catalog.Questions()
	at := slices.IndexFunc(questions, func(q generator.Question) bool { return q.Key == key })
	for _, q := range questions[at+1:] {
		if slices.Contains(t.asked, q.Key) {
			keys = append(keys, q.Key)
		}
	}
	return keys
}

// takeBack makes a question open again. What was answered is its next default, unless it was the default.
func (t *talk) takeBack(key string) {
	t.asked = slices.DeleteFunc(t.asked, func(asked string) bool { return asked == key })
	delete(t.before, key)
	if !t.usual[key] {
		t.before[key] = t.answers[key].Value
	}
	delete(t.answers, key)
}

// change asks which answer is to be given anew.
func (t *talk) change(ctx context.Context) error {
	q := generator.Question{Key: "answer", Prompt: "Which answer", Help: "the question is put again; the other answers stay where they still apply"}
	for _, asked := range t.catalog.Questions() {
		if slices.Contains(t.asked, asked.Key) {
			q.Choices = append(q.Choices, generator.Choice{Value: asked.Key, Help: cmp.Or(t.answers[asked.Key].Value, "empty")})
		}
	}
	key, err := t.choose(ctx, q, true)
	if err == nil {
		t.takeBack(key)
	}
	return err
}

// confirm shows what would be written and returns nil when that is wanted.
func (a *app) confirm(ctx context.Context, o *newOptions, catalog *generator.Catalog, answers generator.Answers) error {
	result, err := catalog.Generate(answers)
	if err != nil {
		return err
	}
	r, err := o.report(catalog, result)
	if err != nil {
		return err
	}
	a.prompter.Say(string(r.preview(result.Spec.Type.Yours, a.prompter.Width())))
	return a.agree(ctx, "Write it", "yes writes these files and nothing else; no leaves everything as it was", true,
		generator.Choice{Value: changeEntry, Help: "one of the answers"})
}

// changeEntry and errChange are the wish to give another answer before anything is written.
const changeEntry = "change"

var errChange = errors.New(changeEntry)

// agree returns nil if the answer is yes.
func (a *app) agree(ctx context.Context, prompt, help string, back bool, more ...generator.Choice) error {
	answer, err := a.choose(ctx, generator.Question{Key: "answer", Prompt: prompt, Help: help, Default: "yes",
		Choices: slices.Concat([]generator.Choice{{Value: "yes"}}, more, []generator.Choice{{Value: "no"}})}, back)
	switch {
	case err != nil:
		return err
	case answer == "no":
		return errDeclined
	case answer == changeEntry:
		return errChange
	}
	return nil
}

// choose asks a question that is none of the catalogue's.
func (a *app) choose(ctx context.Context, q generator.Question, back bool) (string, error) {
	return a.prompter.Ask(ctx, ask{q, q.Default, back, func(answer string) error {
		_, err := q.Check(answer, nil)
		return err
	}})
}

// report returns what is told of a project.
func (o *newOptions) report(catalog *generator.Catalog, result *generator.Result) (*report, error) {
	bill, err := catalog.Cost(result.Spec, nil)
	if err != nil {
		return nil, err
	}
	commandDir := ""
	if o.dirSet {
		commandDir = o.dir
	}
	dir := o.target(result.Spec.Name)
	return &report{
		Name: result.Spec.Name, Dir: dir, DryRun: o.dryRun,
		Command: result.Spec.Command(commandDir),
		Next:    []string{"cd " + generator.ShellQuote(dir), "make test", "make package"},
		Files:   result.Files,
		Answers: result.Spec.Resolved,
		Cost:    bill.Total(),
	}, nil
}

// printNew prints what was made and what to do next.
func (a *app) printNew(o *newOptions, r *report) error {
	switch {
	case o.json:
		return a.put(r.json())
	case o.dryRun:
		return a.show(r.plan())
	default:
		return a.show(r.summary(columns(a.Out)))
	}
}
