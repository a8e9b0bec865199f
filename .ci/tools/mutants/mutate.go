package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a file with one fault in it.
type mutant struct {
	project *project
	file    string // relative to its folder
	where   string // the function
	what    string // the fault, with the code that it takes the place of
	source  []byte // the whole file, with the fault
}

// String describes a mutant by what does not change when lines move.
func (m mutant) String() string { return fmt.Sprintf("%s %s: %s", m.file, m.where, m.what) }

// mutants returns every fault that can be planted in a file, one a mutant.
func mutants(p *project, file string) ([]mutant, error) {
	source, err := os.ReadFile(filepath.Join(p.dir, file))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	planter := planter{fset: fset, source: source, mutant: mutant{project: p, file: filepath.ToSlash(file)}}
	for _, decl := range parsed.Decls {
		planter.mutant.where = "package"
		if fn, ok := decl.(*ast.FuncDecl); ok {
			planter.mutant.where = fn.Name.Name
			planter.fails = lastIsError(fn.Type)
		}
		ast.Inspect(decl, planter.visit)
	}
	return planter.planted, nil
}

// planter collects the mutants of one file.
type planter struct {
	fset    *token.FileSet
	source  []byte
	mutant  mutant // without a fault
	fails   bool   // the function's last result is an error
	planted []mutant
}

// swapped has for each operator the one that is easily taken for it.
var swapped = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

func (p *planter) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.FuncLit:
		outer := p.fails
		p.fails = lastIsError(n.Type)
		ast.Inspect(n.Body, p.visit)
		p.fails = outer
		return false
	case *ast.ExprStmt:
		p.plant("call dropped", n.Pos(), n.End(), "")
	case *ast.DeferStmt:
		p.plant("defer dropped", n.Pos(), n.End(), "")
	case *ast.IfStmt:
		if n.Else == nil {
			p.plant("guard dropped", n.Pos(), n.End(), "")
		}
		p.plant("condition negated", n.Cond.Pos(), n.Cond.End(), "!("+p.text(n.Cond.Pos(), n.Cond.End())+")")
	case *ast.CaseClause:
		if n.List != nil && len(n.Body) > 0 {
			p.plant("case dropped", n.Pos(), n.End(), "")
		}
	case *ast.BinaryExpr:
		if other, ok := swapped[n.Op]; ok {
			end := n.OpPos + token.Pos(len(n.Op.String()))
			p.plant("operator is "+other.String()+" in "+p.text(n.Pos(), n.End()), n.OpPos, end, other.String())
		}
	case *ast.ReturnStmt:
		if last := len(n.Results) - 1; p.fails && last >= 0 && p.text(n.Results[last].Pos(), n.Results[last].End()) != "nil" {
			p.plant("error not returned", n.Results[last].Pos(), n.Results[last].End(), "nil")
		}
	case *ast.CompositeLit:
		if _, list := n.Type.(*ast.ArrayType); list && len(n.Elts) > 1 {
			for i, element := range n.Elts {
				end := n.Rbrace
				if i+1 < len(n.Elts) {
					end = n.Elts[i+1].Pos()
				}
				p.plant("element dropped: "+p.text(element.Pos(), element.End()), element.Pos(), end, "")
			}
		}
	case *ast.Ident:
		if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
			p.plant("is "+other, n.Pos(), n.End(), other)
		}
	}
	return true
}

// plant records the file with the code between two places replaced.
func (p *planter) plant(fault string, from, to token.Pos, code string) {
	start, end := p.fset.Position(from).Offset, p.fset.Position(to).Offset
	m := p.mutant
	// The first line of the code tells which place is meant, and a number tells places that read alike apart.
	line, _, _ := strings.Cut(string(p.source[start:end]), "\n")
	m.what = fault
	if !strings.Contains(fault, " in ") && !strings.Contains(fault, ": ") {
		m.what += ": " + line
	}
	same := 0
	for _, other := range p.planted {
		if other.where == m.where && (other.what == m.what || strings.HasPrefix(other.what, m.what+" (")) {
			same++
		}
	}
	if same > 0 {
		m.what = fmt.Sprintf("%s (%d)", m.what, same+1)
	}
	m.source = slices.Concat(p.source[:start], []byte(code), p.source[end:])
	p.planted = append(p.planted, m)
}

// text is the code between two places, on one line.
func (p *planter) text(from, to token.Pos) string {
	return strings.Join(strings.Fields(string(p.source[p.fset.Position(from).Offset:p.fset.Position(to).Offset])), " ")
}

func lastIsError(fn *ast.FuncType) bool {
	if fn.Results == nil {
		return false
	}
	last, ok := fn.Results.List[len(fn.Results.List)-1].Type.(*ast.Ident)
	return ok && last.Name == "error"
}
