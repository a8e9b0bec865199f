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
	for _, q := range c.Questions {
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
