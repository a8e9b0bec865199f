// Package history remembers the templates of released versions, so that what they once wrote into a project can be written again, without a
// network: it is the base of a merge. A text counts only if it has the digest that the project's record says.
package history

import (
	"bytes"
	_ "embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/rotasmith/rotasmith/generator"
)

//go:embed history.tar.gz
var embedded string

// Point is the templates of one version.
type Point struct {
	Version string // such as "v1.2.0"
	FS      fs.FS
	Root    string // the import path of FS
	Cases   []Case

	engine func() (*engine, error)
}

// Case is a project that was recorded with the templates, to show that they still give it.
type Case struct {
	Name    string `json:"name"`
	Answers string `json:"answers"` // its rotasmith.yaml
	SHA256  string `json:"sha256"`  // as of Digest
}

// engine makes projects with the templates of a point.
type engine struct {
	catalog  *generator.Catalog
	renderer *generator.Renderer
}

var points = sync.OnceValues(func() ([]Point, error) { return Read([]byte(embedded)) })

// Points returns what this program remembers, newest first. It is unpacked by the first call.
func Points() []Point {
	all, err := points()
	if err != nil {
		panic(err) // TestHistory has read it
	}
	return all
}

func newPoint(version, root string, fsys fs.FS, cases []Case) Point {
	return Point{Version: version, FS: fsys, Root: root, Cases: cases, engine: sync.OnceValues(func() (*engine, error) {
		c, err := generator.Open(fsys, root)
		if err != nil {
			return nil, fmt.Errorf("templates of %s: %w", version, err)
		}
		return &engine{c, generator.NewRenderer(c)}, nil
	})}
}

// Files returns those files of a project that are wanted by their path, as the templates of the point make them. Answers to questions that
// they do not ask are left out. With an error, the files are those that could be made.
func (p *Point) Files(answers generator.Answers, wanted func(path string) bool) ([]generator.File, error) {
	e, err := p.engine()
	if err != nil {
		return nil, err
	}
	asked := maps.Clone(answers)
	maps.DeleteFunc(asked, func(key string, _ generator.Answer) bool {
		return !slices.ContainsFunc(e.catalog.Questions, func(q generator.Question) bool { return q.Key == key })
	})
	return e.renderer.RenderOnly(e.catalog.Resolve(asked), wanted)
}

// Digest returns the digest of all files of a project but those that the generator itself writes: of their paths, modes and contents.
func (p *Point) Digest(answers generator.Answers) (string, error) {
	files, err := p.Files(answers, func(string) bool { return true })
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%s %04o %s\n", f.SHA256, f.Mode, f.Path)
	}
	return generator.Digest([]byte(b.String())), nil
}

// Find returns, by path, what was once written with answers and has the digest that is wanted: path to SHA-256 in hex. It looks in the newest
// point first, and in no more of them than it takes. A path that it does not return stands in none.
func Find(points []Point, answers generator.Answers, wanted map[string]string) map[string][]byte {
	found := make(map[string][]byte)
	missing := maps.Clone(wanted)
	for i := range points {
		if len(missing) == 0 {
			break
		}
		files, _ := points[i].Files(answers, func(path string) bool { return missing[path] != "" }) // what cannot be made is not found
		for _, f := range files {
			if f.SHA256 == missing[f.Path] {
				found[f.Path] = bytes.Clone(f.Data)
				delete(missing, f.Path)
			}
		}
	}
	return found
}
