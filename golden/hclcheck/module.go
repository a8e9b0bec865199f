package hclcheck

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// The checks, by the names that findings have.
const (
	Format    = "format"    // not as terraform fmt writes it
	Syntax    = "syntax"    // no HCL, or no such block at the top
	Structure = "structure" // an argument or block that the schema does not have, or has otherwise
	Reference = "reference" // of something that is not declared
	Value     = "value"     // that cannot be computed
	Enum      = "enum"      // a value that AWS does not know
	ARN       = "arn"       // a text that is none
	Schedule  = "schedule"  // more than one, or one that the service refuses
	Event     = "event"     // a pattern for events that never come
	Policy    = "policy"    // a document that IAM refuses, or that allows more than it must
)

// Finding is one fault.
type Finding struct {
	Check string
	Where hcl.Range
	What  string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Where, f.Check, f.What) }

// Module is a parsed configuration: a folder of .tf files and the values for it.
type Module struct {
	schema    *Schema
	variables map[string]*variable
	locals    map[string]*hclsyntax.Attribute
	outputs   map[string]*hclsyntax.Block
	resources map[string]*resource // by address, such as aws_kms_key.this or data.aws_region.current
	values    map[string]*hclsyntax.Attribute
	providers []*hclsyntax.Block
	checks    []*hclsyntax.Block
	blocks    []*hclsyntax.Block // all at the top

	findings []Finding
}

type variable struct {
	block    *hclsyntax.Block
	kind     cty.Type
	defaults *typeexpr.Defaults
	def      hcl.Expression // nil for none
}

type resource struct {
	block  *hclsyntax.Block
	schema *block // nil if the type is unknown
	data   bool
}

func (r *resource) repeated() bool {
	return r.block.Body.Attributes["count"] != nil || r.block.Body.Attributes["for_each"] != nil
}

func (m *Module) find(check string, where hcl.Range, format string, args ...any) {
	m.findings = append(m.findings, Finding{check, where, fmt.Sprintf(format, args...)})
}

func (m *Module) diagnose(check string, diags hcl.Diagnostics) {
	for _, d := range diags {
		where := hcl.Range{}
		if d.Subject != nil {
			where = *d.Subject
		}
		// Names are followed by checkReferences, which also knows which of them a for expression binds.
		if d.Severity == hcl.DiagError && d.Summary != "Unknown variable" {
			m.find(check, where, "%s: %s", d.Summary, d.Detail)
		}
	}
}

// Parse reads the .tf and .tfvars files of one folder and the formatting of all HCL files.
func (s *Schema) Parse(files map[string][]byte) *Module {
	m := &Module{
		schema:    s,
		variables: make(map[string]*variable),
		locals:    make(map[string]*hclsyntax.Attribute),
		outputs:   make(map[string]*hclsyntax.Block),
		resources: make(map[string]*resource),
		values:    make(map[string]*hclsyntax.Attribute),
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !slices.Contains([]string{".tf", ".tfvars", ".hcl"}, path.Ext(name)) {
			continue
		}
		f := s.parse(name, files[name])
		if !f.formatted {
			m.find(Format, hcl.Range{Filename: name}, "is not formatted")
		}
		m.diagnose(Syntax, f.diags)
		if f.diags.HasErrors() {
			continue
		}
		body := f.Body.(*hclsyntax.Body)
		switch {
		case path.Ext(name) == ".tf":
			m.collect(body)
			m.blocks = append(m.blocks, body.Blocks...)
		case path.Ext(name) == ".tfvars":
			maps.Copy(m.values, body.Attributes)
		}
	}
	return m
}

// file is a parsed file.
type file struct {
	*hcl.File
	diags     hcl.Diagnostics
	formatted bool
}

// parse parses a file once: most are the same in many modules.
func (s *Schema) parse(name string, data []byte) *file {
	key := name + "\x00" + string(data)
	if known, ok := s.files.Load(key); ok {
		return known.(*file)
	}
	f := &file{formatted: bytes.Equal(hclwrite.Format(data), data)}
	f.File, f.diags = hclsyntax.ParseConfig(data, name, hcl.InitialPos)
	s.files.Store(key, f)
	return f
}

func (m *Module) collect(body *hclsyntax.Body) {
	for name, a := range body.Attributes {
		m.find(Syntax, a.SrcRange, "argument %q stands outside any block", name)
	}
	for _, b := range body.Blocks {
		if want, ok := topLevel[b.Type]; !ok || want != len(b.Labels) {
			m.find(Syntax, b.DefRange(), "no block %s with %d labels", b.Type, len(b.Labels))
			continue
		}
		switch b.Type {
		case "variable":
			m.declare(b.DefRange(), m.variables[b.Labels[0]] != nil, "var."+b.Labels[0])
			m.variables[b.Labels[0]] = m.variable(b)
		case "locals":
			for name, a := range b.Body.Attributes {
				m.declare(a.SrcRange, m.locals[name] != nil, "local."+name)
				m.locals[name] = a
			}
		case "output":
			m.declare(b.DefRange(), m.outputs[b.Labels[0]] != nil, "output."+b.Labels[0])
			m.outputs[b.Labels[0]] = b
		case "resource", "data":
			r := &resource{block: b, schema: m.schema.resources[b.Labels[0]], data: b.Type == "data"}
			address := strings.Join(b.Labels, ".")
			if r.data {
				r.schema, address = m.schema.data[b.Labels[0]], "data."+address
			}
			if r.schema == nil {
				m.find(Structure, b.DefRange(), "the recorded schema has no %s %s", b.Type, b.Labels[0])
			}
			m.declare(b.DefRange(), m.resources[address] != nil, address)
			m.resources[address] = r
		case "provider":
			m.providers = append(m.providers, b)
		case "check":
			m.checks = append(m.checks, b)
		}
	}
}

// topLevel is how many labels each block at the top has.
var topLevel = map[string]int{
	"terraform": 0, "provider": 1, "variable": 1, "locals": 0, "output": 1, "resource": 2, "data": 2, "check": 1, "moved": 0, "removed": 0, "import": 0,
}

func (m *Module) declare(where hcl.Range, twice bool, what string) {
	if twice {
		m.find(Reference, where, "%s is declared twice", what)
	}
}

func (m *Module) variable(b *hclsyntax.Block) *variable {
	v := &variable{block: b, kind: cty.DynamicPseudoType}
	for name, a := range b.Body.Attributes {
		switch name {
		case "type":
			var diags hcl.Diagnostics
			v.kind, v.defaults, diags = typeexpr.TypeConstraintWithDefaults(a.Expr)
			m.diagnose(Structure, diags)
		case "default":
			v.def = a.Expr
		case "description", "sensitive", "nullable", "ephemeral":
		default:
			m.find(Structure, a.NameRange, "a variable has no argument %q", name)
		}
	}
	return v
}

// Findings returns what has been found so far.
func (m *Module) Findings() []Finding { return m.findings }

// Declares reports whether there is a variable of that name.
func (m *Module) Declares(name string) bool { return m.variables[name] != nil }

// Type returns what values a variable takes, any if it is not declared.
func (m *Module) Type(variable string) cty.Type {
	if v := m.variables[variable]; v != nil {
		return v.kind
	}
	return cty.DynamicPseudoType
}

// Tested returns what the tests that ship say of the variables.
func (m *Module) Tested() map[string]cty.Value {
	all := make(map[string]cty.Value)
	for name, a := range m.values {
		if v := m.variables[name]; v != nil && strings.HasPrefix(a.SrcRange.Filename, "tests/") {
			all[name], _ = a.Expr.Value(nil)
		}
	}
	return all
}

// Creates reports whether there is a resource of that type.
func (m *Module) Creates(kind string) bool {
	for _, r := range m.resources {
		if !r.data && r.block.Labels[0] == kind {
			return true
		}
	}
	return false
}

// Kinds are the types of what the module creates and, with "data." before them, of
// what it reads, sorted.
func (m *Module) Kinds() []string {
	kinds := make(map[string]bool)
	for _, r := range m.resources {
		kind := r.block.Labels[0]
		if r.data {
			kind = "data." + kind
		}
		kinds[kind] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}
