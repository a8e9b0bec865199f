package project

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/rotasmith/rotasmith/generator"
)

// TargetError is Write's error for a target that cannot become a project's folder.
type TargetError struct {
	Dir     string
	Problem string
}

func (e *TargetError) Error() string { return fmt.Sprintf("%q %s", e.Dir, e.Problem) }

// Write puts files into the folder dir: all of them, or, when it fails or ctx is cancelled, none. It first writes a temporary folder
// beside dir and then renames it. An existing folder must be empty but for .git; into that one the entries are moved, and taken back if one
// cannot be. Parent folders are made when missing and removed again on failure. Modes are subject to the umask.
func Write(ctx context.Context, dir string, files []generator.File) (err error) {
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
		return moveEntries(tree, dir)
	}
	return os.Rename(tree, dir)
}

// Fillable reports whether dir exists as a folder that Write may fill. The error is a *TargetError when it holds anything but .git or is
// no folder.
func Fillable(dir string) (exists bool, err error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			return false, &TargetError{dir, "is a dangling symlink"}
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, &TargetError{dir, "is not a folder"}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name() != ".git" {
			return true, &TargetError{dir, "is not empty"}
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

// moveEntries moves what is in tree into dir, or nothing.
func moveEntries(tree, dir string) error {
	entries, err := os.ReadDir(tree)
	if err != nil {
		return err
	}
	for i, e := range entries {
		to := filepath.Join(dir, e.Name())
		_, err := os.Lstat(to)
		if err == nil {
			err = fmt.Errorf("%q has appeared meanwhile", to)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(filepath.Join(tree, e.Name()), to)
		}
		if err != nil {
			for _, moved := range entries[:i] {
				err = errors.Join(err, os.Rename(filepath.Join(dir, moved.Name()), filepath.Join(tree, moved.Name())))
			}
			return err
		}
	}
	return nil
}
