package generator

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// tfNames are the variables and local values of one Terraform file, as it refers to them: var.x and local.x.
type tfNames struct {
	declared []string
	used     map[string]int // the first line that it stands in
}

// undeclared reports each variable and local value that a Terraform file of the project uses and no file beside it declares: a layer counts
// on a file that another one, such as the engine, has to supply. It parses only where a look at the lines finds something.
func (p *project) undeclared(files []File) error {
	found := undeclaredBy(files, func(f File) (*tfNames, error) {
		return p.terraform.get(f.SHA256, func() (*tfNames, error) { return skimNames(f), nil })
	})
	if found == nil {
		return nil
	}
	return errors.Join(undeclaredBy(files, parseNames)...)
}

// undeclaredBy is undeclared with names that are read in one of two ways.
func undeclaredBy(files []File, read func(File) (*tfNames, error)) []error {
	declared := make(map[string]bool) // by folder and name
	names := make([]*tfNames, len(files))
	for i, f := range files {
		if path.Ext(f.Path) != ".tf" {
			continue
		}
		var err error
		if names[i], err = read(f); err != nil {
			return []error{err}
		}
		for _, name := range names[i].declared {
			declared[path.Join(path.Dir(f.Path), name)] = true
		}
	}
	var errs []error
	for i, n := range names {
		if n == nil {
			continue
		}
		for _, name := range sortedKeys(n.used) {
			if key := path.Join(path.Dir(files[i].Path), name); !declared[key] {
				declared[key] = true // said once
				errs = append(errs, fmt.Errorf("%s:%d uses %s, which no file of %s/ declares", files[i].Source, n.used[name], name, path.Dir(files[i].Path)))
			}
		}
	}
	return errs
}

// skimNames looks for names in the lines of a formatted file. It finds those in comments and texts too, as used, and misses none.
func skimNames(f File) *tfNames {
	n := &tfNames{used: make(map[string]int)}
	inLocals := false
	number := 0
	for line := range strings.Lines(string(f.Data)) {
		number++
		indented := strings.TrimPrefix(line, "  ")
		switch name := identifier(indented); {
		case strings.HasPrefix(line, `variable "`):
			n.declared = append(n.declared, "var."+identifier(strings.TrimPrefix(line, `variable "`)))
		case strings.HasPrefix(line, "locals {"):
			inLocals = true
		case strings.HasPrefix(line, "}"):
			inLocals = false
		case inLocals && len(indented) == len(line)-2 && strings.HasPrefix(strings.TrimLeft(indented[len(name):], " "), "="):
			n.declared = append(n.declared, "local."+name)
		}
		for _, root := range []string{"var.", "local."} {
			for rest := line; ; {
				before, after, found := strings.Cut(rest, root)
				if !found {
					break
				}
				if name := root + identifier(after); n.used[name] == 0 && (before == "" || identifier(before[len(before)-1:]) == "") {
					n.used[name] = number
				}
				rest = after
			}
		}
	}
	return n
}

// identifier returns the name that a text begins with.
func identifier(text string) string {
	return text[:len(text)-len(strings.TrimLeftFunc(text, func(r rune) bool { return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) }))]
}

func parseNames(f File) (*tfNames, error) {
	file, diags := hclsyntax.ParseConfig(f.Data, f.Source, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	n := &tfNames{used: make(map[string]int)}
	body := file.Body.(*hclsyntax.Body) // as the package documents it
	for _, b := range body.Blocks {
		switch b.Type {
		case "variable":
			n.declared = append(n.declared, "var."+b.Labels[0])
		case "locals":
			for name := range b.Body.Attributes {
				n.declared = append(n.declared, "local."+name)
			}
		}
	}
	diags = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		if ref, ok := node.(*hclsyntax.ScopeTraversalExpr); ok {
			n.use(ref.Traversal)
		}
		return nil
	})
	if diags.HasErrors() {
		return nil, diags
	}
	return n, nil
}

// use adds what a traversal refers to.
func (n *tfNames) use(t hcl.Traversal) {
	if root := t.RootName(); len(t) < 2 || root != "var" && root != "local" {
		return
	}
	if second, ok := t[1].(hcl.TraverseAttr); ok {
		if name := t.RootName() + "." + second.Name; n.used[name] == 0 {
			n.used[name] = t.SourceRange().Start.Line
		}
	}
}
