package hclcheck

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Check returns everything that is wrong with a folder of HCL files, sorted by
// where it stands. Nothing is known beforehand but the schema, so both branches
// of every condition are judged; then what the values given in the folder, the
// defaults and made-up answers of AWS lead to.
func (s *Schema) Check(files map[string][]byte) []Finding {
	m := s.Parse(files)
	// A file that cannot be parsed declares nothing, and a faulty one has no values.
	if !slices.ContainsFunc(m.findings, func(f Finding) bool { return f.Check == Syntax }) {
		m.checkStructure()
		m.checkReferences()
	}
	if !slices.ContainsFunc(m.findings, func(f Finding) bool { return f.Check != Format }) {
		m.checkValues(m.Evaluate(nil))
	}
	slices.SortStableFunc(m.findings, func(a, b Finding) int {
		if a.Where.Filename != b.Where.Filename {
			return slices.Compare([]string{a.Where.Filename}, []string{b.Where.Filename})
		}
		return a.Where.Start.Byte - b.Where.Start.Byte
	})
	return slices.Compact(m.findings)
}

// metaArguments are Terraform's own, which every resource and data source has.
var metaArguments = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "count"}, {Name: "for_each"}, {Name: "depends_on"}, {Name: "provider"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "lifecycle"}},
}

// namesOnly are arguments that hold names and no values.
var namesOnly = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "ignore_changes"}, {Name: "replace_triggered_by"}}}

var lifecycle = hcldec.ObjectSpec{
	"create_before_destroy": &hcldec.AttrSpec{Name: "create_before_destroy", Type: cty.Bool},
	"prevent_destroy":       &hcldec.AttrSpec{Name: "prevent_destroy", Type: cty.Bool},
	"precondition":          &hcldec.BlockListSpec{TypeName: "precondition", Nested: condition},
	"postcondition":         &hcldec.BlockListSpec{TypeName: "postcondition", Nested: condition},
}

var condition = hcldec.ObjectSpec{
	"condition":     &hcldec.AttrSpec{Name: "condition", Type: cty.Bool, Required: true},
	"error_message": &hcldec.AttrSpec{Name: "error_message", Type: cty.String, Required: true},
}

var output = hcldec.ObjectSpec{
	"value":        &hcldec.AttrSpec{Name: "value", Type: cty.DynamicPseudoType, Required: true},
	"description":  &hcldec.AttrSpec{Name: "description", Type: cty.String},
	"sensitive":    &hcldec.AttrSpec{Name: "sensitive", Type: cty.Bool},
	"ephemeral":    &hcldec.AttrSpec{Name: "ephemeral", Type: cty.Bool},
	"precondition": &hcldec.BlockListSpec{TypeName: "precondition", Nested: condition},
}

// checkStructure compares each block with its schema while every value is unknown.
func (m *Module) checkStructure() {
	ctx := m.anything()
	for _, r := range m.resources {
		if r.schema == nil {
			continue
		}
		content, body, diags := r.block.Body.PartialContent(metaArguments)
		for _, b := range content.Blocks {
			_, rest, _ := b.Body.PartialContent(namesOnly)
			_, more := hcldec.Decode(rest, lifecycle, ctx)
			diags = append(diags, more...)
		}
		_, more := hcldec.Decode(dynblock.Expand(body, ctx), r.schema.spec, ctx)
		m.diagnose(Structure, append(diags, more...))
	}
	for _, p := range m.providers {
		_, diags := hcldec.Decode(dynblock.Expand(p.Body, ctx), m.schema.provider.spec, ctx)
		m.diagnose(Structure, diags)
	}
	for _, o := range m.outputs {
		_, diags := hcldec.Decode(o.Body, output, ctx)
		m.diagnose(Structure, diags)
	}
	for _, a := range m.locals {
		_, diags := a.Expr.Value(ctx)
		m.diagnose(Structure, diags)
	}
	for _, v := range m.variables {
		m.checkVariable(v, ctx)
	}
	for _, b := range m.blocks {
		if b.Type != "variable" { // whose type looks like calls
			m.checkCalls(b.Body, ctx)
		}
	}
	for name, a := range m.values {
		v := m.variables[name]
		if v == nil {
			m.find(Reference, a.NameRange, "no variable %q is declared", name)
			continue
		}
		m.convert(v, a.Expr)
	}
}

// checkCalls computes each call of a function by itself. As part of a condition
// whose outcome is not known, it would not say what is wrong with it.
func (m *Module) checkCalls(body *hclsyntax.Body, ctx *hcl.EvalContext) {
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		if call, ok := node.(*hclsyntax.FunctionCallExpr); ok && call.Name != "try" && call.Name != "can" {
			_, diags := call.Value(ctx)
			m.diagnose(Structure, diags)
		}
		return nil
	})
}

func (m *Module) checkVariable(v *variable, ctx *hcl.EvalContext) {
	if v.def != nil {
		m.convert(v, v.def)
	}
	for _, b := range v.block.Body.Blocks {
		if b.Type != "validation" {
			m.find(Structure, b.DefRange(), "a variable has no block %q", b.Type)
			continue
		}
		_, diags := hcldec.Decode(b.Body, condition, ctx)
		m.diagnose(Structure, diags)
	}
}

// convert returns the value of an expression without references as a variable takes it.
func (m *Module) convert(v *variable, expr hcl.Expression) cty.Value {
	value, diags := expr.Value(nil)
	m.diagnose(Structure, diags)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	value, err := convert.Convert(value, v.kind)
	if err != nil {
		m.find(Structure, expr.Range(), "a value for variable %q: %v", v.block.Labels[0], err)
		return cty.DynamicVal
	}
	return value
}

// anything is a context in which every name stands for every value.
func (m *Module) anything() *hcl.EvalContext {
	variables := make(map[string]cty.Value)
	for _, root := range roots {
		variables[root] = cty.DynamicVal
	}
	for name := range maps.Keys(m.schema.resources) {
		variables[name] = cty.DynamicVal
	}
	return &hcl.EvalContext{Variables: variables, Functions: functions()}
}

// roots are what a reference begins with if it is none of a resource.
var roots = []string{"var", "local", "data", "path", "terraform", "each", "count", "self"}
