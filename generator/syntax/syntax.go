// Package syntax knows the formats of the files in a project by their names.
package syntax

import (
	"errors"
	"go/parser"
	"go/token"
	"path"

	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"
)

// Parse refuses text that is not what the name of its file says: Go, HCL, JSON, YAML or a go.mod. A name or a key that is declared twice is
// refused too. Whatever else a file is called, anything may be in it.
func Parse(name string, text []byte) error {
	switch path.Ext(name) {
	case ".go":
		_, err := parser.ParseFile(token.NewFileSet(), name, text, parser.DeclarationErrors)
		return err
	case ".tf", ".tfvars", ".hcl":
		if _, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos); diags.HasErrors() {
			return diags
		}
	case ".json":
		if !json.Valid(text) {
			return errors.New("is not JSON")
		}
	case ".yaml", ".yml":
		var content any
		return yaml.Unmarshal(text, &content)
	case ".mod":
		_, err := modfile.Parse(name, text, nil)
		return err
	}
	return nil
}
