package golden

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// everyProject calls f with what each case emits now.
func everyProject(t *testing.T, f func(t *testing.T, files tree)) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) { f(t, emitted(t, name).files) })
	}
}

// calls visits every call in a project's Go code but its tests'.
func calls(t *testing.T, files tree, visit func(*ast.CallExpr)) {
	t.Helper()
	for name, text := range files {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				visit(call)
			}
			return true
		})
	}
}

// returned visits everything that a project's Go code returns, but its tests'.
func returned(t *testing.T, files tree, visit func(ast.Expr)) {
	t.Helper()
	for name, text := range files {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if statement, ok := node.(*ast.ReturnStmt); ok {
				for _, result := range statement.Results {
					visit(result)
				}
			}
			return true
		})
	}
}

// named returns the identifier of x, without its package or receiver.
func named(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	}
	return ""
}

// set makes a list comparable.
func set(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// without returns what is in list and not in other.
func without(list, other []string) []string {
	return slices.DeleteFunc(set(list), func(s string) bool { return slices.Contains(other, s) })
}

// notOfOneUser are the codes that code for both strategies has and that one user
// cannot meet: no user is granted anything, and passwords do not overlap where the
// server keeps one.
var notOfOneUser = []string{"parity", "too-soon"}

// notOfOneKey are the codes that code for every way of rotating keys has, and that
// one way cannot meet: where a key is rolled, nothing overlaps and no second key is
// made; where it is supplied, no key is.
var notOfOneKey = map[string][]string{
	"internal/apikey/roll/strategy.go":     {"quota", "scopes", "too-soon"},
	"internal/apikey/assisted/strategy.go": {"quota"},
}

// TestRunbookKnowsEveryCode holds the runbook to the codes that the code makes
// errors of, both ways.
func TestRunbookKnowsEveryCode(t *testing.T) {
	heading := regexp.MustCompile("(?m)^### `([a-z-]+)`$")
	everyProject(t, func(t *testing.T, files tree) {
		values := codesOf(files)
		var codes, headings []string
		calls(t, files, func(call *ast.CallExpr) {
			for _, arg := range call.Args {
				if code, ok := values[named(arg)]; ok {
					codes = append(codes, code)
				}
			}
		})
		returned(t, files, func(x ast.Expr) {
			if code, ok := values[named(x)]; ok {
				codes = append(codes, code)
			}
		})
		for _, found := range heading.FindAllStringSubmatch(files["RUNBOOK.md"], -1) {
			headings = append(headings, found[1])
		}
		if strings.Contains(files["rotasmith.yaml"], "\ntype: rds-single-user\n") {
			if unused := without(notOfOneUser, codes); len(unused) > 0 {
				t.Errorf("%q need no exception any more", unused)
			}
			excused := notOfOneUser
			if files["internal/mysql/dualpassword/dual.go"]+files["internal/mariadb/dualpassword/dual.go"] != "" { // the previous password lives on
				excused = without(excused, []string{"too-soon"})
			}
			codes = without(codes, excused)
		}
		for file, excused := range notOfOneKey {
			if files[file] == "" {
				continue
			}
			if unused := without(excused, codes); len(unused) > 0 {
				t.Errorf("%q need no exception any more", unused)
			}
			codes = without(codes, excused)
		}
		if len(codes) == 0 {
			t.Fatal("no code is found")
		}
		slices.Sort(headings)
		if diff := cmp.Diff(set(codes), headings); diff != "" {
			t.Errorf("RUNBOOK.md does not have the codes of the code (-code +runbook):\n%s", diff)
		}
	})
}

// situations are the failures that everybody meets, whose entries are found
// without a code.
var situations = []string{
	"A step was killed", "No route to Secrets Manager", "A right that only finishSecret lacks",
	"KMS refuses the key", "AWSPENDING is stuck", "A step is invoked again", "Applications hold a previous value", "A replica shows a previous value",
}

// TestRunbookEntriesAreWhole holds every entry to the four things that the person
// on call needs, in their order, and the runbook to the failures that have no code
// of their own.
func TestRunbookEntriesAreWhole(t *testing.T) {
	everyProject(t, func(t *testing.T, files tree) {
		var titles []string
		for entry := range strings.SplitSeq(files["RUNBOOK.md"], "\n### ") {
			title, text, _ := strings.Cut(entry, "\n")
			if strings.HasPrefix(title, "# ") {
				continue // what comes before the first
			}
			titles = append(titles, title)
			text, _, _ = strings.Cut(text, "\n## ")
			if strings.HasPrefix(text, "\nNot on ") {
				continue // a code that this engine does not give
			}
			at := -1
			for _, part := range []string{"**Symptom.** ", "**Tell.** ", "**Cure.** ", "**Never** "} {
				next := strings.Index(strings.ReplaceAll(text, "\n", " "), part)
				if next <= at {
					t.Errorf("%s: %sis missing or comes too early", title, part)
				}
				at = next
			}
		}
		server := "database"
		if files["internal/apikey/apikey.go"] != "" {
			server = "provider"
		}
		if missing := without(append(situations, "No route to the "+server), titles); len(missing) > 0 {
			t.Errorf("RUNBOOK.md does not have %q", missing)
		}
	})
}

// TestLinksIntoTheRunbookLead holds every link to a place in the runbook, the
// alerts' among them, to a heading that is there.
func TestLinksIntoTheRunbookLead(t *testing.T) {
	heading := regexp.MustCompile("(?m)^##+ (.+)$")
	punctuation := regexp.MustCompile("[^a-z0-9 -]")
	link := regexp.MustCompile(`(?:runbook_url}|RUNBOOK\.md|\]\()#([a-z-]+)`)
	everyProject(t, func(t *testing.T, files tree) {
		var places, linked []string
		for _, found := range heading.FindAllStringSubmatch(files["RUNBOOK.md"], -1) {
			title := punctuation.ReplaceAllString(strings.ToLower(found[1]), "")
			places = append(places, strings.ReplaceAll(title, " ", "-"))
		}
		for name, text := range files {
			if name == "RUNBOOK.md" || name == "README.md" || path.Ext(name) == ".tf" {
				for _, found := range link.FindAllStringSubmatch(text, -1) {
					linked = append(linked, found[1])
				}
			}
		}
		if len(linked) == 0 {
			t.Error("nothing links into RUNBOOK.md")
		}
		if lost := without(linked, places); len(lost) > 0 {
			t.Errorf("links lead to %q, which RUNBOOK.md does not have", lost)
		}
	})
}
