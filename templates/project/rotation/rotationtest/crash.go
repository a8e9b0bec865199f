package rotationtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// Tally counts what [Prove] went through.
type Tally struct {
	Calls    int // calls to the outside in an undisturbed rotation
	Runs     int // rotations that were disturbed
	DeadEnds int // AWSCURRENT did not work in the end, or the rotation did
	Gaps     int // AWSCURRENT did not work between the fault and the recovery
}

func (t Tally) String() string {
	return fmt.Sprintf("%d calls, %d disturbed rotations, %d dead ends, %d gaps", t.Calls, t.Runs, t.DeadEnds, t.Gaps)
}

// tries is how often the tests let the service try a rotation.
const tries = 3

// Prove disturbs rotations of the subject at every call to the outside, in
// every way that [Fault] knows, first and after an undisturbed rotation, and
// lets the service go on: with the same token, and with a new one after the old
// was given up. After each it checks that AWSCURRENT works, that AWSPENDING is gone and that
// nothing was said that must not be.
//
// It also runs every step twice at once, with one delivery standing still
// before each of its calls while the other, and up to two further rotations, go
// on.
func Prove(t *testing.T, subject func(*World) Subject) {
	t.Helper()
	for _, steady := range []bool{false, true} {
		name := map[bool]string{false: "first", true: "steady"}[steady]
		fresh := func(t testing.TB) *World { return newWorld(t, subject, steady) }
		t.Run(name+"/killed", func(t *testing.T) { proveKilled(t, fresh, everyFault, recoveries) })
		t.Run(name+"/frozen", func(t *testing.T) {
			if !NewWorld(t, subject).Cramped {
				proveFrozen(t, fresh, meanwhiles)
			}
		})
	}
}

// ProveLagging is the part of [Prove] that depends on reads of Secrets Manager, with
// reads that lag: those of each operation, and of all of them.
func ProveLagging(t *testing.T, subject func(*World) Subject) {
	t.Helper()
	for name, lags := range lagging {
		fresh := func(t testing.TB) *World {
			w := newWorld(t, subject, true)
			w.Lag(lags)
			return w
		}
		t.Run(name+"/killed", func(t *testing.T) {
			proveKilled(t, fresh, lagFaults, map[string]recovery{retried: (*World).retry})
		})
		t.Run(name+"/frozen", func(t *testing.T) {
			proveFrozen(t, fresh, map[string]meanwhile{"the same step again": (*World).deliverAgain})
		})
	}
}

// newWorld is a world of its own for one run, after an undisturbed rotation if it
// is to be steady.
func newWorld(t testing.TB, subject func(*World) Subject, steady bool) *World {
	w := NewWorld(t, subject)
	if steady {
		if err := w.rotateOnce(); err != nil {
			t.Fatalf("undisturbed rotation: %v", err)
		}
	}
	return w
}

var (
	everyFault = []Fault{KillBefore, KillAfter, Fail, Lose, Late, Cancelled, Repeat, Outage, Throttle, Ill}
	// lagFaults are those after which the labels have to say what happened.
	lagFaults = []Fault{KillAfter, Lose, Repeat, Throttle}
)

// lagging are the ways in which reads of Secrets Manager are late: each operation
// by itself, all of them, and by the number of reads.
var lagging = map[string]map[string]Lag{
	"DescribeSecret":       {"DescribeSecret": {For: lagTime}},
	"GetSecretValue":       {"GetSecretValue": {For: lagTime}},
	"ListSecretVersionIds": {"ListSecretVersionIds": {For: lagTime}},
	"all":                  {"DescribeSecret": {For: lagTime}, "GetSecretValue": {For: lagTime}, "ListSecretVersionIds": {For: lagTime}},
	"for two reads":        {"DescribeSecret": {Reads: 2}, "GetSecretValue": {Reads: 2}},
}

// lagTime is as much as reads have been seen to lag.
const lagTime = 5 * time.Second

// apart is the time between two rotations, and between the end of one that was
// given up and the next.
const apart = 24 * time.Hour

// rotateOnce is an undisturbed rotation, after which everything is in order.
func (w *World) rotateOnce() error {
	w.Pass(apart)
	token := w.Token()
	if err := w.Request(token); err != nil {
		return err
	}
	if err := w.Rotate(token, 1); err != nil {
		return err
	}
	if err := w.Settled(token); err != nil || len(w.reads.Lags) > 0 {
		return err // with old labels to go by, something may be left for the next one
	}
	return ask(w.Tidy)
}

// ask asks the subject, if it has anything to say.
func ask(question func() error) error {
	if question == nil {
		return nil
	}
	return question()
}

// recovery is what follows a rotation that failed. It returns the token of the
// rotation that ends it.
type recovery func(*World, string) (string, error)

const retried = "same token"

var recoveries = map[string]recovery{
	retried:     (*World).retry,
	"new token": (*World).startAnew,
}

// proveKilled disturbs one call of one rotation. Each run is a world of its own.
func proveKilled(t *testing.T, fresh func(testing.TB) *World, faults []Fault, recoveries map[string]recovery) {
	w := fresh(t)
	w.Outside.Plan(0, None)
	if err := w.rotateOnce(); err != nil {
		t.Fatalf("undisturbed rotation: %v", err)
	}
	calls := w.Outside.Calls()
	tally := Tally{Calls: len(calls)}
	skip := skipped()
	for _, fault := range faults {
		allowed := 0 // a process that lives has the time to put things right
		if fault.kills() || w.Single {
			allowed = w.GapPoints
		}
		for _, how := range slices.Sorted(maps.Keys(recoveries)) {
			if fault >= Repeat && how != retried {
				continue // there is nothing to give up after what passes by itself
			}
			gaps := 0
			for n := range calls {
				if skip() {
					continue
				}
				w := fresh(t)
				gap, err := w.disturb(n+1, fault, recoveries[how])
				tally.Runs++
				if gap {
					gaps++
				}
				if err != nil {
					tally.DeadEnds++
					t.Errorf("%s at call %d (%s), then %s: %v", fault, n+1, calls[n], how, err)
				}
			}
			if gaps > allowed {
				t.Errorf("%s: AWSCURRENT is dead after %d calls, and %d are allowed", fault, gaps, allowed)
			}
			tally.Gaps += gaps
		}
	}
	t.Log(tally)
}

// skipped returns a function that tells of one run after the other whether it is left
// out: none is, and with -short all but one in 23, which are spread over faults and
// calls.
func skipped() func() bool {
	runs := -1
	return func() bool {
		runs++
		return testing.Short() && runs%23 != 0
	}
}

// disturb lets one rotation meet a fault and recovers from it.
func (w *World) disturb(n int, fault Fault, recover recovery) (gap bool, err error) {
	w.Pass(apart)
	token := w.Token()
	if err := w.Request(token); err != nil {
		return false, err
	}
	w.Outside.Plan(n, fault)
	first := w.Rotate(token, 1)
	w.Outside.Plan(0, None)
	if err := w.CurrentWorks(); err != nil {
		gap = true
		if w.GapPoints == 0 {
			return gap, err
		}
	}
	token, err = recover(w, token)
	if err != nil {
		return gap, fmt.Errorf("no recovery: %w", err)
	}
	if err := errors.Join(w.Settled(token), ask(w.Recovered)); err != nil {
		return gap, err
	}
	w.Outside.Overdue() // what this leaves behind the next rotation finds
	if err := w.Settled(token); err != nil && !w.Single {
		return gap, err
	}
	if err := w.Silent(first); err != nil {
		return gap, err
	}
	// After a recovery, the next rotation must work too.
	return gap, w.rotateOnce()
}

// retry is what the service does by itself.
func (w *World) retry(token string) (string, error) { return token, w.Rotate(token, tries) }

// startAnew is what a person does who gives up on a rotation.
func (w *World) startAnew(token string) (string, error) {
	if w.Holder(rotation.StageCurrent) == token {
		return token, w.Rotate(token, tries) // nothing to give up
	}
	if err := w.GiveUp(token); err != nil {
		return token, err
	}
	w.Pass(apart)
	token = w.Token()
	if err := w.Request(token); err != nil {
		return token, err
	}
	return token, w.Rotate(token, tries)
}

// meanwhile is what others do while a delivery of a step stands still.
type meanwhile func(w *World, token, step string) error

var meanwhiles = map[string]meanwhile{
	"the same step again": (*World).deliverAgain,
	"the same rotation again": func(w *World, token, _ string) error {
		return w.Rotate(token, tries)
	},
	"the same and one more rotation": func(w *World, token, _ string) error {
		if err := w.Rotate(token, tries); err != nil {
			return err
		}
		return w.rotateOnce()
	},
	"another rotation": func(w *World, token, _ string) error {
		_, err := w.startAnew(token)
		return err
	},
	"two other rotations": func(w *World, token, _ string) error {
		if _, err := w.startAnew(token); err != nil {
			return err
		}
		return w.rotateOnce()
	},
}

func (w *World) deliverAgain(token, step string) error {
	return w.Deliver(w.Outside.Process(), token, step)
}

// proveFrozen lets a delivery of each step stand still before each of its
// calls, while others go on, and thaws it when they are done.
func proveFrozen(t *testing.T, fresh func(testing.TB) *World, meanwhiles map[string]meanwhile) {
	runs := 0
	for at := range Steps {
		for i, what := range slices.Sorted(maps.Keys(meanwhiles)) {
			first, stride := 1, 1
			if testing.Short() { // another call of each step with each
				first, stride = 1+(at+i)%7, 7
			}
			for n, more := first, true; more; n += stride {
				w := fresh(t)
				var err error
				more, err = w.freezeAt(at, n, meanwhiles[what])
				if err != nil {
					t.Errorf("%s frozen before call %d, meanwhile %s: %v", Steps[at], n, what, err)
				}
				runs++
			}
		}
	}
	t.Logf("%d frozen deliveries", runs)
}

// freezeAt runs the steps before Steps[at], freezes the next delivery at its
// n-th call, lets meanwhile happen, thaws it and sets everything right. more is
// false if the step has less than n calls.
func (w *World) freezeAt(at, n int, meanwhile meanwhile) (more bool, err error) {
	w.Pass(apart)
	token := w.Token()
	if err := w.Request(token); err != nil {
		return false, err
	}
	for _, step := range Steps[:at] {
		if err := w.Deliver(w.Outside.Process(), token, step); err != nil {
			return false, err
		}
	}
	w.Outside.Plan(n, Freeze)
	frozen := w.Outside.Process()
	wait, _ := w.deliver(frozen, token, Steps[at])
	w.Outside.Plan(0, None)
	if wait == nil {
		return false, nil
	}
	if err := meanwhile(w, token, Steps[at]); err != nil {
		return true, fmt.Errorf("meanwhile: %w", err)
	}
	if err := w.CurrentWorks(); err != nil && w.GapPoints == 0 {
		return true, fmt.Errorf("before it thawed: %w", err)
	}
	before := w.Holder(rotation.StageCurrent)
	frozen.Thaw()
	late := wait() // may well be an error: it came too late
	if err := w.CurrentWorks(); err != nil && !w.Single {
		return true, fmt.Errorf("after it thawed: %w", err)
	}
	if after := w.Holder(rotation.StageCurrent); after != before && after != token {
		return true, fmt.Errorf("AWSCURRENT went from %s to %s", before, after)
	}
	if err := w.Silent(late); err != nil {
		return true, err
	}
	if pending := w.Holder(rotation.StagePending); pending != "" {
		// A rotation is under way, perhaps one that was given up and whose value
		// came late. It may fail, but not stand in the way of the next one.
		if err := w.Rotate(pending, tries); err != nil && w.Holder(rotation.StagePending) != "" {
			return true, fmt.Errorf("going on: %w", err)
		}
	}
	return true, w.rotateOnce()
}
