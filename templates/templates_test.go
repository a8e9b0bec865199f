package templates_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates"
)

type marker struct{}

func TestRootIsThisPackage(t *testing.T) {
	if got := strings.TrimSuffix(reflect.TypeFor[marker]().PkgPath(), "_test"); got != templates.Root {
		t.Errorf("package path %q, Root %q", got, templates.Root)
	}
}

// TestEmbedHoldsEveryFile holds the embed equal to the working tree: a nested go.mod, a missing all: or an irregular file would
// drop files without a word.
func TestEmbedHoldsEveryFile(t *testing.T) {
	embedded := files(t, templates.FS, ".")
	var onDisk []string
	for _, dir := range append(topFolders(t), texts(t)...) {
		onDisk = append(onDisk, files(t, os.DirFS("."), dir)...)
	}
	slices.Sort(onDisk)
	slices.Sort(embedded)
	if diff := cmp.Diff(onDisk, embedded); diff != "" {
		t.Errorf("embed differs from the working tree (-disk +embed):\n%s", diff)
	}
	for _, path := range embedded {
		want, err := os.ReadFile(filepath.FromSlash(path))
		if err != nil {
			t.Fatal(err)
		}
		got, err := fs.ReadFile(templates.FS, path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: embedded content differs", path)
		}
	}
}

// TestEmbedHoldsNothingThatGitIgnores keeps build products out of emitted projects.
func TestEmbedHoldsNothingThatGitIgnores(t *testing.T) {
	if _, err := os.Stat("../.git"); err != nil {
		t.Skip("not a git checkout")
	}
	args := append([]string{"ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"}, append(topFolders(t), texts(t)...)...)
	out, err := exec.CommandContext(t.Context(), "git", args...).Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	known := make(map[string]bool)
	for path := range strings.SplitSeq(string(out), "\x00") {
		known[path] = true
	}
	for _, path := range files(t, templates.FS, ".") {
		if !known[path] {
			t.Errorf("%s is embedded but ignored by git", path)
		}
	}
}

func topFolders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, e.Name())
		}
	}
	return dirs
}

// texts are what the tree says of itself.
func texts(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func files(t *testing.T, fsys fs.FS, dir string) []string {
	t.Helper()
	var paths []string
	err := fs.WalkDir(fsys, dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
