package project

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rotasmith/rotasmith/generator"
)

// joinable are the files of a project that a fresh clone may have too: what is written goes below what stands there.
var joinable = []string{".gitattributes", ".gitignore", "README.md"}

// Joined returns those of the files that stand in the folder dir already and that Write puts below what stands there. Its error is a
// *TargetError where another path is taken, or dir cannot become a project's folder.
func Joined(dir string, files []generator.File) ([]string, error) {
	exists, err := Fillable(dir)
	if err != nil || !exists {
		return nil, err
	}
	var joined, taken []string
	for _, f := range files {
		at, isFile, err := standing(dir, f.Path)
		switch {
		case err != nil:
			return nil, err
		case at == f.Path && isFile && slices.Contains(joinable, f.Path):
			joined = append(joined, f.Path)
		case at != "" && !slices.Contains(taken, at):
			taken = append(taken, at)
		}
	}
	if len(taken) > 0 {
		return nil, &TargetError{dir, "holds " + named(taken) + ", which would be written", "move them away, or choose another folder with --dir"}
	}
	return joined, nil
}

// standing returns what is in the way of a file: the path itself, or one above it that is no folder; empty if nothing is.
func standing(dir, file string) (at string, isFile bool, err error) {
	for p := file; ; p = path.Dir(p) {
		info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(p)))
		switch {
		case p == ".":
			return "", false, nil
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			continue
		case err != nil:
			return "", false, err
		case p != file && info.IsDir():
			return "", false, nil
		}
		return p, info.Mode().IsRegular(), nil
	}
}

// mostNamed bounds how many files a message names.
const mostNamed = 5

// named is a list in words.
func named(words []string) string {
	if len(words) > mostNamed {
		return strings.Join(words[:mostNamed], ", ") + " and " + strconv.Itoa(len(words)-mostNamed) + " more"
	}
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// join returns the text of a file below what stands there, in its line endings. Of a file of patterns, lines that it has are not repeated.
func join(file string, here, given []byte) []byte {
	lines := slices.Collect(bytes.Lines(given))
	if path.Ext(file) != ".md" {
		has := slices.Collect(bytes.Lines(bytes.ReplaceAll(here, []byte("\r\n"), []byte("\n"))))
		lines = slices.DeleteFunc(lines, func(line []byte) bool {
			return slices.ContainsFunc(has, func(other []byte) bool { return bytes.Equal(bytes.TrimSpace(other), bytes.TrimSpace(line)) })
		})
	} else if len(here) > 0 {
		lines = append([][]byte{[]byte("\n")}, lines...)
	}
	added := bytes.Join(lines, nil)
	if bytes.Contains(here, []byte("\r\n")) {
		added = bytes.ReplaceAll(added, []byte("\n"), []byte("\r\n"))
	}
	if len(here) > 0 && !bytes.HasSuffix(here, []byte("\n")) {
		added = append([]byte("\n"), added...)
	}
	return slices.Concat(here, added)
}
