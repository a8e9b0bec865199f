package generator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	"golang.org/x/tools/imports"
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
	data, err := s.Data()
	if err != nil {
		return nil, err
	}
	r := &renderer{Catalog: c, spec: s, data: data, words: words}
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
// includes it, by a protocol and by the target. An empty text defines nothing anew: that is how text/template has it.
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
		return formatImports(e.Path, b.Bytes())
	case ".tf", ".tfvars", ".hcl":
		return hclwrite.Format(b.Bytes()), nil
	}
	return b.Bytes(), nil
}

// goSource is a Go file of the template tree and where its import paths stand.
type goSource struct {
	text    []byte
	imports []importPath
	end     int // of the last import declaration
}

type importPath struct {
	from, to int // with the quotes
	line     int
	path     string
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
		src.end = fset.Position(decl.End()).Offset
	}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		at := fset.Position(spec.Path.Pos())
		if n := len(src.imports); n > 0 && src.imports[n-1].line == at.Line {
			return nil, fmt.Errorf("line %d has two imports, format it", at.Line)
		}
		src.imports = append(src.imports, importPath{at.Offset, at.Offset + len(spec.Path.Value), at.Line, path})
	}
	return src, nil
}

// rehome makes imports of the template tree imports of the project. It rewrites the paths of import specs, nothing else, and where that
// disturbs their order puts it right; foreign says that there was none to rewrite.
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
	var out bytes.Buffer
	copied, foreign, ordered := 0, true, true
	var last importPath
	for _, spec := range src.imports {
		home, err := r.home(spec.path)
		if err != nil {
			return nil, false, err
		}
		foreign = foreign && home == spec.path
		out.Write(src.text[copied:spec.from])
		out.WriteString(strconv.Quote(home))
		copied, spec.path = spec.to, home
		ordered = ordered && inOrder(last, spec)
		last = spec
	}
	switch {
	case foreign:
		return src.text, true, nil
	case ordered:
		out.Write(src.text[copied:])
		return out.Bytes(), false, nil
	}
	// Only the head of the file is formatted: the rest stands as it was formatted in the template tree.
	out.Write(src.text[copied:src.end])
	head, err := formatImports(e.Path, append(out.Bytes(), '\n'))
	if err != nil {
		return nil, false, err
	}
	return append(bytes.TrimRight(head, "\n"), src.text[src.end:]...), false, nil
}

// inOrder reports whether goimports leaves two import specs as they follow each other: apart, or sorted and both or neither of the
// standard library.
func inOrder(first, second importPath) bool {
	return first.path == "" || first.line+1 < second.line || first.path <= second.path && isStandard(first.path) == isStandard(second.path)
}

func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// formatImports sorts imports and formats, offline: FormatOnly neither adds nor removes an import.
func formatImports(name string, src []byte) ([]byte, error) {
	return imports.Process(name, src, &imports.Options{FormatOnly: true, Comments: true, TabIndent: true, TabWidth: 8})
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
