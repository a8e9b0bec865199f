package golden

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// TestAdviceIsFollowed requires a test of the project for every code in the runbook: a
// function whose name begins with TestAdvice, which follows the entry's advice. (C25)
func TestAdviceIsFollowed(t *testing.T) {
	heading := regexp.MustCompile("(?m)^### `([a-z-]+)`\n\n(Not on )?")
	everyProject(t, func(t *testing.T, files tree) {
		codes := codesOf(files)
		var followed, advised []string
		for name, text := range files {
			if !strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				test, ok := decl.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(test.Name.Name, "TestAdvice") {
					continue
				}
				ast.Inspect(test, func(node ast.Node) bool {
					if x, ok := node.(ast.Expr); ok && codes[named(x)] != "" {
						followed = append(followed, codes[named(x)])
					}
					return true
				})
			}
		}
		for _, found := range heading.FindAllStringSubmatch(files["RUNBOOK.md"], -1) {
			if found[2] == "" {
				advised = append(advised, found[1])
			}
		}
		if len(followed) == 0 || len(advised) == 0 {
			t.Fatalf("%d codes in tests and %d in RUNBOOK.md are found", len(followed), len(advised))
		}
		if missing := without(advised, followed); len(missing) > 0 {
			t.Errorf("no test follows the advice on %q", missing)
		}
	})
}

// codesOf returns the code that each constant of a project stands for.
func codesOf(files tree) map[string]string {
	codes := make(map[string]string)
	for _, found := range regexp.MustCompile(`(?m)^\t(Code[A-Za-z]+) +Code = "([a-z-]+)"`).FindAllStringSubmatch(files["internal/rotation/errors.go"], -1) {
		codes[found[1]] = found[2]
	}
	return codes
}
