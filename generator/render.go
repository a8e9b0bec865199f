package generator

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"
	"sync"
	"text/template"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"golang.org/x/mod/modfile"

	"github.com/rotasmith/rotasmith/generator/syntax"
)

// File is one file of a project, ready to be written.
type File struct {
	Entry
	Mode   fs.FileMode // 0644, or 0755 for what begins with #!
	Data   []byte
	SHA256 string // of Data, in hex
}

// Renderer makes projects from one template tree. It makes what projects share only once.
type Renderer struct {
	Version string // of rotasmith, which LockFile names

	catalog *Catalog

	plans      cache[Plan]               // by layers
	copies     cache[File]               // by source
	sources    cache[*goSource]          // by source
	templates  cache[*template.Template] // by the layers whose words they may use, and source
	terraform  cache[*tfNames]           // by digest
	expansions cache[expansion]          // by source, the last of each
}

// NewRenderer returns a renderer of what a catalogue offers, for a build without a version.
func NewRenderer(c *Catalog) *Renderer { return &Renderer{Version: Unreleased, catalog: c} }

// Unreleased is the version of a build that has none, as the go command calls it.
const Unreleased = "(devel)"

// Result is a whole project in memory.
type Result struct {
	Spec  *Spec
	Bill  *Bill
	Plan  Plan
	Files []File // in the order of the plan
}

// Render runs the pipeline from answers to files: expanded, rehomed, formatted, and every one checked for what its name says it is. Its
// error joins those of all answers or of all files.
func (r *Renderer) Render(answers *Resolution) (*Result, error) {
	p, err := r.project(answers)
	if err != nil {
		return nil, err
	}
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	return &Result{Spec: p.spec, Bill: p.bill, Plan: p.plan, Files: files}, nil
}

// RenderOnly makes those files of a project that are wanted by their path, in the order of the plan. What the generator itself writes is
// never among them. Its error joins those of all files, and the others are returned with it.
func (r *Renderer) RenderOnly(answers *Resolution, wanted func(path string) bool) ([]File, error) {
	p, err := r.project(answers)
	if err != nil {
		return nil, err
	}
	var files []File
	var errs []error
	for _, e := range p.plan {
		if e.Action == Record || !wanted(e.Path) {
			continue
		}
		if f, err := p.file(e); err == nil {
			files = append(files, f)
		} else {
			errs = append(errs, err)
		}
	}
	return files, errors.Join(errs...)
}

// Catalog returns what the renderer makes projects of.
func (r *Renderer) Catalog() *Catalog { return r.catalog }

// Generate makes the project of answers, and asks nothing.
func (r *Renderer) Generate(answers Answers) (*Result, error) {
	return r.Render(r.catalog.Resolve(answers))
}

// project is one that is being made.
type project struct {
	*Renderer
	spec  *Spec
	bill  *Bill
	plan  Plan
	data  Data
	words *template.Template // what every template may refer to by name
}

// project finds out what there is to be made of answers.
func (r *Renderer) project(answers *Resolution) (*project, error) {
	spec, err := answers.Spec()
	if err != nil {
		return nil, err
	}
	bill, err := answers.Bill(nil)
	if err != nil {
		return nil, err
	}
	plan, err := r.Plan(spec)
	if err != nil {
		return nil, err
	}
	words, err := r.words(spec)
	if err != nil {
		return nil, err
	}
	return &project{Renderer: r, spec: spec, bill: bill, plan: plan, data: newData(r.catalog.Questions, spec, bill), words: words}, nil
}

func (p *project) files() ([]File, error) {
	plan := p.plan
	files := make([]File, len(plan))
	errs := make([]error, len(plan))
	each(len(plan), func(i int) {
		if plan[i].Action != Record {
			files[i], errs[i] = p.file(plan[i])
		}
	})
	if err := errors.Join(errs...); err != nil {
		if missing := p.missingWords(); missing != nil {
			return nil, errors.Join(missing, p.undeclared(files)) // both are what a new engine lacks
		}
		return nil, err
	}
	if err := p.undeclared(files); err != nil {
		return nil, err
	}
	return files, p.record(files)
}

// each runs work for 0..n-1 on as many goroutines as there are processors.
func each(n int, work func(i int)) {
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

func (p *project) file(e Entry) (File, error) {
	if f, ok := p.copies.known(e.Source); ok {
		return f, nil
	}
	if e.Action == Expand {
		return p.expandOnce(e)
	}
	data, shared, err := p.content(e)
	if err == nil {
		err = p.verify(e, data)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", e.Source, err)
	}
	f := newFile(e, data)
	if shared {
		p.copies.keep(e.Source, f)
	}
	return f, nil
}

// expansion is what a template came to in one project, before and after it was formatted and verified.
type expansion struct {
	text, module string
	file         File
}

// expandOnce expands a template. Formatting and parsing what comes out is dear, and most templates come to the same text in the projects of a
// fleet: what the last one came to is remembered, and nothing more, however many projects there are.
func (p *project) expandOnce(e Entry) (File, error) {
	text, err := p.execute(e)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", e.Source, err)
	}
	last, ok := p.expansions.known(e.Source)
	if ok && last.text == text && last.module == p.spec.Module && last.file.Path == e.Path {
		return last.file, nil
	}
	data, err := format(e.Path, []byte(text))
	if err == nil {
		err = p.verify(e, data)
	}
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", e.Source, err)
	}
	f := newFile(e, data)
	p.expansions.keep(e.Source, expansion{text, p.spec.Module, f})
	return f, nil
}

// content makes the content of a file; shared says that it is the same for every project.
func (p *project) content(e Entry) (data []byte, shared bool, err error) {
	switch e.Action {
	case Rehome:
		data, shared, err = p.rehome(e)
	default:
		data, err = fs.ReadFile(p.catalog.fsys, e.Source)
		shared = true
	}
	return data, shared, err
}

func newFile(e Entry, data []byte) File {
	f := File{Entry: e, Mode: 0o644, Data: data, SHA256: Digest(data)}
	if bytes.HasPrefix(data, []byte("#!")) {
		f.Mode = 0o755
	}
	return f
}

// execute executes a text template.
func (p *project) execute(e Entry) (string, error) {
	t, err := p.templates.get(p.spec.wording()+" "+e.Source, func() (*template.Template, error) {
		text, err := fs.ReadFile(p.catalog.fsys, e.Source)
		if err != nil {
			return nil, err
		}
		t, err := p.words.Clone()
		if err != nil {
			return nil, err
		}
		return t.New(e.Source).Parse(string(text))
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any(p.data))
	return b.String(), err
}

// format formats a text by what its path says it is.
func format(file string, text []byte) ([]byte, error) {
	switch path.Ext(file) {
	case ".go":
		return formatImports(file, text)
	case ".tf", ".tfvars", ".hcl":
		return hclwrite.Format(text), nil
	}
	return text, nil
}

// verify refuses content that no project may hold and, where it was made here, content that is not what its name says. It trusts
// plain copies: TestCopiesAreWhatTheirNamesSay parses their templates, and Go is compiled there.
func (p *project) verify(e Entry, data []byte) error {
	if bytes.Contains(data, []byte(p.catalog.root)) {
		return fmt.Errorf("names the template tree %s", p.catalog.root)
	}
	if bytes.IndexByte(data, '\r') >= 0 && bytes.IndexByte(data, 0) < 0 {
		return errors.New("has a carriage return")
	}
	if e.Action != Expand {
		return nil
	}
	if err := syntax.Parse(e.Path, data); err != nil {
		return err
	}
	if e.Path == "go.mod" && modfile.ModulePath(data) != p.spec.Module {
		return fmt.Errorf("is not for module %s", p.spec.Module)
	}
	return nil
}
