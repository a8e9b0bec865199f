package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Spec is a project, fully answered and validated.
type Spec struct {
	Name     string
	Module   string
	Type     Type
	Target   Target
	Strategy string   // its folder below strategies/
	Keep     []string // patterns of paths that belong to the user
	Resolved []Resolved
	Layers   []string // the folders of the template tree that it is made of

	catalog *Catalog
}

// Resolved is the answer to one question that applies, given or by default, as it is recorded.
type Resolved struct {
	Question  Question
	Value     string
	IsDefault bool
	comments  *comments
}

// NewSpec validates answers. Its error joins one *Fault for each thing that is wrong.
func (c *Catalog) NewSpec(answers Answers) (*Spec, error) {
	r := c.resolve(answers)
	if faults := slices.Concat(r.faults, r.missing); len(faults) > 0 {
		return nil, joinFaults(faults)
	}
	s := &Spec{
		Name:     r.get("name"),
		Module:   r.get("module"),
		Type:     *c.typeNamed(r.get("type")),
		Target:   *c.target(r.get),
		Strategy: c.strategy(r.get),
		Keep:     SplitList(r.get("keep")),
		Resolved: r.resolved,
		catalog:  c,
	}
	s.Layers = c.layers(s)
	return s, nil
}

// Check reports what is wrong with the answers given so far; what is still open is no fault.
func (c *Catalog) Check(answers Answers) error { return joinFaults(c.resolve(answers).faults) }

// Unanswered returns the next question that applies and has no answer, and its default. It is how prompts walk through the questions:
// each answer decides what is asked after it. What can only have one answer is not asked.
func (c *Catalog) Unanswered(answers Answers) (q Question, def string, ok bool) {
	r := c.resolve(answers)
	for _, res := range r.resolved {
		q := c.narrow(res.Question, r.get)
		if _, given := answers[q.Key]; !given && !q.Silent && (len(q.Choices) != 1 || res.Value == "") {
			return q, res.Value, true
		}
	}
	return Question{}, "", false
}

// Managed says how Secrets Manager rotates the target of the answers by itself, without a function; empty if it does not.
func (c *Catalog) Managed(answers Answers) string {
	if t := c.target(c.resolve(answers).get); t != nil {
		return t.Managed
	}
	return ""
}

// IsDefault reports whether a question has the answer that it would have beside the others if it were not answered.
func (c *Catalog) IsDefault(key string, answers Answers) bool {
	resolved := c.resolve(answers).resolved
	at := slices.IndexFunc(resolved, func(res Resolved) bool { return res.Question.Key == key })
	return at >= 0 && resolved[at].IsDefault
}

// CheckAnswer validates one answer beside the others, for a prompt that asks again. Its error is a *Fault.
func (c *Catalog) CheckAnswer(q Question, value string, answers Answers) error {
	if _, err := c.check(q, value, c.resolve(answers).get); err != nil {
		return &Fault{Msg: err.Error(), Hint: hintOf(err)}
	}
	return nil
}

// narrow leaves the targets that know the chosen type, and the modes that the chosen target knows.
func (c *Catalog) narrow(q Question, get Lookup) Question {
	t := c.typeNamed(get("type"))
	if t == nil || !q.chosen() || q.Key == "type" {
		return q
	}
	names := c.TargetsOf(*t)
	if q.Key == modeKey {
		names = c.modesOf(*t, c.target(get))
	}
	q.Choices = slices.DeleteFunc(slices.Clone(q.Choices), func(choice Choice) bool { return !slices.Contains(names, choice.Value) })
	return q
}

func (c *Catalog) check(q Question, value string, get Lookup) (string, error) {
	value, err := q.Check(value, get)
	if err != nil {
		return "", err
	}
	if names := c.narrowNames(q, get); q.Choices != nil && !slices.Contains(names, value) {
		lacks := "has no " + get("type")
		if t := c.target(get); q.Key == modeKey && t != nil {
			lacks = "is not for " + t.Kind + " " + t.Name
		}
		return "", advise(suggestAll(names), "%s %q %s", q.Key, value, lacks)
	}
	return value, nil
}

func (c *Catalog) narrowNames(q Question, get Lookup) []string {
	var names []string
	for _, choice := range c.narrow(q, get).Choices {
		names = append(names, choice.Value)
	}
	return names
}

func suggestAll(names []string) string {
	if len(names) == 0 {
		return "choose another type"
	}
	return "one of: " + strings.Join(names, ", ")
}

// resolution is the state of one walk over the questions.
type resolution struct {
	resolved []Resolved
	values   map[string]string
	used     map[string]bool // keys of answers that a question took
	faults   []*Fault        // wrong answers
	missing  []*Fault        // required answers that were not given
}

func (r *resolution) get(key string) string { return r.values[key] }

func (c *Catalog) resolve(answers Answers) *resolution {
	r := &resolution{values: make(map[string]string), used: make(map[string]bool)}
	known := make(map[string]bool)
	for _, q := range c.questions {
		known[q.Key] = true
		answer, given := answers[q.Key]
		if !c.applies(q, given, r.get) {
			continue
		}
		if !given && q.Key == "type" {
			answer.Value, given = c.impliedType(answers)
		}
		if !given {
			c.resolveDefault(r, q)
			continue
		}
		r.used[q.Key] = true
		if answer.fault != nil {
			r.faults = append(r.faults, answer.fault)
			continue
		}
		value, err := c.check(q, answer.Value, r.get)
		if err != nil {
			r.faults = append(r.faults, answer.wrong(answer.value, err.Error(), hintOf(err)))
			continue
		}
		r.values[q.Key] = value
		r.resolved = append(r.resolved, Resolved{q, value, value == c.defaultFor(q, r.get), answer.comments})
	}
	r.faults = append(r.faults, c.stray(answers, r, known)...)
	return r
}

// impliedType returns the only type that asks for the targets which were given.
func (c *Catalog) impliedType(answers Answers) (string, bool) {
	var fitting []string
	for _, t := range c.Types {
		if _, given := answers[t.Kind]; given {
			fitting = append(fitting, t.Name)
		}
	}
	if len(fitting) != 1 {
		return "", false
	}
	return fitting[0], true
}

// applies reports whether a question is asked, given the answers to those before it.
func (c *Catalog) applies(q Question, given bool, get Lookup) bool {
	t := c.typeNamed(get("type"))
	switch {
	case q.Layer != "":
		return slices.Contains(c.asking(get), q.Layer)
	case q.Key == modeKey:
		return t != nil && t.Modes[0].Name != ""
	case slices.Contains(TargetKinds(), q.Key):
		return t == nil && given || t != nil && t.Kind == q.Key
	}
	return true
}

// defaultFor returns the default of a question among the answers to those before it.
func (c *Catalog) defaultFor(q Question, get Lookup) string {
	if q.First {
		return slices.Concat(c.narrowNames(q, get), []string{""})[0]
	}
	if s := c.strategy(get); s != "" {
		q.Default = c.strategyDefault(q, s)
	}
	return q.DefaultFor(get)
}

// DefaultOf returns the default of a question for a type, which may have one of its own.
func (c *Catalog) DefaultOf(q Question, t Type) string {
	return c.strategyDefault(q, t.Modes[0].Strategy)
}

func (c *Catalog) strategyDefault(q Question, strategy string) string {
	layers, _ := c.strategyLayers(strategy, nil) // Open has checked it
	for _, layer := range slices.Backward(layers) {
		if def, ok := c.strategies[path.Base(layer)].Defaults[q.Key]; ok {
			return def
		}
	}
	return q.Default
}

func (c *Catalog) resolveDefault(r *resolution, q Question) {
	value := c.defaultFor(q, r.get)
	if value == "" && q.Required() {
		hint := "give " + q.Cure()
		if names := c.narrowNames(q, r.get); len(names) > 0 {
			hint += ", one of: " + strings.Join(names, ", ")
		}
		r.missing = append(r.missing, &Fault{Msg: fmt.Sprintf("no answer to %q (%s)", q.Key, q.Help), Hint: hint})
	}
	r.values[q.Key] = value
	r.resolved = append(r.resolved, Resolved{q, value, true, nil})
}

// secretKey matches keys whose values nobody should write down.
var secretKey = regexpOnce(`(?i)passw|passphrase|token|credential|private_?key|api_?key`)

// stray reports answers that no question took, in the order of their keys.
func (c *Catalog) stray(answers Answers, r *resolution, known map[string]bool) []*Fault {
	var faults []*Fault
	t := c.typeNamed(r.get("type"))
	for _, key := range sortedKeys(answers) {
		answer := answers[key]
		switch {
		case r.used[key]:
		case !known[key] && secretKey(key) != nil:
			faults = append(faults, answer.wrong(answer.key, fmt.Sprintf("%q is no question, and no answer is a secret", key),
				"take it out: answers are kept with the code, a secret's value in Secrets Manager alone"))
		case !known[key]:
			faults = append(faults, answer.wrong(answer.key, fmt.Sprintf("unknown question %q", key), suggest(key, sortedKeys(known))))
		case answer.fault != nil:
			faults = append(faults, answer.fault)
		case t != nil && !c.mayApply(key, t, r.get):
			faults = append(faults, answer.wrong(answer.key, fmt.Sprintf("%q is not asked for type %s", key, c.chosen(r.get)), "leave it out"))
		}
	}
	return faults
}

// mayApply reports whether a question that does not apply so far still may once the target is known.
func (c *Catalog) mayApply(key string, t *Type, get Lookup) bool {
	layer := c.questions[slices.IndexFunc(c.questions, func(q Question) bool { return q.Key == key })].Layer
	switch {
	case layer == "" || c.target(get) != nil:
		return false
	case !strings.HasPrefix(layer, "strategies/"):
		return slices.ContainsFunc(c.Targets, func(target Target) bool { return target.folder() == layer && target.Kind == t.Kind })
	}
	return slices.ContainsFunc(t.Modes, func(m Mode) bool {
		layers, _ := c.strategyLayers(m.Strategy, nil) // Open has checked it
		return slices.Contains(layers, layer)
	})
}

// chosen names the type and, when it is known, the target.
func (c *Catalog) chosen(get Lookup) string {
	if t := c.target(get); t != nil {
		return get("type") + " and " + t.Kind + " " + t.Name
	}
	return get("type")
}

// Get returns the recorded answer to a question, empty when it does not apply.
func (s *Spec) Get(key string) string {
	for _, r := range s.Resolved {
		if r.Question.Key == key {
			return r.Value
		}
	}
	return ""
}

// Command returns the command line that asks nothing and makes the same project, quoted for a POSIX shell. dir is left out when empty.
func (s *Spec) Command(dir string) string {
	words := []string{"rotasmith", "new", s.Name}
	for _, r := range s.Resolved {
		switch {
		case r.Question.Argument || r.IsDefault:
		case r.Question.Flag:
			words = append(words, "--"+r.Question.Key, r.Value)
		default:
			words = append(words, "--set", r.Question.Key+"="+r.Value)
		}
	}
	if dir != "" {
		words = append(words, "--dir", dir)
	}
	words = append(words, "--no-input")
	for i, w := range words {
		words[i] = ShellQuote(w)
	}
	return strings.Join(words, " ")
}

// owners returns the folders in the template tree of those that have files for each strategy: the target's protocols, then the target.
func (s *Spec) owners() []string {
	var owners []string
	for _, protocol := range s.Target.Protocols {
		owners = append(owners, "protocols/"+protocol)
	}
	return append(owners, s.Target.folder())
}

// layers returns the folders that a project is made of, the general before the special. A folder for an answer is taken if it exists.
func (c *Catalog) layers(s *Spec) []string {
	layers := []string{"project"}
	strategies, _ := c.strategyLayers(s.Strategy, nil) // Open has checked it
	layers = append(layers, strategies...)
	for _, owner := range s.owners() {
		layers = append(layers, owner+"/common", owner+"/"+s.Strategy)
	}
	for _, r := range s.Resolved {
		if r.Question.Choices != nil {
			feature := "features/" + r.Question.Key + "/" + r.Value
			layers = append(layers, feature, s.Target.folder()+"/"+feature)
		}
	}
	return slices.DeleteFunc(layers, func(layer string) bool { return !isFolder(c.fsys, layer) })
}
