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
	"slices"
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

// words parses the texts that layers have for the templates of other layers: those of a strategy may be defined anew by one that
// includes it, by a protocol and by the target.
func (c *Catalog) words(s *Spec) (*template.Template, error) {
	return remember(&c.parsed, s.wording(), func() (*template.Template, error) {
		all := template.New("").Funcs(funcs()).Option("missingkey=error")
		for _, layer := range slices.Concat(s.Layers, s.owners()) {
			source := path.Join(layer, wordsFile)
			text, err := fs.ReadFile(c.fsys, source)
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

// remember returns what was made for key before, or makes it. It is for what is the same in every project and small for all of them
// together. Two may make the same at once.
func remember[V any](made *sync.Map, key string, how func() (V, error)) (V, error) {
	if v, ok := made.Load(key); ok {
		return v.(V), nil
	}
	v, err := how()
	if err == nil {
		made.Store(key, v)
	}
	return v, err
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
	if f, ok := r.copies.Load(e.Source); ok {
		return f.(File), nil
	}
	data, shared, err := r.content(e)
	if err == nil {
		err = r.check(e, data)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", e.Source, err)
	}
	f := newFile(e, data)
	if shared {
		r.copies.Store(e.Source, f)
	}
	return f, nil
}

// content makes the content of a file; shared says that it is the same for every project.
func (r *renderer) content(e Entry) (data []byte, shared bool, err error) {
	switch e.Action {
	case Expand:
		data, err = r.expand(e)
	case Rehome:
		data, shared, err = r.rehome(e)
	case Copy, Record:
		data, err = fs.ReadFile(r.fsys, e.Source)
		shared = true
	}
	return data, shared, err
}

func newFile(e Entry, data []byte) File {
	f := File{Entry: e, Mode: 0o644, Data: data}
	if bytes.HasPrefix(data, []byte("#!")) {
		f.Mode = 0o755
	}
	return f
}

// expand executes a text template and formats what comes out.
func (r *renderer) expand(e Entry) ([]byte, error) {
	t, err := remember(&r.parsed, r.spec.wording()+" "+e.Source, func() (*template.Template, error) {
		text, err := fs.ReadFile(r.fsys, e.Source)
		if err != nil {
			return nil, err
		}
		t, err := r.words.Clone()
		if err != nil {
			return nil, err
		}
		return t.New(e.Source).Parse(string(text))
	})
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

// goSource is a Go file of the template tree with its import lines, run by run: what stands on consecutive lines, gofmt sorts.
type goSource struct {
	text []byte
	runs [][]importLine
}

// importLine is where one import spec stands: its line, and its path in that line.
type importLine struct {
	from, to   int // with the newline
	path, past int
	imported   string
}

// parseImports reads the import specs that the parser finds, and no further: what follows is compiled and tested where the template stands.
func parseImports(source string, text []byte) (*goSource, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, source, text, parser.ImportsOnly|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	src := &goSource{text: text}
	for _, decl := range f.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.IMPORT {
			continue
		}
		last := -1
		for _, spec := range d.Specs {
			lit := spec.(*ast.ImportSpec).Path
			imported, err := strconv.Unquote(lit.Value)
			if err != nil {
				return nil, err
			}
			at := fset.Position(lit.Pos())
			l := importLine{path: at.Offset, past: at.Offset + len(lit.Value), imported: imported}
			l.from = bytes.LastIndexByte(text[:l.path], '\n') + 1
			l.to = len(text)
			if n := bytes.IndexByte(text[l.past:], '\n'); n >= 0 {
				l.to = l.past + n + 1
			}
			if at.Line == last {
				return nil, fmt.Errorf("line %d has two imports, format it", at.Line)
			}
			if at.Line != last+1 {
				src.runs = append(src.runs, nil)
			}
			last = at.Line
			src.runs[len(src.runs)-1] = append(src.runs[len(src.runs)-1], l)
		}
	}
	return src, nil
}

// rehome makes imports of the template tree imports of the project, in the order that gofmt gives them. It rewrites the import specs, nothing
// else; foreign says that there was none to rewrite.
func (r *renderer) rehome(e Entry) (data []byte, foreign bool, err error) {
	src, err := remember(&r.sources, e.Source, func() (*goSource, error) {
		text, err := fs.ReadFile(r.fsys, e.Source)
		if err != nil {
			return nil, err
		}
		return parseImports(e.Source, text)
	})
	if err != nil {
		return nil, false, err
	}
	type line struct{ path, text string }
	var out bytes.Buffer
	copied, foreign := 0, true
	for _, run := range src.runs {
		lines := make([]line, len(run))
		for i, l := range run {
			home, err := r.home(l.imported)
			if err != nil {
				return nil, false, err
			}
			foreign = foreign && home == l.imported
			lines[i] = line{home, string(src.text[l.from:l.path]) + strconv.Quote(home) + string(src.text[l.past:l.to])}
		}
		slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.path, b.path) })
		out.Write(src.text[copied:run[0].from])
		for _, l := range lines {
			out.WriteString(l.text)
		}
		copied = run[len(run)-1].to
	}
	if foreign {
		return src.text, true, nil
	}
	out.Write(src.text[copied:])
	return out.Bytes(), false, nil
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

// check refuses content that no project may hold and, where it was made here, content that is not what its name says. What is copied as it is
// was held to that where the template stands: TestCopiesAreWhatTheirNamesSay parses it, and Go is compiled there.
func (r *renderer) check(e Entry, data []byte) error {
	if bytes.Contains(data, []byte(r.root)) {
		return fmt.Errorf("names the template tree %s", r.root)
	}
	if bytes.IndexByte(data, '\r') >= 0 && bytes.IndexByte(data, 0) < 0 {
		return errors.New("has a carriage return")
	}
	if e.Action != Expand {
		return nil
	}
	return parseAs(e.Path, data, r.spec.Module)
}

// parseAs refuses a file that is not what its name says. go.mod must be that of module.
func parseAs(name string, data []byte, module string) error {
	switch path.Ext(name) {
	case ".tf", ".tfvars", ".hcl":
		_, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos)
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
		m, err := modfile.Parse(name, data, nil)
		if err == nil && name == "go.mod" && (m.Module == nil || m.Module.Mod.Path != module) {
			err = fmt.Errorf("is not for module %s", module)
		}
		return err
	}
	return nil
}
