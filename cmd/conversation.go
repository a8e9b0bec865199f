package cmd

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/project"
)

// allTheSame is asked where Secrets Manager needs no function.
const allTheSame = "Write a function all the same"

// conversation is what came of talking with a person so far.
type conversation struct {
	*app
	o        *newOptions
	catalog  *generator.Catalog
	renderer *generator.Renderer
	answers  generator.Answers // given before and in it
	asked    []string          // the keys of the questions, in the order in which they were answered
	before   map[string]string // what was answered and taken back
	usual    map[string]bool   // keys that were answered by their defaults
	agreed   string            // the way without a function that was declined
}

// converse asks what is still open and returns the project that was agreed to. It checks the given answers first: a wrong one
// must not show after nine questions.
func (a *app) converse(
	ctx context.Context, o *newOptions, renderer *generator.Renderer, catalog *generator.Catalog, answers generator.Answers,
) (*generator.Result, error) {
	if err := catalog.Resolve(answers).Err(); err != nil {
		return nil, err
	}
	if name, ok := answers["name"]; ok {
		if _, err := project.Fillable(o.target(name.Value)); err != nil {
			return nil, err
		}
	}
	t := &conversation{
		app: a, o: o, catalog: catalog, renderer: renderer, answers: answers, before: make(map[string]string), usual: make(map[string]bool),
	}
	for {
		result, did, err := t.step(ctx)
		if err != nil || result != nil {
			return result, err
		}
		switch did {
		case wentBack:
			t.takeBack(t.asked[len(t.asked)-1])
		case wantsChange:
			if err := t.change(ctx); err != nil {
				return nil, err
			}
		case answered:
		}
	}
}

// step asks what is next. It returns the project when nothing is.
func (t *conversation) step(ctx context.Context) (result *generator.Result, did outcome, err error) {
	so := t.catalog.Resolve(t.catalog.Fill(t.answers, t.o.facts))
	q, open := so.Next()
	managed := so.Managed()
	switch {
	case managed != t.agreed && managed != "":
		t.prompter.Say("\n" + wrap(managed, t.prompter.Width()))
		did, err = t.agree(ctx, allTheSame, "yes goes on with the questions; no leaves everything as it was", len(t.asked) > 0)
		if err == nil && did == answered {
			t.agreed = managed
		}
		return nil, did, err
	case open:
		did, err = t.pose(ctx, q, so)
		return nil, did, err
	}
	result, err = t.o.render(t.renderer, so)
	if err != nil || len(t.asked) == 0 || t.o.dryRun {
		return result, answered, err
	}
	if did, err = t.confirm(ctx, result); did != answered || err != nil {
		result = nil
	}
	return result, did, err
}

// pose asks a question and keeps the answer. It takes back earlier answers that do not go with it, and defaults
// that it changes.
func (t *conversation) pose(ctx context.Context, q generator.Question, so *generator.Resolution) (outcome, error) {
	fitting := slices.DeleteFunc(slices.Clone(q.Choices), func(choice generator.Choice) bool { return !t.fits(q.Key, choice.Value) })
	if len(fitting) > 0 { // else what was given contradicts itself, which the refusal of any answer says best
		q.Choices = fitting
	}
	usual := so.Default(q.Key)
	def := usual
	if last, ok := t.before[q.Key]; ok && so.Accepts(q, last) == nil && t.fits(q.Key, last) {
		def = last
	}
	if len(q.Choices) == 1 { // what was given leaves no other
		t.answers[q.Key] = generator.Answer{Value: q.Choices[0].Value}
		return answered, nil
	}
	value, did, err := t.prompter.Ask(ctx, prompt{q, def, len(t.asked) > 0, func(answer string) error {
		if err := so.Accepts(q, answer); err != nil || q.Key != "name" {
			return err
		}
		if _, err := project.Fillable(t.o.target(answer)); err != nil {
			return &hinted{err, "choose another name", exitUsage}
		}
		return nil
	}})
	if did != answered || err != nil {
		return did, err
	}
	t.asked = append(t.asked, q.Key)
	t.answers[q.Key] = generator.Answer{Value: value}
	t.usual[q.Key] = value == usual
	for _, key := range t.later(q.Key) {
		if !t.fits(key, t.answers[key].Value) || t.usual[key] && !t.catalog.Resolve(t.answers).IsDefault(key) {
			t.takeBack(key)
		}
	}
	return answered, nil
}

// fits reports whether an answer goes with those that were given and with those that a person gave to earlier questions.
func (t *conversation) fits(key, value string) bool {
	with := maps.Clone(t.answers)
	for _, later := range t.later(key) {
		delete(with, later)
	}
	with[key] = generator.Answer{Value: value}
	return t.catalog.Resolve(with).Err() == nil
}

// later returns the keys that a person answered and that are asked after key, in order.
func (t *conversation) later(key string) []string {
	var keys []string
	questions := t.catalog.Questions
	at := slices.IndexFunc(questions, func(q generator.Question) bool { return q.Key == key })
	for _, q := range questions[at+1:] {
		if slices.Contains(t.asked, q.Key) {
			keys = append(keys, q.Key)
		}
	}
	return keys
}

// takeBack makes a question open again. Its answer becomes the next default, unless it was the default.
func (t *conversation) takeBack(key string) {
	t.asked = slices.DeleteFunc(t.asked, func(asked string) bool { return asked == key })
	delete(t.before, key)
	if !t.usual[key] {
		t.before[key] = t.answers[key].Value
	}
	delete(t.answers, key)
}

// change asks which answer is to be given anew.
func (t *conversation) change(ctx context.Context) error {
	q := generator.Question{Key: "answer", Prompt: "Which answer", Help: "the question is put again; the other answers stay where they still apply"}
	for _, asked := range t.catalog.Questions {
		if slices.Contains(t.asked, asked.Key) {
			q.Choices = append(q.Choices, generator.Choice{Value: asked.Key, Help: cmp.Or(t.answers[asked.Key].Value, "empty")})
		}
	}
	key, did, err := t.choose(ctx, q, true)
	if err == nil && did == answered {
		t.takeBack(key)
	}
	return err
}

// confirm shows what would be written and asks whether that is wanted.
func (t *conversation) confirm(ctx context.Context, result *generator.Result) (outcome, error) {
	t.prompter.Say(string(t.o.report(result).preview(result.Spec.Type.Yours, t.prompter.Width())))
	return t.agree(ctx, "Write it", "yes writes these files and nothing else; no leaves everything as it was", true,
		generator.Choice{Value: changeEntry, Help: "one of the answers"})
}

// changeEntry is the choice of giving another answer before anything is written.
const changeEntry = "change"

// agree asks for a yes; a no is errDeclined.
func (t *conversation) agree(ctx context.Context, text, help string, back bool, more ...generator.Choice) (outcome, error) {
	answer, did, err := t.choose(ctx, generator.Question{Key: "answer", Prompt: text, Help: help, Default: "yes",
		Choices: slices.Concat([]generator.Choice{{Value: "yes"}}, more, []generator.Choice{{Value: "no"}})}, back)
	switch {
	case err != nil || did != answered:
		return did, err
	case answer == "no":
		return answered, errDeclined
	case answer == changeEntry:
		return wantsChange, nil
	}
	return answered, nil
}

// choose asks a question that is none of the catalogue's.
func (t *conversation) choose(ctx context.Context, q generator.Question, back bool) (string, outcome, error) {
	return t.prompter.Ask(ctx, prompt{q, q.Default, back, func(answer string) error {
		_, err := q.Validate(answer, nil)
		return err
	}})
}
