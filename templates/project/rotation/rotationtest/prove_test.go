package rotationtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// api is a service that knows keys: any number may be valid at a time.
type api struct {
	mu   sync.Mutex
	keys []string
	made int
}

func (a *api) change(p *Process, edit func(keys []string) []string) error {
	return p.Send("change", errBroken, func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.keys = edit(slices.Clone(a.keys))
		return nil
	})
}

func (a *api) works(key string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Contains(a.keys, key) {
		return errors.New("unknown key")
	}
	return nil
}

// keys is a strategy for it: add the pending key, prove it, promote it. Each
// field plants one flaw.
type keys struct {
	api *api
	p   *Process

	revokesEarly bool // the current key goes before the promotion
	overwrites   bool // keys go that came after the step had looked
	onlyOnce     bool // a key that is there already is an error
	trusts       bool // an error is taken for a success, and nothing is proven
	logs         bool // the key is logged
	tells        bool // the key stands in an error
}

func key(v rotation.Value) string {
	k, _ := v.Get("password")
	return k.Reveal()
}

func (s *keys) Credential() []string { return []string{"password"} }
func (s *keys) Overlaps() bool       { return false }

func (s *keys) Next(_ context.Context, _ *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	s.api.made++
	return current.With("password", fmt.Sprintf("key-sentinel-%d", s.api.made)), nil
}

func (s *keys) Set(ctx context.Context, r *rotation.Rotation) error {
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	current, err := r.Current(ctx)
	if err != nil {
		return err
	}
	previous, next := key(current.Value), key(pending.Value)
	switch {
	case s.logs:
		r.Log.InfoContext(ctx, "setting", "key", next)
	case s.onlyOnce && s.api.works(next) == nil:
		return rotation.Errorf(rotation.CodeServer, "the key exists")
	}
	err = s.api.change(s.p, func(keys []string) []string {
		switch {
		case s.overwrites:
			return []string{previous, next}
		case s.revokesEarly:
			return []string{next}
		default:
			return append(keys, next)
		}
	})
	switch {
	case s.trusts:
		return nil
	case s.tells && err != nil:
		return rotation.Errorf(rotation.CodeUnreachable, "adding %s", next)
	default:
		return err
	}
}

func (s *keys) Test(ctx context.Context, r *rotation.Rotation) error {
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	return s.Works(ctx, r, pending.Value)
}

func (s *keys) Finish(ctx context.Context, r *rotation.Rotation) error {
	if err := s.Test(ctx, r); err != nil {
		return err
	}
	return r.Promote(ctx)
}

func (s *keys) Works(_ context.Context, _ *rotation.Rotation, v rotation.Value) error {
	if s.trusts {
		return nil
	}
	return s.p.Call("ask", rotation.Errorf(rotation.CodeUnreachable, "no answer"), func() error {
		if s.api.works(key(v)) != nil {
			return rotation.Errorf(rotation.CodeAuthRejected, "unknown key")
		}
		return nil
	})
}

func (s *keys) Preflight(context.Context, *rotation.Rotation, rotation.Value) []rotation.Check {
	return nil
}

// planted returns a subject whose strategy has the flaw.
func planted(flaw keys) func(*World) Subject {
	return func(*World) Subject {
		api := &api{keys: []string{"first-key"}}
		return Subject{
			Initial: `{"password": "first-key"}`,
			Strategy: func(p *Process) (rotation.Strategy, error) {
				s := flaw
				s.api, s.p = api, p
				return &s, nil
			},
			Works: func(v rotation.Value) error { return api.works(key(v)) },
		}
	}
}

// A strategy without a flaw is proven.
func TestProve(t *testing.T) {
	Prove(t, planted(keys{}))
}

// A strategy with a flaw is found out, by what Prove does with every call.
func TestProveFindsFlaws(t *testing.T) {
	for name, test := range map[string]struct {
		flaw           keys
		killed, frozen string // what each half of Prove finds, "" for nothing
	}{
		"none":            {keys{}, "", ""},
		"revokes early":   {keys{revokesEarly: true}, "AWSCURRENT does not work", "AWSCURRENT does not work"},
		"overwrites":      {keys{overwrites: true}, "AWSCURRENT does not work", "AWSCURRENT does not work"},
		"trusts":          {keys{trusts: true}, "AWSCURRENT does not work", ""},
		"works only once": {keys{onlyOnce: true}, "no recovery", ""},
		"logs its key":    {keys{logs: true}, "a secret stands in the rotator's output", "a secret stands in the rotator's output"},
		"tells its key":   {keys{tells: true}, "a secret stands in the rotator's output", ""},
	} {
		t.Run(name, func(t *testing.T) {
			subject := planted(test.flaw)
			wantFlaw(t, "killed", killed(t, subject), test.killed)
			wantFlaw(t, "frozen", frozen(t, subject), test.frozen)
		})
	}
}

func wantFlaw(t *testing.T, half string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: found %v, want %q", half, err, want)
	}
}

// killed returns the first thing that Prove reports of processes that meet faults.
func killed(t *testing.T, subject func(*World) Subject) error {
	w := NewWorld(t, subject)
	if err := w.rotateOnce(); err != nil {
		return err
	}
	for call := range w.Outside.Calls() {
		for _, fault := range []Fault{KillBefore, KillAfter, Fail, Lose, Late, Cancelled} {
			for _, recover := range []func(*World, string) (string, error){(*World).retry, (*World).startAnew} {
				if _, err := NewWorld(t, subject).disturb(call+1, fault, recover); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// frozen returns the first thing that Prove reports of processes that stand still.
func frozen(t *testing.T, subject func(*World) Subject) error {
	for at := range Steps {
		for n, more := 1, true; more; n++ {
			var err error
			more, err = NewWorld(t, subject).freezeAt(at, n, func(w *World, token, _ string) error {
				_, err := w.startAnew(token)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Prove also reports remains that the subject finds: after the recovery, and after
// one more rotation.
func TestProveAsksTheSubject(t *testing.T) {
	left := errors.New("something is left behind")
	for name, edit := range map[string]func(*Subject){
		"recovered": func(s *Subject) { s.Recovered = func() error { return left } },
		"tidy":      func(s *Subject) { s.Tidy = func() error { return left } },
		"before":    func(s *Subject) { s.Before = func() error { return left } },
	} {
		w := NewWorld(t, func(w *World) Subject {
			s := planted(keys{})(w)
			edit(&s)
			return s
		})
		if _, err := w.disturb(1, KillBefore, (*World).retry); !errors.Is(err, left) {
			t.Errorf("%s: found %v", name, err)
		}
	}
}
