package rotation_test

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// C11: finish may come any number of times; it promotes once and tidies up.
func TestFinishAgain(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	promotions := 0
	b.on(promote, func(do func() error) error {
		promotions++
		return do()
	})
	for range 3 {
		b.must(b.deliver(token, rotation.StepFinish))
	}
	if promotions != 1 {
		t.Errorf("AWSCURRENT was moved %d times", promotions)
	}
	b.must(b.Settled(token))
}

// C11: killed between its two moves, finish leaves AWSPENDING, and the next one
// takes it away.
func TestFinishAfterPromotion(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.on(abandon, func(func() error) error { return api("ThrottlingException") })
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeStoreThrottle)
	b.wantHolder(rotation.StageCurrent, token)
	b.around = nil
	b.must(b.deliver(token, rotation.StepFinish), b.Settled(token))
	b.wantNoCall("Finish", promote)
}

// C11: an answer that was lost is looked up, not taken for a failure.
func TestPromoteLosesAnswer(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.on(promote, func(do func() error) error {
		b.must(do())
		return errBroken
	})
	b.must(b.deliver(token, rotation.StepFinish), b.Settled(token))
}

// C22: a change may be put back after a move that failed, but not after one whose
// outcome is unknown, or that Secrets Manager refused because the label was not where
// it had been: it may be on the pending version.
func TestDecided(t *testing.T) {
	for name, test := range map[string]struct {
		answer   error // to the move
		describe error // to looking it up
		want     rotation.Code
		certain  bool
	}{
		"denied":                    {api("AccessDeniedException"), nil, rotation.CodeStoreDenied, true},
		"throttled":                 {api("ThrottlingException"), nil, rotation.CodeStoreThrottle, true},
		"denied, then no answer":    {api("AccessDeniedException"), errBroken, rotation.CodeStoreDenied, false},
		"ill":                       {&types.InternalServiceError{}, nil, rotation.CodeStore, false},
		"no answer":                 {errBroken, nil, rotation.CodeStore, false},
		"no answer, then no answer": {errBroken, errBroken, rotation.CodeStore, false},
		"out of time":               {context.DeadlineExceeded, nil, rotation.CodeDeadline, false},
		"the label is elsewhere":    {&types.InvalidParameterException{}, nil, rotation.CodeStore, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token, before := b.created(), b.Holder(rotation.StageCurrent)
			b.finish = func(ctx context.Context, r *rotation.Rotation) error {
				b.must(r.Recheck(ctx))
				b.around = func(_ context.Context, call string, do func() error) error {
					switch {
					case call == promote:
						return test.answer
					case call == describe && test.describe != nil:
						return test.describe
					}
					return do()
				}
				if r.Decided(ctx) {
					t.Error("decided by a read that may be as old as the labels it found")
				}
				err := r.Promote(ctx)
				if got := r.Decided(ctx); got != test.certain {
					t.Errorf("decided after %v: %t", err, got)
				}
				return err
			}
			b.wantCode(b.deliver(token, rotation.StepFinish), test.want)
			b.wantHolder(rotation.StageCurrent, before)
			b.wantHolder(rotation.StagePending, token)
		})
	}
}

// C22: once a request was left without an answer, a clear refusal of the next one
// does not make it certain that nothing has moved.
func TestDecidedAfterALostAnswer(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.Lag(map[string]rotationtest.Lag{"DescribeSecret": {For: time.Minute}})
	b.finish = func(ctx context.Context, r *rotation.Rotation) error {
		b.must(r.Recheck(ctx))
		tries := 0
		b.on(promote, func(do func() error) error {
			if tries++; tries == 1 {
				b.must(do())
				return errBroken
			}
			return api("ThrottlingException")
		})
		err := r.Promote(ctx)
		if r.Decided(ctx) {
			t.Errorf("decided after %v", err)
		}
		return err
	}
	b.Pass(time.Hour)
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeStoreThrottle)
	b.wantHolder(rotation.StageCurrent, token)
}

// C22: a request that is under way when the step's time is up is waited for. Cut off,
// it would leave open where AWSCURRENT is, and no change could be put back.
func TestDecidedAtTheEnd(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.finish = func(ctx context.Context, r *rotation.Rotation) error {
		b.must(r.Recheck(ctx))
		b.Pass(rotation.ReadsLag)
		ctx, cancel := context.WithCancel(ctx)
		b.around = func(request context.Context, call string, do func() error) error {
			if call != promote {
				return do()
			}
			cancel()
			return cmp.Or(request.Err(), api("ThrottlingException"))
		}
		err := r.Promote(ctx)
		if !r.Decided(t.Context()) {
			t.Errorf("not decided after %v", err)
		}
		return err
	}
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeStoreThrottle)
}

// C23: the move of AWSCURRENT is tried again while that may help.
func TestPromoteTriesAgain(t *testing.T) {
	for name, answer := range map[string]error{"throttled": api("ThrottlingException"), "ill": &types.InternalServiceError{}, "no answer": errBroken} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token, began := b.created(), b.Now()
			b.on(promote, func(do func() error) error {
				if b.Now().Sub(began) < 8*time.Second {
					return answer
				}
				return do()
			})
			b.must(b.deliver(token, rotation.StepFinish), b.Settled(token))
		})
	}
}

// healer is the bench's strategy as one that can heal.
type healer struct {
	strategy
	works error
	err   error
	heals int
}

func (h *healer) Works(context.Context, *rotation.Rotation, rotation.Value) error { return h.works }

func (h *healer) Heal(context.Context, *rotation.Rotation) error {
	h.heals++
	return h.err
}

// C22: a finishSecret that finds its version to be AWSCURRENT says that all is well
// only if AWSCURRENT works, or was made to.
func TestFinishProvesWhatIsPromoted(t *testing.T) {
	refused := rotation.Errorf(rotation.CodeAuthRejected, "refused")
	for name, test := range map[string]struct {
		works, heal error
		want        rotation.Code
		heals       int
	}{
		"it works":       {nil, nil, "", 0},
		"healed":         {refused, nil, "", 1},
		"not to be":      {refused, rotation.Errorf(rotation.CodeLockedOut, "no"), rotation.CodeLockedOut, 1},
		"nobody answers": {rotation.Errorf(rotation.CodeUnreachable, "no"), nil, rotation.CodeUnreachable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token := b.rotated()
			h := &healer{strategy: strategy{b}, works: test.works, err: test.heal}
			_, err := b.handlerOf(h).Handle(b.Invocation(t.Context()), b.event(token, rotation.StepFinish))
			b.wantCode(err, test.want)
			if h.heals != test.heals {
				t.Errorf("healed %d times, want %d", h.heals, test.heals)
			}
		})
	}
}

// C11: AWSCURRENT moved while the token still holds AWSPENDING. Everything is
// asked again, from a fresh Describe, before the second try.
func TestPromoteConflict(t *testing.T) {
	b := newBench(t, seed)
	first := b.Holder(rotation.StageCurrent)
	second := b.rotated()
	token := b.created()
	tries := 0
	b.around = func(_ context.Context, call string, do func() error) error {
		if call == promote {
			if tries++; tries == 1 {
				b.move(rotation.StageCurrent, second, first)
			}
		}
		return do()
	}
	var seen []string
	b.finish = func(ctx context.Context, r *rotation.Rotation) error {
		current, err := r.Current(ctx)
		b.must(err)
		seen = append(seen, current.ID)
		return r.Promote(ctx)
	}
	b.must(b.deliver(token, rotation.StepFinish), b.Settled(token))
	if !slices.Equal(seen, []string{second, first}) {
		t.Errorf("the strategy saw AWSCURRENT on %q, want the second look to be fresh", seen)
	}
	b.wantHolder(rotation.StagePrevious, first)
}

// C5, C11: the second try compares anew: a pending value that fits the previous
// AWSCURRENT and not the present one is refused.
func TestPromoteConflictComparesAnew(t *testing.T) {
	b := newBench(t, seed)
	first, other := b.Holder(rotation.StageCurrent), b.Token()
	b.put(other, `{"host": "other-db", "password": "x"}`, "MINE")
	token := b.created()
	b.on(promote, func(do func() error) error {
		b.move(rotation.StageCurrent, first, other)
		return do()
	})
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeTampered)
	b.wantHolder(rotation.StageCurrent, other)
}

// C11: a step that keeps losing gives up rather than fight.
func TestPromoteConflictsAlways(t *testing.T) {
	b := newBench(t, seed)
	holders := []string{b.Holder(rotation.StageCurrent), b.rotated()}
	token := b.created()
	tries := 0
	b.on(promote, func(do func() error) error {
		tries++
		b.move(rotation.StageCurrent, holders[1], holders[0])
		slices.Reverse(holders)
		return do()
	})
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeCurrentMoved)
	if tries > 5 {
		t.Errorf("fought %d times", tries)
	}
	b.wantHolder(rotation.StageCurrent, holders[1])
	b.wantHolder(rotation.StagePending, token)
}

// C1, C11: any other obstacle to a move has an error of its own.
func TestPromoteKeepsTheReason(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.on(promote, func(func() error) error {
		_, err := b.Store.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: &b.Secret})
		b.must(err)
		return &types.InvalidParameterException{}
	})
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeRotationOff)
}

// C11: a rotation that is given up right after it lost AWSCURRENT to another is told
// that, and asks nothing more.
func TestGivenUpAfterAConflict(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	looks := -1 // since the move was refused
	b.around = func(_ context.Context, call string, do func() error) error {
		switch {
		case call == promote:
			b.move(rotation.StageCurrent, b.Holder(rotation.StageCurrent), other(b))
			looks = 0
		case call == describe && looks >= 0:
			if looks++; looks == 2 {
				b.must(b.GiveUp(token))
				b.calls = nil
			}
		}
		return do()
	}
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeCurrentMoved)
	b.wantNoCall("Finish", getPending)
}

// other is a version beside those of rotations.
func other(b *bench) string {
	token := b.Token()
	b.put(token, seed, "MINE")
	return token
}

// C11: AWSCURRENT went elsewhere and the token is not pending any more, because
// someone put a value by hand or because this delivery stood still for one or
// two rotations. Nothing is touched.
func TestCurrentMoved(t *testing.T) {
	for name, meanwhile := range map[string]func(*bench, string) string{
		"put by hand": func(b *bench, _ string) string {
			token := b.Token()
			b.put(token, seed)
			return token
		},
		"its own and another rotation": func(b *bench, token string) string {
			b.must(b.deliver(token, rotation.StepFinish))
			return b.rotated()
		},
		"another rotation": func(b *bench, token string) string {
			b.must(b.GiveUp(token))
			return b.rotated()
		},
		"two other rotations": func(b *bench, token string) string {
			b.must(b.GiveUp(token))
			b.rotated()
			return b.rotated()
		},
	} {
		for _, frozen := range []string{"Finish", promote} {
			t.Run(name+"/"+frozen, func(t *testing.T) {
				b := newBench(t, seed)
				token := b.created()
				var current string
				b.on(frozen, func(do func() error) error {
					b.around = nil
					current = meanwhile(b, token)
					b.calls = nil
					return do()
				})
				b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeCurrentMoved)
				b.wantHolder(rotation.StageCurrent, current)
				b.wantNoCall(abandon)
			})
		}
	}
}

// C19: Recheck stops a strategy that stood still, before it changes anything.
func TestRecheck(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile  func(*bench, string)
		want       rotation.Code
		superseded bool
	}{
		"nothing": {func(*bench, string) {}, "", false},
		"its own rotation": {func(b *bench, token string) {
			b.move(rotation.StageCurrent, b.Holder(rotation.StageCurrent), token)
		}, rotation.CodeServer, true},
		"given up": {func(b *bench, token string) { b.must(b.GiveUp(token)) }, rotation.CodeUnknownToken, false},
		"AWSCURRENT moved": {func(b *bench, token string) {
			other := b.Token()
			b.put(other, seed, "MINE")
			b.move(rotation.StageCurrent, b.Holder(rotation.StageCurrent), other)
		}, rotation.CodeCurrentMoved, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token := b.created()
			b.set = func(ctx context.Context, r *rotation.Rotation) error {
				test.meanwhile(b, token)
				err := r.Recheck(ctx)
				b.wantCode(err, test.want)
				if got := rotation.Superseded(err); got != test.superseded {
					t.Errorf("Superseded(%v) is %t", err, got)
				}
				return err
			}
			if err := b.deliver(token, rotation.StepSet); (err == nil) != (test.want == "" || test.superseded) {
				t.Errorf("setSecret ended with %v", err)
			}
		})
	}
}

// C18: a strategy that cannot prove the pending credential promotes nothing.
func TestFinishProves(t *testing.T) {
	b := newBench(t, seed)
	token, before := b.created(), b.Holder(rotation.StageCurrent)
	b.finish = func(context.Context, *rotation.Rotation) error {
		return rotation.Errorf(rotation.CodeAuthRejected, "setSecret never ran")
	}
	b.wantCode(b.deliver(token, rotation.StepFinish), rotation.CodeAuthRejected)
	b.wantHolder(rotation.StageCurrent, before)
	b.wantHolder(rotation.StagePending, token)
}

// C18: a strategy that promotes nothing and calls that a success is told so, and
// not asked for ever.
func TestFinishPromotesNothing(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	asked := 0
	b.finish = func(context.Context, *rotation.Rotation) error {
		if asked++; asked > 9 {
			panic("asked for ever")
		}
		return nil
	}
	if err := b.deliver(token, rotation.StepFinish); err == nil || asked > 9 {
		t.Errorf("asked %d times, and then %v", asked, err)
	}
	b.wantHolder(rotation.StagePending, token)
}

// C12: a Cleaner gets half of the time after the replicas have had theirs; without
// one, replicas have all of it.
func TestReplicasLeaveTimeToCleanUp(t *testing.T) {
	for cleans, most := range map[bool]time.Duration{true: 31 * time.Minute, false: time.Hour} {
		b := newBench(t, seed)
		token := b.created()
		b.must(b.Store.ScriptReplication(b.Secret, []types.ReplicationStatusType{{Region: aws.String("us-east-1"), Status: types.StatusTypeInProgress}}))
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Hour))
		defer cancel()
		b.pause = func(ctx context.Context, _ time.Duration) error {
			if end, _ := ctx.Deadline(); time.Until(end) > most || time.Until(end) < most-2*time.Minute {
				t.Errorf("replicas are waited for until in %s, want at most %s", time.Until(end), most)
			}
			return context.DeadlineExceeded
		}
		of := rotation.Strategy(strategy{b})
		if cleans {
			of = &keeper{strategy: strategy{b}}
		}
		_, err := b.handlerOf(of).Handle(ctx, b.event(token, rotation.StepFinish))
		b.must(err, b.Settled(token))
	}
}

// C12: between the two moves finish waits for the replicas. Their status
// right after the first may be from before. Those that fail, or are not done in
// time, are reported, each with its reason, and do not stand in the way.
func TestReplicas(t *testing.T) {
	type statuses = []types.ReplicationStatusType
	replica := func(region string, status types.StatusType, message string) types.ReplicationStatusType {
		return types.ReplicationStatusType{Region: &region, Status: status, StatusMessage: &message}
	}
	one := func(s types.StatusType) statuses { return statuses{replica("us-east-1", s, "no right on the key")} }
	const in, out, failed = types.StatusTypeInSync, types.StatusTypeInProgress, types.StatusTypeFailed
	const why = "not in sync: us-east-1 failed (no right on the key)"
	for name, test := range map[string]struct {
		before statuses   // what the service says until it begins to copy
		after  []statuses // and then
		want   string     // the detail of the report
	}{
		"none":                   {},
		"in sync":                {one(in), nil, ""},
		"in sync, not yet known": {one(in), []statuses{one(out), one(out), one(in)}, ""},
		"late":                   {one(in), append(slices.Repeat([]statuses{one(out)}, 30), one(in)), ""},
		"failed":                 {one(in), []statuses{one(out), one(failed)}, why},
		"failed before":          {one(failed), []statuses{one(out), one(in)}, ""},
		"failed before and now":  {one(failed), nil, why},
		"never in sync":          {one(in), []statuses{one(out)}, "not in sync: us-east-1 is in progress"},
		"several": {
			one(in),
			append(
				slices.Repeat([]statuses{{replica("us-east-1", failed, "no right on the key"), replica("us-west-2", out, "")}}, 20),
				statuses{replica("us-east-1", failed, "no right on the key"), replica("eu-west-2", in, ""), replica("us-west-2", failed, "name\ntaken")},
			),
			why + "; us-west-2 failed (name taken)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token := b.created()
			if test.before != nil {
				b.Store.ReplicationLag = 5 * time.Second
				b.must(b.Store.ScriptReplication(b.Secret, append([]statuses{test.before}, test.after...)...))
			}
			b.must(b.deliver(token, rotation.StepFinish), b.Settled(token))

			looks := len(b.calls) - 6
			if test.before == nil && looks != 0 {
				t.Errorf("looked at no replica %d times", looks)
			}
			want := []string{describe, getPending, getCurrent, "Finish", promote}
			b.wantCalls(append(append(want, slices.Repeat([]string{describe}, looks)...), abandon)...)
			got := ""
			for _, line := range b.said(true) {
				if line["code"] == string(rotation.CodeReplicaFailed) {
					got = line["detail"].(string)
				}
			}
			metrics := b.said(false)
			failures := metrics[len(metrics)-1]["ReplicaFailures"]
			if wantFailures := map[bool]float64{test.want != "": 1}[true]; got != test.want || failures != wantFailures {
				t.Errorf("got %q and %v failures, want %q and %v", got, failures, test.want, wantFailures)
			}
		})
	}
}
