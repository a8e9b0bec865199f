package project

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/generator"
)

var twoFiles = []generator.File{
	{Entry: generator.Entry{Path: "a/b/c.txt"}, Mode: 0o644, Data: []byte("c\n")},
	{Entry: generator.Entry{Path: "run.sh"}, Mode: 0o755, Data: []byte("#!/bin/sh\n")},
}

// listing maps every path below dir to its content; folders end in a slash.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		if d.IsDir() {
			got[path+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		got[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mkdirs(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	mkdirs(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	tree := map[string]string{"a/": "", "a/b/": "", "a/b/c.txt": "c\n", "run.sh": "#!/bin/sh\n"}
	tests := []struct {
		name    string
		prepare func(parent string)
		dir     string
		more    map[string]string
	}{
		{"new", func(string) {}, "x", nil},
		{"new below folders that do not exist", func(string) {}, "p/q/x", nil},
		{"empty", func(p string) { mkdirs(t, filepath.Join(p, "x")) }, "x", nil},
		{"only .git", func(p string) { writeFile(t, filepath.Join(p, "x/.git/HEAD"), "ref\n") }, "x",
			map[string]string{".git/": "", ".git/HEAD": "ref\n"}},
		{"beside what is there", func(p string) { writeFile(t, filepath.Join(p, "x/a/mine"), "mine\n") }, "x", map[string]string{"a/mine": "mine\n"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			test.prepare(parent)
			dir := filepath.Join(parent, filepath.FromSlash(test.dir))
			if err := Write(t.Context(), dir, twoFiles); err != nil {
				t.Fatal(err)
			}
			want := maps.Clone(tree)
			maps.Copy(want, test.more)
			if diff := cmp.Diff(want, listing(t, dir)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if siblings, _ := os.ReadDir(filepath.Dir(dir)); len(siblings) != 1 {
				t.Errorf("beside it: %v", siblings)
			}
			if info, err := os.Stat(filepath.Join(dir, "run.sh")); err != nil || runtime.GOOS != "windows" && info.Mode()&0o100 == 0 {
				t.Errorf("run.sh is %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestWriteIntoTheWorkingFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write(t.Context(), ".", twoFiles); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, "."); len(got) != 4 {
		t.Errorf("tree %v", got)
	}
}

// countdown is a context that is cancelled once its error has been asked for n times.
type countdown struct {
	context.Context
	n int
}

func (c *countdown) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}

func TestWriteFailsAndLeavesNothing(t *testing.T) {
	bad := append([]generator.File{}, twoFiles...)
	bad = append(bad, generator.File{Entry: generator.Entry{Path: "run.sh/x"}, Mode: 0o644})
	escaping := append([]generator.File{}, twoFiles...)
	escaping = append(escaping, generator.File{Entry: generator.Entry{Path: "../x"}, Mode: 0o644})
	tests := []struct {
		name    string
		prepare func(parent string)
		ctx     context.Context
		dir     string
		files   []generator.File
		want    string
	}{
		{"a project", func(p string) { writeFile(t, filepath.Join(p, "x/rotasmith.yaml"), "") }, t.Context(), "x", twoFiles, "holds a project"},
		{"a file in the way", func(p string) { writeFile(t, filepath.Join(p, "x/run.sh"), "mine\n") }, t.Context(), "x", twoFiles, "holds run.sh,"},
		{"a folder in the way", func(p string) { mkdirs(t, filepath.Join(p, "x/run.sh")) }, t.Context(), "x", twoFiles, "holds run.sh,"},
		{"a file in the way of a folder", func(p string) { writeFile(t, filepath.Join(p, "x/a"), "mine\n") }, t.Context(), "x", twoFiles, "holds a,"},
		{"a file", func(p string) { writeFile(t, filepath.Join(p, "x"), "mine\n") }, t.Context(), "x", twoFiles, "is not a folder"},
		{"below a file", func(p string) { writeFile(t, filepath.Join(p, "f"), "mine\n") }, t.Context(), "f/x", twoFiles, ""},
		{"cancelled at once", func(string) {}, &countdown{t.Context(), 0}, "x", twoFiles, "context canceled"},
		{"cancelled half-way", func(string) {}, &countdown{t.Context(), 1}, "x", twoFiles, "context canceled"},
		{"cancelled at the end", func(string) {}, &countdown{t.Context(), 2}, "p/q/x", twoFiles, "context canceled"},
		{"cancelled half-way into an empty folder", func(p string) { mkdirs(t, filepath.Join(p, "x")) }, &countdown{t.Context(), 1}, "x", twoFiles,
			"context canceled"},
		{"file below a file", func(string) {}, t.Context(), "p/x", bad, ""},
		{"path out of the project", func(string) {}, t.Context(), "x", escaping, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			test.prepare(parent)
			before := listing(t, parent)
			err := Write(test.ctx, filepath.Join(parent, filepath.FromSlash(test.dir)), test.files)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if diff := cmp.Diff(before, listing(t, parent)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

func TestWriteRefusesALinkToNowhere(t *testing.T) {
	link := filepath.Join(t.TempDir(), "x")
	if err := os.Symlink("nowhere", link); err != nil {
		t.Skip(err)
	}
	if err := Write(t.Context(), link, twoFiles); err == nil {
		t.Error("no error")
	}
}

// B24: what was moved is taken back, folders that were made are removed, and a file that was joined says what it said.
func TestMoveFilesTakesBackWhatItMoved(t *testing.T) {
	files := []generator.File{
		{Entry: generator.Entry{Path: ".gitignore"}}, {Entry: generator.Entry{Path: "a"}}, {Entry: generator.Entry{Path: "b/c/d"}},
		{Entry: generator.Entry{Path: "z"}},
	}
	tree, dir := t.TempDir(), t.TempDir()
	for _, f := range files {
		writeFile(t, filepath.Join(tree, filepath.FromSlash(f.Path)), "new\n")
	}
	writeFile(t, filepath.Join(dir, ".gitignore"), "mine\n")
	writeFile(t, filepath.Join(dir, "b/mine"), "mine\n")
	writeFile(t, filepath.Join(dir, "z"), "appeared\n")
	before := listing(t, dir)
	if err := moveFiles(tree, dir, files, []string{".gitignore"}); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff(before, listing(t, dir)); diff != "" {
		t.Errorf("folder (-before +after):\n%s", diff)
	}
}

func TestJoin(t *testing.T) {
	for _, test := range []struct{ file, here, given, want string }{
		{".gitignore", "mine\n/dist/\n", "/dist/\n*.tf\n", "mine\n/dist/\n*.tf\n"},
		{".gitignore", "mine", "/dist/\n", "mine\n/dist/\n"},
		{".gitignore", "", "/dist/\n", "/dist/\n"},
		{".gitignore", "mine\r\n/dist/\r\n", "/dist/\n*.tf\n", "mine\r\n/dist/\r\n*.tf\r\n"},
		{"README.md", "# mine\n", "# given\n\ntext\n", "# mine\n\n# given\n\ntext\n"},
		{"README.md", "", "# given\n", "# given\n"},
	} {
		if got := string(join(test.file, []byte(test.here), []byte(test.given))); got != test.want {
			t.Errorf("%s: %q, want %q", test.file, got, test.want)
		}
	}
}
