package generator

import (
	"fmt"
	"slices"
	"strings"
)

// Resolution is what answers come to: one walk over the questions, in which each answer decides which questions follow and what their
// defaults are. It is the value between answers and a Spec: a conversation asks it what is next, a refusal what is wrong.
type Resolution struct {
	catalog  *Catalog
	answers  Answers
	resolved []Resolved
	values   map[string]string
	used     map[string]bool // keys of answers that a question took
	faults   []*Fault        // wrong answers
	missing  []*Fault        // required answers that were not given
	parsed   struct {        // the last schedule that was looked at
		text     string
		schedule *Schedule
		err      error
	}
}

// Resolved is the answer to one question that applies, given or by default, as it is recorded.
type Resolved struct {
	Question  Question
	Value     string
	IsDefault bool   // it is what the question has for an answer if none is given
	Given     bool   // it was given all the same, or is another
	At        string // where it was given, as of an Answer
	comments  *comments
}

// Resolve walks through the questions with the answers given so far.
func (c *Catalog) Resolve(answers Answers) *Resolution {
	r := &Resolution{catalog: c, answers: answers, values: make(map[string]string), used: make(map[string]bool)}
	for _, q := range c.Questions {
		answer, given := answers[q.Key]
		if !r.applies(q, given) {
			continue
		}
		if !given && q.Key == "type" {
			answer.Value, given = r.impliedType()
		}
		if given {
			r.take(q, answer)
		} else {
			r.leave(q)
		}
	}
	r.faults = append(r.faults, r.stray()...)
	return r
}

// take resolves a question by its answer.
func (r *Resolution) take(q Question, answer Answer) {
	r.used[q.Key] = true
	if answer.fault != nil {
		r.faults = append(r.faults, answer.fault)
		return
	}
	if answer.isList && !q.List {
		r.faults = append(r.faults, answer.wrong(answer.value, fmt.Sprintf("%q takes one answer and no list", q.Key),
			"write "+q.Key+": "+slices.Concat(SplitList(answer.Value), []string{"ANSWER"})[0]))
		return
	}
	value, err := r.accept(q, answer.Value)
	if err != nil {
		if msg, hint, ok := r.catalog.renounced(q.Key, answer); ok {
			err = advise(hint, "%s", msg)
		}
		r.faults = append(r.faults, answer.wrong(answer.value, err.Error(), hintOf(err)))
		return
	}
	r.values[q.Key] = value
	r.resolved = append(r.resolved, Resolved{q, value, value == r.defaultOf(q), true, answer.At, answer.comments})
}

// leave resolves a question that is not answered by its default.
func (r *Resolution) leave(q Question) {
	value := r.defaultOf(q)
	if value == "" && q.Required() {
		hint := "give " + q.Cure()
		if names := r.fittingNames(q); len(names) > 0 {
			hint += ", one of: " + strings.Join(names, ", ")
		}
		r.missing = append(r.missing, &Fault{Msg: fmt.Sprintf("no answer to %q (%s)", q.Key, q.Help), Hint: hint})
	}
	r.values[q.Key] = value
	r.resolved = append(r.resolved, Resolved{Question: q, Value: value, IsDefault: true})
}

// Get returns the answer to a question by its key, given or by default; empty if there is none so far.
func (r *Resolution) Get(key string) string {
	if r == nil {
		return ""
	}
	return r.values[key]
}

// Schedule returns when the secret is rotated.
func (r *Resolution) Schedule() (*Schedule, error) { return r.parseSchedule(r.Get("schedule")) }

// parseSchedule reads a schedule once, however many ask for it.
func (r *Resolution) parseSchedule(text string) (*Schedule, error) {
	if r == nil {
		return ParseSchedule(text)
	}
	if p := &r.parsed; p.text != text {
		p.text = text
		p.schedule, p.err = ParseSchedule(text)
	}
	return r.parsed.schedule, r.parsed.err
}

// With returns what the answers come to with another answer to one question.
func (r *Resolution) With(key, value string) *Resolution {
	return r.catalog.Resolve(Answers{key: {Value: value}}.Over(r.answers))
}

// Err says what is wrong with the answers given so far; what is still open is no fault. It joins one *Fault for each.
func (r *Resolution) Err() error { return joinFaults(r.faults) }

// Next returns the next question that applies and has no answer, with the choices that the answers leave. It passes over questions that
// can only have one answer.
func (r *Resolution) Next() (q Question, ok bool) {
	for _, res := range r.resolved {
		q := r.fitting(res.Question)
		if _, given := r.answers[q.Key]; !given && !q.Silent && (len(q.Choices) != 1 || res.Value == "") {
			return q, true
		}
	}
	return Question{}, false
}

// Unanswered returns the next question that applies and has neither an answer nor a default, with the choices that the answers leave.
func (r *Resolution) Unanswered() (q Question, ok bool) {
	for _, res := range r.resolved {
		if _, given := r.answers[res.Question.Key]; !given && res.Value == "" && res.Question.Required() {
			return r.fitting(res.Question), true
		}
	}
	return Question{}, false
}

// Default returns the answer that a question would have beside the others if it were not answered.
func (r *Resolution) Default(key string) string { return r.defaultOf(r.catalog.question(key)) }

// Askable returns the questions that apply, or may apply once there are more answers, each with the choices that the answers leave.
func (r *Resolution) Askable() []Question {
	var questions []Question
	for _, q := range r.catalog.Questions {
		if r.chosenType() == nil || r.applies(q, false) || r.mayApply(q.Key) {
			questions = append(questions, r.fitting(q))
		}
	}
	return questions
}

// IsDefault reports whether a question that applies has its default for an answer.
func (r *Resolution) IsDefault(key string) bool {
	at := slices.IndexFunc(r.resolved, func(res Resolved) bool { return res.Question.Key == key })
	return at >= 0 && r.resolved[at].IsDefault
}

// Accepts reports whether value answers a question beside the other answers, for a prompt that asks again. Its error is a *Fault.
func (r *Resolution) Accepts(q Question, value string) error {
	if _, err := r.accept(q, value); err != nil {
		return &Fault{Msg: err.Error(), Hint: hintOf(err)}
	}
	return nil
}

// Managed says how Secrets Manager rotates the target of the answers by itself, without a function; empty if it does not.
func (r *Resolution) Managed() string {
	if t := r.target(); t != nil {
		return t.Managed
	}
	return ""
}

// Spec returns the project that the answers describe. Its error joins one *Fault for each thing that is wrong or missing.
func (r *Resolution) Spec() (*Spec, error) {
	if faults := slices.Concat(r.faults, r.missing); len(faults) > 0 {
		return nil, joinFaults(faults)
	}
	schedule, err := r.Schedule()
	if err != nil {
		return nil, err
	}
	s := &Spec{
		Name:     r.Get("name"),
		Module:   r.Get("module"),
		Type:     *r.chosenType(),
		Target:   *r.target(),
		Strategy: r.strategy(),
		Schedule: schedule,
		Keep:     SplitList(r.Get("keep")),
		Resolved: r.resolved,
	}
	s.Layers = r.catalog.layers(s)
	return s, nil
}

// Bill returns what the project of the answers costs a month. assume replaces what is assumed otherwise.
func (r *Resolution) Bill(assume map[string]float64) (*Bill, error) {
	s, err := r.Spec()
	if err != nil {
		return nil, err
	}
	return r.catalog.bill(s, assume)
}

// chosenType returns nil as long as there is none.
func (r *Resolution) chosenType() *Type { return r.catalog.typeNamed(r.Get("type")) }

// target returns the target that the answers name, nil if they name none; aliases are resolved before.
func (r *Resolution) target() *Target {
	for i := range r.catalog.Targets {
		if t := &r.catalog.Targets[i]; t.Name == r.Get(t.Kind) {
			return t
		}
	}
	return nil
}

// strategy returns the folder of the strategy that the answers choose, empty if they choose none.
func (r *Resolution) strategy() string {
	t := r.chosenType()
	if t == nil {
		return ""
	}
	for _, m := range t.Modes {
		if m.Name == r.Get(modeKey) {
			return m.Strategy
		}
	}
	return ""
}

// applies reports whether a question is asked, given the answers to those before it.
func (r *Resolution) applies(q Question, given bool) bool {
	t := r.chosenType()
	switch {
	case q.Layer != "":
		return slices.Contains(r.asking(), q.Layer)
	case q.Key == modeKey:
		return t != nil && t.Modes[0].Name != ""
	case slices.Contains(TargetKinds(), q.Key):
		return t == nil && given || t != nil && t.Kind == q.Key
	}
	return true
}

// asking returns the folders whose manifests ask, given the answers to type, target and mode.
func (r *Resolution) asking() []string {
	var layers []string
	if s := r.strategy(); s != "" {
		layers, _ = r.catalog.strategyLayers(s, nil)
	}
	if t := r.target(); t != nil {
		layers = append(layers, t.folder())
	}
	return layers
}

// impliedType returns the only type that asks for the targets which were given.
func (r *Resolution) impliedType() (string, bool) {
	var fitting []string
	for _, t := range r.catalog.Types {
		if answer, given := r.answers[t.Kind]; given && !answer.shared {
			fitting = append(fitting, t.Name)
		}
	}
	if len(fitting) != 1 {
		return "", false
	}
	return fitting[0], true
}

// defaultOf returns the default of a question among the answers to those before it.
func (r *Resolution) defaultOf(q Question) string {
	if q.First {
		return slices.Concat(r.fittingNames(q), []string{""})[0]
	}
	if s := r.strategy(); s != "" {
		q.Default = r.catalog.strategyDefault(q, s)
	}
	return q.defaultAmong(r)
}

// fitting leaves of a question's choices the targets that know the chosen type, and the modes that the chosen target knows.
func (r *Resolution) fitting(q Question) Question {
	t := r.chosenType()
	if t == nil || !q.chosen() || q.Key == "type" {
		return q
	}
	names := r.catalog.TargetsOf(*t)
	if q.Key == modeKey {
		names = r.catalog.modesOf(*t, r.target())
	}
	q.Choices = slices.DeleteFunc(slices.Clone(q.Choices), func(choice Choice) bool { return !slices.Contains(names, choice.Value) })
	return q
}

func (r *Resolution) fittingNames(q Question) []string {
	var names []string
	for _, choice := range r.fitting(q).Choices {
		names = append(names, choice.Value)
	}
	return names
}

// accept returns an answer as it is to be recorded.
func (r *Resolution) accept(q Question, value string) (string, error) {
	value, err := q.Validate(value, r)
	if err != nil {
		return "", err
	}
	if names := r.fittingNames(q); q.Choices != nil && !slices.Contains(names, value) {
		lacks := "has no " + r.Get("type")
		if t := r.target(); q.Key == modeKey && t != nil {
			lacks = "is not for " + t.Kind + " " + t.Name
		}
		return "", advise(suggestAll(names), "%s %q %s", q.Key, value, lacks)
	}
	return value, nil
}

func suggestAll(names []string) string {
	if len(names) == 0 {
		return "choose another type"
	}
	return "one of: " + strings.Join(names, ", ")
}

// secretKey matches keys whose values must not be written down.
var secretKey = regexpOnce(`(?i)passw|passphrase|token|credential|private_?key|api_?key`)

// stray reports answers that no question took, in the order of their keys.
func (r *Resolution) stray() []*Fault {
	known := make(map[string]bool)
	for _, q := range r.catalog.Questions {
		known[q.Key] = true
	}
	var faults []*Fault
	for _, key := range sortedKeys(r.answers) {
		answer := r.answers[key]
		msg, hint, retired := "", "", false
		if !known[key] {
			msg, hint, retired = r.catalog.renounced(key, answer)
		}
		switch {
		case r.used[key]:
		case retired:
			faults = append(faults, answer.wrong(answer.key, msg, hint))
		case !known[key] && secretKey(key) != nil:
			faults = append(faults, answer.wrong(answer.key, fmt.Sprintf("%q is no question, and no answer is a secret", key),
				"take it out: answers are kept with the code, a secret's value in Secrets Manager alone"))
		case !known[key]:
			faults = append(faults, answer.wrong(answer.key, fmt.Sprintf("unknown question %q", key), suggest(key, sortedKeys(known))))
		case answer.fault != nil:
			faults = append(faults, answer.fault)
		case r.chosenType() != nil && !r.mayApply(key) && !answer.shared:
			faults = append(faults, answer.wrong(answer.key, fmt.Sprintf("%q is not asked for type %s", key, r.chosenWords()), "leave it out"))
		}
	}
	return faults
}

// mayApply reports whether a question that does not apply so far still may once the target is known.
func (r *Resolution) mayApply(key string) bool {
	t, layer := r.chosenType(), r.catalog.question(key).Layer
	switch {
	case layer == "" || r.target() != nil:
		return false
	case !strings.HasPrefix(layer, "strategies/"):
		return slices.ContainsFunc(r.catalog.Targets, func(target Target) bool { return target.folder() == layer && target.Kind == t.Kind })
	}
	return slices.ContainsFunc(t.Modes, func(m Mode) bool {
		layers, _ := r.catalog.strategyLayers(m.Strategy, nil) // Open has checked it
		return slices.Contains(layers, layer)
	})
}

// chosenWords names the type and, when it is known, the target.
func (r *Resolution) chosenWords() string {
	if t := r.target(); t != nil {
		return r.Get("type") + " and " + t.Kind + " " + t.Name
	}
	return r.Get("type")
}
