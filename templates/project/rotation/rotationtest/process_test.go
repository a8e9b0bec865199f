package rotationtest

import (
	"errors"
	"slices"
	"testing"
)

// Every fault does to a call, to its caller and to what comes after what it says.
func TestFaults(t *testing.T) {
	type result struct {
		done  int   // how often the call was carried out while its caller waited
		late  int   // and afterwards, when the server came to it
		err   error // what the caller saw
		alive bool  // whether it went on
	}
	for fault, want := range map[Fault]result{
		None:       {done: 1, alive: true},
		KillBefore: {err: errKilled},
		KillAfter:  {done: 1, err: errKilled},
		Fail:       {err: errBroken, alive: true},
		Lose:       {done: 1, err: errBroken, alive: true},
		Late:       {late: 1, err: errKilled},
		Cancelled:  {err: errKilled},
	} {
		t.Run(fault.String(), func(t *testing.T) {
			var outside Outside
			outside.Plan(2, fault)
			p := outside.Process()
			var calls [3]int
			var got result
			_, got.err = p.run(func() error {
				var err error
				for i := range calls {
					err = errors.Join(err, p.Send("call", errBroken, func() error {
						calls[i]++
						return nil
					}))
				}
				got.alive = true
				return err
			})
			got.done = calls[1]
			outside.Overdue()
			outside.Overdue() // finds nothing more
			got.late = calls[1] - got.done

			if !errors.Is(got.err, want.err) || got.done != want.done || got.late != want.late || got.alive != want.alive {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if p.Dead() == want.alive {
				t.Errorf("dead: %t", p.Dead())
			}
			if after := map[bool]int{true: 1}[want.alive]; calls[0] != 1 || calls[2] != after {
				t.Errorf("the calls around it were made %d and %d times", calls[0], calls[2])
			}
		})
	}
}

// A call that cannot wait at the server is carried out before its caller dies of
// what would have made it late.
func TestLateCallThatCannotWait(t *testing.T) {
	for _, fault := range []Fault{Late, Cancelled} {
		var outside Outside
		outside.Plan(1, fault)
		p := outside.Process()
		done := 0
		_, err := p.run(func() error {
			return p.Call("call", errBroken, func() error {
				done++
				return nil
			})
		})
		outside.Overdue()
		if err != errKilled || done != 1 {
			t.Errorf("%s: error %v, carried out %d times", fault, err, done)
		}
	}
}

// A dead process has no effect on anything, whatever its deferred functions try.
func TestDeadProcess(t *testing.T) {
	var outside Outside
	outside.Plan(1, KillBefore)
	p := outside.Process()
	touched := false
	_, err := p.run(func() error {
		touch := func(op string) error {
			return p.Call(op, nil, func() error {
				touched = true
				return nil
			})
		}
		defer func() { _ = touch("deferred") }()
		return touch("call")
	})
	if err != errKilled || touched {
		t.Errorf("error %v, touched: %t", err, touched)
	}
	if got := outside.Calls(); !slices.Equal(got, []string{"call"}) {
		t.Errorf("calls %q", got)
	}
}

// A frozen process stands before its call until it is thawed, or killed in its
// sleep.
func TestFreeze(t *testing.T) {
	for name, kill := range map[string]bool{"thawed": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			var outside Outside
			outside.Plan(1, Freeze)
			p := outside.Process()
			done := false
			wait, _ := p.run(func() error {
				return p.Call("call", nil, func() error {
					done = true
					return nil
				})
			})
			if wait == nil || !p.Frozen() || done {
				t.Fatalf("frozen: %t, done: %t", p.Frozen(), done)
			}
			if kill {
				p.Kill()
			}
			p.Thaw()
			if err := wait(); done == kill || (err == errKilled) != kill || p.Frozen() {
				t.Errorf("done: %t, error %v", done, err)
			}
		})
	}
}

// A plan counts from when it is made.
func TestPlan(t *testing.T) {
	var outside Outside
	p := outside.Process()
	call := func(op string) error { return p.Call(op, errBroken, func() error { return nil }) }
	_ = call("before")
	outside.Plan(2, Fail)
	if err := errors.Join(call("first"), call("third")); err != errBroken && !errors.Is(err, errBroken) {
		t.Errorf("the second call of the plan met %v", err)
	}
	if got := outside.Calls(); !slices.Equal(got, []string{"first", "third"}) {
		t.Errorf("calls since the plan: %q", got)
	}
	if err := call("after"); err != nil {
		t.Errorf("the third call met %v", err)
	}
}
