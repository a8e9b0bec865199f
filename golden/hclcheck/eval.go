package hclcheck

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Instance is one resource of a deployment.
type Instance struct {
	Address string // such as aws_kms_key.this, without a key
	Type    string
	Value   cty.Value // an object of the schema's attributes and blocks
	Where   hcl.Range
}

// Text returns an attribute that is a known string, "" if it is not.
func (i Instance) Text(attribute string) string {
	if v := i.Value.GetAttr(attribute); known(v) {
		return v.AsString()
	}
	return ""
}

// Deployment is what a configuration comes to.
type Deployment struct {
	Instances []Instance // sorted by address
	Data      []Instance // of data sources
	Outputs   map[string]cty.Value
	Refused   []string // the messages of conditions that do not hold: nothing would be deployed

	absent []Instance // of resources that there are none of, as they would be
}

// All returns the instances of a type.
func (d *Deployment) All(kind string) []Instance { return ofType(d.Instances, kind) }

// Read returns what data sources of a type say.
func (d *Deployment) Read(kind string) []Instance { return ofType(d.Data, kind) }

func ofType(all []Instance, kind string) []Instance {
	return slices.DeleteFunc(slices.Clone(all), func(i Instance) bool { return i.Type != kind })
}

// Evaluate computes the whole configuration. Variables have the given values, else
// those of the folder's .tfvars, else their defaults, and else one made up after
// their names. Attributes that AWS would fill in are made up as well, so that all
// policies and patterns can be read. A value that cannot be computed is a finding.
func (m *Module) Evaluate(given map[string]cty.Value) *Deployment {
	e := &evaluation{Module: m, given: given, known: make(map[string]cty.Value), under: make(map[string]bool)}
	for _, name := range slices.Sorted(maps.Keys(m.resources)) {
		e.value(name)
	}
	d := &e.Deployment
	d.Outputs = make(map[string]cty.Value)
	for _, name := range slices.Sorted(maps.Keys(m.outputs)) {
		o := m.outputs[name]
		if a := o.Body.Attributes["value"]; a != nil {
			d.Outputs[name] = e.expression(a.Expr, nil)
		}
		e.conditions(o.Body, "precondition", nil)
	}
	for _, name := range slices.Sorted(maps.Keys(m.variables)) {
		e.validate(name)
	}
	slices.SortStableFunc(d.Instances, func(a, b Instance) int { return strings.Compare(a.Address, b.Address) })
	return d
}

type evaluation struct {
	*Module

	Deployment

	given map[string]cty.Value
	known map[string]cty.Value // by address
	under map[string]bool      // way
}

// value returns what an address such as var.x, local.x, aws_y.x or data.aws_y.x stands for.
func (e *evaluation) value(address string) cty.Value {
	if value, ok := e.known[address]; ok {
		return value
	}
	if e.under[address] {
		e.find(Reference, hcl.Range{}, "%s depends on itself", address)
		return cty.DynamicVal
	}
	e.under[address] = true
	value := e.compute(address)
	e.known[address] = value
	return value
}

func (e *evaluation) compute(address string) cty.Value {
	kind, name, _ := strings.Cut(address, ".")
	switch kind {
	case "var":
		return e.variable(name)
	case "local":
		if a := e.locals[name]; a != nil {
			return e.expression(a.Expr, nil)
		}
	default:
		if r := e.resources[address]; r != nil && r.schema != nil {
			return e.resource(address, r)
		}
	}
	return cty.DynamicVal
}

func (e *evaluation) variable(name string) cty.Value {
	v := e.variables[name]
	if v == nil {
		return cty.DynamicVal
	}
	if value, ok := e.given[name]; ok {
		if v.defaults != nil && !value.IsNull() {
			value = v.defaults.Apply(value)
		}
		value, err := convert.Convert(value, v.kind)
		if err != nil {
			e.find(Value, v.block.DefRange(), "%v", err)
		}
		return value
	}
	if a := e.values[name]; a != nil {
		return e.convert(v, a.Expr)
	}
	if v.def != nil {
		return e.convert(v, v.def)
	}
	return sample(name, v.kind)
}

// sample makes up what a deployment would say.
func sample(name string, kind cty.Type) cty.Value {
	switch {
	case kind == cty.String && strings.HasSuffix(name, "secret_arn"):
		return cty.StringVal(fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-AbCdEf", Region, Account, name))
	case kind == cty.String && strings.HasSuffix(name, "key_arn"):
		return cty.StringVal(fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", Region, Account, name))
	case kind == cty.String && strings.HasSuffix(name, "_arn"):
		return cty.StringVal(fmt.Sprintf("arn:aws:sample:%s:%s:%s", Region, Account, name))
	case kind == cty.String:
		return cty.StringVal("sample-" + name)
	case kind.IsListType() && kind.ElementType() == cty.String:
		return cty.ListVal([]cty.Value{cty.StringVal("sample-" + name)})
	case kind.IsSetType() && kind.ElementType() == cty.String:
		return cty.SetVal([]cty.Value{cty.StringVal("sample-" + name)})
	case kind.IsMapType():
		return cty.MapVal(map[string]cty.Value{"sample": sample(name, kind.ElementType())})
	case kind.IsObjectType():
		attributes := make(map[string]cty.Value)
		for attribute, inner := range kind.AttributeTypes() {
			if kind.AttributeOptional(attribute) {
				attributes[attribute] = cty.NullVal(inner)
			} else {
				attributes[attribute] = sample(attribute, inner)
			}
		}
		return cty.ObjectVal(attributes)
	default:
		return cty.UnknownVal(kind)
	}
}

// expression computes an expression where each is what each and count stand for.
func (e *evaluation) expression(expr hcl.Expression, each map[string]cty.Value) cty.Value {
	value, diags := expr.Value(e.context(expr.Variables(), each))
	e.diagnose(Value, diags)
	return value
}

// context holds what traversals name.
func (e *evaluation) context(traversals []hcl.Traversal, each map[string]cty.Value) *hcl.EvalContext {
	type named = map[string]cty.Value
	plain, data := make(map[string]named), make(map[string]named)
	put := func(into map[string]named, kind, name, address string) {
		if into[kind] == nil {
			into[kind] = make(named)
		}
		into[kind][name] = e.value(address)
	}
	for _, t := range traversals {
		switch root, second := t.RootName(), attributeOf(t, 1); root {
		case "path", "terraform", "each", "count", "self":
		case "data":
			third := attributeOf(t, 2)
			put(data, second, third, "data."+second+"."+third)
		default:
			put(plain, root, second, root+"."+second)
		}
	}
	variables := map[string]cty.Value{
		"path":      cty.ObjectVal(named{"module": cty.StringVal("."), "root": cty.StringVal("."), "cwd": cty.StringVal(".")}),
		"terraform": cty.ObjectVal(named{"workspace": cty.StringVal("default")}),
		"self":      cty.DynamicVal,
	}
	for root, entries := range plain {
		variables[root] = cty.ObjectVal(entries)
	}
	kinds := make(named)
	for kind, entries := range data {
		kinds[kind] = cty.ObjectVal(entries)
	}
	variables["data"] = cty.ObjectVal(kinds)
	maps.Copy(variables, each)
	return &hcl.EvalContext{Variables: variables, Functions: functions()}
}

// resource computes all instances of a resource.
func (e *evaluation) resource(address string, r *resource) cty.Value {
	body := r.block.Body
	if a := body.Attributes["count"]; a != nil {
		count := e.expression(a.Expr, nil)
		n, err := convert.Convert(count, cty.Number)
		if err != nil || !n.IsKnown() || n.IsNull() {
			return cty.DynamicVal
		}
		many, _ := n.AsBigFloat().Int64()
		all := make([]cty.Value, many)
		each := func(index cty.Value) map[string]cty.Value {
			return map[string]cty.Value{"count": cty.ObjectVal(map[string]cty.Value{"index": index})}
		}
		for i := range all {
			all[i] = e.present(address, r, fmt.Sprint(i), each(cty.NumberIntVal(int64(i))))
		}
		if many == 0 {
			e.imagine(address, r, each(cty.UnknownVal(cty.Number)))
		}
		return cty.TupleVal(all)
	}
	if a := body.Attributes["for_each"]; a != nil {
		each := e.expression(a.Expr, nil)
		if !each.IsKnown() || each.IsNull() || !each.CanIterateElements() {
			return cty.DynamicVal
		}
		all := make(map[string]cty.Value)
		of := func(key, value cty.Value) map[string]cty.Value {
			return map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		}
		for key, value := range each.Elements() { // of a set each is its own key
			if known(key) {
				all[key.AsString()] = e.present(address, r, key.AsString(), of(key, value))
			}
		}
		if len(all) == 0 {
			e.imagine(address, r, of(cty.UnknownVal(cty.String), cty.DynamicVal))
		}
		return cty.ObjectVal(all)
	}
	return e.present(address, r, "", nil)
}

// imagine computes an instance of a resource that has none. The resources that it
// refers to may have none either, so that is no finding.
func (e *evaluation) imagine(address string, r *resource, each map[string]cty.Value) {
	found := len(e.findings)
	e.absent = append(e.absent, e.instance(address, r, "", each))
	e.findings = e.findings[:found]
}

func (e *evaluation) present(address string, r *resource, key string, each map[string]cty.Value) cty.Value {
	i := e.instance(address, r, key, each)
	if r.data {
		e.Data = append(e.Data, i)
	} else {
		e.Instances = append(e.Instances, i)
	}
	for _, b := range r.block.Body.Blocks {
		if b.Type == "lifecycle" {
			e.conditions(b.Body, "precondition", each)
		}
	}
	return i.Value
}

func (e *evaluation) instance(address string, r *resource, key string, each map[string]cty.Value) Instance {
	i := Instance{address, r.block.Labels[0], cty.UnknownVal(r.schema.kind), r.block.DefRange()}
	ctx := e.context(references(r.block.Body, nil), each)
	_, body, _ := r.block.Body.PartialContent(metaArguments)
	value, diags := hcldec.Decode(dynblock.Expand(body, ctx), r.schema.spec, ctx)
	e.diagnose(Value, diags)
	if !diags.HasErrors() {
		i.Value = complete(r.schema, value, r.block.Labels[0], cmp.Or(key, r.block.Labels[1]))
	}
	return i
}

// conditions notes those of a body's blocks that do not hold.
func (e *evaluation) conditions(body *hclsyntax.Body, kind string, each map[string]cty.Value) {
	for _, b := range body.Blocks {
		a := b.Body.Attributes["condition"]
		if b.Type != kind || a == nil {
			continue
		}
		if holds := e.expression(a.Expr, each); holds.IsKnown() && holds.Type() == cty.Bool && holds.False() {
			message := "a condition does not hold"
			if a := b.Body.Attributes["error_message"]; a != nil {
				if text := e.expression(a.Expr, each); known(text) {
					message = text.AsString()
				}
			}
			e.Refused = append(e.Refused, message)
		}
	}
}

// validate holds a variable's value to the variable's own conditions, unless it is made up.
func (e *evaluation) validate(name string) {
	v := e.variables[name]
	if _, given := e.given[name]; given || e.values[name] != nil || v.def != nil {
		e.conditions(v.block.Body, "validation", nil)
	}
}
