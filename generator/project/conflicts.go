package project

import (
	"bytes"
	"fmt"

	"golang.org/x/mod/semver"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/merge"
)

// refuseNewer refuses a project that a later version has written: this one would take back what that one has changed. Versions that are no
// releases compare with nothing.
func refuseNewer(wrote, own, name string) error {
	if !semver.IsValid(wrote) || !semver.IsValid(own) || semver.Compare(wrote, own) <= 0 {
		return nil
	}
	return &generator.Fault{
		At: name, Msg: fmt.Sprintf("was written by rotasmith %s, and this is %s", wrote, own),
		Hint: "go install github.com/rotasmith/rotasmith/cmd/rotasmith@" + wrote + ", or a later version",
	}
}

// conflictIn says what has become of a conflict that an update or git has left in a file.
func conflictIn(f generator.File, s sight, open generator.OpenConflict) (d Difference, ok bool) {
	d = Difference{Path: f.Path, Kind: Conflict}
	if s.absent || s.strange != "" {
		return d, false
	}
	if line := markerIn(s.data); line > 0 && markerIn(f.Data) == 0 {
		d.Line, d.Note = line, "markers are in it"
		if f.Path == generator.LockFile {
			d.Note += ": take either side, then rotasmith update"
		}
		return d, true
	}
	if open == (generator.OpenConflict{}) {
		return d, false
	}
	d.Note = "settled here: rotasmith update records it"
	if generator.Digest(s.data) == open.Yours {
		d.Note = "thrown away here: rotasmith update offers it again"
	}
	if !bytes.Equal(s.data, f.Data) {
		d.here, d.want = s.data, f.Data
	}
	return d, true
}

// markerIn returns the first line of a text that is a mark of a conflict, from 1; 0 if none is.
func markerIn(text []byte) int {
	if !merge.HasMarkers(text) {
		return 0
	}
	n := 0
	for line := range bytes.Lines(text) {
		if n++; merge.HasMarkers(line) {
			return n
		}
	}
	return 0
}

// takeOutCRLF makes LF of the line endings of a file that has CRLF alone where LF was written, and counts such files.
func (c *comparison) takeOutCRLF(s *sight, f generator.File) bool {
	n := bytes.Count(s.data, []byte("\r\n"))
	if n == 0 || n != bytes.Count(s.data, []byte("\n")) || bytes.Contains(f.Data, []byte("\r\n")) || !isText(s.data) {
		return false
	}
	s.data = bytes.ReplaceAll(s.data, []byte("\r\n"), []byte("\n"))
	if !c.spec.Keeps(f.Path) {
		c.crlf++
	}
	return true
}

// addLineEndings says once for all files that they have CRLF. Those are no edits of a person.
func (c *comparison) addLineEndings() {
	if c.crlf == 0 {
		return
	}
	files := "1 file"
	if c.crlf > 1 {
		files = fmt.Sprintf("%d files", c.crlf)
	}
	c.add(Difference{Path: ".gitattributes", Kind: LineEndings, Note: "in " + files + ", as git writes them with core.autocrlf"})
}
