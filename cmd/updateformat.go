package cmd

import (
	"bufio"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/update"
)

var updateFormats = []string{"text", "json", "github", "sarif", "markdown"}

// updatePrinter prints what came of each project at once: of a thousand, none is kept. The writer remembers its errors.
type updatePrinter interface {
	begin()
	project(u *updatedProject)
	end(t *updateTally)
}

func newUpdatePrinter(o *updateOptions, w *bufio.Writer) updatePrinter {
	switch o.format {
	case "json":
		return &updateJSON{w: w, diffs: o.dryRun}
	case "github":
		return updateGitHub{w}
	case "sarif":
		return &updateSARIF{sarifWriter{w: w}}
	case "markdown":
		return &updateMarkdown{w: w, dryRun: o.dryRun}
	default:
		return updateText{w, o.dryRun}
	}
}

// outcomeWords say what an update has done to a file.
var outcomeWords = map[update.Outcome]string{
	update.Added:    "added",
	update.Updated:  "updated",
	update.Merged:   "merged",
	update.Conflict: "conflict",
	update.Removed:  "removed",
	update.Left:     "no longer written",
	update.NotTaken: "gone here, changed in the template: not taken",
	update.Kept:     "kept",
	update.Ours:     "conflict, yours kept",
	update.Settled:  "settled",
}

// tallyWords are the same in the summary.
var tallyWords = map[update.Outcome]string{
	update.Added:    "added",
	update.Updated:  "updated",
	update.Merged:   "merged",
	update.Conflict: "conflicts",
	update.Removed:  "removed",
	update.Left:     "no longer written",
	update.NotTaken: "not taken",
	update.Kept:     "kept",
	update.Ours:     "yours kept",
	update.Settled:  "settled",
}

// done says in words what has become of a file.
func done(c *update.Change) string {
	text := outcomeWords[c.Outcome]
	if c.From != "" {
		text += ", moved from " + c.From
	}
	if c.Note != "" {
		text += ", " + c.Note
	}
	return text
}

// news is what is to be said of a project beside its files.
func (u *updatedProject) news() []string {
	var lines []string
	if u.Finished {
		lines = append(lines, "the update that was interrupted is finished")
	}
	for _, answer := range u.Answers {
		lines = append(lines, generator.AnswersFile+": "+answer)
	}
	for _, file := range u.Importers {
		lines = append(lines, file+": imports packages of the module by its previous path")
	}
	for _, e := range u.missed {
		lines = append(lines, "a security fix is not taken, since its file is gone here: "+e.Text)
	}
	return lines
}

// urgent reports whether a change is one that a person has to look at, and open whether it is one that has to be settled.
func urgent(c *update.Change) (said, open bool) {
	switch c.Outcome {
	case update.Conflict:
		return true, true
	case update.Left, update.NotTaken, update.Kept, update.Ours:
		return true, false
	default:
		return false, false
	}
}

// updateText is for people.
type updateText struct {
	w      *bufio.Writer
	dryRun bool
}

func (p updateText) begin() {}

func (p updateText) project(u *updatedProject) {
	if u.err != nil || len(u.Changes) == 0 && !u.Written && !u.Finished {
		return
	}
	head := "updated"
	switch {
	case p.dryRun:
		head = "would be updated"
	case !u.Written && !u.Finished:
		head = "not changed"
	}
	fmt.Fprintf(p.w, "%s: %s\n", u.dir, head)
	for _, line := range u.news() {
		fmt.Fprintf(p.w, "  %s\n", line)
	}
	for i := range u.Changes {
		c := &u.Changes[i]
		place := c.Path
		if len(c.Lines) > 0 {
			place += fmt.Sprintf(":%d", c.Lines[0])
		}
		fmt.Fprintf(p.w, "  %s: %s\n", place, done(c))
		if p.dryRun {
			for line := range strings.Lines(c.Diff(u.dir)) {
				fmt.Fprint(p.w, indent+line)
			}
		}
	}
}

func (p updateText) end(t *updateTally) { fmt.Fprintln(p.w, t) }

// updateJSON is for programs: fields are added, never renamed or removed.
type updateJSON struct {
	w       *bufio.Writer
	diffs   bool // of what is written
	printed bool
}

type jsonChange struct {
	Path    string         `json:"path"`
	From    string         `json:"from,omitempty"`
	Outcome update.Outcome `json:"outcome"`
	Note    string         `json:"note,omitempty"`
	Lines   []int          `json:"lines,omitempty"` // where conflicts begin
	Diff    string         `json:"diff,omitempty"`  // what is done, with --dry-run
	Offer   string         `json:"offer,omitempty"` // what the templates have changed in a file that stays as it is
}

func (p *updateJSON) begin() { fmt.Fprint(p.w, "{\"projects\":[") }

func (p *updateJSON) project(u *updatedProject) {
	doc := struct {
		Dir     string            `json:"dir"`
		Updated bool              `json:"updated"`
		Open    bool              `json:"open"`              // a person has to look
		Version string            `json:"version,omitempty"` // of rotasmith that wrote it before
		News    []string          `json:"news,omitempty"`
		Files   []jsonChange      `json:"files"`
		Changes []changelog.Entry `json:"changes,omitempty"` // of the templates, which it has got
		Errors  []told            `json:"errors,omitempty"`
	}{Dir: u.dir, Open: u.open() > 0, Files: []jsonChange{}, Changes: u.changes}
	if u.err != nil {
		doc.Errors = tell(u.err)
	} else {
		doc.Updated, doc.Version, doc.News = u.Written, u.From, u.news()
		for i := range u.Changes {
			c := &u.Changes[i]
			change := jsonChange{Path: c.Path, From: c.From, Outcome: c.Outcome, Note: c.Note, Lines: c.Lines, Offer: c.Offer(u.dir)}
			if p.diffs {
				change.Diff = c.Diff(u.dir)
			}
			doc.Files = append(doc.Files, change)
		}
	}
	separate(p.w, &p.printed)
	encode(p.w, doc)
}

func (p *updateJSON) end(t *updateTally) {
	fmt.Fprint(p.w, "\n],\"summary\":")
	encode(p.w, t)
	fmt.Fprintln(p.w, "}")
}

// updateGitHub prints workflow commands, one for each outcome that a person has to look at: GitHub shows ten of a step.
type updateGitHub struct{ w *bufio.Writer }

func (p updateGitHub) begin() {}

func (p updateGitHub) project(u *updatedProject) {
	if u.err != nil {
		githubPrinter(p).faults(&checked{dir: u.dir, err: u.err})
		return
	}
	for _, outcome := range update.Outcomes() {
		p.outcome(u, outcome)
	}
}

func (p updateGitHub) outcome(u *updatedProject, outcome update.Outcome) {
	var lines []string
	var first *update.Change
	for i := range u.Changes {
		c := &u.Changes[i]
		if said, _ := urgent(c); said && c.Outcome == outcome {
			first = cmp.Or(first, c)
			lines = append(lines, path.Join(u.dir, c.Path)+": "+done(c))
		}
	}
	if first == nil {
		return
	}
	level := "notice"
	if _, open := urgent(first); open {
		level = "error"
	}
	fmt.Fprintf(p.w, "::%s file=%s", level, githubValue.Replace(path.Join(u.dir, first.Path)))
	if len(first.Lines) > 0 {
		fmt.Fprintf(p.w, ",line=%d", first.Lines[0])
	}
	fmt.Fprintf(p.w, ",title=%s::%s\n", githubValue.Replace("rotasmith: "+outcomeWords[outcome]), githubText.Replace(strings.Join(lines, "\n")))
}

func (p updateGitHub) end(*updateTally) {}

// updateSARIF prints SARIF 2.1.0, for code scanning: what a person has to look at.
type updateSARIF struct{ out sarifWriter }

func (p *updateSARIF) begin() {
	var rules []sarifRule
	for _, o := range update.Outcomes() {
		rules = append(rules, sarifRule{string(o), sarifText{outcomeWords[o]}})
	}
	p.out.begin(rules)
}

func (p *updateSARIF) project(u *updatedProject) {
	if u.err != nil {
		p.out.failed(u.err)
		return
	}
	for i := range u.Changes {
		c := &u.Changes[i]
		said, open := urgent(c)
		if !said {
			continue
		}
		r := sarifResult{
			RuleID: string(c.Outcome), RuleIndex: slices.Index(update.Outcomes(), c.Outcome), Level: "note",
			Message: sarifText{path.Join(u.dir, c.Path) + ": " + done(c)},
		}
		if open {
			r.Level = "error"
		}
		line := 0
		if len(c.Lines) > 0 {
			line = c.Lines[0]
		}
		r.at(fileURI(path.Join(u.dir, c.Path)), line)
		p.out.result(r)
	}
}

func (p *updateSARIF) end(*updateTally) { p.out.end() }
