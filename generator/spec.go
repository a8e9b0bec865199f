package generator

import (
	"fmt"
	"slices"
	"strings"
)

// Spec is a project, fully answered and validated.
type Spec struct {
	Name     string
	Module   string
	Type     Type
	Engine   Engine
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
		Engine:   *c.engineNamed(r.get("engine")),
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
// each answer decides what is asked after it.
func (c *Catalog) Unanswered(answers Answers) (q Question, def string, ok bool) {
	r := c.resolve(answers)
	for _, res := range r.resolved {
		if _, given := answers[res.Question.Key]; !given && !res.Question.Silent {
			return c.narrow(res.Question, r.get), res.Value, true
		}
	}
	return Question{}, "", false
}

// CheckAnswer validates one answer beside the others, for a prompt that asks again. Its error is a *Fault.
func (c *Catalog) CheckAnswer(q Question, value string, answers Answers) error {
	if _, err := c.check(q, value, c.resolve(answers).get); err != nil {
		return &Fault{Msg: err.Error(), Hint: hintOf(err)}
	}
	return nil
}

// narrow leaves the engines that know the chosen type.
func (c *Catalog) narrow(q Question, get Lookup) Question {
	if t := c.typeNamed(get("type")); q.Key == "engine" && t != nil {
		q.Choices = slices.DeleteFunc(slices.Clone(q.Choices), func(choice Choice) bool {
			return !slices.Contains(c.engineNamed(choice.Value).Strategies, t.Strategy)
		})
	}
	return q
}

func (c *Catalog) check(q Question, value string, get Lookup) (string, error) {
	value, err := q.Check(value, get)
	if err != nil {
		return "", err
	}
	if q.Key == "engine" && !slices.Contains(c.narrowNames(q, get), value) {
		return "", advise(suggestAll(c.narrowNames(q, get)), "engine %q has no %s", value, get("type"))
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
		if q.Layer != "" && !slices.Contains(c.asking(r.get), q.Layer) {
			continue
		}
		answer, given := answers[q.Key]
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
		r.resolved = append(r.resolved, Resolved{q, value, value == q.DefaultFor(r.get), answer.comments})
	}
	r.faults = append(r.faults, c.stray(answers, r, known)...)
	return r
}

func (c *Catalog) resolveDefault(r *resolution, q Question) {
	value := q.DefaultFor(r.get)
	if q.Required() {
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
	decided := c.typeNamed(r.get("type")) != nil && c.engineNamed(r.get("engine")) != nil
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
		case decided:
			faults = append(faults, answer.wrong(answer.key,
				fmt.Sprintf("%q is not asked for type %s and engine %s", key, r.get("type"), r.get("engine")), "leave it out"))
		}
	}
	return faults
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

// layers returns the folders that a project is made of, the general before the special. A folder for an answer is taken if it exists.
func (c *Catalog) layers(s *Spec) []string {
	layers := []string{"project"}
	strategies, _ := c.strategyLayers(s.Type.Strategy, nil) // Open has checked it
	layers = append(layers, strategies...)
	for _, protocol := range s.Engine.Protocols {
		layers = append(layers, "protocols/"+protocol)
	}
	engine := "engines/" + s.Engine.Name
	layers = append(layers, engine+"/common", engine+"/"+s.Type.Strategy)
	for _, r := range s.Resolved {
		if r.Question.Choices != nil {
			feature := "features/" + r.Question.Key + "/" + r.Value
			layers = append(layers, feature, engine+"/"+feature)
		}
	}
	return slices.DeleteFunc(layers, func(layer string) bool { return !isFolder(c.fsys, layer) })
}
