package cmd

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
)

// inOrder works on the projects in parallel and returns what came of each in the order of dirs and of the walks below them. However many
// there are, only a few are in memory. work gets an error where there is no project to work on. When ctx is done, no project is begun, and
// those that were are still returned; the channel must be read to its end.
func inOrder[T any](ctx context.Context, dirs []string, work func(dir string, err error) T) <-chan T {
	workers := runtime.GOMAXPROCS(0)
	type job struct {
		dir    string
		err    error
		result chan T
	}
	jobs := make(chan job)
	ordered := make(chan job, 2*workers)
	out := make(chan T)
	hand := func(dir string, err error) bool {
		j := job{dir, err, make(chan T, 1)}
		select {
		case ordered <- j:
			jobs <- j
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		defer close(jobs)
		defer close(ordered)
		for _, dir := range dirs {
			if !find(dir, hand) {
				return
			}
		}
	}()
	for range workers {
		go func() {
			for j := range jobs {
				j.result <- work(j.dir, j.err)
			}
		}()
	}
	go func() {
		defer close(out)
		for j := range ordered {
			out <- <-j.result
		}
	}()
	return out
}

// notWalked are folders that hold copies of what stands elsewhere.
var notWalked = []string{".git", ".terraform", ".rotasmith", "node_modules"}

// find hands over the folder of every project that dir stands for, until hand returns false. It follows no symbolic link below dir.
func find(dir string, hand func(dir string, err error) bool) bool {
	root, below := strings.CutSuffix(filepath.ToSlash(dir), "...")
	if !below || (root != "" && !strings.HasSuffix(root, "/")) {
		return hand(filepath.Clean(dir), nil)
	}
	found := false
	var walk func(dir string) bool
	walk = func(dir string) bool {
		entries, err := os.ReadDir(dir)
		if err != nil {
			found = true
			return hand(dir, &hinted{err, "name a folder that can be read", exitFailed})
		}
		if isProject(dir, entries) {
			found = true
			if !hand(dir, nil) {
				return false
			}
		}
		for _, e := range entries {
			if e.IsDir() && !slices.Contains(notWalked, e.Name()) && !walk(filepath.Join(dir, e.Name())) {
				return false
			}
		}
		return true
	}
	root = filepath.Clean(filepath.FromSlash(root))
	if !walk(root) {
		return false
	}
	if !found {
		return hand(root, usagef("a project is a folder with "+generator.AnswersFile, "no project below %q", root))
	}
	return true
}

// isProject reports whether a folder holds a project. One with a lock and without answers is one too: its answers were lost.
func isProject(dir string, entries []os.DirEntry) bool {
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == generator.AnswersFile && !e.IsDir() }) {
		return true
	}
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(generator.LockFile)))
	return err == nil
}
