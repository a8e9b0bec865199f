package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/project"
)

// stepSummaryVariable names the file that GitHub shows as the summary of a step, as Markdown.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary
const stepSummaryVariable = "GITHUB_STEP_SUMMARY"

// stepSummary returns what adds to the summary of a step of a workflow, where there is one, and what is to be called in the end.
func (a *app) stepSummary(format string) (p printer, done func() error, err error) {
	file := a.Getenv(stepSummaryVariable)
	if format != "github" || file == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", stepSummaryVariable, err)
	}
	w := bufio.NewWriter(f)
	return &markdownPrinter{w: w}, func() error { return errors.Join(w.Flush(), f.Close()) }, nil
}

// both prints twice.
type both struct{ first, second printer }

func (b both) begin() {
	b.first.begin()
	b.second.begin()
}

func (b both) project(c *checked) {
	b.first.project(c)
	b.second.project(c)
}

func (b both) end(t *tally) {
	b.first.end(t)
	b.second.end(t)
}

// markdownPrinter prints a page for people: a table of the projects that have differences, then of each the changes of the templates
// that it lacks and its files.
type markdownPrinter struct {
	w     *bufio.Writer
	table bool
	parts strings.Builder // what follows the table, of projects with differences alone
}

func (p *markdownPrinter) begin() {}

func (p *markdownPrinter) project(c *checked) {
	if c.err == nil && len(c.drift.Differences) == 0 {
		return
	}
	if !p.table {
		p.table = true
		p.row(fleetHead)
		p.row([]string{"---", "---", "---", "---", "---"})
	}
	p.row(c.row())
	fmt.Fprintf(&p.parts, "\n### %s\n\n", markdownText.Replace(c.dir))
	if c.err != nil {
		for _, e := range tell(c.err) {
			fmt.Fprintf(&p.parts, "- %s\n", markdownText.Replace(e.Message))
		}
		return
	}
	if len(c.changes) > 0 {
		p.parts.WriteString(changelog.Markdown(c.changes) + "\n")
	}
	p.files(c.drift.Differences)
}

// mostFiles bounds what is listed of one project: GitHub takes a summary of a megabyte.
const mostFiles = 50

func (p *markdownPrinter) files(differences []project.Difference) {
	for i := range differences {
		if i == mostFiles {
			fmt.Fprintf(&p.parts, "- and %d more\n", len(differences)-i)
			return
		}
		d := &differences[i]
		fmt.Fprintf(&p.parts, "- `%s`", d.Path)
		if d.Line > 0 {
			fmt.Fprintf(&p.parts, ", line %d", d.Line)
		}
		fmt.Fprintf(&p.parts, ": %s\n", markdownText.Replace(what(d)))
	}
}

// markdownText keeps a text from being taken for Markdown.
var markdownText = strings.NewReplacer("|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`)

func (p *markdownPrinter) row(cells []string) {
	for _, cell := range cells {
		fmt.Fprintf(p.w, "| %s ", markdownText.Replace(cell))
	}
	fmt.Fprintln(p.w, "|")
}

func (p *markdownPrinter) end(t *tally) {
	fmt.Fprintln(p.w, p.parts.String())
	fmt.Fprintln(p.w, t)
}
