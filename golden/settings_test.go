package golden

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// TestSettingsAreRead holds what Terraform sets to what the function reads, and
// that to what Terraform sets or REFERENCE.md tells.
func TestSettingsAreRead(t *testing.T) {
	readers := []string{"String", "List", "OneOf", "Bool", "Int", "Duration"}
	variable := regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`)
	everyProject(t, func(t *testing.T, files tree) {
		var read, written []string
		calls(t, files, func(call *ast.CallExpr) {
			if !slices.Contains(readers, named(call.Fun)) || len(call.Args) == 0 {
				return
			}
			if literal, ok := call.Args[0].(*ast.BasicLit); ok {
				if name, err := strconv.Unquote(literal.Value); err == nil && variable.MatchString(name) {
					read = append(read, name)
				}
			}
		})
		for name, text := range files {
			if path.Ext(name) == ".tf" {
				written = append(written, settings(t, name, text)...)
			}
		}
		if len(read) == 0 || len(written) == 0 {
			t.Fatalf("read: %q, set: %q", read, written)
		}
		sdk := []string{"AWS_USE_DUALSTACK_ENDPOINT"} // is read by the AWS SDK
		if unread := without(without(written, sdk), read); len(unread) > 0 {
			t.Errorf("Terraform sets %q, which nothing reads", unread)
		}
		lambda := []string{"AWS_REGION"} // is set by Lambda
		for _, name := range without(without(read, written), lambda) {
			if !strings.Contains(files["REFERENCE.md"], "`"+name+"`") {
				t.Errorf("the function reads %s, which Terraform does not set and REFERENCE.md does not tell of", name)
			}
		}
	})
}

// settings returns the keys of the maps that make the function's environment:
// the locals environment, settings and those that end so.
func settings(t *testing.T, name, text string) []string {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var keys []string
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != "locals" {
			continue
		}
		for local, attribute := range block.Body.Attributes {
			if local != "environment" && local != "settings" && !strings.HasSuffix(local, "_settings") {
				continue
			}
			_ = hclsyntax.VisitAll(attribute.Expr, func(node hclsyntax.Node) hcl.Diagnostics {
				if object, ok := node.(*hclsyntax.ObjectConsExpr); ok {
					for _, item := range object.Items {
						keys = append(keys, hcl.ExprAsKeyword(item.KeyExpr))
					}
				}
				return nil
			})
		}
	}
	return keys
}
