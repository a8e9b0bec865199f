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
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/mod/semver"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/changelog"
	"github.com/rotasmith/rotasmith/generator/history"
	"github.com/rotasmith/rotasmith/generator/project"
	"github.com/rotasmith/rotasmith/generator/update"
)

// updateOptions is what `rotasmith update` was told.
type updateOptions struct {
	dirs    []string
	sets    []string
	from    string
	format  string
	dryRun  bool
	ours    bool
	undo    bool
	noInput bool
}

func (a *app) updateCommand() *cobra.Command {
	o := new(updateOptions)
	c := &cobra.Command{
		Use:   "update [DIR ...]",
		Short: "Take over what the templates have changed, and keep your edits",
		Long: "update writes each project anew from the answers in its rotasmith.yaml, and merges what the templates have changed with what you\n" +
			"have changed. Do the same after you have edited rotasmith.yaml, to change an answer.\n\n" +
			"A file that you have not edited becomes what the templates give now. One that you have edited is merged; where both have changed\n" +
			"the same lines, both stand between <<<<<<< and >>>>>>>, and git shows a conflict: settle it, then run update again. A file that you\n" +
			"have deleted stays deleted. A file that matches keep in rotasmith.yaml stays as it is where both have changed the same lines.\n" +
			"Files that rotasmith did not write are never touched.\n\n" +
			"All of a project is updated or nothing. An update that was interrupted is finished by the next one, and --undo takes the last one\n" +
			"back. Edits that are not committed are never overwritten. DIR/... updates every project below DIR. No network is used without --from.\n\n" +
			"The exit code is 0 if nothing is left to do, 3 with conflicts, 2 for what you have to change first, 1 for a failure.",
		Example: "  rotasmith update\n  rotasmith update --dry-run\n  rotasmith update --set schedule=7d\n  rotasmith update ./... --format markdown",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dirs = args
			if len(args) == 0 {
				o.dirs = []string{"."}
			}
			if !o.undo {
				return a.runUpdate(cmd.Context(), o)
			}
			for _, flag := range []string{"dry-run", "set", "ours", "from", "format"} {
				if cmd.Flags().Changed(flag) {
					return usagef("take the update back first", "--undo goes with no other flag, but --%s was given", flag)
				}
			}
			return a.runUndo(cmd.Context(), o)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be done to every file, with diffs, and write nothing")
	c.Flags().StringArrayVar(&o.sets, "set", nil, "change an answer on the way, as `KEY=VALUE`; repeatable")
	c.Flags().BoolVar(&o.ours, "ours", false, "keep your lines in conflicts, and do not offer those of the templates again")
	c.Flags().BoolVar(&o.undo, "undo", false, "take the last update back, if none of its files was changed since")
	c.Flags().StringVar(&o.from, "from", "", "let that `version` write again what it once wrote, where it cannot be found otherwise; uses the network")
	c.Flags().BoolVar(&o.noInput, "no-input", false, "never ask; what is not answered and has no default is an error")
	c.Flags().StringVar(&o.format, "format", "text", "how to print: "+strings.Join(updateFormats, ", "))
	if err := c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(updateFormats, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only for a flag that this file does not define
	}
	return c
}

// updatedProject is what came of one project.
type updatedProject struct {
	dir string // with slashes
	*project.Updated
	changes []changelog.Entry // of the templates, which it has got
	missed  []changelog.Entry // of those, security fixes of files that are gone in the project
	err     error
}

// open counts what a person has to look at.
func (u *updatedProject) open() int {
	if u.Updated == nil {
		return 0
	}
	return u.Conflicts() + len(u.missed)
}

// updateTally counts what was updated.
type updateTally struct {
	Projects int                    `json:"projects"`
	Updated  int                    `json:"updated"`
	Open     int                    `json:"open"` // projects that a person has to look at
	Failed   int                    `json:"failed"`
	Files    int                    `json:"files"`
	Outcomes map[update.Outcome]int `json:"outcomes"`
	DryRun   bool                   `json:"dry_run"`
	settle   int                    // conflicts between markers
	byHand   int                    // conflicts without
	modules  bool                   // a go.mod was merged
	noBase   string
}

func (t *updateTally) add(u *updatedProject) {
	t.Projects++
	if u.err != nil {
		t.Failed++
		return
	}
	if u.Written {
		t.Updated++
	}
	if u.open() > 0 {
		t.Open++
	}
	t.Files += u.Files
	t.noBase = cmp.Or(t.noBase, u.NoBase)
	for _, c := range u.Changes {
		t.Outcomes[c.Outcome]++
		switch {
		case c.Outcome == update.Conflict && len(c.Lines) > 0:
			t.settle++
		case c.Outcome == update.Conflict:
			t.byHand++
		case c.Outcome == update.Merged && c.Path == "go.mod":
			t.modules = true
		}
	}
}

// String is the one summary line.
func (t *updateTally) String() string {
	words := []string{counts(t.Projects, "project") + ": " + counts(t.Files, "file")}
	for _, o := range update.Outcomes() {
		if n := t.Outcomes[o]; n > 0 {
			words = append(words, fmt.Sprintf("%s: %d", tallyWords[o], n))
		}
	}
	if t.Failed > 0 {
		words = append(words, fmt.Sprintf("not updated: %d", t.Failed))
	}
	text := strings.Join(words, ", ")
	if t.DryRun {
		text += "; nothing was written"
	}
	return text
}

func counts(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// hints say what to do next.
func (t *updateTally) hints(dirs []string) []string {
	var hints []string
	undo := "rotasmith update " + strings.TrimSpace("--undo "+quoted(dirs)) + " takes it back"
	if slices.Equal(dirs, []string{"."}) {
		undo = "rotasmith update --undo takes it back"
	}
	switch {
	case t.DryRun:
	case t.settle > 0:
		hints = append(hints, fmt.Sprintf("settle the %s between <<<<<<< and >>>>>>>, or keep your lines with --ours; then make test and rotasmith update; %s", counts(t.settle, "conflict"), undo))
	case t.Updated > 0:
		hints = append(hints, "make test; "+undo)
	}
	if t.byHand > 0 && t.noBase == "" {
		hints = append(hints, fmt.Sprintf("%s without markers: change the file by hand, or keep yours: rotasmith update --ours", counts(t.byHand, "conflict")))
	}
	if t.noBase != "" {
		hints = append(hints, t.noBase+"; or keep yours: rotasmith update --ours")
	}
	if t.modules && !t.DryRun {
		hints = append(hints, "go mod tidy: go.mod was merged")
	}
	return hints
}

func (a *app) runUpdate(ctx context.Context, o *updateOptions) error {
	if !slices.Contains(updateFormats, o.format) {
		return usagef("one of: "+strings.Join(updateFormats, ", "), "unknown --format %q", o.format)
	}
	u, log, err := a.updater(o)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.Out)
	p := newUpdatePrinter(o, out)
	total := updateTally{Outcomes: make(map[update.Outcome]int), DryRun: o.dryRun}
	var failed []error
	progress := a.progress()
	p.begin()
	for one := range inOrder(ctx, o.dirs, func(dir string, err error) *updatedProject { return updateOne(ctx, u, log, dir, err) }) {
		progress(0)
		total.add(one)
		if one.err != nil {
			failed = append(failed, one.err)
		}
		p.project(one)
		if err := out.Flush(); err != nil { // what is done is said at once
			return err
		}
		progress(total.Projects)
	}
	progress(0)
	if ctx.Err() != nil {
		return interruptedAfter(total.Updated)
	}
	p.end(&total)
	if err := out.Flush(); err != nil {
		return err
	}
	if o.format != "text" {
		fmt.Fprintln(a.Err, "rotasmith:", total.String())
	}
	for _, hint := range total.hints(o.dirs) {
		fmt.Fprintln(a.Err, "rotasmith: hint:", hint)
	}
	if len(failed) == 0 && total.Open > 0 {
		return errDifferent
	}
	return errors.Join(failed...)
}

// interruptedAfter says what was done before an interrupt.
func interruptedAfter(projects int) error {
	if projects == 0 {
		return errInterrupted
	}
	return &hinted{fmt.Errorf("interrupted after %s", counts(projects, "project")), "rotasmith update goes on with the others", exitInterrupted}
}

// updater returns what updates projects, and the changes of the templates.
func (a *app) updater(o *updateOptions) (*project.Updater, changelog.Log, error) {
	set, err := parseSets(o.sets)
	if err != nil {
		return nil, nil, err
	}
	catalog, err := a.open()
	if err != nil {
		return nil, nil, err
	}
	log, err := catalog.Changelog()
	if err != nil {
		return nil, nil, err
	}
	u := &project.Updater{Renderer: a.renderer(catalog), Set: set, Ours: o.ours, DryRun: o.dryRun, Old: history.Points}
	if a.released != nil {
		u.Old = a.released
	}
	if o.from != "" {
		if !semver.IsValid(o.from) {
			return nil, nil, usagef("give a version such as v1.2.0; the project's .rotasmith/lock.json may name it", "bad --from %q", o.from)
		}
		u.From = a.from(o.from)
	}
	if a.prompter != nil && !o.noInput {
		u.Ask = a.askOne()
	}
	return u, log, nil
}

// askOne returns what puts a question that has no default, one at a time.
func (a *app) askOne() func(ctx context.Context, q generator.Question, so *generator.Resolution) (string, error) {
	var one sync.Mutex
	return func(ctx context.Context, q generator.Question, so *generator.Resolution) (string, error) {
		one.Lock()
		defer one.Unlock()
		a.prompter.Say("\n" + so.Get("name") + ": a new question\n")
		answer, _, err := a.prompter.Ask(ctx, prompt{q, "", false, func(answer string) error { return so.Accepts(q, answer) }})
		return answer, err
	}
}

// updateOne updates the project in dir, unless err says that there is none.
func updateOne(ctx context.Context, u *project.Updater, log changelog.Log, dir string, err error) *updatedProject {
	one := &updatedProject{dir: filepath.ToSlash(dir), err: err}
	if err != nil || ctx.Err() != nil {
		one.err = cmp.Or(err, ctx.Err())
		return one
	}
	if _, err := os.Stat(dir); err != nil {
		one.err = &hinted{err, "name the folder of a project", exitUsage}
		return one
	}
	updated, err := u.Run(ctx, dir)
	switch {
	case errors.Is(err, project.ErrInterrupted):
		one.err = &hinted{fmt.Errorf("%s: %w", one.dir, err), "rotasmith update finishes it", exitDifferent}
		return one
	case err != nil:
		one.err = err
		return one
	}
	one.Updated = updated
	var files []string
	for _, c := range updated.Changes {
		files = append(files, c.Path)
	}
	if updated.From != u.Renderer.Version && updated.Written {
		one.changes = log.Since(updated.From, files, updated.Type)
	}
	for _, e := range one.changes {
		if e.Severity == changelog.Security && slices.ContainsFunc(updated.Changes, func(c update.Change) bool {
			return c.Outcome == update.NotTaken && e.Covers(c.Path, updated.Type)
		}) {
			one.missed = append(one.missed, e)
		}
	}
	return one
}

// runUndo takes the last update of each project back.
func (a *app) runUndo(ctx context.Context, o *updateOptions) error {
	var failed []error
	for _, dir := range o.dirs {
		find(dir, func(dir string, err error) bool {
			if err != nil {
				failed = append(failed, err)
				return true
			}
			files, err := project.Undo(ctx, dir)
			if err != nil {
				failed = append(failed, err)
				return ctx.Err() == nil
			}
			if err := a.show([]byte(fmt.Sprintf("%s: taken back: %s\n", filepath.ToSlash(dir), counts(len(files), "file")))); err != nil {
				failed = append(failed, err)
			}
			return ctx.Err() == nil
		})
	}
	return errors.Join(failed...)
}
