package generator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

// File is one file of a project, ready to be written.
type File struct {
	Entry
	Mode fs.FileMode // 0644, or 0755 for what begins with #!
	Data []byte
}

// Render makes the files of a plan, in its order: expanded, rehomed, formatted, and every one checked for what its name says it is.
// It returns the errors of all files.
func (c *Catalog) Render(s *Spec, p Plan) ([]File, error) {
	words, err := c.words(s)
	if err != nil {
		return nil, err
	}
	r := &renderer{Catalog: c, spec: s, data: s.Data(), words: words}
	files := make([]File, len(p))
	errs := make([]error, len(p))
	r.each(len(p), func(i int) {
		if p[i].Action != Record {
			files[i], errs[i] = r.render(p[i])
		}
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return files, r.record(p, files)
}

type renderer struct {
	*Catalog
	spec  *Spec
	data  Data
	words *template.Template // what every template may refer to by name
}

// words parses the texts that an engine has for the templates of other layers.
func (c *Catalog) words(s *Spec) (*template.Template, error) {
	all := template.New("").Funcs(funcs()).Option("missingkey=error")
	source := path.Join("engines", s.Engine.Name, wordsFile)
	text, err := fs.ReadFile(c.fsys, source)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		_, err = all.New(source).Parse(string(text))
	}
	return all, err
}

// each runs work for 0..n-1 on as many goroutines as there are processors.
func (r *renderer) each(n int, work func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func (r *renderer) render(e Entry) (File, error) {
	// What is copied is the same for every project.
	if f, ok := r.copies.Load(e.Source); ok && e.Action == Copy {
		return f.(File), nil
	}
	data, err := fs.ReadFile(r.fsys, e.Source)
	if err != nil {
		return File{}, err
	}
	switch e.Action {
	case Expand:
		data, err = r.expand(e, data)
	case Rehome:
		data, err = r.rehome(e, data)
	case Copy, Record: // as it is
	}
	if err == nil {
		err = r.check(e, data)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", e.Source, err)
	}
	f := newFile(e, data)
	if e.Action == Copy {
		r.copies.Store(e.Source, f)
	}
	return f, nil
}

func newFile(e Entry, data []byte) File {
	f := File{Entry: e, Mode: 0o644, Data: data}
	if bytes.HasPrefix(data, []byte("#!")) {
		f.Mode = 0o755
	}
	return f
}

// expand executes a text template and formats what comes out.
func (r *renderer) expand(e Entry, text []byte) ([]byte, error) {
	t, err := r.words.Clone()
	if err == nil {
		t, err = t.New(e.Source).Parse(string(text))
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any(r.data)); err != nil {
		return nil, err
	}
	switch path.Ext(e.Path) {
	case ".go":
		return format.Source(b.Bytes())
	case ".tf", ".tfvars", ".hcl":
		return hclwrite.Format(b.Bytes()), nil
	}
	return b.Bytes(), nil
}

// rehome makes imports of the template tree imports of the project. It rewrites the import specs that the parser finds, nothing else, and
// so reads no further: what follows is compiled and tested where the template stands.
func (r *renderer) rehome(e Entry, src []byte) ([]byte, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, e.Source, src, parser.ImportsOnly|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	copied := 0
	for _, spec := range f.Imports {
		old, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		home, err := r.home(old)
		if err != nil {
			return nil, err
		}
		if home == old {
			continue
		}
		at := fset.Position(spec.Path.Pos()).Offset
		out.Write(src[copied:at])
		literal := strconv.Quote(home)
		out.WriteString(literal)
		copied = at + len(spec.Path.Value)
		spec.Path.Value = literal
	}
	if copied == 0 {
		return src, nil
	}
	if importsInOrder(fset, f) {
		out.Write(src[copied:])
		return out.Bytes(), nil
	}
	// Only the head of the file is formatted: the rest stands as it was formatted in the template tree.
	end := fset.Position(lastImport(f).End()).Offset
	out.Write(src[copied:end])
	head, err := format.Source(append(out.Bytes(), '\n'))
	if err != nil {
		return nil, err
	}
	return append(bytes.TrimRight(head, "\n"), src[end:]...), nil
}

// lastImport returns the last import declaration.
func lastImport(f *ast.File) ast.Decl {
	last := f.Decls[0]
	for _, decl := range f.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			last = d
		}
	}
	return last
}

// home returns where an import path of the template tree lives in the project; other paths stay.
func (r *renderer) home(importPath string) (string, error) {
	rest, ok := strings.CutPrefix(importPath, r.root+"/")
	if !ok {
		return importPath, nil
	}
	for _, layer := range r.spec.Layers {
		if sub, ok := strings.CutPrefix(rest, layer+"/"); ok {
			return r.spec.Module + "/" + sub, nil
		}
	}
	return "", fmt.Errorf("imports %s, which is no part of this project", importPath)
}

// importsInOrder reports whether each run of import lines is sorted as gofmt sorts it. The runs stay what they are in the template tree:
// standard packages apart from others, as goimports has it.
func importsInOrder(fset *token.FileSet, f *ast.File) bool {
	var last *ast.ImportSpec
	for _, spec := range f.Imports {
		adjacent := last != nil && fset.Position(spec.Pos()).Line <= fset.Position(last.End()).Line+1
		if adjacent && last.Path.Value > spec.Path.Value {
			return false
		}
		last = spec
	}
	return true
}

// check refuses content that no project may hold or that is not what its name says. The imports of Go files were parsed on their way here.
func (r *renderer) check(e Entry, data []byte) error {
	if bytes.Contains(data, []byte(r.root)) {
		return fmt.Errorf("names the template tree %s", r.root)
	}
	if bytes.IndexByte(data, '\r') >= 0 && bytes.IndexByte(data, 0) < 0 {
		return errors.New("has a carriage return")
	}
	if e.Action == Copy && path.Base(path.Dir(e.Path)) == "testdata" {
		return nil
	}
	switch path.Ext(e.Path) {
	case ".tf", ".tfvars", ".hcl":
		_, diags := hclsyntax.ParseConfig(data, e.Path, hcl.InitialPos)
		if diags.HasErrors() {
			return diags
		}
	case ".json":
		if !json.Valid(data) {
			return errors.New("is not JSON")
		}
	case ".yaml", ".yml":
		return yaml.Unmarshal(data, new(yaml.Node))
	case ".mod":
		m, err := modfile.Parse(e.Path, data, nil)
		if err == nil && e.Path == "go.mod" && (m.Module == nil || m.Module.Mod.Path != r.spec.Module) {
			err = fmt.Errorf("is not for module %s", r.spec.Module)
		}
		return err
	}
	return nil
}
