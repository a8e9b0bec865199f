package generator

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Edit is one change of a recorded answers file.
type Edit struct {
	Key     string // of the answer that is changed or removed; empty: one is inserted
	To      string // the question that the answer is to; empty: it is removed
	Value   string // the answer
	List    bool   // Value is a list, comma-separated
	After   string // an answer that is inserted follows this one; the end of the file if that is not there
	Comment string // beside an answer that is inserted, without its mark; may be empty
}

// Edits returns what makes a file of recorded answers one of this version: what was carried over, and each answer that the file does not
// give, behind the one to the question before it. added is said beside such an answer.
func (r *Resolution) Edits(carried []Carried, added string) []Edit {
	var edits []Edit
	for _, c := range carried {
		edits = append(edits, Edit{Key: c.Key, To: c.To, Value: c.Now, List: r.catalog.question(c.To).List})
	}
	last := ""
	for _, res := range r.resolved {
		q := res.Question
		if _, given := r.answers[q.Key]; !given {
			edits = append(edits, Edit{To: q.Key, Value: res.Value, List: q.List, After: last, Comment: added})
		}
		last = q.Key
	}
	return edits
}

// EditAnswers makes the changes in the text of an answers file and leaves every other byte as it is, comments among them. name is what
// messages call the file. It refuses a file that is no YAML of one KEY: ANSWER a line, such as JSON, with a *Fault.
func EditAnswers(name string, text []byte, edits []Edit) ([]byte, error) {
	before, err := ParseAnswers(name, text)
	if err != nil {
		return nil, err
	}
	want := make(map[string]string, len(before))
	for key, a := range before {
		want[key] = a.Value
	}
	for _, e := range edits {
		if text, err = e.apply(name, text); err != nil {
			return nil, err
		}
		delete(want, e.Key)
		if e.To != "" {
			want[e.To] = e.Value
		}
	}
	after, err := ParseAnswers(name, text)
	for key, value := range want {
		if err == nil && after[key].Value != value {
			err = fmt.Errorf("%s: the answer to %q cannot be changed where it stands", name, key)
		}
	}
	if err == nil && len(after) != len(want) {
		err = fmt.Errorf("%s: its answers cannot be changed where they stand", name)
	}
	return text, err
}

// apply makes one change.
func (e *Edit) apply(name string, text []byte) ([]byte, error) {
	entries, err := entriesOf(name, text)
	if err != nil {
		return nil, err
	}
	find := func(key string) int {
		return slices.IndexFunc(entries, func(at entry) bool { return at.key.Value == key })
	}
	lines := slices.Collect(bytes.Lines(text))
	if e.Key == "" {
		at := len(lines)
		if i := find(e.After); i >= 0 {
			at = entries[i].end
		}
		if at > 0 && !bytes.HasSuffix(lines[at-1], []byte("\n")) {
			lines[at-1] = append(slices.Clone(lines[at-1]), '\n')
		}
		return slices.Concat(bytes.Join(lines[:at], nil), e.text(ending(text)), bytes.Join(lines[at:], nil)), nil
	}
	i := find(e.Key)
	if i < 0 {
		return nil, fmt.Errorf("%s: has no answer to %q", name, e.Key)
	}
	at := entries[i]
	own := bytes.Join(lines[at.start:at.end], nil)
	switch value, _ := answerText(name, at.key, at.value); {
	case e.To == "":
		own = nil
	case value == e.Value:
		own = at.rename(own, e.To)
	case at.oneLine():
		own = at.rename(at.answer(own, e.Value), e.To)
	default:
		own = e.text(ending(text))
	}
	return slices.Concat(bytes.Join(lines[:at.start], nil), own, bytes.Join(lines[at.end:], nil)), nil
}

func ending(text []byte) string {
	if bytes.Contains(text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

// text is the answer as lines of its own.
func (e *Edit) text(ending string) []byte {
	key, value := new(yaml.Node), new(yaml.Node)
	key.SetString(e.To)
	value.SetString(e.Value)
	if e.List {
		*value = yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range SplitList(e.Value) {
			n := new(yaml.Node)
			n.SetString(item)
			value.Content = append(value.Content, n)
		}
	}
	comment := &value.LineComment
	if len(value.Content) > 0 {
		comment = &key.LineComment
	}
	if e.Comment != "" {
		*comment = "# " + e.Comment
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}); err != nil {
		panic(err) // a text and a list of texts cannot fail
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte(ending))
}

// entry is one answer in a file: its nodes, and its lines from start up to end, from 0.
type entry struct {
	key, value *yaml.Node
	start, end int
}

// entriesOf finds the lines of each answer. Comments between two answers belong to neither.
func entriesOf(name string, text []byte) ([]entry, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, syntaxFault(name, text, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	top := doc.Content[0]
	if top.Style&yaml.FlowStyle != 0 {
		return nil, newFault(name, placeOf(top), "not one answer a line", "write it as lines of KEY: ANSWER")
	}
	lines := slices.Collect(bytes.Lines(text))
	var entries []entry
	for i := 0; i < len(top.Content); i += 2 {
		e := entry{key: top.Content[i], value: top.Content[i+1], end: len(lines)}
		e.start = e.key.Line - 1
		if i+2 < len(top.Content) {
			e.end = top.Content[i+2].Line - 1
		}
		for e.end > e.start+1 && aside(lines[e.end-1]) {
			e.end--
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// aside reports whether a line holds no part of an answer.
func aside(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#' || string(line) == "..."
}

// oneLine reports whether the answer is one text on the line of its key.
func (e *entry) oneLine() bool {
	return e.end == e.start+1 && e.value.Kind == yaml.ScalarNode && e.value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0
}

// rename puts another key in the place of the one that the entry's lines begin with.
func (e *entry) rename(own []byte, key string) []byte {
	if key == e.key.Value {
		return own
	}
	at := offset(own, e.key.Column)
	return slices.Concat(own[:at], []byte(key), own[at+written(own[at:], e.key):])
}

// answer puts another text in the place of an answer on one line.
func (e *entry) answer(own []byte, value string) []byte {
	n := new(yaml.Node)
	n.SetString(value)
	text, err := yaml.Marshal(n)
	if err != nil {
		panic(err) // a text cannot fail
	}
	text = bytes.TrimSpace(text)
	start := offset(own, e.key.Column)
	start += written(own[start:], e.key)
	start += bytes.IndexByte(own[start:], ':') + 1
	if e.value.Value == "" && e.value.Style == 0 { // nothing stands there
		return slices.Concat(own[:start], []byte(" "), text, own[start:])
	}
	start = offset(own, e.value.Column)
	return slices.Concat(own[:start], text, own[start+written(own[start:], e.value):])
}

// offset returns where a column, which counts characters from 1, begins in a line.
func offset(line []byte, column int) int {
	return len(string([]rune(string(line))[:column-1]))
}

// written returns the length of a scalar as it is written at the beginning of text.
func written(text []byte, n *yaml.Node) int {
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return 2 + len(strings.ReplaceAll(n.Value, "'", "''"))
	case n.Style&yaml.DoubleQuotedStyle != 0:
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	}
	return len(n.Value)
}
