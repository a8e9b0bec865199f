package cmd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/project"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/play"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	results "github.com/rotasmith/rotasmith/generator/report"
)

// recordedSpec reads a project's answers.
func recordedSpec(catalog *generator.Catalog, root *os.Root, dir string) (*generator.Spec, string, error) {
	recorded, err := project.Recorded(catalog, root.FS(), dir)
	if err != nil {
		return nil, "", err
	}
	text, err := root.ReadFile(generator.AnswersFile)
	if err != nil {
		return nil, "", err
	}
	spec, err := recorded.Spec()
	sum := sha256.Sum256(text)
	return spec, hex.EncodeToString(sum[:]), err
}

// rehearsing is a rehearsal under way.
type rehearsing struct {
	app    *app
	o      *rehearseOptions
	took   func() time.Duration
	result *results.Rehearsal
}

func (r *rehearsing) run(ctx context.Context, p play.Project) error {
	target, err := r.target(ctx, p)
	if err != nil {
		return err
	}
	if target == nil {
		return r.model(ctx, p)
	}
	defer func() {
		if err := target.Close(ctx); err != nil {
			fmt.Fprintf(r.app.Err, "rotasmith: %s\n", oneLine("left behind: "+err.Error()))
		}
	}()
	r.result.Target = target.Report
	fmt.Fprintf(r.app.Out, "on %s, %s\n", target.Report.Version, target.Report.Kind)
	own, err := os.MkdirTemp("", "rotasmith-rehearsal-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(own) }()
	p.Binary = filepath.Join(own, "bootstrap")
	if err := rehearsal.Compile(ctx, p.Dir, p.Binary); err != nil {
		return &hinted{err, "the project is built with Go, as its Makefile does: https://go.dev/dl", exitFailed}
	}
	world, err := play.Open(p, target.Database)
	if err != nil {
		return err
	}
	defer func() { _ = world.Close() }()
	if err := r.faults(ctx, world); err != nil || r.o.app.Command == "" || r.o.only != "" {
		return err
	}
	return r.application(ctx, world)
}

// target opens the server that is asked for. It returns nil for the model.
func (r *rehearsing) target(ctx context.Context, p play.Project) (*play.Target, error) {
	switch {
	case r.o.target == "model":
		return nil, nil
	case !play.HasServer(p.Engine) && r.o.target != "auto":
		return nil, usagef("--target model runs the project's own proof", "no server is known for %s", p.Engine)
	case !play.HasServer(p.Engine):
		r.note(fmt.Sprintf("no server is known for %s", p.Engine))
		return nil, nil
	case r.o.target == "auto":
		target, err := play.Start(ctx, p)
		if missing, ok := errors.AsType[*servers.MissingError](err); ok {
			r.note(missing.Error() + "; --target URL uses one of yours")
			return nil, nil
		}
		return target, err
	}
	target, err := play.Reach(ctx, r.o.target, p, r.o.yes)
	if unfit, ok := errors.AsType[*play.TargetError](err); ok {
		return nil, &hinted{unfit, unfit.Cure, exitUsage}
	}
	return target, err
}

// note says something that every output holds.
func (r *rehearsing) note(text string) {
	r.result.Notes = append(r.result.Notes, text)
	fmt.Fprintln(r.app.Out, text)
}

// model runs the project's own proof.
func (r *rehearsing) model(ctx context.Context, p play.Project) error {
	r.result.Target = results.Target{Kind: play.ModelKind}
	if r.o.app.Command != "" || r.o.only != "" {
		return usagef("name a server with --target", "--app and --only need a server, and this is %q", play.ModelKind)
	}
	r.note("the project's own proof runs: " + play.ModelKind)
	runs, err := play.Model(ctx, p.Dir)
	if err != nil {
		return err
	}
	for _, run := range runs {
		r.add(run)
	}
	r.phase("model")
	return nil
}

// faults lets one after the other happen.
func (r *rehearsing) faults(ctx context.Context, w *play.World) error {
	if r.o.only == "" {
		for _, f := range []play.Fault{play.Preflight, play.TestOnly, play.Clean(r.o.rotations)} {
			if err := r.play(ctx, w, f); err != nil {
				return err
			}
		}
		r.phase("ask")
		r.phase("clean")
		if r.result.Count(results.Held) < len(r.result.Runs) { // what goes wrong without a fault says all
			r.note("faults are left out: it fails without one")
			return nil
		}
	}
	all, err := r.chosen(ctx, w)
	if err != nil {
		return err
	}
	for i, f := range all {
		if err := r.play(ctx, w, f); err != nil {
			return err
		}
		if i+1 == len(all) || all[i+1].Phase != f.Phase {
			r.phase(f.Phase)
		}
	}
	return nil
}

// chosen returns the faults that are asked for.
func (r *rehearsing) chosen(ctx context.Context, w *play.World) ([]play.Fault, error) {
	if r.o.only == "" && r.o.faults == "none" {
		return nil, nil
	}
	calls, err := w.Calls(ctx, false)
	if err != nil {
		return nil, err
	}
	if r.o.only == "" && r.o.faults == "quick" {
		return play.QuickFaults(calls, w.Database.IsChange), nil
	}
	steady, err := w.Calls(ctx, true)
	if err != nil {
		return nil, err
	}
	all := append([]play.Fault{play.Preflight, play.TestOnly, play.Clean(r.o.rotations)}, play.AllFaults(calls, steady)...)
	if r.o.only == "" {
		if r.o.faults == "all" {
			return all[3:], nil
		}
		return play.Named(all, strings.Split(r.o.faults, ",")...), nil
	}
	named := play.Named(all, r.o.only)
	if len(named) == 0 {
		var names []string
		for _, f := range all {
			names = append(names, f.Name)
		}
		return nil, usagef("one of "+strings.Join(names, ", "), "no fault is named %q", r.o.only)
	}
	return named, nil
}

// play lets one fault happen and tells at once if something did not hold.
func (r *rehearsing) play(ctx context.Context, w *play.World, f play.Fault) error {
	progress := r.app.working(f.Name)
	run, err := f.Play(ctx, w)
	progress()
	if err != nil {
		return err
	}
	if run.Outcome != results.Held {
		run.Replay = r.replay(f.Name)
	}
	r.add(run)
	return nil
}

// add keeps a run, and prints the first that broke.
func (r *rehearsing) add(run results.Run) {
	r.result.Runs = append(r.result.Runs, run)
	if run.Outcome == results.Broken && r.result.Count(results.Broken) == 1 {
		fmt.Fprintf(r.app.Out, "broken: %s, %s\n  %s\n  again: %s\n", run.Name, run.Fault, strings.ReplaceAll(run.Invariant, "\n", "\n  "), run.Replay)
	}
}

// phase prints the one line on a phase that is over.
func (r *rehearsing) phase(name string) {
	counts := make(map[results.Outcome]int)
	longest := 0.0
	for _, run := range r.result.Runs {
		if run.Phase == name {
			counts[run.Outcome]++
			longest = max(longest, run.Gap[1])
		}
	}
	fmt.Fprintf(r.app.Out, "%-9s %3d held", name, counts[results.Held])
	for _, o := range []results.Outcome{results.Broken, results.Inconclusive} {
		if counts[o] > 0 {
			fmt.Fprintf(r.app.Out, ", %d %s", counts[o], o)
		}
	}
	if longest > 0 {
		fmt.Fprintf(r.app.Out, ", AWSCURRENT refused for at most %.0f ms", longest)
	}
	fmt.Fprintln(r.app.Out)
}

// application rehearses the user's program.
func (r *rehearsing) application(ctx context.Context, w *play.World) (err error) {
	progress := r.app.working("app")
	r.result.App, err = r.o.app.Rehearse(ctx, w)
	progress()
	if never, ok := errors.AsType[*play.NeverAskedError](err); ok {
		return &hinted{never, "set the endpoint in your program, from AWS_ENDPOINT_URL_SECRETS_MANAGER", exitFailed}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(r.app.Out, "%-9s %s: %s\n", "app", r.result.App.Outcome(), r.result.App)
	if first := r.result.App.FirstFailure; first != "" {
		fmt.Fprintf(r.app.Out, "  the first request that failed, %s\n", first)
	}
	return nil
}

// working shows on a terminal what is being done, until the function that it returns is called.
func (a *app) working(name string) func() {
	if !isWindow(a.Err) || a.Getenv("TERM") == "dumb" {
		return func() {}
	}
	fmt.Fprintf(a.Err, "\r\x1b[K%s ...", name)
	return func() { fmt.Fprint(a.Err, "\r\x1b[K") }
}
