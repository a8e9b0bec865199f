package cmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"text/tabwriter"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/project"
)

var checkFormats = []string{"text", "json", "github", "sarif", "markdown"}

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
		return &sarifPrinter{w: w}
	case "markdown":
		return &markdownPrinter{w: w}
	default:
		return &textPrinter{w: w}
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
type textPrinter struct {
	w    *bufio.Writer
	rows [][]string // of all projects: a line each, and nothing else is kept of them
}

func (p *textPrinter) begin() {}

func (p *textPrinter) project(c *checked) {
	p.rows = append(p.rows, c.row())
	for i := range c.drift.Differences {
		d := &c.drift.Differences[i]
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

func (p *textPrinter) end(t *tally) {
	if len(p.rows) > 1 {
		w := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{{}, upper(fleetHead)}, p.rows...) {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		_ = w.Flush() // p.w remembers its errors
		fmt.Fprintln(p.w)
	}
	fmt.Fprintln(p.w, t)
}

func upper(words []string) []string {
	var all []string
	for _, word := range words {
		all = append(all, strings.ToUpper(word))
	}
	return all
}

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

func (p *jsonPrinter) begin() { fmt.Fprint(p.w, "{\"projects\":[") }

func (p *jsonPrinter) project(c *checked) {
	doc := struct {
		Dir         string            `json:"dir"`
		Version     string            `json:"version,omitempty"` // of rotasmith that wrote it
		Different   bool              `json:"different"`
		Differences []jsonDifference  `json:"differences"`
		Changes     []changelog.Entry `json:"changes,omitempty"` // of the templates, which it lacks
		Errors      []told            `json:"errors,omitempty"`
	}{c.dir, c.drift.Version, c.different(), []jsonDifference{}, c.changes, nil}
	for i := range c.drift.Differences {
		d := &c.drift.Differences[i]
		entry := jsonDifference{Path: d.Path, Kind: d.Kind, Kept: d.Kept, Note: d.Note, Line: d.Line}
		if d.Applies() {
			entry.Diff = d.Diff(c.dir)
		}
		doc.Differences = append(doc.Differences, entry)
	}
	if c.err != nil {
		doc.Errors = tell(c.err)
	}
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

// project prints one annotation for each kind of difference: GitHub shows ten of a step.
// https://docs.github.com/en/rest/checks/runs and https://github.com/orgs/community/discussions/26680
func (p githubPrinter) project(c *checked) {
	for _, kept := range []bool{false, true} {
		for _, kind := range project.Kinds() {
			p.kind(c, kind, kept)
		}
	}
	if c.err != nil {
		p.faults(c)
	}
}

// kind prints what is different in one way, beside the first such file.
func (p githubPrinter) kind(c *checked, kind project.Kind, kept bool) {
	var found []project.Difference
	var lines []string
	for _, d := range c.drift.Differences {
		if d.Kind == kind && d.Kept == kept {
			found = append(found, d)
			lines = append(lines, path.Join(c.dir, d.Path)+": "+what(&d))
		}
	}
	if found == nil {
		return
	}
	level, title := "error", kind.String()
	if kept {
		level = "notice"
	}
	if len(found) > 1 {
		title = fmt.Sprintf("%d files %s", len(found), title)
	}
	place := found[0].Path
	fmt.Fprintf(p.w, "::%s file=%s", level, githubValue.Replace(path.Join(c.dir, place)))
	if line := found[0].Line; line > 0 {
		fmt.Fprintf(p.w, ",line=%d", line)
	}
	fmt.Fprintf(p.w, ",title=%s::%s\n", githubValue.Replace("rotasmith: "+title), githubText.Replace(strings.Join(lines, "\n")))
}

// faults prints why a project could not be checked, beside the first fault.
func (p githubPrinter) faults(c *checked) {
	var lines []string
	for _, e := range tell(c.err) {
		lines = append(lines, strings.TrimSpace(e.Message+"\n"+e.Hint))
	}
	fmt.Fprintf(p.w, "::error file=%s", githubValue.Replace(path.Join(c.dir, generator.AnswersFile)))
	if f, ok := errors.AsType[*generator.Fault](parts(c.err)[0]); ok {
		if line, column := f.Place(); line > 0 {
			fmt.Fprintf(p.w, ",line=%d,col=%d", line, column)
		}
	}
	fmt.Fprintf(p.w, ",title=rotasmith::%s\n", githubText.Replace(strings.Join(lines, "\n")))
}

func (p githubPrinter) end(*tally) {}

// sarifPrinter prints SARIF 2.1.0, for code scanning.
type sarifPrinter struct {
	w       *bufio.Writer
	printed bool
	notes   []sarifNote
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifNote struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region *sarifRegion `json:"region,omitempty"`
	} `json:"physicalLocation"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

func (p *sarifPrinter) begin() {
	var rules []sarifRule
	for _, kind := range project.Kinds() {
		rules = append(rules, sarifRule{string(kind), sarifText{kind.String()}})
	}
	beginSARIF(p.w, rules)
}

// beginSARIF prints what stands before the results.
func beginSARIF(w io.Writer, rules []sarifRule) {
	var driver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	driver.Name, driver.Rules = "rotasmith", rules
	fmt.Fprint(w, `{"$schema":"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",`+
		`"version":"2.1.0","runs":[{"tool":{"driver":`)
	encode(w, driver)
	fmt.Fprint(w, "},\n\"results\":[")
}

func (p *sarifPrinter) project(c *checked) {
	for i := range c.drift.Differences {
		d := &c.drift.Differences[i]
		r := sarifResult{RuleID: string(d.Kind), Level: "error", Message: sarifText{path.Join(c.dir, d.Path) + ": " + what(d)}}
		if d.Kept {
			r.Level = "note"
		}
		for i, kind := range project.Kinds() {
			if kind == d.Kind {
				r.RuleIndex = i
			}
		}
		var l sarifLocation
		l.Physical.Artifact.URI = fileURI(path.Join(c.dir, d.Path))
		if d.Line > 0 {
			l.Physical.Region = &sarifRegion{d.Line}
		}
		r.Locations = []sarifLocation{l}
		separate(p.w, &p.printed)
		encode(p.w, r)
	}
	if c.err != nil {
		for _, e := range tell(c.err) {
			p.notes = append(p.notes, sarifNote{"error", sarifText{e.Message}})
		}
	}
}

func (p *sarifPrinter) end(*tally) { endSARIF(p.w, p.notes) }

// endSARIF prints what stands behind the results; notes are what has kept some from being found.
func endSARIF(w io.Writer, notes []sarifNote) {
	fmt.Fprint(w, "\n],\n\"invocations\":[")
	encode(w, struct {
		Successful bool        `json:"executionSuccessful"`
		Notes      []sarifNote `json:"toolExecutionNotifications,omitempty"`
	}{len(notes) == 0, notes})
	fmt.Fprintln(w, "]}]}")
}

// fileURI returns a reference relative to the working folder, or a file URI for an absolute path.
func fileURI(file string) string {
	u := url.URL{Path: file}
	switch {
	case strings.HasPrefix(file, "/"):
		u.Scheme = "file"
	case len(file) > 1 && file[1] == ':': // a Windows drive
		u.Scheme, u.Path = "file", "/"+file
	}
	return u.String()
}
