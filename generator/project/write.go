package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/rotasmith/rotasmith/generator"
)

// TargetError is Write's error for a target that cannot become a project's folder.
type TargetError struct {
	Dir     string
	Problem string
	Hint    string // what to do; may be empty
}

func (e *TargetError) Error() string { return fmt.Sprintf("%q %s", e.Dir, e.Problem) }

// Write puts files into the folder dir: all of them, or, when it fails or ctx is cancelled, none. It first writes a temporary folder
// beside dir and then renames it. Into an existing folder it moves one file after the other, and takes them back if one cannot be moved; the
// folder may hold anything but a project and other files at the same paths, except those that [Joined] names. Parent folders are made when
// missing and removed again on failure. Modes are subject to the umask.
func Write(ctx context.Context, dir string, files []generator.File) (err error) {
	joined, err := Joined(dir, files)
	if err != nil {
		return err
	}
	exists, err := Fillable(dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if exists {
		parent = dir // the folder may be a mount point, which a sibling cannot be renamed into
	}
	made, err := makeParents(parent)
	defer func() {
		if err != nil {
			for _, p := range made {
				_ = os.Remove(p)
			}
		}
	}()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+".rotasmith-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	// The tree gets a folder of its own: the temporary one is private, a project's is as the umask has it.
	tree := filepath.Join(temp, "tree")
	if err := os.Mkdir(tree, 0o777); err != nil {
		return err
	}
	if err := writeTree(ctx, tree, files); err != nil {
		return err
	}
	if exists {
		return moveFiles(tree, dir, files, joined)
	}
	return os.Rename(tree, dir)
}

// Fillable reports whether dir exists as a folder that Write may fill. The error is a *TargetError when it holds a project or is no folder.
func Fillable(dir string) (exists bool, err error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			return false, &TargetError{Dir: dir, Problem: "is a dangling symlink"}
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, &TargetError{Dir: dir, Problem: "is not a folder"}
	}
	for _, file := range []string{generator.AnswersFile, generator.LockFile} {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(file))); err == nil {
			return true, &TargetError{Dir: dir, Problem: "holds a project"}
		}
	}
	return true, nil
}

// makeParents makes the folder dir and what is missing above it; it returns what it made, deepest first.
func makeParents(dir string) (made []string, err error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%q is not a folder", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	made, err = makeParents(filepath.Dir(dir))
	if err != nil {
		return made, err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		return made, err
	}
	return append([]string{dir}, made...), nil
}

func writeTree(ctx context.Context, tree string, files []generator.File) (err error) {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if dir := path.Dir(f.Path); !made[dir] {
			if err := root.MkdirAll(filepath.FromSlash(dir), 0o777); err != nil {
				return err
			}
			made[dir] = true
		}
		if err := root.WriteFile(filepath.FromSlash(f.Path), f.Data, f.Mode); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// moveFiles moves the files from tree into dir, those that are joined below what stands there, or none.
func moveFiles(tree, dir string, files []generator.File, joined []string) (err error) {
	var undo []func() error
	defer func() {
		if err != nil {
			for _, back := range slices.Backward(undo) {
				err = errors.Join(err, back())
			}
		}
	}()
	for _, f := range files {
		from, to := filepath.Join(tree, filepath.FromSlash(f.Path)), filepath.Join(dir, filepath.FromSlash(f.Path))
		made, err := makeParents(filepath.Dir(to))
		for _, folder := range slices.Backward(made) {
			undo = append(undo, func() error { return os.Remove(folder) })
		}
		if err != nil {
			return err
		}
		back, err := moveFile(from, to, slices.Contains(joined, f.Path))
		if err != nil {
			return err
		}
		undo = append(undo, back)
	}
	return nil
}

// moveFile moves one file to where none stands, or below what stands there. It returns what takes that back.
func moveFile(from, to string, below bool) (back func() error, err error) {
	if !below {
		if _, err := os.Lstat(to); err == nil {
			return nil, fmt.Errorf("%q has appeared meanwhile", to)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return func() error { return os.Rename(to, from) }, os.Rename(from, to)
	}
	info, err := os.Stat(to)
	if err != nil {
		return nil, err
	}
	here, err1 := os.ReadFile(to)
	given, err2 := os.ReadFile(from)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := os.WriteFile(from, join(filepath.Base(to), here, given), info.Mode()); err != nil {
		return nil, err
	}
	return func() error { return os.WriteFile(to, here, info.Mode()) }, os.Rename(from, to)
}
