package generator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// SchemaFile is where a project keeps the schema of its own answers, for editors.
const SchemaFile = ".rotasmith/answers.schema.json"

// schema is the part of JSON Schema, draft 2020-12, that answers need.
type schema struct {
	Schema      string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        any        `json:"type,omitempty"` // a name or several
	Const       *string    `json:"const,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	MinLength   int        `json:"minLength,omitempty"`
	Default     any        `json:"default,omitempty"`
	OneOf       []schema   `json:"oneOf,omitempty"`
	Not         *schema    `json:"not,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Additional  *bool      `json:"additionalProperties,omitempty"`
	Required    []string   `json:"required,omitempty"`
	If          *schema    `json:"if,omitempty"`
	Then        *schema    `json:"then,omitempty"`
	AllOf       []schema   `json:"allOf,omitempty"`
}

// properties keep the order of the questions.
type properties []property

type property struct {
	key    string
	schema *schema // nil: must not be there
}

// MarshalJSON writes an object in the order of the properties.
func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, prop := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(prop.key)
		if err != nil {
			return nil, err
		}
		value := []byte("false")
		if prop.schema != nil {
			if value, err = json.Marshal(prop.schema); err != nil {
				return nil, err
			}
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Schema returns the JSON Schema, draft 2020-12, of an answers file for any project. Nothing is required by it: a file may answer a part.
func (c *Catalog) Schema() ([]byte, error) {
	s := newSchema()
	for _, q := range c.questions {
		s.Properties = append(s.Properties, property{q.Key, q.schema(q.names())})
		for _, only := range c.AppliesTo(q) {
			s.AllOf = append(s.AllOf, unless(only.Question, c.withAliases(only.Question, only.Answers), property{q.Key, nil}))
		}
	}
	for _, t := range c.Types {
		if targets := c.TargetsOf(t); len(targets) < len(c.question(t.Kind).Choices) {
			s.AllOf = append(s.AllOf, where("type", []string{t.Name}, property{t.Kind, &schema{Enum: c.withAliases(t.Kind, targets)}}))
		}
		for i := range c.Targets {
			target := &c.Targets[i]
			modes := c.modesOf(t, target)
			if t.Modes[0].Name != "" && 0 < len(modes) && len(modes) < len(t.Modes) {
				names := c.withAliases(target.Kind, []string{target.Name})
				s.AllOf = append(s.AllOf, where(target.Kind, names, property{modeKey, &schema{Enum: modes}}))
			}
		}
	}
	return s.encode()
}

// Schema returns the JSON Schema of the answers of this very project: its type and target stand, and it holds no question that does not
// apply. So it changes only with what the project is made of, not with whatever else the template tree may learn.
func (s *Spec) Schema() ([]byte, error) {
	doc := newSchema()
	for _, r := range s.Resolved {
		q := r.Question
		names := q.names()
		if q.chosen() {
			q.Choices = slices.DeleteFunc(slices.Clone(q.Choices), func(c Choice) bool { return c.Value != r.Value })
			names = q.names()
		}
		doc.Properties = append(doc.Properties, property{q.Key, q.schema(names)})
	}
	return doc.encode()
}

func newSchema() *schema {
	return &schema{
		Schema: "https://json-schema.org/draft/2020-12/schema", Title: "Answers for rotasmith new", Type: "object", Additional: new(bool),
	}
}

func (s *schema) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(s)
	return b.Bytes(), err
}

// where describes a property where key is one of values.
func where(key string, values []string, p property) schema {
	return schema{
		If:   &schema{Properties: properties{{key, &schema{Enum: values}}}, Required: []string{key}},
		Then: &schema{Properties: properties{p}},
	}
}

// unless lets a property be only where key is absent or one of values.
func unless(key string, values []string, p property) schema {
	return schema{
		If:   &schema{Properties: properties{{key, &schema{Not: &schema{Enum: values}}}}, Required: []string{key}},
		Then: &schema{Properties: properties{p}},
	}
}

// schema describes the answers to one question; names are the accepted ones of a question with choices.
func (q *Question) schema(names []string) *schema {
	s := &schema{Title: q.Prompt, Description: q.Help, Type: "string"}
	if q.Default != "" && !strings.Contains(q.Default, "{") {
		s.Default = q.Default
	}
	switch {
	case q.Choices != nil:
		for _, name := range names {
			s.OneOf = append(s.OneOf, schema{Const: &name, Description: q.choiceHelp(name)})
		}
		if q.Optional {
			s.OneOf = append(s.OneOf, schema{Const: new(string)})
		}
	case q.List:
		s.Type, s.Items = []string{"array", "string", "null"}, &schema{Type: "string", Pattern: "^[^,]*$"}
		if s.Default != nil {
			s.Default = SplitList(q.Default)
		}
	case q.Optional:
		s.Type = []string{"string", "null"}
		if q.Pattern != "" {
			s.Pattern = "^$|" + q.Pattern
		}
	default:
		s.Pattern, s.MinLength = q.Pattern, 1
	}
	return s
}

func (q *Question) choiceHelp(name string) string {
	for _, c := range q.Choices {
		switch {
		case c.Value == name:
			return c.Help
		case slices.Contains(c.Aliases, name):
			return "another name for " + c.Value
		}
	}
	return ""
}

// Only is a condition: the question has one of the answers.
type Only struct {
	Question string
	Answers  []string
}

// Combinations returns the answers to type, target and mode that go together, each with all three keys.
func (c *Catalog) Combinations() []map[string]string {
	var all []map[string]string
	for _, t := range c.Types {
		for _, target := range c.Targets {
			for _, mode := range c.modesOf(t, &target) {
				all = append(all, map[string]string{"type": t.Name, target.Kind: target.Name, modeKey: mode})
			}
		}
	}
	for _, answers := range all {
		if answers[modeKey] == "" {
			delete(answers, modeKey)
		}
	}
	return all
}

// AppliesTo returns the least conditions under which a question is asked; none for a question that every project is asked.
func (c *Catalog) AppliesTo(q Question) []Only {
	all := c.Combinations()
	asked := func(answers map[string]string) bool {
		return c.applies(q, false, func(key string) string { return answers[key] })
	}
	var conditions []Only
	for _, key := range append(TargetKinds(), modeKey, "type") {
		only := Only{Question: key}
		for _, answers := range all {
			if value := answers[key]; asked(answers) && !slices.Contains(only.Answers, value) {
				only.Answers = append(only.Answers, value)
			}
		}
		conditions = append(conditions, only)
	}
	enough := func(conditions []Only) bool {
		return !slices.ContainsFunc(all, func(answers map[string]string) bool {
			meets := !slices.ContainsFunc(conditions, func(only Only) bool { return !slices.Contains(only.Answers, answers[only.Question]) })
			return meets != asked(answers)
		})
	}
	for i := 0; i < len(conditions); {
		if fewer := slices.Delete(slices.Clone(conditions), i, i+1); enough(fewer) {
			conditions = fewer
		} else {
			i++
		}
	}
	return conditions
}

// TargetsOf returns the targets that know a type.
func (c *Catalog) TargetsOf(t Type) []string {
	var names []string
	for i := range c.Targets {
		if len(c.modesOf(t, &c.Targets[i])) > 0 {
			names = append(names, c.Targets[i].Name)
		}
	}
	return names
}

// TypesOf returns the types that a target knows.
func (c *Catalog) TypesOf(target Target) []string {
	var names []string
	for _, t := range c.Types {
		if len(c.modesOf(t, &target)) > 0 {
			names = append(names, t.Name)
		}
	}
	return names
}

// ModesOf returns the names of the modes of a type that a target knows, none if the type leaves no choice.
func (c *Catalog) ModesOf(t Type, target Target) []string {
	return slices.DeleteFunc(c.modesOf(t, &target), func(name string) bool { return name == "" })
}

// modesOf is ModesOf with the mode that has no name; of no target it returns every mode.
func (c *Catalog) modesOf(t Type, target *Target) []string {
	var names []string
	for _, m := range t.Modes {
		if target == nil || target.Kind == t.Kind && slices.Contains(target.Strategies, m.Strategy) {
			names = append(names, m.Name)
		}
	}
	return names
}

// question returns a question by its key, an empty one if it is not asked.
func (c *Catalog) question(key string) Question {
	for _, q := range c.questions {
		if q.Key == key {
			return q
		}
	}
	return Question{}
}

// withAliases adds to answers the other names that they are accepted by.
func (c *Catalog) withAliases(key string, answers []string) []string {
	names := slices.Clone(answers)
	for _, choice := range c.question(key).Choices {
		if slices.Contains(answers, choice.Value) {
			names = append(names, choice.Aliases...)
		}
	}
	return names
}
