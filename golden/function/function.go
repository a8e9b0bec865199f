// Package function builds the functions of emitted projects, each once for all tests
// and benchmarks on this machine: many projects differ in no line of code.
package function

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
)

// unused is how long a function stays that no test asks for.
const unused = 7 * 24 * time.Hour

// Build puts the function of the project in dir into dir/bootstrap, for this machine.
// It builds only code that it has not built before.
func Build(ctx context.Context, dir string) error {
	code, err := digest(dir)
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	cache = filepath.Join(cache, "rotasmith", "functions")
	program := filepath.Join(cache, code)
	now := time.Now()
	if err := os.Chtimes(program, now, now); errors.Is(err, fs.ErrNotExist) {
		err = build(ctx, dir, cache, program)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return os.Symlink(program, filepath.Join(dir, "bootstrap"))
}

// build builds beside program and moves the result there: another test may build the
// same at the same time. It removes programs that no test has used for a long time.
func build(ctx context.Context, dir, cache, program string) error {
	old, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > unused {
			_ = os.RemoveAll(path)
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	own, err := os.MkdirTemp(cache, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	part := filepath.Join(own, "bootstrap")
	if err := rehearsal.Compile(ctx, dir, part); err != nil {
		return err
	}
	return os.Rename(part, program)
}

// digest is one of all that goes into the function: the Go version, the code but for
// tests, what stands beside it in its packages, which it may embed, and its modules.
func digest(dir string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), rehearsal.CompileFlags)
	packages := make(map[string]bool)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			packages[filepath.Dir(path)] = true
		}
		return err
	})
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name := entry.Name()
		root := filepath.Dir(path) == dir // where a project has much else
		switch {
		case strings.HasSuffix(name, "_test.go"), filepath.Ext(name) == ".md", !packages[filepath.Dir(path)]:
			return nil
		case root && filepath.Ext(name) != ".go" && name != "go.mod" && name != "go.sum":
			return nil
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s\x00%d\x00%s", strings.TrimPrefix(path, dir), len(text), text)
		return err
	})
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}
