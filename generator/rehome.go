package generator

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/tools/imports"
)

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
func (p *project) rehome(e Entry) (data []byte, foreign bool, err error) {
	src, err := p.sources.get(e.Source, func() (*goSource, error) {
		text, err := fs.ReadFile(p.catalog.fsys, e.Source)
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
		home, err := p.home(spec.path)
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
func (p *project) home(importPath string) (string, error) {
	rest, ok := strings.CutPrefix(importPath, p.catalog.root+"/")
	if !ok {
		return importPath, nil
	}
	for _, layer := range p.spec.Layers {
		if sub, ok := strings.CutPrefix(rest, layer+"/"); ok {
			return p.spec.Module + "/" + placePackage(sub), nil
		}
	}
	return "", fmt.Errorf("imports %s, which is no part of this project", importPath)
}
