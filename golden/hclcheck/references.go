package hclcheck

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// checkReferences follows every reference to what it names.
func (m *Module) checkReferences() {
	for address, r := range m.resources {
		for _, t := range references(r.block.Body, nil) {
			m.follow(t, r, address)
		}
	}
	for name, v := range m.variables {
		for _, b := range v.block.Body.Blocks {
			for _, t := range references(b.Body, nil) {
				m.follow(t, nil, "var."+name)
			}
		}
	}
	for name, a := range m.locals {
		for _, t := range a.Expr.Variables() {
			m.follow(t, nil, "local."+name)
		}
	}
	for name, o := range m.outputs {
		for _, t := range references(o.Body, nil) {
			m.follow(t, nil, "output."+name)
		}
	}
	for _, b := range slices.Concat(m.providers, m.checks) {
		for _, t := range references(b.Body, nil) {
			if b.Type == "check" && t.RootName() == "data" { // may be one of the check's own
				continue
			}
			m.follow(t, nil, b.Type)
		}
	}
}

// references returns the traversals in a body whose roots are not bound by a
// dynamic block around them.
func references(body *hclsyntax.Body, bound []string) []hcl.Traversal {
	var found []hcl.Traversal
	add := func(expr hcl.Expression) {
		for _, t := range expr.Variables() {
			if !slices.Contains(bound, t.RootName()) {
				found = append(found, t)
			}
		}
	}
	for name, a := range body.Attributes {
		if name == "ignore_changes" || name == "replace_triggered_by" || name == "provider" || name == "iterator" {
			continue // names, no values
		}
		add(a.Expr)
	}
	for _, b := range body.Blocks {
		if b.Type != "dynamic" || len(b.Labels) != 1 {
			found = append(found, references(b.Body, bound)...)
			continue
		}
		iterator := b.Labels[0]
		if a := b.Body.Attributes["iterator"]; a != nil {
			iterator = hcl.ExprAsKeyword(a.Expr)
		}
		if each := b.Body.Attributes["for_each"]; each != nil {
			add(each.Expr)
		}
		for _, content := range b.Body.Blocks {
			found = append(found, references(content.Body, append(slices.Clone(bound), iterator))...)
		}
	}
	return found
}

// follow finds out whether what a traversal names is there. within is the
// resource that it stands in, if it is one.
func (m *Module) follow(t hcl.Traversal, within *resource, from string) {
	root := t.RootName()
	second := attributeOf(t, 1)
	switch root {
	case "var":
		v := m.variables[second]
		if v == nil {
			m.find(Reference, t.SourceRange(), "no variable %q is declared", second)
			return
		}
		m.descend(t, 2, v.kind)
	case "local":
		if m.locals[second] == nil {
			m.find(Reference, t.SourceRange(), "no local value %q is declared", second)
		}
	case "path":
		if !slices.Contains([]string{"module", "root", "cwd"}, second) {
			m.find(Reference, t.SourceRange(), "there is no path.%s", second)
		}
	case "terraform":
		if second != "workspace" {
			m.find(Reference, t.SourceRange(), "there is no terraform.%s", second)
		}
	case "each", "count":
		argument := map[string]string{"each": "for_each", "count": "count"}[root]
		if within == nil || within.block.Body.Attributes[argument] == nil {
			m.find(Reference, t.SourceRange(), "%s without %s", root, argument)
		}
	case "self":
	case "data":
		m.followResource(t, 1, from)
	default:
		m.followResource(t, 0, from)
	}
}

// followResource follows t, whose step at begins an address.
func (m *Module) followResource(t hcl.Traversal, at int, from string) {
	kind, name := attributeOf(t, at), attributeOf(t, at+1)
	address := kind + "." + name
	if at == 0 {
		address = t.RootName() + "." + name
	} else {
		address = "data." + address
	}
	r := m.resources[address]
	switch {
	case r == nil:
		m.find(Reference, t.SourceRange(), "%s is not declared", address)
		return
	case address == from:
		m.find(Reference, t.SourceRange(), "%s refers to itself", address)
		return
	case r.schema == nil || len(t) == at+2:
		return
	}
	at += 2
	switch t[at].(type) {
	case hcl.TraverseIndex:
		if !r.repeated() {
			m.find(Reference, t.SourceRange(), "%s is one, not many", address)
			return
		}
		at++
	case hcl.TraverseAttr:
		if r.repeated() && r.block.Body.Attributes["for_each"] == nil {
			m.find(Reference, t.SourceRange(), "%s is many: name one of them", address)
			return
		}
		if r.repeated() { // this["key"] may also be written this.key
			at++
		}
	}
	m.descend(t, at, r.schema.kind)
}

// descend follows the rest of a traversal into a type.
func (m *Module) descend(t hcl.Traversal, at int, kind cty.Type) {
	for _, step := range t[min(at, len(t)):] {
		switch {
		case kind == cty.DynamicPseudoType:
			return
		case kind.IsCollectionType():
			kind = kind.ElementType()
			continue
		}
		attr, ok := step.(hcl.TraverseAttr)
		if !ok || !kind.IsObjectType() {
			m.find(Reference, t.SourceRange(), "%s has no parts", strings.TrimSuffix(kind.FriendlyName(), "s"))
			return
		}
		if !kind.HasAttribute(attr.Name) {
			m.find(Reference, attr.SrcRange, "there is no attribute %q", attr.Name)
			return
		}
		kind = kind.AttributeType(attr.Name)
	}
}

func attributeOf(t hcl.Traversal, at int) string {
	if at < len(t) {
		if step, ok := t[at].(hcl.TraverseAttr); ok {
			return step.Name
		}
	}
	return ""
}
