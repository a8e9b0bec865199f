// Command emit writes the Terraform of few projects, in folders of the one that it is
// given: those of space.Cover, each with the values of a deployment. OpenTofu judges them, which is slow; what is judged in
// memory is far more.
package main

import (
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/golden/hclcheck"
	"github.com/rotasmith/rotasmith/golden/space"
	"github.com/rotasmith/rotasmith/templates"
)

const secretARN = "arn:aws:secretsmanager:" + hclcheck.Region + ":" + hclcheck.Account + ":secret:"

func main() {
	log.SetFlags(0)
	if err := emit(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

// emit writes to dir; schemaFile is the provider's recorded schema.
func emit(dir, schemaFile string) error {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		return err
	}
	schema, err := hclcheck.ParseSchema(data)
	if err != nil {
		return err
	}
	c, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		return err
	}
	rows, err := space.Cover(c)
	if err != nil {
		return err
	}
	renderer := generator.NewRenderer(c)
	for i, answers := range rows {
		result, err := renderer.Generate(generator.Texts(answers))
		if err != nil {
			return err
		}
		if err := write(filepath.Join(dir, fmt.Sprintf("%s%s-%d", answers["type"], answers["mode"], i)), schema, result); err != nil {
			return err
		}
	}
	return nil
}

// write writes what Terraform reads, a package that is none, and the answers for who wonders.
func write(dir string, schema *hclcheck.Schema, result *generator.Result) error {
	files := make(map[string][]byte)
	all := map[string][]byte{"dist/function.zip": []byte("a zip")}
	for _, f := range result.Files {
		if name, ok := strings.CutPrefix(f.Path, "terraform/"); ok {
			files[name] = f.Data
			all[f.Path] = f.Data
		}
		if f.Path == generator.AnswersFile {
			all[f.Path] = f.Data
		}
	}
	m := schema.Parse(files)
	all["terraform/deployment.tfvars"] = assign(space.Deployment(m, secretARN+"orders-AbCdEf", secretARN+"orders-admin-AbCdEf"))
	all["terraform/seeded.tfvars"] = assign(map[string]cty.Value{"seeded": space.Seeded(m)})
	for name, data := range all {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// assign writes values as a .tfvars file.
func assign(values map[string]cty.Value) []byte {
	file := hclwrite.NewEmptyFile()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		file.Body().SetAttributeValue(name, values[name])
	}
	return hclwrite.Format(file.Bytes())
}
