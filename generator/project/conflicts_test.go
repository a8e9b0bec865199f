package project

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/generatortest"
)

const markers = "package main\n\n<<<<<<< yours\n// Mine.\n=======\n// Theirs.\n>>>>>>> rotasmith now\n"

// open records a conflict in the lock: main.go said mine and was given theirs.
func open(p fstest.MapFS, theirs string) {
	var lock generator.Lock
	if err := json.Unmarshal(p[generator.LockFile].Data, &lock); err != nil {
		panic(err) // it was written by this very program
	}
	for i := range lock.Files {
		if f := &lock.Files[i]; f.Path == "main.go" {
			f.SHA256 = generator.Digest([]byte("before"))
			f.Open = generator.OpenConflict{Yours: generator.Digest([]byte("mine")), Theirs: generator.Digest([]byte(theirs))}
		}
	}
	text, err := lock.Text()
	if err != nil {
		panic(err) // the same
	}
	p[generator.LockFile] = &fstest.MapFile{Data: text}
}

// conflictTests are what [TestCompare] has to say of updates that are not done, and of line endings (B20).
func conflictTests() []compareTest {
	return []compareTest{
		{
			name:  "markers in a file",
			plant: func(p fstest.MapFS) { p["main.go"] = &fstest.MapFile{Data: []byte(markers)} },
			want:  []string{"main.go:3: conflict, markers are in it"},
		},
		{
			name:  "markers in a file that is kept",
			plant: func(p fstest.MapFS) { p["README.md"] = &fstest.MapFile{Data: []byte(markers)} },
			want:  []string{"README.md:3: conflict, markers are in it"},
		},
		{
			name: "an open conflict with its markers",
			plant: func(p fstest.MapFS) {
				p["main.go"] = &fstest.MapFile{Data: []byte(markers)}
				open(p, alphaMain(p))
			},
			want: []string{"main.go:3: conflict, markers are in it"},
		},
		{
			name: "an open conflict that was settled",
			plant: func(p fstest.MapFS) {
				open(p, alphaMain(p))
				edit(p, "main.go", "package", "// Both.\npackage")
			},
			want: []string{"main.go:1: conflict, settled here: rotasmith update records it"},
		},
		{
			name:  "an open conflict that was settled for what the templates give",
			plant: func(p fstest.MapFS) { open(p, alphaMain(p)) },
			want:  []string{"main.go: conflict, settled here: rotasmith update records it"},
		},
		{
			name: "an open conflict that was thrown away",
			plant: func(p fstest.MapFS) {
				open(p, alphaMain(p))
				p["main.go"] = &fstest.MapFile{Data: []byte("mine")}
			},
			want: []string{"main.go:1: conflict, thrown away here: rotasmith update offers it again"},
		},
		{
			name: "an update that was interrupted",
			plant: func(p fstest.MapFS) {
				p[".rotasmith/update/journal.json"] = &fstest.MapFile{}
				edit(p, "main.go", "driver.X, ", "")
			},
			want: []string{".rotasmith/update: interrupted, rotasmith update finishes it"},
		},
		{
			name: "CRLF",
			plant: func(p fstest.MapFS) {
				for name, f := range p {
					p[name] = &fstest.MapFile{Data: bytes.ReplaceAll(f.Data, []byte("\n"), []byte("\r\n")), Mode: f.Mode}
				}
				edit(p, "internal/pair/pair.go", "package", "// Mine.\r\npackage")
			},
			want: []string{
				".gitattributes: line-endings, in 12 files, as git writes them with core.autocrlf", "internal/pair/pair.go:1: edited",
			},
		},
	}
}

func alphaMain(p fstest.MapFS) string { return string(p["main.go"].Data) }

// B20: a diff of a file with other line endings is no patch for it, and shows none of them.
func TestDiffOfCRLF(t *testing.T) {
	project := written(t, generator.Texts(generatortest.Pair()))
	project["main.go"].Data = bytes.ReplaceAll(project["main.go"].Data, []byte("\n"), []byte("\r\n"))
	moved := openTree(t, map[string]string{"engines/alpha/pair/main.go": "package main\n\nfunc main() {}\n"})
	drift, err := Compare(moved, project, "orders")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drift.Differences {
		if d.Path == "main.go" && (d.Kind != TemplateMoved || d.Applies() || strings.Contains(d.Diff("orders"), "\r")) {
			t.Errorf("%+v", d)
		}
	}
}

// A development version is neither newer nor older, and a release is not newer than itself.
func TestNewerVersion(t *testing.T) {
	for _, test := range []struct {
		wrote, own string
		newer      bool
	}{
		{"v1.10.0", "v1.9.0", true}, {"v1.9.0", "v1.9.0", false}, {"v1.9.0", "v1.9.0-rc.1", true}, {"v1.8.9", "v1.9.0", false},
		{"(devel)", "v1.9.0", false}, {"v1.9.0", "(devel)", false}, {"", "v1.9.0", false}, {"nonsense", "v1.9.0", false},
		{"v1.9.1-0.20261201120000-0123456789ab", "v1.9.0", true}, {"v1.9.0+dirty", "v1.9.0", false},
	} {
		p := written(t, generator.Texts(generatortest.Pair()))
		edit(p, generator.LockFile, "(devel)", test.wrote)
		r := openTree(t, nil)
		r.Version = test.own
		drift, err := Compare(r, p, "orders")
		if (err != nil) != test.newer {
			t.Errorf("written by %q, read by %q: %v", test.wrote, test.own, err)
		}
		if err == nil && (drift.Version != test.wrote || len(drift.Differences) > 0) {
			t.Errorf("%+v", drift)
		}
	}
}

// The journal's folder may hold anything or nothing.
func TestInterruptedOnDisk(t *testing.T) {
	dir := t.TempDir()
	for name, f := range written(t, generator.Texts(generatortest.Pair())) {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), string(f.Data))
	}
	writeFile(t, filepath.Join(dir, ".rotasmith", "update", "journal.json"), "{}")
	drift, err := Compare(openTree(t, nil), os.DirFS(dir).(fs.ReadFileFS), dir)
	if err != nil || len(drift.Differences) != 1 || drift.Differences[0].Kind != Interrupted {
		t.Errorf("%+v, %v", drift, err)
	}
}
