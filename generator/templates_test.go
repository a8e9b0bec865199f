package generator_test

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template/parse"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"golang.org/x/tools/imports"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/syntax"
	"github.com/rotasmith/rotasmith/templates"
)

func openTemplates(t testing.TB) *generator.Catalog {
	t.Helper()
	c, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// opened is the renderer of the real templates, for all tests.
var opened = sync.OnceValues(func() (*generator.Renderer, error) {
	c, err := generator.Open(templates.FS, templates.Root)
	return generator.NewRenderer(c), err
})

func renderer(t testing.TB) *generator.Renderer {
	t.Helper()
	r, err := opened()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEmittedFilesAreFormatted holds every emitted file to what its formatter makes of it. The generator formats what it has changed;
// this shows that it need not format anything else.
func TestEmittedFilesAreFormatted(t *testing.T) {
	seen := make(map[string]bool) // choices change few files
	everyPair(t, func(t *testing.T, answers map[string]string) {
		result, err := renderer(t).Generate(generator.Texts(answers))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range result.Files {
			formatted := f.Data
			key := f.Path + "\x00" + string(f.Data)
			if seen[key] {
				continue
			}
			seen[key] = true
			switch {
			case strings.Contains(f.Path, "testdata/"):
			case path.Ext(f.Path) == ".go":
				if _, err := parser.ParseFile(token.NewFileSet(), f.Path, f.Data, parser.AllErrors); err != nil {
					t.Errorf("%s: %v", f.Path, err)
					continue
				}
				formatted, err = imports.Process(f.Path, f.Data, &imports.Options{FormatOnly: true, Comments: true, TabIndent: true, TabWidth: 8})
				if again, formatErr := format.Source(f.Data); err != nil || formatErr != nil || !bytes.Equal(again, f.Data) {
					t.Errorf("%s is not as gofmt has it: %v %v", f.Path, err, formatErr)
				}
			case path.Ext(f.Path) == ".tf" || path.Ext(f.Path) == ".tfvars" || path.Ext(f.Path) == ".hcl":
				formatted = hclwrite.Format(f.Data)
			}
			if diff := cmp.Diff(string(formatted), string(f.Data)); diff != "" {
				t.Errorf("%s is not formatted (-formatted +emitted):\n%s", f.Path, diff)
			}
			if len(f.Data) > 0 && f.Data[len(f.Data)-1] != '\n' {
				t.Errorf("%s does not end in a newline", f.Path)
			}
		}
	})
}

// TestCopiesAreWhatTheirNamesSay parses what is copied as it is, which the generator therefore need not do in every run.
func TestCopiesAreWhatTheirNamesSay(t *testing.T) {
	parsed := 0
	err := fs.WalkDir(templates.FS, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "testdata/") {
			return err
		}
		data, err := fs.ReadFile(templates.FS, name)
		if err != nil {
			return err
		}
		if err := syntax.Parse(name, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		parsed++
		return nil
	})
	if err != nil || parsed == 0 {
		t.Errorf("%d files: %v", parsed, err)
	}
}

// TestNothingOutsideDecides takes the environment away: nothing looks for the go command or into a folder of the person's.
func TestNothingOutsideDecides(t *testing.T) {
	answers := generator.Texts(map[string]string{"name": "orders-db", "type": "rds-two-user", "engine": "postgres"})
	before, err := renderer(t).Generate(answers)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"PATH", "HOME", "GOPATH", "GOMODCACHE", "GOROOT", "GOCACHE", "TZ", "LANG", "LC_ALL"} {
		t.Setenv(name, "/nowhere")
	}
	t.Chdir(t.TempDir())
	after, err := renderer(t).Generate(answers)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before.Files, after.Files); diff != "" {
		t.Errorf("another environment, another project (-before +after):\n%s", diff)
	}
}

// TestTemplatesSubstituteOnly allows text, known fields, if, range and an engine's words in a template, and wants every answer in HCL and YAML quoted for it:
// what varies more belongs in a layer or in a Terraform variable.
func TestTemplatesSubstituteOnly(t *testing.T) {
	data := make(map[string]bool)
	known, err := generator.DataOf(openTemplates(t),
		generator.Texts(map[string]string{"name": "orders-db", "type": "rds-two-user", "engine": "postgres"}))
	if err != nil {
		t.Fatal(err)
	}
	for field := range known {
		data[field] = true
	}
	quoting := map[string]string{".tf": "hcl", ".tfvars": "hcl", ".hcl": "hcl", ".yml": "yaml", ".yaml": "yaml"}
	err = fs.WalkDir(templates.FS, ".", func(source string, d fs.DirEntry, err error) error {
		if err != nil || path.Ext(source) != ".tmpl" {
			return err
		}
		text, err := fs.ReadFile(templates.FS, source)
		if err != nil {
			return err
		}
		tree := parse.New(source)
		tree.Mode = parse.SkipFuncCheck
		trees := make(map[string]*parse.Tree)
		if _, err := tree.Parse(string(text), "", "", trees); err != nil {
			return err
		}
		visit := func(pipe *parse.PipeNode, printed bool) {
			answer := false
			for _, field := range fields(pipe) {
				if !data[field] {
					t.Errorf("%s: no field %s", source, field)
				}
				answer = answer || field != "GoVersion" && field != "OverdueAfterDays" // a number that no answer can be
			}
			quote := quoting[path.Ext(strings.TrimSuffix(source, ".tmpl"))]
			first := pipe.Cmds[len(pipe.Cmds)-1].Args[0]
			if name, ok := first.(*parse.IdentifierNode); printed && answer && quote != "" && (!ok || name.Ident != quote) {
				t.Errorf("%s: {{%s}} is not quoted by %s", source, pipe, quote)
			}
		}
		for _, tree := range trees {
			walk(t, source, tree.Root, visit)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func walk(t *testing.T, source string, node parse.Node, visit func(pipe *parse.PipeNode, printed bool)) {
	var branch *parse.BranchNode
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				walk(t, source, child, visit)
			}
		}
		return
	case *parse.TextNode, *parse.CommentNode:
		return
	case *parse.TemplateNode: // an engine's words
		if n.Pipe.String() == "." {
			return
		}
	case *parse.ActionNode:
		visit(n.Pipe, true)
		return
	case *parse.RangeNode:
		branch = &n.BranchNode
	case *parse.IfNode:
		branch = &n.BranchNode
	}
	if branch == nil {
		t.Errorf("%s: %q is more than substitution", source, node)
		return
	}
	visit(branch.Pipe, false)
	walk(t, source, branch.List, visit)
	walk(t, source, branch.ElseList, visit)
}

// fields returns the names that a pipeline takes from the data.
func fields(pipe *parse.PipeNode) []string {
	var names []string
	for _, c := range pipe.Cmds {
		for _, arg := range c.Args {
			switch a := arg.(type) {
			case *parse.FieldNode:
				names = append(names, a.Ident[0])
			case *parse.PipeNode:
				names = append(names, fields(a)...)
			}
		}
	}
	return names
}

// TestNoEngineIsNamed keeps engines, providers and types out of the code of the generator and the command line: they are folders. Providers
// have names that are words of every day, so of them only a literal counts that is nothing else.
func TestNoEngineIsNamed(t *testing.T) {
	c := openTemplates(t)
	var names []string
	literals := make(map[string]bool)
	for _, target := range c.Targets {
		all := append([]string{target.Name, target.Title}, target.Aliases...)
		if target.Kind == "engine" {
			names = append(names, all...)
		}
		for _, name := range all {
			literals[strconv.Quote(name)] = true
		}
	}
	for _, q := range c.Questions {
		for _, choice := range q.Choices { // a service that runs CI may issue keys too
			delete(literals, strconv.Quote(choice.Value))
		}
	}
	for _, typ := range c.Types {
		names = append(names, typ.Name)
	}
	for _, dir := range []string{".", "history", "merge", "project", "syntax", "../cmd", "../cmd/rotasmith"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if path.Ext(e.Name()) != ".go" || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			text, err := os.ReadFile(path.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(name))) {
					t.Errorf("%s/%s names %q", dir, e.Name(), name)
				}
			}
			f, err := parser.ParseFile(token.NewFileSet(), e.Name(), text, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && literals[lit.Value] {
					t.Errorf("%s/%s names %s", dir, e.Name(), lit.Value)
				}
				return true
			})
		}
	}
}
