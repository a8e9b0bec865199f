package project

import (
	"context"
	"errors"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/update"
)

// write does what was decided, the record last. amended and lock are the new texts of the answers file and the lock, nil: as they are.
func (w *work) write(ctx context.Context, amended, lock []byte) error {
	t, err := begin(w.disk)
	if err != nil {
		return err
	}
	if err := errors.Join(w.makeReady(ctx, t, amended, lock), ctx.Err()); err != nil {
		return errors.Join(err, w.disk.RemoveAll(readyFolder))
	}
	return t.commit(indexOf(ctx, w.repo))
}

// makeReady adds everything to a transaction.
func (w *work) makeReady(ctx context.Context, t *transaction, amended, lock []byte) error {
	for i := range w.plan.Changes {
		if err := w.change(t, &w.plan.Changes[i]); err != nil {
			return err
		}
	}
	if err := w.keepBases(t); err != nil {
		return err
	}
	w.markInIndex(ctx, t)
	if amended != nil {
		if err := w.overwrite(t, generator.AnswersFile, amended); err != nil {
			return err
		}
	}
	if lock != nil {
		return w.overwrite(t, generator.LockFile, lock)
	}
	return nil
}

func (w *work) change(t *transaction, c *update.Change) error {
	here := sight{absent: c.Here.Absent, mode: c.Here.Mode, data: c.Here.Data}
	if c.From != "" || c.Remove != "" {
		if err := t.remove(c.Remove, here); err != nil {
			return err
		}
		here = sight{absent: true} // a file is moved to where none is
	}
	if !c.Write {
		return nil
	}
	return t.write(c.Path, c.Data, c.Mode, here)
}

// overwrite writes one of the generator's own files.
func (w *work) overwrite(t *transaction, file string, text []byte) error {
	here, err := w.look(file)
	if err != nil {
		return err
	}
	mode := here.mode
	if here.absent {
		mode = 0o666
	}
	return t.write(file, text, mode, here)
}

// markInIndex tells git of the conflicts, so that editors and git mergetool show them.
func (w *work) markInIndex(ctx context.Context, t *transaction) {
	for _, c := range w.plan.Changes {
		if c.Outcome != update.Conflict || !c.Write {
			continue
		}
		stages, before := w.repo.Stages(ctx, c.Path, [3][]byte{c.Base, withoutCR(c.Here.Data), c.Theirs})
		t.way.Index = append(t.way.Index, stages...)
		t.back.Index = append(t.back.Index, before...)
	}
}
