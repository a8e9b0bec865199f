package generator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rotasmith/rotasmith/generator/merge"
)

// Answers are texts by the key of their question, not yet validated: NewSpec does that.
type Answers map[string]Answer

// Answer is one text and where it stands, for messages.
type Answer struct {
	Value string
	At    string // "--type", "--set users", "answers.yaml:3:1"; empty for an answer from a prompt or a program

	key, value place // in a file
	file       string
	shared     bool // as of Answers.Shared
	isList     bool // it is written as one
	comments   *comments
	fault      *Fault
}

// comments are what a person wrote around an answer in a file.
type comments struct {
	key, value yaml.Node // for their comments alone
	items      []yaml.Node
}

func commentsOf(key, value *yaml.Node) *comments {
	c := &comments{key: *key, value: *value}
	for _, item := range value.Content {
		c.items = append(c.items, *item)
	}
	// The head of a recorded file is not the person's.
	var own []string
	for line := range strings.Lines(key.HeadComment) {
		if !strings.Contains(answersHead, strings.TrimSpace(line)) || strings.TrimSpace(line) == "" {
			own = append(own, line)
		}
	}
	c.key.HeadComment = strings.Trim(strings.Join(own, ""), "\n")
	return c
}

// copyTo puts the comments around the same answer in another file.
func (c *comments) copyTo(key, value *yaml.Node) {
	if c == nil {
		return
	}
	comment(key, &c.key)
	comment(value, &c.value)
	for i := range min(len(value.Content), len(c.items)) {
		comment(value.Content[i], &c.items[i])
	}
}

func comment(to, from *yaml.Node) {
	to.HeadComment, to.LineComment, to.FootComment = from.HeadComment, from.LineComment, from.FootComment
}

// place is where something stands in a file, from 1; zero outside files.
type place struct{ line, column int }

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

// wrong is a fault at one of the answer's places.
func (a *Answer) wrong(at place, msg, hint string) *Fault {
	if a.file == "" {
		return &Fault{At: a.At, Msg: msg, Hint: hint}
	}
	return newFault(a.file, at, msg, hint)
}

// Texts makes answers from plain texts.
func Texts(texts map[string]string) Answers {
	a := make(Answers, len(texts))
	for key, value := range texts {
		a[key] = Answer{Value: value}
	}
	return a
}

// Over returns the answers of a with those of lower wherever a has none.
func (a Answers) Over(lower Answers) Answers {
	merged := maps.Clone(lower)
	if merged == nil {
		merged = make(Answers, len(a))
	}
	maps.Copy(merged, a)
	return merged
}

// Shared returns the answers as ones that are for projects of every type: those that a project is not asked are no fault.
func (a Answers) Shared() Answers {
	shared := maps.Clone(a)
	for key, answer := range shared {
		answer.shared = true
		shared[key] = answer
	}
	return shared
}

// ParseAnswers reads an answers file, YAML or JSON: one mapping from keys to texts, numbers, booleans or lists of them, no key twice,
// no anchors or tags. name is what messages call the file. The error is a *Fault when the file is no such mapping at all; faults of single answers
// are left for NewSpec to report with all others.
func ParseAnswers(name string, data []byte) (Answers, error) {
	n := 0
	for line := range bytes.Lines(data) {
		if n++; merge.HasMarkers(line) {
			return nil, newFault(name, place{n, 1}, "has conflict markers", "keep one side of the conflict and take the markers out")
		}
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); bytes.HasPrefix(trimmed, []byte("{")) {
		// JSON may be indented with tabs, which YAML refuses; inside a JSON string a tab is always escaped.
		data = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return Answers{}, nil
	} else if err != nil {
		return nil, syntaxFault(name, data, err)
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, newFault(name, placeOf(top), "not a mapping of keys to answers", "write lines such as type: ...")
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, newFault(name, placeOf(second.Content[0]), "a second document", "give one document with all answers")
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxFault(name, data, err)
	}
	if n := len(top.Content); n > 0 { // comments that stand apart go with the first and the last answer
		first, last := top.Content[0], top.Content[n-2]
		first.HeadComment = strings.Trim(doc.HeadComment+"\n\n"+first.HeadComment, "\n")
		last.FootComment = strings.Trim(last.FootComment+"\n\n"+doc.FootComment, "\n")
	}
	answers := make(Answers, len(top.Content)/2)
	for i := 0; i < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		answer := Answer{At: placeOf(key).in(name), key: placeOf(key), value: placeOf(value), file: name, comments: commentsOf(key, value)}
		answer.Value, answer.fault = answerText(name, key, value)
		answer.isList = value.Kind == yaml.SequenceNode
		if first, ok := answers[key.Value]; ok {
			answer.fault = newFault(name, placeOf(key), fmt.Sprintf("%q is answered twice", key.Value),
				fmt.Sprintf("keep one of lines %d and %d", first.key.line, key.Line))
		}
		answers[key.Value] = answer
	}
	return answers, nil
}

// in is how messages name a place, and editors jump to it.
func (p place) in(file string) string { return fmt.Sprintf("%s:%d:%d", file, p.line, p.column) }

func newFault(name string, at place, msg, hint string) *Fault {
	return &Fault{At: at.in(name), Msg: msg, Hint: hint, file: name, place: at}
}

var yamlLine = regexpOnce(`^yaml: (?:line (\d+): )?`)

func syntaxFault(name string, data []byte, err error) *Fault {
	const hint = "an answers file is YAML or JSON: one KEY: ANSWER a line"
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	m := yamlLine(text)
	if m == nil || m[1] == "" {
		return &Fault{At: name, Msg: strings.TrimPrefix(text, "yaml: "), Hint: hint}
	}
	line, _ := strconv.Atoi(m[1])
	for _, msg := range []string{"node content", "key", "'-' indicator", "',' or ']'", "',' or '}'", "<document start>"} {
		if strings.HasSuffix(text, "did not find expected "+msg) {
			line++ // the parser, unlike the scanner, counts from 0
		}
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	at := place{min(line, len(lines)), 1}
	// The parser says no column: where the line's text begins is the best there is.
	if here := lines[at.line-1]; strings.TrimSpace(here) != "" {
		at.column += len(here) - len(strings.TrimLeft(here, " \t"))
	}
	return newFault(name, at, strings.TrimPrefix(text, m[0]), hint)
}

// answerText returns what a scalar says as it is written (so 1e3, yes and 007 stay themselves), and the items of a list joined.
func answerText(name string, key, value *yaml.Node) (string, *Fault) {
	if key.Kind != yaml.ScalarNode {
		return "", newFault(name, placeOf(key), "a key that is no text", "write KEY: ANSWER")
	}
	switch {
	case value.Kind == yaml.SequenceNode && value.Anchor == "" && value.Tag == "!!seq":
		items := make([]string, len(value.Content))
		for i, item := range value.Content {
			text, ok := scalarText(item)
			if !ok || strings.Contains(text, ",") {
				return "", newFault(name, placeOf(item), fmt.Sprintf("an item of %q is no plain text", key.Value), "write a list of texts without commas")
			}
			items[i] = text
		}
		return strings.Join(items, ","), nil
	default:
		if text, ok := scalarText(value); ok {
			return text, nil
		}
	}
	return "", newFault(name, placeOf(value), fmt.Sprintf("the answer to %q is no plain text", key.Value), "write a text, or a list of texts")
}

func scalarText(n *yaml.Node) (string, bool) {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" {
		return "", false
	}
	switch n.Tag {
	case "!!null":
		return "", true
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return n.Value, true
	}
	return "", false
}
