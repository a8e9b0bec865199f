package generator

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// words parses the texts that layers have for the templates of other layers: those of a strategy may be defined anew by one that
// includes it, by a protocol and by the target. An empty text defines nothing anew: that is how text/template has it.
func (r *Renderer) words(s *Spec) (*template.Template, error) {
	return r.templates.get(s.wording(), func() (*template.Template, error) {
		all := template.New("").Funcs(funcs()).Option("missingkey=error")
		for _, layer := range slices.Concat(s.Layers, s.owners()) {
			source := path.Join(layer, wordsFile)
			text, err := fs.ReadFile(r.catalog.fsys, source)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				_, err = all.New(source).Parse(string(text))
			}
			if err != nil {
				return nil, err
			}
		}
		return all, nil
	})
}

// wording names the layers whose words a project's templates may use.
func (s *Spec) wording() string { return strings.Join(slices.Concat(s.Layers, s.owners()), " ") }

// missingWords returns an error for each text that the templates of a project use and no layer has, nil if there is none: all of them, so
// that one who adds an engine writes them in one go.
func (p *project) missingWords() error {
	uses := make(map[string]string) // by the name of the text: where it is used
	for _, e := range p.plan {
		if e.Action != Expand {
			continue
		}
		if err := p.findMissing(e, uses); err != nil {
			return nil //nolint:nilerr // the template has another fault, which is reported without this
		}
	}
	var errs []error
	for _, name := range sortedKeys(uses) {
		errs = append(errs, fmt.Errorf("%s: {{define %q}} is missing, used in %s%s",
			path.Join(p.spec.Target.folder(), wordsFile), name, uses[name], p.example(name)))
	}
	return errors.Join(errs...)
}

// findMissing executes one template with something in the place of each text that is not there, and adds those that it came to.
func (p *project) findMissing(e Entry, uses map[string]string) error {
	text, err := fs.ReadFile(p.catalog.fsys, e.Source)
	if err != nil {
		return err
	}
	all, err := p.words.Clone()
	if err != nil {
		return err
	}
	calls := make(map[string]*parse.TemplateNode)
	all.Funcs(template.FuncMap{"missing": func(name string) string {
		if uses[name] == "" {
			uses[name] = usedIn(calls[name], p.catalog.fsys)
		}
		return ""
	}})
	t, err := all.New(e.Source).Parse(string(text))
	if err != nil {
		return err
	}
	known := all.Templates()
	slices.SortFunc(known, func(a, b *template.Template) int { return strings.Compare(a.Name(), b.Name()) }) // the first use is named
	for _, used := range known {
		collectCalls(used.Root, calls)
	}
	for name := range calls {
		if all.Lookup(name) == nil {
			if _, err := all.New(name).Parse(fmt.Sprintf("{{missing %q}}", name)); err != nil {
				return err
			}
		}
	}
	return t.Execute(io.Discard, map[string]any(p.data))
}

// collectCalls adds the calls of other templates below a node, by the name that they call.
func collectCalls(node parse.Node, calls map[string]*parse.TemplateNode) {
	branch := func(b *parse.BranchNode) {
		collectCalls(b.List, calls)
		if b.ElseList != nil {
			collectCalls(b.ElseList, calls)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, sub := range n.Nodes {
			collectCalls(sub, calls)
		}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		if calls[n.Name] == nil {
			calls[n.Name] = n
		}
	}
}

// usedIn says where a call stands, below which heading or in which text, and its line, which shows the purpose of the text.
func usedIn(call *parse.TemplateNode, fsys fs.FS) string {
	at, _ := new(parse.Tree).ErrorContext(call)
	source, _, _ := strings.Cut(at, ":")
	text, err := fs.ReadFile(fsys, source)
	if err != nil {
		return at
	}
	lines := strings.Split(string(text), "\n")[:call.Line]
	above := ""
	for _, line := range slices.Backward(lines[:call.Line-1]) {
		_, define, inText := strings.Cut(line, "{{define ")
		if name, _, _ := strings.Cut(define, "}}"); inText {
			above = " in the text " + name
			break
		}
		if strings.HasPrefix(line, "#") {
			above = " below " + strings.TrimSpace(line)
			break
		}
	}
	return fmt.Sprintf("%s:%d%s: %s", source, call.Line, above, beginning(lines[call.Line-1]))
}

// example returns the beginning of what another target of the same kind says in a text of this name, with the target's name. Its protocols say it for it.
func (p *project) example(name string) string {
	for i := range p.catalog.Targets {
		other := &p.catalog.Targets[i]
		if other.Kind != p.spec.Target.Kind {
			continue
		}
		for _, owner := range other.owners() {
			text, err := fs.ReadFile(p.catalog.fsys, path.Join(owner, wordsFile))
			if err != nil {
				continue
			}
			all, err := template.New("").Funcs(funcs()).Parse(string(text))
			if err != nil {
				continue
			}
			if t := all.Lookup(name); t != nil {
				return fmt.Sprintf("; %s has: %s", other.Name, beginning(t.Root.String()))
			}
		}
	}
	return ""
}

// beginning returns so much of a text as fits into an error.
func beginning(text string) string {
	const most = 120 // characters
	said := []rune(strings.Join(strings.Fields(text), " "))
	if len(said) > most {
		said = append(said[:most], '…')
	}
	return string(said)
}
