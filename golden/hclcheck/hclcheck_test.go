package hclcheck_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/golden/hclcheck"
	"github.com/rotasmith/rotasmith/templates"
)

func TestTmp(t *testing.T) {
	data, err := os.ReadFile("../tfprovider/schema.json")
	if err != nil { t.Fatal(err) }
	s, err := hclcheck.ParseSchema(data)
	if err != nil { t.Fatal(err) }
	r, err := generator.Generate(templates.FS, templates.Root, generator.Texts(map[string]string{"name":"orders","type":"rds-two-user","engine":"postgres"}))
	if err != nil { t.Fatal(err) }
	files := map[string][]byte{}
	for _, f := range r.Files { if rest, ok := strings.CutPrefix(f.Path, "terraform/"); ok { files[rest] = f.Data } }
	for _, f := range s.Check(files) { t.Error(f) }
	d := s.Parse(files).Evaluate(nil)
	for _, i := range d.All("aws_iam_role_policy") { t.Log(i.Text("policy")) }
	for _, i := range d.All("aws_secretsmanager_secret_rotation") { t.Log(i.Value.GoString()) }
}
