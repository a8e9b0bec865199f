package play

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/report"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// BrokenError says that something did not hold that has to.
type BrokenError struct {
	Invariant string // in words, such as: AWSCURRENT logs in
	Why       error
}

func (e *BrokenError) Error() string { return fmt.Sprintf("not so: %s: %v", e.Invariant, e.Why) }

func (e *BrokenError) Unwrap() error { return e.Why }

func broken(invariant string, why error) error {
	if why == nil {
		return nil
	}
	return &BrokenError{invariant, why}
}

// A Fault is one thing that goes wrong in a rotation, or nothing.
type Fault struct {
	Phase string // such as kill
	Name  string // such as kill:17
	Says  string // in words
	// play lets it happen and returns nil if all held.
	play func(context.Context, *World) error
}

// Play begins anew, lets the fault happen, and says what came of it. The error is of
// what the rehearsal itself could not do.
func (f Fault) Play(ctx context.Context, w *World) (report.Run, error) {
	defer w.closeOthers()
	w.refusing.Store(false)
	if err := errors.Join(w.fresh(ctx), w.listen()); err != nil {
		return report.Run{}, err
	}
	rec := newRecorder(w.Database.IsChange)
	w.record(rec)
	probing, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.probe(probing, rec)
	}()
	err := f.play(ctx, w)
	w.watch(nil)
	if err == nil {
		err = w.silent()
	}
	stop()
	<-ended
	w.record(nil)
	if ctx.Err() != nil {
		return report.Run{}, context.Cause(ctx)
	}
	run := rec.end()
	if err == nil && w.Database.Gapless() && run.Gap[1] > 0 {
		err = broken("AWSCURRENT logs in at every moment", fmt.Errorf("it was refused for %.0f to %.0f ms", run.Gap[0], run.Gap[1]))
	}
	run.Phase, run.Name, run.Fault, run.Outcome = f.Phase, f.Name, f.Says, report.Held
	if err != nil {
		run.Outcome, run.Invariant = judge(err), err.Error()
	}
	return run, nil
}

// record lets a recorder see all from now on, from the labels as they are.
func (w *World) record(rec *recorder) {
	w.mu.Lock()
	w.recorder = rec
	w.mu.Unlock()
	w.look()
}

// judge tells a rotator that had not the time, and a system that cannot do what is asked, from a
// rotator that is wrong.
func judge(err error) report.Outcome {
	if failed, ok := errors.AsType[*rehearsal.FunctionError](err); ok {
		if failed.Type == rehearsal.ErrorTimeout || strings.Contains(failed.Message, string(rotation.CodeNoAnswer)+": ") {
			return report.Inconclusive
		}
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return report.Inconclusive
	}
	return report.Broken
}
