package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/project"
)

var checkFormats = []string{"text", "json", "github", "sarif"}

// printer prints what came of each project at once: of a thousand, none is kept. The writer remembers its errors.
type printer interface {
	begin()
	project(c *checked)
	end(t *tally)
}

func newPrinter(format string, w *bufio.Writer) printer {
	switch format {
	case "json":
		return &jsonPrinter{w: w}
	case "github":
		return githubPrinter{w}
	case "sarif":
		return &sarifPrinter{sarifWriter{w: w}}
	default:
		return textPrinter{w}
	}
}

// what says in words what is different about a file.
func what(d *project.Difference) string {
	text := d.Kind.String()
	if d.Kept {
		text = "kept: " + text
	}
	if d.Note != "" {
		text += ", " + d.Note
	}
	return text
}

// textPrinter is for people, and for git apply, which passes over the lines between the diffs and over a diff that is indented: one that
// would take away what was edited here.
type textPrinter struct{ w *bufio.Writer }

func (p textPrinter) begin() {}

func (p textPrinter) project(c *checked) {
	for i := range c.differences {
		d := &c.differences[i]
		place := path.Join(c.dir, d.Path)
		if d.Line > 0 {
			place += fmt.Sprintf(":%d", d.Line)
		}
		fmt.Fprintf(p.w, "%s: %s\n", place, what(d))
		switch {
		case d.Kept:
		case d.Applies():
			fmt.Fprint(p.w, d.Diff(c.dir))
		default:
			for line := range strings.Lines(d.Diff(c.dir)) {
				fmt.Fprint(p.w, indent+line)
			}
		}
	}
}

// indent keeps a diff from being applied.
const indent = "    "

func (p textPrinter) end(t *tally) { fmt.Fprintln(p.w, t) }

// jsonPrinter is for programs: fields are added, never renamed or removed.
type jsonPrinter struct {
	w       *bufio.Writer
	printed bool
}

type jsonDifference struct {
	Path string       `json:"path"`
	Kind project.Kind `json:"kind"`
	Kept bool         `json:"kept"`
	Note string       `json:"note,omitempty"`
	Line int          `json:"line,omitempty"`
	Diff string       `json:"diff,omitempty"` // only one that may be applied
}

type jsonError struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// jsonErrors are the parts of an error, nil without one.
func jsonErrors(err error) (list []jsonError) {
	if err == nil {
		return nil
	}
	for _, err := range parts(err) {
		hint, _ := explain(err)
		list = append(list, jsonError{oneLine(err.Error()), hint})
	}
	return list
}

func (p *jsonPrinter) begin() { fmt.Fprint(p.w, "{\"projects\":[") }

func (p *jsonPrinter) project(c *checked) {
	doc := struct {
		Dir         string           `json:"dir"`
		Different   bool             `json:"different"`
		Differences []jsonDifference `json:"differences"`
		Errors      []jsonError      `json:"errors,omitempty"`
	}{c.dir, c.different(), []jsonDifference{}, nil}
	for i := range c.differences {
		d := &c.differences[i]
		entry := jsonDifference{Path: d.Path, Kind: d.Kind, Kept: d.Kept, Note: d.Note, Line: d.Line}
		if d.Applies() {
			entry.Diff = d.Diff(c.dir)
		}
		doc.Differences = append(doc.Differences, entry)
	}
	doc.Errors = jsonErrors(c.err)
	separate(p.w, &p.printed)
	encode(p.w, doc)
}

func (p *jsonPrinter) end(t *tally) {
	fmt.Fprint(p.w, "\n],\"summary\":")
	encode(p.w, t)
	fmt.Fprintln(p.w, "}")
}

// separate begins the next item of a JSON array.
func separate(w io.Writer, printed *bool) {
	if *printed {
		fmt.Fprint(w, ",")
	}
	fmt.Fprint(w, "\n")
	*printed = true
}

// encode writes one line of JSON without its end.
func encode(w io.Writer, doc any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		panic(err) // texts, numbers and lists of them cannot fail
	}
	fmt.Fprint(w, strings.TrimSuffix(b.String(), "\n"))
}

// githubPrinter prints workflow commands, which GitHub shows beside the lines that they name.
type githubPrinter struct{ w *bufio.Writer }

var (
	githubText  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubValue = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func (p githubPrinter) begin() {}

func (p githubPrinter) project(c *checked) {
	for i := range c.differences {
		d := &c.differences[i]
		level := "error"
		if d.Kept {
			level = "notice"
		}
		place := path.Join(c.dir, d.Path)
		fmt.Fprintf(p.w, "::%s file=%s", level, githubValue.Replace(place))
		if d.Line > 0 {
			fmt.Fprintf(p.w, ",line=%d", d.Line)
		}
		fmt.Fprintf(p.w, ",title=%s::%s\n", githubValue.Replace("rotasmith: "+d.Kind.String()), githubText.Replace(place+": "+what(d)))
	}
	if c.err != nil {
		for _, err := range parts(c.err) {
			hint, _ := explain(err)
			fmt.Fprintf(p.w, "::error file=%s", githubValue.Replace(path.Join(c.dir, generator.AnswersFile)))
			if f, ok := errors.AsType[*generator.Fault](err); ok {
				if line, column := f.Place(); line > 0 {
					fmt.Fprintf(p.w, ",line=%d,col=%d", line, column)
				}
			}
			fmt.Fprintf(p.w, ",title=rotasmith::%s\n", githubText.Replace(strings.TrimSpace(oneLine(err.Error())+"\n"+hint)))
		}
	}
}

func (p githubPrinter) end(*tally) {}
