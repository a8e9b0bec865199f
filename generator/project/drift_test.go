package project

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
)

func openTree(t *testing.T, changes map[string]string) *generator.Renderer {
	t.Helper()
	c, err := generator.Open(generatortest.Tree(changes), generatortest.Root)
	if err != nil {
		t.Fatal(err)
	}
	return generator.NewRenderer(c)
}

// written is a project of the test tree as it is on the disk.
func written(t *testing.T, answers generator.Answers) fstest.MapFS {
	t.Helper()
	project := make(fstest.MapFS)
	result, err := openTree(t, nil).Generate(answers)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range result.Files {
		project[f.Path] = &fstest.MapFile{Data: slices.Clone(f.Data), Mode: f.Mode}
	}
	return project
}

func edit(project fstest.MapFS, path, old, text string) {
	f := *project[path]
	f.Data = []byte(strings.Replace(string(f.Data), old, text, 1))
	project[path] = &f
}

// TestCompare plants differences and expects these and nothing else.
func TestCompare(t *testing.T) {
	type tree = map[string]string
	const module = "example.com/orders"
	tests := []struct {
		name  string
		tree  tree // what has changed in the template tree
		plant func(p fstest.MapFS)
		want  []string // path: kind, kept, note
	}{
		{name: "nothing"},
		{
			name:  "foreign files",
			plant: func(p fstest.MapFS) { p["notes.txt"] = &fstest.MapFile{}; p[".rotasmith/x"] = &fstest.MapFile{} },
		},
		{
			name: "umask and comments",
			plant: func(p fstest.MapFS) {
				p["main.go"].Mode = 0o600
				p["rotasmith.yaml"].Data = append(p["rotasmith.yaml"].Data, "# mine\n"...)
			},
		},
		{
			name:  "edited",
			plant: func(p fstest.MapFS) { edit(p, "main.go", "driver.X, ", "") },
			want:  []string{"main.go:14: edited"},
		},
		{
			name:  "no longer executable",
			plant: func(p fstest.MapFS) { p["run.sh"].Mode = 0o644; p["main.go"].Mode = 0o755 },
			want:  []string{"main.go: edited, is executable", "run.sh: edited, is not executable"},
		},
		{
			name:  "missing",
			plant: func(p fstest.MapFS) { delete(p, "internal/pair/pair.go") },
			want:  []string{"internal/pair/pair.go: missing"},
		},
		{
			name: "something else in its place",
			plant: func(p fstest.MapFS) {
				delete(p, "main.go")
				p["main.go/x"] = &fstest.MapFile{}
				p["run.sh"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("main.go")}
				p["internal/pair/pair.go"] = &fstest.MapFile{Mode: fs.ModeNamedPipe}
				p[".gitignore"] = &fstest.MapFile{Data: make([]byte, maxCompared+1)}
			},
			want: []string{
				".gitignore: edited, has 8388609 bytes", "internal/pair/pair.go: edited, is not a regular file", "main.go: edited, is a folder",
				"run.sh: edited, is a symbolic link",
			},
		},
		{
			name: "the template has moved on",
			tree: tree{
				"strategies/pair/pair/pair.go": "package pair\n\nvar X = 1\n",
				"project/new.md":               "new\n",
				"project/run.sh":               "",
				"project/terraform/main.tf":    "#!\n",
			},
			want: []string{
				".rotasmith/lock.json:10: template-moved", "internal/pair/pair.go:1: template-moved", "new.md: template-moved, is new",
				"run.sh:1: template-moved, is not written any more", "terraform/main.tf:1: template-moved",
			},
		},
		{
			name: "the template has moved on and it was edited",
			tree: tree{"strategies/pair/pair/pair.go": "package pair\n\nvar X = 1\n", "project/run.sh": ""},
			plant: func(p fstest.MapFS) {
				edit(p, "internal/pair/pair.go", "package", "// Mine.\npackage")
				edit(p, "run.sh", "0", "1")
				edit(p, "main.go", "driver.X, ", "")
			},
			want: []string{
				"internal/pair/pair.go:1: edited, and the template has moved on", "main.go:14: edited", "run.sh:1: edited, is not written any more",
			},
		},
		{
			name:  "a foreign file where a new one goes",
			tree:  tree{"project/new.md": "new\n"},
			plant: func(p fstest.MapFS) { p["new.md"] = &fstest.MapFile{Data: []byte("mine\n")} },
			want:  []string{"new.md:1: edited, stands where a new file would be written"},
		},
		{
			name:  "a new question",
			tree:  tree{"engines/alpha/engine.yaml": "name: alpha\ntitle: Alpha DB\naliases: [aurora-alpha]\nincludes: [wire]\nquestions:\n  - {key: kind, optional: true, help: a kind}\n"},
			want:  []string{".rotasmith/answers.schema.json:57: template-moved", ".rotasmith/lock.json:2: template-moved"},
			plant: func(fstest.MapFS) {},
		},
		{
			name: "answers changed",
			plant: func(p fstest.MapFS) {
				edit(p, "rotasmith.yaml", "ci: github", "ci: gitlab")
				edit(p, "run.sh", "0", "1")
			},
			want: []string{
				".github/workflows/ci.yml:1: kept answers-changed, is not written any more",
				".gitlab-ci.yml: kept answers-changed, is new",
				".rotasmith/lock.json:2: answers-changed",
				"README.md:3: kept answers-changed",
				"rotasmith.yaml: answers-changed, the files were written for other answers",
				"run.sh:2: edited",
				"x.md: answers-changed, is new",
			},
		},
		{
			name:  "an answer taken away",
			plant: func(p fstest.MapFS) { edit(p, "rotasmith.yaml", "module: "+module+"\n", "") },
		},
		{
			name:  "another answer by another name",
			plant: func(p fstest.MapFS) { edit(p, "rotasmith.yaml", "engine: alpha", "engine: aurora-alpha") },
		},
		{
			name: "kept",
			tree: tree{"project/README.md.tmpl": "other\n"},
			plant: func(p fstest.MapFS) {
				edit(p, "rotasmith.yaml", "  - README.md", "  - README.md\n  - internal/pair/*")
				edit(p, "internal/pair/pair.go", "package", "// Mine.\npackage")
				delete(p, "terraform/main.tf")
				edit(p, "rotasmith.yaml", "  - README.md", "  - README.md\n  - terraform/*.tf")
			},
			want: []string{
				"README.md:1: kept template-moved", "internal/pair/pair.go:1: kept edited", "terraform/main.tf: kept missing",
			},
		},
		{
			name: "no record",
			plant: func(p fstest.MapFS) {
				delete(p, generator.LockFile)
				delete(p, "run.sh")
				edit(p, "main.go", "driver.X, ", "")
			},
			want: []string{
				".rotasmith/lock.json: missing", "main.go:14: edited, or the template has moved on: .rotasmith/lock.json does not say",
				"run.sh: missing",
			},
		},
		{
			name:  "a broken record",
			plant: func(p fstest.MapFS) { edit(p, generator.LockFile, "{", "<<<<<<< ours\n{") },
			want:  []string{".rotasmith/lock.json:1: edited, or the template has moved on: .rotasmith/lock.json does not say"},
		},
		{
			name: "a record of other files",
			plant: func(p fstest.MapFS) {
				edit(p, generator.LockFile, `"path":"run.sh"`, `"path":"../run.sh"`)
				p["../run.sh"] = &fstest.MapFile{}
			},
			want: []string{".rotasmith/lock.json:17: edited, records other files than are here"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			project := written(t, generator.Texts(generatortest.Pair()))
			if test.plant != nil {
				test.plant(project)
			}
			found, err := Compare(openTree(t, test.tree), project, "orders")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range found {
				text := d.Path
				if d.Line > 0 {
					text += ":" + strconv.Itoa(d.Line)
				}
				text += ": "
				if d.Kept {
					text += "kept "
				}
				text += string(d.Kind)
				if d.Note != "" {
					text += ", " + d.Note
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompareRefuses(t *testing.T) {
	tests := []struct {
		name  string
		plant func(p fstest.MapFS)
		want  []string
	}{
		{"no project", func(p fstest.MapFS) { delete(p, generator.AnswersFile) }, []string{"orders: has no rotasmith.yaml"}},
		{
			"every bad answer", func(p fstest.MapFS) { edit(p, generator.AnswersFile, "ci: github", "ci: jenkins\nusres: made") },
			[]string{`orders/rotasmith.yaml:20:5: unknown ci "jenkins"`, `orders/rotasmith.yaml:21:1: unknown question "usres"`},
		},
		{
			"an answer is missing", func(p fstest.MapFS) { edit(p, generator.AnswersFile, "engine: alpha\n", "") },
			[]string{`orders/rotasmith.yaml: no answer to "engine" (database engine)`},
		},
		{"no mapping", func(p fstest.MapFS) { p[generator.AnswersFile].Data = []byte("- a\n") }, []string{"orders/rotasmith.yaml:1:1: not a mapping of keys to answers"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			project := written(t, generator.Texts(generatortest.Pair()))
			test.plant(project)
			found, err := Compare(openTree(t, nil), project, "orders")
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, strings.Split(err.Error(), "\n")); diff != "" || found != nil {
				t.Errorf("faults (-want +got):\n%s\ndifferences %v", diff, found)
			}
		})
	}
}

// A project that cannot be read is an error, and neither a difference nor none.
func TestCompareUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	for name, f := range written(t, generator.Texts(generatortest.Pair())) {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), string(f.Data))
	}
	if err := os.Chmod(filepath.Join(dir, "main.go"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Compare(openTree(t, nil), os.DirFS(dir), dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("error %v", err)
	}
}

// A link that leads out of the project is not followed, whatever it leads to.
func TestCompareStaysInTheProject(t *testing.T) {
	outside := t.TempDir()
	dir := t.TempDir()
	for name, f := range written(t, generator.Texts(generatortest.Pair())) {
		folder := dir
		if strings.HasPrefix(name, "internal/pair/") {
			folder = outside
		}
		writeFile(t, filepath.Join(folder, filepath.FromSlash(name)), string(f.Data))
	}
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "internal", "pair"), filepath.Join(dir, "internal", "pair")); err != nil {
		t.Skip(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	found, err := Compare(openTree(t, nil), root.FS(), dir)
	if err != nil || len(found) != 1 || found[0].Path != "internal/pair/pair.go" || found[0].Kind != Edited {
		t.Errorf("%+v, %v", found, err)
	}
}

// A9: the diffs that apply take over what the template has changed, and leave every edit.
func TestDiffsApply(t *testing.T) {
	dir := t.TempDir()
	project := written(t, generator.Texts(generatortest.Pair()))
	edit(project, "main.go", "driver.X, ", "")
	edit(project, "terraform/main.tf", "}\n", "}") // no newline at its end
	delete(project, "internal/pair/pair.go")
	moved := openTree(t, map[string]string{
		"project/new.md": "new\n", "project/new.sh": "#!/bin/sh\n", "project/run.sh": "",
		"strategies/common/shared/shared.go": "package shared\n", "strategies/pair/pair/pair.go": "package pair\n\nvar X = 1\n",
	})
	found, err := Compare(moved, project, "orders")
	if err != nil {
		t.Fatal(err)
	}
	var patch strings.Builder
	var left []string // which no diff that applies takes away
	for _, d := range found {
		if d.Applies() {
			patch.WriteString(d.Path + ": " + d.Kind.String() + "\n" + d.Diff("orders"))
		} else {
			left = append(left, d.Path+" "+string(d.Kind))
		}
	}
	want := []string{
		"internal/pair/pair.go missing", "main.go edited", "new.sh template-moved", "terraform/main.tf edited",
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("not to be applied (-want +got):\n%s", diff)
	}
	for name, f := range project {
		writeFile(t, filepath.Join(dir, "orders", filepath.FromSlash(name)), string(f.Data))
	}
	if err := os.Chmod(filepath.Join(dir, "orders/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "patch"), patch.String())
	apply := exec.CommandContext(t.Context(), "git", "apply", "patch")
	apply.Dir = dir
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, patch.String())
	}
	found, err = Compare(moved, os.DirFS(filepath.Join(dir, "orders")), "orders")
	var after []string
	for _, d := range found {
		after = append(after, d.Path+" "+string(d.Kind))
	}
	if diff := cmp.Diff(want, after); diff != "" || err != nil {
		t.Errorf("left (-want +got):\n%s\n%v", diff, err)
	}
}

func TestDiffOfWhatIsNoText(t *testing.T) {
	project := written(t, generator.Texts(generatortest.Pair()))
	project["main.go"].Data = []byte("\x00\xff")
	found, err := Compare(openTree(t, nil), project, "orders")
	if err != nil || len(found) != 1 || found[0].Diff("orders") != "" || found[0].Line != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// For any content of the two files that a project is read from, nothing panics and no difference lies outside the project.
func FuzzCompare(f *testing.F) {
	catalog, err := generator.Open(generatortest.Tree(nil), generatortest.Root)
	if err != nil {
		f.Fatal(err)
	}
	c := generator.NewRenderer(catalog)
	result, err := c.Generate(generator.Texts(generatortest.Pair()))
	if err != nil {
		f.Fatal(err)
	}
	project := make(fstest.MapFS)
	for _, file := range result.Files {
		project[file.Path] = &fstest.MapFile{Data: file.Data, Mode: file.Mode}
	}
	f.Add(project[generator.AnswersFile].Data, project[generator.LockFile].Data)
	f.Add([]byte("{}"), []byte(`{"files":[{"path":"../x"},{"path":"/x"},{"path":""},{"path":"run.sh"},{"path":"run.sh"}]}`))
	f.Fuzz(func(t *testing.T, answers, lock []byte) {
		p := maps.Clone(project)
		p[generator.AnswersFile], p[generator.LockFile] = &fstest.MapFile{Data: answers}, &fstest.MapFile{Data: lock}
		found, _ := Compare(c, p, "orders")
		for i := range found {
			found[i].Diff("orders")
			if !fs.ValidPath(found[i].Path) {
				t.Errorf("path %q", found[i].Path)
			}
		}
	})
}
