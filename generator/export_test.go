package generator

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"text/template/parse"
)

// DataOf returns the fields that a project's templates may refer to.
func DataOf(c *Catalog, answers Answers) (Data, error) {
	so := c.Resolve(answers)
	spec, err := so.Spec()
	if err != nil {
		return nil, err
	}
	bill, err := so.Bill(nil)
	return newData(c.Questions, spec, bill), err
}

// Branches is which branches of the templates were taken: by template and branch, in words.
type Branches map[string]bool

// Cover executes the templates of a project and notes the branches that are taken, and those that are there.
func (b Branches) Cover(c *Catalog, s *Spec) error {
	r := NewRenderer(c)
	plan, err := r.Plan(s)
	if err != nil {
		return err
	}
	words, err := r.words(s)
	if err != nil {
		return err
	}
	bill, err := c.bill(s, nil)
	if err != nil {
		return err
	}
	data := newData(c.Questions, s, bill)
	for _, e := range plan {
		if e.Action != Expand {
			continue
		}
		text, err := fs.ReadFile(c.fsys, e.Source)
		if err != nil {
			return err
		}
		known, err := words.Clone()
		if err != nil {
			return err
		}
		t, err := known.New(e.Source).Parse(string(text))
		if err != nil {
			return err
		}
		m := marker{source: e.Source}
		m.mark(t.Root)
		for _, word := range words.Templates() {
			if word.Tree == nil {
				continue
			}
			tree := word.Tree.Copy()
			m.source = word.ParseName + ": " + word.Name()
			m.mark(tree.Root)
			if _, err := t.AddParseTree(word.Name(), tree); err != nil {
				return err
			}
		}
		var out bytes.Buffer
		if err := t.Execute(&out, data); err != nil {
			return err
		}
		for i, name := range m.names {
			b[name] = b[name] || strings.Contains(out.String(), mark(i))
		}
	}
	return nil
}

// marker puts a mark at the beginning of every branch of a template.
type marker struct {
	source string
	names  []string
}

func mark(i int) string { return "\x00" + strconv.Itoa(i) + "\x00" }

func (m *marker) mark(list *parse.ListNode) {
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.IfNode:
			m.branch(&n.BranchNode)
		case *parse.RangeNode:
			m.branch(&n.BranchNode)
		case *parse.WithNode:
			m.branch(&n.BranchNode)
		}
	}
}

func (m *marker) branch(n *parse.BranchNode) {
	if n.ElseList == nil {
		n.ElseList = &parse.ListNode{NodeType: parse.NodeList}
	}
	for i, list := range []*parse.ListNode{n.List, n.ElseList} {
		m.mark(list)
		text := &parse.TextNode{NodeType: parse.NodeText, Text: []byte(mark(len(m.names)))}
		m.names = append(m.names, fmt.Sprintf("%s: %s at %d, %s", m.source, n.Pipe, n.Position(), [...]string{"first", "else"}[i]))
		list.Nodes = append([]parse.Node{text}, list.Nodes...)
	}
}
