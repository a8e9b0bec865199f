package cmd

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/project"
)

// errDifferent says by its exit code alone that check has found differences: they were printed as the result.
var errDifferent = &hinted{errors.New("there are differences"), "", exitDifferent}

type checkOptions struct {
	dirs   []string
	format string
}

func (a *app) checkCommand() *cobra.Command {
	o := new(checkOptions)
	c := &cobra.Command{
		Use:   "check [DIR ...]",
		Short: "Compare projects with what their recorded answers give",
		Long: "check writes each project anew in memory, from the answers in its rotasmith.yaml, and compares. It reports files that were edited,\n" +
			"are missing, are outdated, hold a conflict, or no longer match changed answers. Files that match keep in rotasmith.yaml are listed but\n" +
			"do not fail the check; files that rotasmith did not write do not count. A project that a later version wrote is refused.\n\n" +
			"DIR/... checks every project below DIR, but for those in .git, .terraform and node_modules. Nothing is written, no network is\n" +
			"used. Diffs lead from what is here to what rotasmith would write; those that would undo an edit are indented. rotasmith update\n" +
			"takes over what the templates have changed.\n\n" +
			"Of several projects, a table says how each stands. --format markdown and json name the changes of the templates that a project\n" +
			"lacks; in a workflow of GitHub, --format github writes the same page to the summary of the step.\n\n" +
			"The exit code is 0 without a difference and 3 with one, 2 for answers that cannot be read.",
		Example: "  rotasmith check\n  rotasmith check orders-db\n  rotasmith check ./... --format github",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dirs = args
			if len(args) == 0 {
				o.dirs = []string{"."}
			}
			return a.runCheck(cmd.Context(), o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	c.Flags().StringVar(&o.format, "format", "text", "how to print: "+strings.Join(checkFormats, ", "))
	if err := c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(checkFormats, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only for a flag that this file does not define
	}
	return c
}

// checked is what came of one project.
type checked struct {
	dir     string // with slashes
	drift   project.Drift
	changes []changelog.Entry // of the templates, which the project lacks
	err     error
}

// different reports whether there is a difference that is not the user's to make.
func (c *checked) different() bool {
	return slices.ContainsFunc(c.drift.Differences, func(d project.Difference) bool { return !d.Kept })
}

// count returns how many differences there are of some kinds that are not the user's to make.
func (c *checked) count(kinds ...project.Kind) int {
	n := 0
	for _, d := range c.drift.Differences {
		if !d.Kept && slices.Contains(kinds, d.Kind) {
			n++
		}
	}
	return n
}

// fleetHead names what row returns.
var fleetHead = []string{"project", "version", "behind", "edited", "conflicts"}

// row says in a line of a table how a project stands. Where it cannot be said, it has dashes.
func (c *checked) row() []string {
	row := []string{c.dir, cmp.Or(c.drift.Version, "-"), "-", "-", "-"}
	if c.err == nil && c.count(project.Interrupted) == 0 {
		row[2] = strconv.Itoa(c.count(project.TemplateMoved, project.AnswersChanged))
		row[3] = strconv.Itoa(c.count(project.Edited, project.Missing, project.LineEndings))
		row[4] = strconv.Itoa(c.count(project.Conflict))
	}
	return row
}

// tally counts what was checked.
type tally struct {
	Projects  int                  `json:"projects"`
	Different int                  `json:"different"`
	Unchecked int                  `json:"unchecked"`
	Kept      int                  `json:"kept"` // files
	Kinds     map[project.Kind]int `json:"kinds"`
}

func (t *tally) add(c *checked) {
	t.Projects++
	switch {
	case c.err != nil:
		t.Unchecked++
	case c.different():
		t.Different++
	}
	for _, d := range c.drift.Differences {
		if d.Kept {
			t.Kept++
			continue
		}
		t.Kinds[d.Kind]++
	}
}

// hint says what to do about the differences in dirs.
func (t *tally) hint(dirs []string) string {
	update := "rotasmith update"
	if !slices.Equal(dirs, []string{"."}) {
		update += " " + quoted(dirs)
	}
	switch {
	case t.Kinds[project.Interrupted] > 0:
		return update + " finishes the update that was interrupted"
	case t.Kinds[project.Conflict] > 0:
		return "settle the conflicts between <<<<<<< and >>>>>>>, then " + update
	case t.Kinds[project.LineEndings] > 0:
		return "git clone -c core.autocrlf=false makes a copy as it was written"
	case t.Kinds[project.AnswersChanged] > 0:
		return update + " writes the files for the changed answers, and keeps your edits"
	case t.Kinds[project.TemplateMoved] > 0:
		return update + " takes over what the templates have changed, and keeps your edits"
	case t.Kinds[project.Edited] == 0 && t.Kinds[project.Missing] > 0:
		return "restore the missing file: git checkout -- FILE, or rotasmith new --answers DIR/rotasmith.yaml --dir ELSEWHERE writes it"
	}
	return "undo the edit, or list the file under keep in rotasmith.yaml if it is yours to change"
}

// String is the one summary line.
func (t *tally) String() string {
	projects := "projects"
	if t.Projects == 1 {
		projects = "project"
	}
	parts := []string{fmt.Sprintf("%d %s, %d with differences", t.Projects, projects, t.Different)}
	for _, kind := range project.Kinds() {
		if n := t.Kinds[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", kind, n))
		}
	}
	if t.Kept > 0 {
		parts = append(parts, fmt.Sprintf("kept: %d", t.Kept))
	}
	if t.Unchecked > 0 {
		parts = append(parts, fmt.Sprintf("not checked: %d", t.Unchecked))
	}
	return strings.Join(parts, ", ")
}

func (a *app) runCheck(ctx context.Context, o *checkOptions) error {
	if !slices.Contains(checkFormats, o.format) {
		return usagef("one of: "+strings.Join(checkFormats, ", "), "unknown --format %q", o.format)
	}
	catalog, err := a.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := bufio.NewWriter(a.Out)
	p := newPrinter(o.format, out)
	summary, closeSummary, err := a.stepSummary(o.format)
	if err != nil {
		return err
	}
	if summary != nil {
		p = both{p, summary}
	}
	total := tally{Kinds: make(map[project.Kind]int)}
	var failed []error
	progress := a.progress()
	p.begin()
	renderer := a.renderer(catalog)
	log, err := catalog.Changelog()
	if err != nil {
		return err
	}
	for c := range inOrder(ctx, o.dirs, func(dir string, err error) *checked { return checkOne(renderer, log, dir, err) }) {
		total.add(c)
		if c.err != nil {
			failed = append(failed, c.err)
		}
		progress(total.Projects)
		p.project(c)
	}
	progress(0)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.end(&total)
	if err := errors.Join(out.Flush(), closeSummary()); err != nil {
		return err
	}
	if o.format != "text" {
		fmt.Fprintln(a.Err, "rotasmith:", total.String())
	}
	if o.format == "text" && total.Different > 0 {
		fmt.Fprintln(a.Err, "rotasmith: hint:", total.hint(o.dirs))
	}
	if len(failed) == 0 && total.Different > 0 {
		return errDifferent
	}
	return errors.Join(failed...)
}

// quoted is the folders as they are typed.
func quoted(dirs []string) string {
	var words []string
	for _, dir := range dirs {
		words = append(words, generator.ShellQuote(dir))
	}
	return strings.Join(words, " ")
}

// progress returns what shows how many projects were checked, and with 0 takes it away: on a terminal only.
func (a *app) progress() func(projects int) {
	f := a.Err
	if !isWindow(f) || a.Getenv("TERM") == "dumb" {
		return func(int) {}
	}
	const every = 20
	shown := false
	return func(projects int) {
		switch {
		case projects > 0 && projects%every == 0:
			fmt.Fprintf(f, "\r%d projects ...", projects)
			shown = true
		case shown:
			fmt.Fprint(f, "\r\x1b[K")
			shown = false
		}
	}
}

// checkOne checks the project in dir, unless err says that there is none.
func checkOne(renderer *generator.Renderer, log changelog.Log, dir string, err error) *checked {
	c := &checked{dir: filepath.ToSlash(dir), err: err}
	if err != nil {
		return c
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		c.err = &hinted{err, "name the folder of a project", exitUsage}
		return c
	}
	defer func() { _ = root.Close() }() // it was only read
	drift, err := project.Compare(renderer, root.FS(), dir)
	if err != nil {
		c.err = err
		return c
	}
	c.drift = *drift
	if drift.Spec != nil && drift.Version != renderer.Version {
		c.changes = log.Since(drift.Version, drift.Files, drift.Spec.Type.Name)
	}
	return c
}
