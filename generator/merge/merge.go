// Package merge merges what a person changed in a file with what its template changed: three texts, which are what was written once (base),
// what stands in the project (yours) and what would be written now (theirs). It loses no line of yours: a change of yours that it cannot
// carry over stands between markers. It reads and writes no file.
package merge

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/rotasmith/rotasmith/generator/syntax"
)

// Result is what a merge of three texts made.
type Result struct {
	Text      []byte   // the merged text, with markers where there are conflicts; nil: yours stays as it is
	Conflicts []int    // lines in Text of the opening markers, from 1
	Reason    string   // why there is a conflict although no place was changed by both, or none that can be shown; may be empty
	Notes     []string // what the merge decided that is worth a word, such as "pgx v5.11.0 -> v5.11.1"
}

// Clean reports whether nothing is left to decide.
func (r Result) Clean() bool { return len(r.Conflicts) == 0 && r.Reason == "" }

// The beginnings of the lines around the parts of a conflict, as git has them.
const (
	markYours  = "<<<<<<<"
	markBase   = "|||||||"
	markTheirs = "======="
	markEnd    = ">>>>>>>"
)

// HasMarkers reports whether a text has a conflict in it, or what is left of one. A line of equals signs alone is none: it underlines titles.
func HasMarkers(text []byte) bool {
	for line := range bytes.Lines(text) {
		for _, mark := range []string{markYours, markBase, markEnd} {
			if bytes.HasPrefix(line, []byte(mark+" ")) {
				return true
			}
		}
	}
	return false
}

// File merges the texts of the file at path, by what its name says it is. base is nil if rotasmith has not written the file: you and the
// template have both added it.
func File(path string, base, yours, theirs []byte) Result {
	switch {
	case bytes.Equal(yours, theirs), base != nil && bytes.Equal(base, theirs):
		return Result{Text: append([]byte{}, yours...)}
	case base != nil && bytes.Equal(base, yours):
		return Result{Text: append([]byte{}, theirs...)}
	case !isText(base) || !isText(yours) || !isText(theirs):
		return Result{Reason: "not text in UTF-8"}
	}
	f := &file{path, string(base), string(yours), string(theirs), endOf(base, yours, theirs)}
	merged, ok := f.byMeaning()
	if !ok {
		merged = f.byLines()
	}
	return f.judge(merged)
}

func isText(data []byte) bool { return utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 }

// file is one to be merged.
type file struct {
	path, base, yours, theirs string
	end                       string // of a line
}

// windows ends a line as Git checks it out on Windows.
const windows = "\r\n"

// endOf returns how lines end that the merge writes. rotasmith ends them with a newline: most of yours may have got another end since.
func endOf(base, yours, theirs []byte) string {
	if 2*bytes.Count(yours, []byte(windows)) > bytes.Count(yours, []byte("\n")) && bytes.IndexByte(base, '\r') < 0 && bytes.IndexByte(theirs, '\r') < 0 {
		return windows
	}
	return "\n"
}

// byMeaning merges what names modules.
func (f *file) byMeaning() (Result, bool) {
	switch path.Base(f.path) {
	case "go.mod":
		return f.goMod()
	case "go.sum":
		return f.goSum()
	}
	return Result{}, false
}

// byLines merges lines. Where that leaves conflicts it takes lines for the same that a formatter has only aligned anew.
func (f *file) byLines() Result {
	m := f.threeWay()
	m.merge(m.regions())
	if len(m.conflicts) > 0 {
		if text, ok := f.byTokens(); ok {
			return Result{Text: []byte(text)}
		}
	}
	return Result{Text: []byte(f.text(m)), Conflicts: m.conflicts}
}

// threeWay prepares a merge of the lines.
func (f *file) threeWay() *threeWay {
	return &threeWay{base: f.document(f.base, false), yours: f.document(f.yours, true), theirs: f.document(f.theirs, false), end: f.end}
}

// document splits a text. Your lines keep their ends.
func (f *file) document(text string, yours bool) document {
	var d document
	for line := range strings.Lines(text) {
		key, ended := strings.CutSuffix(line, "\n")
		if f.end == windows {
			key = strings.TrimSuffix(key, "\r")
		}
		if !yours || !ended {
			line = key + f.end
		}
		d.lines, d.keys = append(d.lines, line), append(d.keys, key)
	}
	return d
}

// text is what a merge has written. Whether its last line has an end is merged too; a marker has one.
func (f *file) text(m *threeWay) string {
	text := strings.Join(m.out, "")
	if f.endsOpen() && !strings.HasSuffix(text, labelTheirs+f.end) {
		text = strings.TrimSuffix(text, f.end)
	}
	return text
}

// endsOpen reports whether the last line has no end: as you have it, unless only the template has changed that. A text without any line has
// no say.
func (f *file) endsOpen() bool {
	open := func(text string) bool { return !strings.HasSuffix(text, "\n") }
	switch {
	case f.yours == "":
		return open(f.theirs)
	case f.theirs == "":
		return open(f.yours)
	case f.base == "":
		return open(f.yours) && open(f.theirs)
	case open(f.yours) == open(f.base):
		return open(f.theirs)
	}
	return open(f.yours)
}

// judge turns a merge that does not parse, although all three texts do, into one conflict from the first change to the last.
func (f *file) judge(merged Result) Result {
	if !merged.Clean() {
		return merged
	}
	err := syntax.Parse(f.path, merged.Text)
	if err == nil {
		return merged
	}
	for _, text := range []string{f.base, f.yours, f.theirs} {
		if syntax.Parse(f.path, []byte(text)) != nil {
			return merged
		}
	}
	m := f.threeWay()
	m.merge(whole(m.regions()))
	return Result{Text: []byte(f.text(m)), Conflicts: m.conflicts, Reason: "merged, it does not parse: " + strings.Join(strings.Fields(err.Error()), " ")}
}
