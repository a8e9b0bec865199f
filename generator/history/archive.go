package history

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
	"golang.org/x/tools/txtar"

	"github.com/rotasmith/rotasmith/generator"
)

// The archive is a tar.gz. It begins with index, a list of entries from the oldest point on. The file N/PATH is what stands at PATH in the
// templates from point N on, until a later point has another or says that it is gone. Files of one name follow each other, so that gzip writes
// little more than how one version differs from another, and from where it stood before it was moved.
const index = "points.json"

// entry is what the index says of a point.
type entry struct {
	Version string   `json:"version"`
	Root    string   `json:"root"`
	Gone    []string `json:"gone,omitempty"` // paths that the point before had
	Cases   []Case   `json:"cases"`
}

// tree is the files of a template tree by path.
type tree map[string][]byte

// Read unpacks an archive that [Record] has packed: its points, newest first. Nothing is a point of an empty one.
func Read(archive []byte) ([]Point, error) {
	entries, trees, err := unpack(archive)
	if err != nil {
		return nil, fmt.Errorf("history of the templates: %w", err)
	}
	var all []Point
	for i, e := range slices.Backward(entries) {
		fsys, err := trees[i].fs()
		if err != nil {
			return nil, fmt.Errorf("templates of %s: %w", e.Version, err)
		}
		all = append(all, newPoint(e.Version, e.Root, fsys, e.Cases))
	}
	return all, nil
}

func (t tree) fs() (fs.FS, error) {
	a := new(txtar.Archive)
	for _, name := range slices.Sorted(maps.Keys(t)) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: t[name]})
	}
	return txtar.FS(a)
}

// Record returns an archive with templates added as its newest point, and the projects that they give: name to rotasmith.yaml. The newest
// point is replaced if it is of the same version; an older one stays as it was released.
func Record(archive []byte, version, root string, fsys fs.FS, projects map[string]string) ([]byte, error) {
	entries, trees, err := unpack(archive)
	if err != nil {
		return nil, err
	}
	if last := len(entries) - 1; last >= 0 && entries[last].Version == version {
		entries, trees = entries[:last], trees[:last]
	}
	if !semver.IsValid(version) {
		return nil, fmt.Errorf("%q is no version such as v1.2.0", version)
	}
	if last := len(entries) - 1; last >= 0 && semver.Compare(entries[last].Version, version) >= 0 {
		return nil, fmt.Errorf("%s does not follow %s, which is recorded", version, entries[last].Version)
	}
	files := make(tree)
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(fsys, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	cases, err := record(version, root, fsys, projects)
	if err != nil {
		return nil, err
	}
	return pack(append(entries, entry{Version: version, Root: root, Cases: cases}), append(trees, files))
}

// record returns the cases of a new point.
func record(version, root string, fsys fs.FS, projects map[string]string) ([]Case, error) {
	var cases []Case
	p := newPoint(version, root, fsys, nil)
	for _, name := range slices.Sorted(maps.Keys(projects)) {
		c := Case{Name: name, Answers: projects[name]}
		answers, err := generator.ParseAnswers(name, []byte(c.Answers))
		if err != nil {
			return nil, err
		}
		if c.SHA256, err = p.Digest(answers); err != nil {
			return nil, fmt.Errorf("case %s: %w", name, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

func pack(entries []entry, trees []tree) ([]byte, error) {
	type file struct {
		path string
		from int
	}
	var files []file
	for i, t := range trees {
		before := tree{}
		if i > 0 {
			before = trees[i-1]
		}
		for name, data := range t {
			if was, ok := before[name]; !ok || !bytes.Equal(was, data) {
				files = append(files, file{name, i})
			}
		}
		entries[i].Gone = slices.DeleteFunc(slices.Sorted(maps.Keys(before)), func(name string) bool { _, ok := t[name]; return ok })
	}
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(strings.Compare(path.Base(a.path), path.Base(b.path)), strings.Compare(a.path, b.path), cmp.Compare(a.from, b.from))
	})

	var packed bytes.Buffer
	compressed, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(compressed)
	list, err := json.MarshalIndent(entries, "", "  ")
	if err != nil {
		return nil, err
	}
	err = add(archive, index, list)
	for _, f := range files {
		err = errors.Join(err, add(archive, path.Join(strconv.Itoa(f.from), f.path), trees[f.from][f.path]))
	}
	err = errors.Join(err, archive.Close(), compressed.Close())
	return packed.Bytes(), err
}

func add(archive *tar.Writer, name string, data []byte) error {
	err := archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	_, err = archive.Write(data)
	return err
}

func unpack(packed []byte) ([]entry, []tree, error) {
	if len(packed) == 0 {
		return nil, nil, nil
	}
	compressed, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, nil, err
	}
	archive := tar.NewReader(compressed)
	files := make(tree)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			return nil, nil, err
		}
	}
	var entries []entry
	if err := json.Unmarshal(files[index], &entries); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", index, err)
	}
	delete(files, index)
	return entries, grow(entries, files), nil
}

// grow returns the tree of each point from the files of the archive.
func grow(entries []entry, files tree) []tree {
	trees := make([]tree, len(entries))
	for i, e := range entries {
		trees[i] = make(tree)
		if i > 0 {
			maps.Copy(trees[i], trees[i-1])
		}
		for _, name := range e.Gone {
			delete(trees[i], name)
		}
		prefix := strconv.Itoa(i) + "/"
		for name, data := range files {
			if inTree, ok := strings.CutPrefix(name, prefix); ok {
				trees[i][inTree] = data
			}
		}
	}
	return trees
}
