package project

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// maxCompared bounds what is read of one file, in bytes; no template comes near.
const maxCompared = 8 << 20

// errTooLong is for a file that is longer than anything that was ever written.
var errTooLong = fmt.Errorf("longer than %d bytes", maxCompared)

// bounded is a regular file that was read.
type bounded struct {
	data []byte
	mode fs.FileMode
	size int64
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	f, err := openBounded(fsys, name)
	return f.data, err
}

func openBounded(fsys fs.FS, name string) (b bounded, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return b, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return b, err
	}
	b.mode, b.size = info.Mode(), info.Size()
	if !b.mode.IsRegular() {
		return b, errors.New("not a regular file")
	}
	if b.size > maxCompared {
		return b, errTooLong
	}
	data := bytes.NewBuffer(make([]byte, 0, b.size+bytes.MinRead))
	_, err = data.ReadFrom(io.LimitReader(f, maxCompared))
	b.data = data.Bytes()
	return b, err
}

// sight is what stands where a file should be.
type sight struct {
	absent  bool
	strange string      // what it is instead of a regular file
	mode    fs.FileMode // permissions
	data    []byte
}

func (s *sight) executable() bool { return s.mode&0o100 != 0 }

// viewer looks at the files of a project.
type viewer struct {
	project fs.FS
	folders map[string]map[string]fs.DirEntry // what was found in them
}

func newViewer(project fs.FS) viewer {
	return viewer{project, make(map[string]map[string]fs.DirEntry)}
}

func (v *viewer) look(file string) (sight, error) {
	mode, err := v.stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sight{absent: true}, nil
	case errors.Is(err, fs.ErrPermission):
		return sight{}, err
	case err != nil: // a folder on the way is none, or leads out of the project
		return sight{strange: reason(err).Error()}, nil
	case mode.IsDir():
		return sight{strange: "is a folder"}, nil
	case mode&fs.ModeSymlink != 0:
		return sight{strange: "is a symbolic link"}, nil
	case !mode.IsRegular():
		return sight{strange: "is not a regular file"}, nil
	}
	f, err := openBounded(v.project, file)
	switch {
	case errors.Is(err, errTooLong):
		return sight{strange: fmt.Sprintf("has %d bytes", f.size)}, nil
	case errors.Is(err, fs.ErrNotExist):
		return sight{absent: true}, nil
	case err != nil:
		return sight{}, err
	}
	return sight{data: f.data, mode: f.mode.Perm()}, nil
}

// stat returns the type of a file, from one look at its folder for all files in it.
func (v *viewer) stat(file string) (fs.FileMode, error) {
	if e, ok := v.folder(path.Dir(file))[path.Base(file)]; ok {
		return e.Type(), nil
	}
	info, err := fs.Lstat(v.project, file) // Lstat's error is the clearest
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// folder returns what stands in a folder by its name, nothing if it cannot be read.
func (v *viewer) folder(folder string) map[string]fs.DirEntry {
	entries, seen := v.folders[folder]
	if !seen {
		if list, err := fs.ReadDir(v.project, folder); err == nil {
			entries = make(map[string]fs.DirEntry, len(list))
			for _, e := range list {
				entries[e.Name()] = e
			}
		}
		v.folders[folder] = entries
	}
	return entries
}

// reason leaves the path out of an error that is put behind a better one.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
