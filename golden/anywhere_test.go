package golden

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The same answers give the same bytes and modes, whatever the locale, the time
// zone, the user, the working directory or the module cache.
func TestSameBytesAnywhere(t *testing.T) {
	program := filepath.Join(t.TempDir(), "rotasmith")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/rotasmith")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write := func(env ...string) string {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), program, "new", "orders-db", "--type", "rds-two-user", "--engine", "postgres", "--no-input")
		cmd.Dir, cmd.Env = dir, env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return listing(t, filepath.Join(dir, "orders-db"))
	}
	here := write("TZ=UTC", "LC_ALL=C", "HOME="+t.TempDir(), "GOMODCACHE="+os.Getenv("GOMODCACHE"))
	there := write("TZ=Pacific/Kiritimati", "LC_ALL=tr_TR.UTF-8", "LANG=tr_TR.UTF-8", "HOME=/nonexistent", "USER=somebody",
		"GOMODCACHE="+t.TempDir(), "GOFLAGS=-mod=vendor", "SOURCE_DATE_EPOCH=1", "PATH=/nonexistent")
	if diff := cmp.Diff(here, there); diff != "" {
		t.Error(diff)
	}
}

// listing is everything about a tree that could differ.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintf(&all, "%s %s\n%s\n", strings.TrimPrefix(path, dir), info.Mode(), read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
