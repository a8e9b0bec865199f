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
func (p *project) missingWords(plan Plan) error {
	uses := make(map[string]string) // by the name of the text: where it is used
	for _, e := range plan {
		if e.Action != Expand {
			continue
		}
		if err := p.findMissing(e, uses); err != nil {
			return nil //nolint:nilerr // the template has another fault, which is reported without this
		}
	}
	var errs []error
	for _, name := range sortedKeys(uses) {
		errs = append(errs, fmt.Errorf("%s: {{define %q}} is missing, used in %s", path.Join(p.spec.Target.folder(), wordsFile), name, uses[name]))
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
	for _, known := range all.Templates() {
		collectCalls(known.Root, calls)
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

// usedIn says where a call stands, with its line, which says best what the text is for.
func usedIn(call *parse.TemplateNode, fsys fs.FS) string {
	at, _ := new(parse.Tree).ErrorContext(call)
	place := strings.Split(at, ":")
	text, err := fs.ReadFile(fsys, place[0])
	if err != nil {
		return at
	}
	line := strings.Split(string(text), "\n")[call.Line-1]
	return fmt.Sprintf("%s:%d: %s", place[0], call.Line, strings.TrimSpace(line))
}
