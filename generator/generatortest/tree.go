// Package generatortest has a small template tree for tests of what makes projects.
package generatortest

import (
	"io/fs"
	"maps"
	"strings"
	"testing/fstest"

	"github.com/rotasmith/rotasmith/templates"
)

// Root is the import path of the tree.
const Root = "example.org/smith/templates"

// Tree is a small template tree with one of everything: three types, two engines, two providers with modes, shared and special layers, features, an alias and
// questions of its own.
// changes are put over it; an empty text takes a file away.
func Tree(changes map[string]string) fstest.MapFS {
	files := map[string]string{
		"project/rotation/rotation.go":        "package rotation\n\n// Run runs.\nfunc Run() {}\n",
		"project/rotation/testdata/broken.go": "not Go at all\n",
		"project/terraform/main.tf":           "locals {\n  name = \"x\"\n}\n",
		"project/terraform/main.tfvars.tmpl":  "name={{hcl .SecretName}}\nschedule = {{hcl .ScheduleExpression}}\n",
		"project/.gitignore":                  "bootstrap\n",
		"project/run.sh":                      "#!/bin/sh\nexit 0\n",
		"project/README.md.tmpl":              "# {{md .Name}}\n\n    {{.Command}}\n{{range .Keep}}{{.}} {{end}}\n{{.Users}}{{.ChangeAs}} {{.TypeTitle}} {{.EngineTitle}} {{.CI}}\n",

		"strategies/common/strategy.yaml":             "title: Shared\n",
		"strategies/common/shared/shared.go":          "package shared\n\nimport \"example.org/smith/templates/project/rotation\"\n\nvar _ = rotation.Run\n",
		"strategies/pair/strategy.yaml":               "type: db-pair\ntarget: engine\ntitle: A pair\nhelp: two\nincludes: [common]\nquestions:\n  - key: users\n    prompt: Users\n    help: where from\n    default: made\n    choices: [{value: made}, {value: clone, aliases: [cloned]}]\n",
		"strategies/pair/pair/pair.go":                "package pair\n",
		"strategies/single/strategy.yaml":             "type: db-single\ntarget: engine\ntitle: Single\nincludes: [common]\nquestions:\n  - {key: change_as, default: self, pattern: 'self|admin', help: self or admin}\n",
		"strategies/single/single/single.go":          "package single\n",
		"engines/alpha/engine.yaml":                   "name: alpha\ntitle: Alpha DB\naliases: [aurora-alpha]\nincludes: [wire]\n",
		"protocols/wire/common/wire/wire.go":          "package wire\n",
		"engines/alpha/common/go.mod.tmpl":            "module {{.Module}}\n\ngo {{.GoVersion}}\n",
		"engines/alpha/common/alpha/alpha.go":         "package alpha\n",
		"engines/alpha/pair/main.go":                  alphaMain,
		"engines/alpha/single/main.go":                "package main\n\nimport _ \"example.org/smith/templates/strategies/single/single\"\n\nfunc main() {}\n",
		"engines/alpha/features/ci/gitlab/x.md":       "only for this engine\n",
		"engines/beta/engine.yaml":                    "name: beta\ntitle: Beta\nquestions:\n  - {key: kind, optional: true, help: a kind}\n",
		"engines/beta/single/main.go":                 "package main\n\nfunc main() {}\n",
		"strategies/keys/strategy.yaml":               "type: key\ntarget: provider\ntitle: A key\nhelp: keys\ndefaults: {network: public}\n",
		"strategies/both/strategy.yaml":               "mode: both\nhelp: side by side\nincludes: [keys]\n",
		"strategies/both/both/both.go":                "package both\n",
		"strategies/swap/strategy.yaml":               "mode: swap\nincludes: [keys]\n",
		"providers/acme/provider.yaml":                "name: acme\ntitle: Acme\nmanaged: rotates it too\n",
		"providers/acme/both/main.go":                 "package main\n\nfunc main() {}\n",
		"providers/acme/swap/main.go":                 "package main\n\nfunc main() {}\n",
		"providers/zeta/provider.yaml":                "name: zeta\ntitle: Zeta\n",
		"providers/zeta/swap/main.go":                 "package main\n\nfunc main() {}\n",
		"features/ci/github/.github/workflows/ci.yml": "on: push\n",
		"features/ci/gitlab/.gitlab-ci.yml":           "test: {script: [make test]}\n",
	}
	questions, err := fs.Glob(templates.FS, "features/*/question.yaml") // the real ones: a default is asked by name here and there
	if err != nil {
		panic(err) // only for a bad pattern
	}
	for _, path := range questions {
		text, err := fs.ReadFile(templates.FS, path)
		if err != nil {
			panic(err) // what is embedded can be read
		}
		files[path] = string(text)
	}
	maps.Copy(files, changes)
	tree := make(fstest.MapFS)
	for path, text := range files {
		if text != "" {
			tree[path] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return tree
}

const alphaMain = `package main

import (
	"fmt"

	"github.com/acme/driver"

	"example.org/smith/templates/engines/alpha/common/alpha"
	"example.org/smith/templates/project/rotation"
	roles "example.org/smith/templates/strategies/pair/pair"
)

// The path "example.org/smith" in a comment stays.
func main() { fmt.Println(driver.X, alpha.X, rotation.Run, roles.X) }
`

// Pair are the least answers for a complete project of the tree, and more of the form KEY=VALUE.
func Pair(more ...string) map[string]string {
	texts := map[string]string{"name": "orders", "type": "db-pair", "engine": "alpha"}
	for _, m := range more {
		key, value, _ := strings.Cut(m, "=")
		texts[key] = value
	}
	return texts
}
