package project

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// The templates of the table of cases: what the first and the second version have.
var (
	first = changes{
		"project/terraform/alarms.tf":      alarms("errors", 1) + alarms("age", 2) + alarms("throttles", 3),
		"project/terraform/topics.tf":      "resource \"aws_sns_topic\" \"alerts\" {\n  name = \"alerts\"\n  tags = { a = 1 }\n}\n\noutput \"topic\" {\n  value = 1\n}\n",
		"project/terraform/trail.tf":       "resource \"aws_cloudtrail\" \"this\" {\n  name = \"x\"\n}\n",
		"project/rotation/errors.go":       "package rotation\n\n// One is one.\nfunc One() int { return 1 }\n\n// Two is two.\nfunc Two() int { return 2 }\n",
		"project/Makefile":                 "all: build\n\nbuild:\n\tgo build\n\ntest:\n\tgo test\n",
		"project/tools/gen.sh":             "#!/bin/sh\necho one\necho two\necho three\n",
		"project/README.md.tmpl":           "# {{md .Name}}\n\nOne.\n\nTwo.\n\nThree.\n",
		"project/docs/a.md":                "one\ntwo\nthree\nfour\nfive\nsix\nseven\n",
		"project/logo.bin":                 "\x00\x01one",
		"project/latin.txt":                "one\ntwo\n",
		"engines/alpha/common/go.mod.tmpl": "module {{.Module}}\n\ngo {{.GoVersion}}\n\nrequire (\n\tgithub.com/acme/driver v1.0.0\n\tgithub.com/acme/other v1.0.0\n)\n",
		"project/go.sum":                   "github.com/acme/driver v1.0.0 h1:aaa=\n",
	}
	second = over(first, changes{
		"project/terraform/alarms.tf":      alarms("errors", 1) + alarms("age", 20) + alarms("throttles", 3) + alarms("more", 4),
		"project/terraform/topics.tf":      "",
		"project/terraform/sns.tf":         "resource \"aws_sns_topic\" \"alerts\" {\n  name = \"alerts\"\n  tags = { a = 2 }\n}\n\noutput \"topic\" {\n  value = 1\n}\n",
		"project/terraform/trail.tf":       "",
		"project/rotation/errors.go":       "package rotation\n\n// One is one.\nfunc One() int { return 1 }\n\n// Two is two, of course.\nfunc Two() int { return 2 }\n",
		"project/Makefile":                 "all: build\n\nbuild:\n\tgo build ./...\n\ntest:\n\tgo test\n",
		"project/tools/gen.sh":             "#!/bin/sh\necho one\necho two\necho THREE\n",
		"project/README.md.tmpl":           "# {{md .Name}}\n\nOne.\n\nTwo.\n\nThree, now.\n",
		"project/docs/a.md":                "one\ntwo\nthree\nfour\nfive\nSIX\nseven\n",
		"project/docs/new.md":              "new\n",
		"project/logo.bin":                 "\x00\x01two",
		"project/latin.txt":                "one\nTWO\n",
		"engines/alpha/common/go.mod.tmpl": "module {{.Module}}\n\ngo {{.GoVersion}}\n\nrequire (\n\tgithub.com/acme/driver v1.1.0\n\tgithub.com/acme/other v1.0.0\n)\n",
		"project/go.sum":                   "github.com/acme/driver v1.1.0 h1:bbb=\n",
	})
)

func alarms(name string, threshold int) string {
	return "resource \"aws_cloudwatch_metric_alarm\" \"" + name + "\" {\n  threshold = " + strings.Repeat("1", threshold) +
		"\n  period    = 60\n  actions   = []\n}\n\n"
}

// calm is what an update without any edit says.
var calm = []string{
	"Makefile: updated", "README.md: updated", "docs/a.md: updated", "docs/new.md: added", "go.mod: updated", "go.sum: updated",
	"internal/rotation/errors.go: updated", "latin.txt: updated", "logo.bin: updated", "terraform/alarms.tf: updated", "terraform/sns.tf: added",
	"terraform/topics.tf: removed", "terraform/trail.tf: removed", "tools/gen.sh: updated",
}

// but is calm with other lines for some files; an empty one is none.
func but(lines ...string) []string {
	var all []string
	for _, line := range calm {
		file, _, _ := strings.Cut(line, ": ")
		for _, other := range lines {
			name, _, _ := strings.Cut(other, ": ")
			name, _, _ = strings.Cut(name, ":")
			if name == file {
				line = strings.TrimSuffix(other, ": ")
				if line == file {
					line = ""
				}
			}
		}
		if line != "" {
			all = append(all, line)
		}
	}
	return all
}

// The table of cases of an update: each plants one edit, and says what comes of it.
func TestUpdateCases(t *testing.T) {
	tests := []struct {
		name  string
		edit  func(s *scene)
		want  []string
		after func(s *scene)
		left  []string // what check finds then
	}{
		{name: "1 no edits", want: calm},
		{
			name: "2 an edit in a repeated block, whose twin is new above",
			edit: func(s *scene) {
				s.to = over(second, changes{"project/terraform/alarms.tf": alarms("twin", 2) + first["project/terraform/alarms.tf"]})
				s.edit("terraform/alarms.tf", "threshold = 11\n  period    = 60", "threshold = 11\n  period    = 61")
			},
			want: but("terraform/alarms.tf: merged"),
			after: func(s *scene) {
				s.wants("terraform/alarms.tf", alarms("twin", 2)+
					strings.Replace(first["project/terraform/alarms.tf"], "threshold = 11\n  period    = 60", "threshold = 11\n  period    = 61", 1))
			},
			left: []string{"terraform/alarms.tf: edited"},
		},
		{
			name: "3 a new twin of the user's, and a later twin changes",
			edit: func(s *scene) {
				s.to = over(second, changes{"project/terraform/alarms.tf": strings.Replace(first["project/terraform/alarms.tf"], "111", "999", 1)})
				s.write("terraform/alarms.tf", alarms("mine", 3)+first["project/terraform/alarms.tf"])
			},
			want: but("terraform/alarms.tf: merged"),
			after: func(s *scene) {
				s.wants("terraform/alarms.tf", alarms("mine", 3)+strings.Replace(first["project/terraform/alarms.tf"], "111", "999", 1))
			},
			left: []string{"terraform/alarms.tf: edited"},
		},
		{
			name: "4 the same edit on both sides",
			edit: func(s *scene) { s.edit("Makefile", "go build", "go build ./...") },
			want: but("Makefile: "),
		},
		{
			name: "5 the same line",
			edit: func(s *scene) { s.edit("Makefile", "go build", "go build -v") },
			want: but("Makefile:4: conflict, both changed it"),
			after: func(s *scene) {
				s.wants("Makefile", "all: build\n\nbuild:\n<<<<<<< yours\n\tgo build -v\n||||||| rotasmith before\n\tgo build\n=======\n"+
					"\tgo build ./...\n>>>>>>> rotasmith now\n\ntest:\n\tgo test\n")
			},
		},
		{
			name: "6 adjacent lines",
			edit: func(s *scene) { s.edit("Makefile", "build:\n", "build: deps\n") },
			want: but("Makefile:3: conflict, both changed it"),
		},
		{
			name: "7 the template renames an edited file",
			edit: func(s *scene) { s.edit("terraform/topics.tf", "value = 1", "value = 11") },
			want: but("terraform/sns.tf: merged from terraform/topics.tf", "terraform/topics.tf: "),
			after: func(s *scene) {
				s.wants("terraform/sns.tf", strings.Replace(second["project/terraform/sns.tf"], "value = 1", "value = 11", 1))
				s.absent("terraform/topics.tf")
			},
			left: []string{"terraform/sns.tf: edited"},
		},
		{
			name: "8 the template drops an edited file",
			edit: func(s *scene) { s.edit("terraform/trail.tf", "\"x\"", "\"mine\"") },
			want: but("terraform/trail.tf: left, edited here, so it stays"),
			after: func(s *scene) {
				s.wants("terraform/trail.tf", "resource \"aws_cloudtrail\" \"this\" {\n  name = \"mine\"\n}\n")
			},
		},
		{
			name:  "9 a changed file was deleted",
			edit:  func(s *scene) { s.remove("internal/rotation/errors.go") },
			want:  but("internal/rotation/errors.go: not-taken"),
			after: func(s *scene) { s.absent("internal/rotation/errors.go") },
			left:  []string{"internal/rotation/errors.go: missing"},
		},
		{
			name: "10 a changed file was renamed",
			edit: func(s *scene) {
				s.write("internal/rotation/faults.go", s.read("internal/rotation/errors.go"))
				s.remove("internal/rotation/errors.go")
			},
			want:  but("internal/rotation/errors.go: not-taken, seems to be internal/rotation/faults.go now"),
			after: func(s *scene) { s.wants("internal/rotation/faults.go", first["project/rotation/errors.go"]) },
			left:  []string{"internal/rotation/errors.go: missing"},
		},
		{
			name: "11 both add a file",
			edit: func(s *scene) { s.write("docs/new.md", "mine\n") },
			want: but("docs/new.md:1: conflict, both added it"),
			after: func(s *scene) {
				s.wants("docs/new.md", "<<<<<<< yours\nmine\n||||||| rotasmith before\n=======\nnew\n>>>>>>> rotasmith now\n")
			},
		},
		{
			name: "12 a checkout with CRLF",
			edit: func(s *scene) {
				for _, file := range []string{"docs/a.md", "latin.txt"} {
					s.write(file, strings.ReplaceAll(s.read(file), "\n", "\r\n"))
				}
				s.edit("docs/a.md", "two", "TWO")
			},
			want: but("docs/a.md: merged"),
			after: func(s *scene) {
				s.wants("docs/a.md", "one\r\nTWO\r\nthree\r\nfour\r\nfive\r\nSIX\r\nseven\r\n")
				s.wants("latin.txt", "one\r\nTWO\r\n")
			},
			left: []string{".gitattributes: line-endings", "docs/a.md: edited"},
		},
		{
			name: "13 a Go block that gofmt has aligned anew",
			edit: func(s *scene) {
				const block = "package rotation\n\nvar (\n\ta   = 1 // a\n\tbcd = 2 // b\n\te   = 3 // e\n\tf   = 4 // f\n)\n"
				s.new(s.path("../other"), over(first, changes{"project/rotation/errors.go": block}))
				s.to = over(second, changes{"project/rotation/errors.go": strings.Replace(block, "f   = 4", "f   = 5", 1)})
				s.useOther()
				s.write("internal/rotation/errors.go", "package rotation\n\nvar (\n\ta      = 1 // a\n\tlonger = 2 // b\n\te      = 3 // e\n\tf      = 4 // f\n)\n")
			},
			want: but("internal/rotation/errors.go: merged"),
			after: func(s *scene) {
				s.wants("internal/rotation/errors.go", "package rotation\n\nvar (\n\ta      = 1 // a\n\tlonger = 2 // b\n\te      = 3 // e\n\tf      = 5 // f\n)\n")
			},
			left: []string{"internal/rotation/errors.go: edited"},
		},
		{
			name: "14 a dependency of the user's and one that the template raises",
			edit: func(s *scene) { s.edit("go.mod", "require (\n", "require (\n\tgithub.com/user/dep v1.2.3\n") },
			want: but("go.mod: merged, driver v1.0.0 -> v1.1.0; yours: github.com/user/dep v1.2.3"),
			after: func(s *scene) {
				if text := s.read("go.mod"); !strings.Contains(text, "github.com/user/dep v1.2.3") || !strings.Contains(text, "driver v1.1.0") {
					s.Error(text)
				}
			},
			left: []string{"go.mod: edited"},
		},
		{
			name: "15 lines of go.sum",
			edit: func(s *scene) { s.write("go.sum", s.read("go.sum")+"github.com/user/dep v1.2.3 h1:ccc=\n") },
			want: but("go.sum: merged"),
			after: func(s *scene) {
				s.wants("go.sum", "github.com/acme/driver v1.0.0 h1:aaa=\ngithub.com/acme/driver v1.1.0 h1:bbb=\ngithub.com/user/dep v1.2.3 h1:ccc=\n")
			},
			left: []string{"go.sum: edited"},
		},
		{
			name: "16 a dependency that the user has raised further",
			edit: func(s *scene) { s.edit("go.mod", "driver v1.0.0", "driver v1.2.0") },
			want: but("go.mod: "),
			after: func(s *scene) {
				if text := s.read("go.mod"); !strings.Contains(text, "driver v1.2.0") {
					s.Error(text)
				}
			},
			left: []string{"go.mod: edited"},
		},
		{
			name:  "17 a file that is no text",
			edit:  func(s *scene) { s.write("logo.bin", "\x00\x01mine") },
			want:  but("logo.bin: conflict, not text in UTF-8, so yours stays"),
			after: func(s *scene) { s.wants("logo.bin", "\x00\x01mine") },
		},
		{
			name:  "18 a text that is not UTF-8",
			edit:  func(s *scene) { s.write("latin.txt", "caf\xe9\none\ntwo\n") },
			want:  but("latin.txt: conflict, not text in UTF-8, so yours stays"),
			after: func(s *scene) { s.wants("latin.txt", "caf\xe9\none\ntwo\n") },
		},
		{
			name: "19 an executable bit of the user's",
			edit: func(s *scene) {
				if err := os.Chmod(s.path("docs/a.md"), 0o755); err != nil {
					s.Fatal(err)
				}
			},
			want: calm,
			after: func(s *scene) {
				if info, err := os.Stat(s.path("docs/a.md")); err != nil || info.Mode() != 0o755 {
					s.Errorf("%v, %v", info.Mode(), err)
				}
				s.wants("docs/a.md", second["project/docs/a.md"])
			},
			left: []string{"docs/a.md: edited"},
		},
		{
			name:  "20 a folder in the way",
			edit:  func(s *scene) { s.remove("docs/a.md"); s.write("docs/a.md/x", "mine\n") },
			want:  but("docs/a.md: conflict, is a folder, so it stays"),
			after: func(s *scene) { s.wants("docs/a.md/x", "mine\n") },
		},
		{
			name: "21 a symbolic link in the way",
			edit: func(s *scene) {
				s.remove("docs/a.md")
				if err := os.Symlink("../Makefile", s.path("docs/a.md")); err != nil {
					s.Fatal(err)
				}
			},
			want: but("docs/a.md: conflict, is a symbolic link, so it stays"),
			after: func(s *scene) {
				if to, err := os.Readlink(s.path("docs/a.md")); err != nil || to != "../Makefile" {
					s.Errorf("%q, %v", to, err)
				}
			},
		},
		{
			name:  "22 a kept file, another line",
			edit:  func(s *scene) { s.edit("README.md", "One.", "One, mine.") },
			want:  but("README.md: merged"),
			after: func(s *scene) { s.wants("README.md", "# orders\n\nOne, mine.\n\nTwo.\n\nThree, now.\n") },
			left:  []string{"README.md: edited"},
		},
		{
			name:  "23 a kept file, the same line",
			edit:  func(s *scene) { s.edit("README.md", "Three.", "Three, mine.") },
			want:  but("README.md: kept, both changed it, so yours stays"),
			after: func(s *scene) { s.wants("README.md", "# orders\n\nOne.\n\nTwo.\n\nThree, mine.\n") },
			left:  []string{"README.md: edited"},
		},
		{
			name:  "31 no newline at the end",
			edit:  func(s *scene) { s.write("Makefile", strings.TrimSuffix(s.read("Makefile"), "\n")) },
			want:  but("Makefile: merged"),
			after: func(s *scene) { s.wants("Makefile", strings.TrimSuffix(second["project/Makefile"], "\n")) },
			left:  []string{"Makefile: edited"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t, first, second)
			if test.edit != nil {
				test.edit(s)
				s.commit()
			}
			u := s.updated(test.want...)
			if test.after != nil {
				test.after(s)
			}
			if u.Conflicts() == 0 { // I11
				s.checked(test.left...)
			}
			s.again() // I5
		})
	}
}

// useOther makes the project in the folder other the one of the scene, with its repository.
func (s *scene) useOther() {
	s.Helper()
	other := s.path("../other")
	if err := errors.Join(os.Rename(s.path(".git"), other+"/.git"), os.RemoveAll(s.dir), os.Rename(other, s.dir)); err != nil {
		s.Fatal(err)
	}
	s.commit()
}
