package rotation_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// keeper is the bench's strategy as one that does something outside the secret, and
// has something to put away.
type keeper struct {
	strategy
	stored  []bool
	cleaned int
	err     error // of both
}

func (k *keeper) Stored(_ context.Context, _ *rotation.Rotation, _ rotation.Value, ok bool) error {
	k.stored = append(k.stored, ok)
	return k.err
}

func (k *keeper) CleanUp(context.Context, *rotation.Rotation) error {
	k.cleaned++
	return k.err
}

func (b *bench) deliverTo(k *keeper, token, step string) error {
	k.strategy = strategy{b}
	b.calls = nil
	_, err := b.handlerOf(k).Handle(b.t.Context(), b.event(token, step))
	return err
}

// C2, C3: a strategy that has done something outside the secret is told that its
// value is stored, or that it certainly is not, or nothing if that is not known.
func TestStored(t *testing.T) {
	for name, test := range map[string]struct {
		put  func(b *bench, token string, do func() error) error
		read error // of the version, after that
		want []bool
		code rotation.Code
	}{
		"stored":              {func(_ *bench, _ string, do func() error) error { return do() }, nil, []bool{true}, ""},
		"refused":             {func(*bench, string, func() error) error { return api("AccessDeniedException") }, nil, []bool{false}, rotation.CodeStoreDenied},
		"not answered":        {func(*bench, string, func() error) error { return errBroken }, nil, nil, rotation.CodeStore},
		"stored all the same": {func(_ *bench, _ string, do func() error) error { return errors.Join(do(), errBroken) }, nil, nil, rotation.CodeStore},
		"nobody knows":        {func(*bench, string, func() error) error { return errBroken }, api("ThrottlingException"), nil, rotation.CodeStore},
		"another was faster": {func(b *bench, token string, do func() error) error {
			b.put(token, strings.Replace(seed, "current-sentinel", "theirs", 1), rotation.StagePending)
			return do()
		}, nil, []bool{false}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, k := newBench(t, seed), new(keeper)
			token := b.requested()
			b.around = func(_ context.Context, call string, do func() error) error {
				switch {
				case call == put:
					return test.put(b, token, do)
				case call == getForeign && test.read != nil:
					return test.read
				}
				return do()
			}
			b.wantCode(b.deliverTo(k, token, rotation.StepCreate), test.code)
			if len(k.stored) != len(test.want) || len(test.want) == 1 && k.stored[0] != test.want[0] {
				t.Errorf("told %v, want %v", k.stored, test.want)
			}
		})
	}
}

// C2, C22: a request that is under way when the step's time is up is waited for, so
// that it is known what became of the value.
func TestStoredAtTheEnd(t *testing.T) {
	b, k := newBench(t, seed), &keeper{}
	k.strategy = strategy{b}
	ctx, cancel := context.WithCancel(t.Context())
	b.around = func(request context.Context, call string, do func() error) error {
		if call != put {
			return do()
		}
		cancel()
		return cmp.Or(request.Err(), api("AccessDeniedException"))
	}
	_, err := b.handlerOf(k).Handle(ctx, b.event(b.requested(), rotation.StepCreate))
	if err == nil || !slices.Equal(k.stored, []bool{false}) {
		t.Errorf("told %v after %v", k.stored, err)
	}
}

// A step that failed keeps its error when Stored fails as well. A step whose value
// was stored, or in which another delivery was faster, fails with Stored's error.
func TestStoredFails(t *testing.T) {
	b, k := newBench(t, seed), &keeper{err: rotation.Errorf(rotation.CodeServer, "no")}
	b.on(put, func(func() error) error { return errBroken })
	b.wantCode(b.deliverTo(k, b.requested(), rotation.StepCreate), rotation.CodeStore)
	b = newBench(t, seed)
	token := b.requested()
	b.on(put, func(do func() error) error {
		b.put(token, strings.Replace(seed, "current-sentinel", "theirs", 1), rotation.StagePending)
		return do()
	})
	b.wantCode(b.deliverTo(k, token, rotation.StepCreate), rotation.CodeServer)
	b = newBench(t, seed)
	b.wantCode(b.deliverTo(k, b.requested(), rotation.StepCreate), rotation.CodeServer)
}

// C1, C11: there is cleaning up after the promotion, in every delivery of
// finishSecret and in no other step; if it fails, that is told and the promotion
// stands.
func TestCleanUp(t *testing.T) {
	b, k := newBench(t, seed), new(keeper)
	token := b.created()
	b.must(b.deliverTo(k, token, rotation.StepSet), b.deliverTo(k, token, rotation.StepTest))
	if k.cleaned != 0 {
		t.Error("cleaned up before the promotion")
	}
	k.err = rotation.Errorf(rotation.CodeUnrevoked, "left behind")
	for n := 1; n <= 3; n++ {
		b.must(b.deliverTo(k, token, rotation.StepFinish))
		b.wantHolder(rotation.StageCurrent, token)
		b.wantHolder(rotation.StagePending, "")
		if k.cleaned != n {
			t.Errorf("cleaned up %d times in %d deliveries", k.cleaned, n)
		}
	}
	if !strings.Contains(b.Output(), `"code":"unrevoked"`) || !strings.Contains(b.Output(), `"Degraded":1`) {
		t.Error("no log line tells what was left behind")
	}
	for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest} {
		b.must(b.deliverTo(k, token, step))
	}
	if k.cleaned != 3 {
		t.Error("cleaned up in another step than finishSecret")
	}
	b.finish = func(context.Context, *rotation.Rotation) error { return errBroken }
	if b.deliverTo(k, b.created(), rotation.StepFinish) == nil || k.cleaned != 3 {
		t.Error("cleaned up without a promotion")
	}
}

// C2, C4: the versions that labels name are read afresh, without those that are empty or no object;
// one that cannot be read is an error, and the step goes on by what it found before.
func TestLabelled(t *testing.T) {
	b := newBench(t, seed)
	b.rotated()
	token := b.created()
	b.set = func(ctx context.Context, r *rotation.Rotation) error {
		b.put("mine", `{"n": 1}`, "MINE")
		versions, err := r.Labelled(ctx)
		b.must(err)
		if len(versions) != 4 || versions["MINE"].ID != "mine" || versions[rotation.StagePending].ID != token {
			t.Errorf("got %d labels, want AWSCURRENT, AWSPENDING, AWSPREVIOUS and MINE", len(versions))
		}
		b.must(r.Unlabel(ctx, "MINE", "mine"), r.Unlabel(ctx, "MINE", "mine"))
		if versions, err = r.Labelled(ctx); err != nil || len(versions) != 3 {
			t.Errorf("got %d labels and %v, want three", len(versions), err)
		}
		b.put("broken", "hunter2", "MINE")
		if versions, err = r.Labelled(ctx); err != nil || len(versions) != 3 {
			t.Errorf("got %d labels and %v, want three without the one that is no object", len(versions), err)
		}
		// Someone moves AWSCURRENT: looking at labels must not make that all right.
		b.must(r.Unlabel(ctx, "MINE", "broken"))
		b.move(rotation.StageCurrent, b.holder(rotation.StageCurrent), b.holder(rotation.StagePrevious))
		_, err = r.Labelled(ctx)
		b.must(err)
		return r.Promote(ctx)
	}
	b.wantCode(b.deliver(token, rotation.StepSet), rotation.CodeCurrentMoved)
}

// C22: a step that puts away what no label names goes by labels that are younger than
// the promotion.
func TestLabelledAfterThePromotion(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.Pass(time.Hour)
	b.Lag(map[string]rotationtest.Lag{"DescribeSecret": {For: 5 * time.Second}})
	b.finish = func(ctx context.Context, r *rotation.Rotation) error {
		b.must(r.Promote(ctx))
		versions, err := r.Labelled(ctx)
		if err != nil || versions[rotation.StageCurrent].ID != token {
			t.Errorf("AWSCURRENT is %q, %v", versions[rotation.StageCurrent].ID, err)
		}
		return nil
	}
	b.must(b.deliver(token, rotation.StepFinish))
}

// C22: where AWSCURRENT went elsewhere after the promotion, no labels are told, so
// that nothing is put away by them.
func TestLabelledAfterAnotherPromotion(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	before := b.holder(rotation.StageCurrent)
	b.finish = func(ctx context.Context, r *rotation.Rotation) error {
		b.must(r.Promote(ctx))
		b.move(rotation.StageCurrent, token, before)
		_, err := r.Labelled(ctx)
		b.wantCode(err, rotation.CodeCurrentMoved)
		return nil
	}
	b.must(b.deliver(token, rotation.StepFinish))
}
