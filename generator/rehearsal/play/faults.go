package play

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// Preflight asks the function whether a rotation would find all that it needs.
var Preflight = Fault{"ask", "preflight", "none: the function only looks", func(ctx context.Context, w *World) error {
	return w.onlyAsks(ctx, func() error {
		answer, err := w.function.Invoke(ctx, fmt.Appendf(nil, `{"Preflight": true, "SecretId": %q}`, w.secret), 30*time.Second)
		if err != nil {
			return err
		}
		var preflight rotation.Preflight
		if err := json.Unmarshal(answer, &preflight); err != nil {
			return err
		}
		if !preflight.OK {
			return broken("preflight finds all in order", fmt.Errorf("%s", answer))
		}
		return nil
	})
}}

// TestOnly is RotateSecret with RotateImmediately=false.
var TestOnly = Fault{"ask", "test-only", "none: testSecret alone", func(ctx context.Context, w *World) error {
	return w.onlyAsks(ctx, func() error {
		_, err := w.service(w.function, 1).TestOnly(ctx, w.secret, w.token())
		return err
	})
}}

// onlyAsks sees to it that nothing is written.
func (w *World) onlyAsks(ctx context.Context, ask func() error) error {
	w.watch(pass)
	if err := ask(); err != nil {
		return err
	}
	for _, op := range w.counted() { // a change of a user may be tried in a transaction that is rolled back
		if op == "PutSecretValue" || op == "UpdateSecretVersionStage" {
			return broken("nothing is written", errors.New("it called "+op))
		}
	}
	return w.works(ctx)
}

func pass(int, string, bool) error { return nil }

// Clean is rotations without a fault.
func Clean(rotations int) Fault {
	return Fault{"clean", "clean", fmt.Sprintf("none, %d in a row", rotations), func(ctx context.Context, w *World) error {
		for range rotations {
			if err := w.rotatesCleanly(ctx); err != nil {
				return err
			}
		}
		return nil
	}}
}

// rotatesCleanly looks after each step whether an application could go on.
func (w *World) rotatesCleanly(ctx context.Context) error {
	w.watch(pass)
	var early, dead error
	service := w.service(w.function, 1)
	note := service.AfterStep
	service.AfterStep = func(s rehearsal.Step) {
		note(s)
		if !w.Database.Gapless() && s.Name != rehearsal.FinishSecret && slices.ContainsFunc(w.counted(), w.Database.IsChange) {
			early = broken("the password in use is changed in finishSecret, next to the label", errors.New("it is changed in "+s.Name))
		}
		if err := w.works(ctx); err != nil && dead == nil {
			dead = fmt.Errorf("after %s: %w", s.Name, err)
		}
	}
	token := w.token()
	_, err := service.Rotate(ctx, w.secret, token)
	if err := errors.Join(early, dead, err); err != nil {
		return err
	}
	if err := w.proven(w.counted()); err != nil {
		return err
	}
	return w.settled(ctx, token)
}

// proven returns nil if between the change of a password and the move of AWSCURRENT
// there is a log-in.
func (w *World) proven(calls []string) error {
	promotion := max(0, slices.Index(calls, "UpdateSecretVersionStage"))
	for _, op := range slices.Backward(calls[:promotion]) {
		switch {
		case isLogin(op):
			return nil
		case w.Database.IsChange(op):
			return broken("no version is promoted that has not logged in", errors.New("no log-in stands between "+op+" and UpdateSecretVersionStage"))
		}
	}
	return nil
}

// Calls returns the calls of a rotation, the first or a later one, as kills count them.
func (w *World) Calls(ctx context.Context, steady bool) ([]string, error) {
	if err := w.fresh(ctx); err != nil {
		return nil, err
	}
	if steady {
		if _, err := w.rotate(ctx); err != nil {
			return nil, err
		}
	}
	w.watch(pass)
	_, err := w.rotate(ctx)
	calls := w.counted()
	w.watch(nil)
	return calls, err
}

// Kill kills the function after its k-th call had its effect, and lets the service go
// on with the same token or, when a person has given that one up, with a new one. A
// steady rotation is not the secret's first.
func Kill(k int, op string, steady, anew bool) Fault {
	name := fmt.Sprintf("kill:%d", k)
	says := fmt.Sprintf("killed after call %d, %s", k, op)
	if steady {
		name, says = name+":steady", says+", of the second rotation"
	}
	if anew {
		name, says = name+":new", says+"; then a new token"
	}
	return Fault{"kill", name, says, func(ctx context.Context, w *World) error {
		if steady {
			if _, err := w.rotate(ctx); err != nil {
				return err
			}
		}
		changed := false
		w.watch(func(n int, op string, done bool) error {
			changed = changed || w.Database.IsChange(op)
			if n != k || !done {
				return nil
			}
			w.mark("killed")
			w.function.Kill()
			return rehearsal.ErrDrop
		})
		token, err := w.rotate(ctx)
		w.watch(nil)
		if err == nil {
			return broken("a rotation that was killed fails", fmt.Errorf("it has only %d calls", k-1))
		}
		if err := w.works(ctx); err != nil && (w.Database.Gapless() || !changed) {
			return fmt.Errorf("before the next delivery: %w", err)
		}
		token, err = w.recoverWith(ctx, w.function, token, anew)
		if err != nil {
			return broken("the next delivery completes the rotation", err)
		}
		return w.settled(ctx, token)
	}}
}

// Quick returns which calls of a rotation say most if the function is killed after
// them: at most six.
func Quick(calls []string, isChange func(string) bool) (points []int) {
	add := func(i int) {
		if i >= 0 && i < len(calls) && !slices.Contains(points, i+1) && len(points) < 6 {
			points = append(points, i+1)
		}
	}
	last := func(is func(string) bool) int {
		for i, call := range slices.Backward(calls) {
			if is(call) {
				return i
			}
		}
		return -1
	}
	promotion := last(func(op string) bool { return op == "UpdateSecretVersionStage" })
	add(slices.Index(calls, "PutSecretValue"))
	add(slices.IndexFunc(calls, isLogin))
	add(last(isChange))
	if change := last(isChange); change >= 0 {
		add(change + 1)
	}
	add(promotion)
	add(promotion - 1)
	slices.Sort(points)
	return points
}

// Freeze holds the function before its change or before its promotion while another
// one carries out so many rotations, and then lets it go on.
func Freeze(before string, rotations int) Fault {
	says := fmt.Sprintf("frozen before its %s while others rotate: %d", before, rotations)
	return Fault{"freeze", fmt.Sprintf("freeze:%s:%d", before, rotations), says, func(ctx context.Context, w *World) error {
		holds := w.Database.IsChange
		if before == "promotion" {
			holds = func(op string) bool { return op == "UpdateSecretVersionStage" }
		}
		held, release := make(chan struct{}), make(chan struct{})
		freed := sync.OnceFunc(func() { close(release) })
		defer freed()
		w.watch(once(holds, func() {
			close(held)
			<-release
		}))
		token, ended := w.token(), make(chan error, 1)
		frozen := w.another()
		go func() {
			service := w.service(frozen, 1)
			service.Timeout = 5 * time.Minute
			_, err := service.Rotate(ctx, w.secret, token)
			ended <- err
		}()
		select {
		case <-held:
		case err := <-ended:
			return broken("a rotation changes and promotes", errors.Join(err, errors.New("this one ended without")))
		}
		if err := frozen.Freeze(); err != nil {
			return fmt.Errorf("this system cannot freeze a process: %w", err)
		}
		w.mark("frozen")
		last, err := w.recoverWith(ctx, w.function, token, true)
		for range rotations - 1 {
			if err == nil {
				last, err = w.rotate(ctx)
			}
		}
		if err == nil {
			err = w.settled(ctx, last)
		}
		if err != nil {
			return broken("others rotate meanwhile", err)
		}
		w.mark("goes on")
		freed()
		if err := frozen.Thaw(); err != nil {
			return err
		}
		if err := <-ended; err == nil {
			return broken("the function that stood still does not believe that it rotated", errors.New("it answers that it did"))
		}
		w.watch(nil)
		if err := w.settled(ctx, last); err != nil {
			return fmt.Errorf("after it went on: %w", err)
		}
		_, err = w.rotate(ctx)
		return broken("the next rotation succeeds", err)
	}}
}

// once returns a hook that does something before the first call for which is is true.
func once(is func(op string) bool, do func()) func(int, string, bool) error {
	first := sync.OnceFunc(do)
	var mu sync.Mutex
	over := false
	return func(_ int, op string, done bool) error {
		mu.Lock()
		mine := !done && !over && is(op)
		over = over || mine
		mu.Unlock()
		if mine {
			first()
		}
		return nil
	}
}

// TwoAtOnce delivers one rotation to two functions at the same time.
var TwoAtOnce = Fault{"two", "two", "one rotation is delivered twice at the same time", func(ctx context.Context, w *World) error {
	token := w.token()
	_, err := w.store.RotateSecret(ctx, &secretsmanager.RotateSecretInput{
		SecretId: &w.secret, ClientRequestToken: &token, RotationLambdaARN: aws.String(rehearsal.FunctionARN),
	})
	if err != nil {
		return err
	}
	w.look()
	var both sync.WaitGroup
	for _, f := range []*rehearsal.Function{w.function, w.another()} {
		both.Go(func() {
			_, _ = w.service(f, 3).Retry(ctx, w.secret, token) // one may fail
		})
	}
	both.Wait()
	if _, err := w.service(w.function, 3).Retry(ctx, w.secret, token); err != nil {
		return broken("the next delivery completes the rotation", err)
	}
	return w.settled(ctx, token)
}}

// Reset closes the connection of the k-th call when it had its effect, without an answer.
func Reset(k int, op string) Fault {
	return Fault{"reset", fmt.Sprintf("reset:%d", k), fmt.Sprintf("the answer to call %d, %s, is lost", k, op), func(ctx context.Context, w *World) error {
		w.watch(func(n int, _ string, done bool) error {
			if n == k && done {
				w.mark("connection lost")
				return rehearsal.ErrDrop
			}
			return nil
		})
		return w.mustSettle(ctx)
	}}
}

// mustSettle rotates with the attempts that the service makes.
func (w *World) mustSettle(ctx context.Context) error {
	token := w.token()
	if _, err := w.service(w.function, 3).Rotate(ctx, w.secret, token); err != nil {
		return broken("one of three deliveries completes the rotation", err)
	}
	return w.settled(ctx, token)
}

// StoreOperations are those of Secrets Manager that a rotation uses.
var StoreOperations = []string{"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"}

// Throttle lets Secrets Manager refuse an operation a few times.
func Throttle(operation string) Fault {
	const times = 2
	says := fmt.Sprintf("Secrets Manager throttles %s %d times", operation, times)
	return Fault{"throttle", "throttle:" + operation, says, func(ctx context.Context, w *World) error {
		left := times
		var mu sync.Mutex
		w.watch(func(_ int, op string, done bool) error {
			mu.Lock()
			defer mu.Unlock()
			if done || op != operation || left == 0 {
				return nil
			}
			left--
			w.mark("throttled")
			return rehearsal.APIError("ThrottlingException", "Rate exceeded")
		})
		return w.mustSettle(ctx)
	}}
}

// lagging is how late readers are.
const lagging = 2 * time.Second

// LagServer refuses log-ins of the application's users for a while after a change, as
// a replica does that lags behind.
var LagServer = Fault{"lag", "lag:server", fmt.Sprintf("for %.0f s after a change the server refuses log-ins", lagging.Seconds()), func(ctx context.Context, w *World) error {
	var first sync.Once
	var promoted atomic.Bool // while the server refused the version
	token := w.token()
	w.watch(func(_ int, op string, done bool) error {
		switch {
		case done && w.Database.IsChange(op):
			first.Do(func() {
				w.mark("lags")
				w.refusing.Store(true)
				time.AfterFunc(lagging, func() { w.refusing.Store(false) })
			})
		case done && op == "UpdateSecretVersionStage" && w.refusing.Load():
			_, holder, _ := w.value(ctx, rotation.StageCurrent)
			promoted.Store(promoted.Load() || holder == token)
		}
		return nil
	})
	_, err := w.service(w.function, 1).Rotate(ctx, w.secret, token)
	if promoted.Load() {
		return broken("no version is promoted that has not logged in", errors.New("AWSCURRENT moved while the server refused it"))
	}
	for w.refusing.Load() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		<-time.After(lagging / 20)
	}
	if err != nil {
		if _, err := w.service(w.function, 3).Retry(ctx, w.secret, token); err != nil {
			return broken("the next delivery completes the rotation", err)
		}
	}
	return w.settled(ctx, token)
}}

// LagStore lets reads of Secrets Manager show what was true a while ago.
var LagStore = Fault{"lag", "lag:store", fmt.Sprintf("reads of Secrets Manager are %.0f s late", lagging.Seconds()), func(ctx context.Context, w *World) error {
	lags := make(map[string]rotationtest.Lag)
	for _, op := range []string{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds"} {
		lags[op] = rotationtest.Lag{For: lagging}
	}
	<-time.After(lagging) // a secret is older than that when it is rotated
	w.front.Store(&rehearsal.Front{
		SecretsManager: w.store, Lagging: &rotationtest.Lagging{SecretsManager: w.store, Lags: lags},
		Before: w.beforeRequest, After: w.afterRequest,
	})
	return w.mustSettle(ctx)
}}

// LabelLost kills the function when it has changed the password, and takes AWSPENDING
// off: the next rotation must find its way.
var LabelLost = Fault{"label", "label", "killed after the change, and AWSPENDING is taken off", func(ctx context.Context, w *World) error {
	w.watch(func(_ int, op string, done bool) error {
		if done && w.Database.IsChange(op) {
			w.mark("killed")
			w.function.Kill()
			return rehearsal.ErrDrop
		}
		return nil
	})
	token, err := w.rotate(ctx)
	w.watch(nil)
	if err == nil {
		return broken("a rotation changes a password", errors.New("this one ended without"))
	}
	if err := w.giveUp(ctx, token); err != nil {
		return err
	}
	token, err = w.rotate(ctx)
	if err != nil {
		return broken("the next rotation succeeds", err)
	}
	return w.settled(ctx, token)
}}

// Named returns those of all whose name or phase is asked for.
func Named(all []Fault, words ...string) []Fault {
	return slices.DeleteFunc(slices.Clone(all), func(f Fault) bool {
		return !slices.Contains(words, f.Phase) && !slices.Contains(words, f.Name)
	})
}

// Phases are the names of all phases that faults have, beside ask and clean.
var Phases = []string{"kill", "freeze", "two", "reset", "throttle", "lag", "label"}

// QuickFaults are those that say most in the least time. calls are those of a first rotation.
func QuickFaults(calls []string, isChange func(string) bool) []Fault {
	var all []Fault
	for _, k := range Quick(calls, isChange) {
		all = append(all, Kill(k, calls[k-1], false, false))
	}
	return append(all, Freeze("change", 1), Freeze("promotion", 1), TwoAtOnce, Throttle("UpdateSecretVersionStage"), LagServer, LabelLost)
}

// AllFaults are all. calls are those of a first rotation, and steady those of a later one.
func AllFaults(calls, steady []string) (all []Fault) {
	for _, anew := range []bool{false, true} {
		for k, op := range calls {
			all = append(all, Kill(k+1, op, false, anew))
		}
		for k, op := range steady {
			all = append(all, Kill(k+1, op, true, anew))
		}
	}
	for _, rotations := range []int{1, 2} {
		all = append(all, Freeze("change", rotations), Freeze("promotion", rotations))
	}
	all = append(all, TwoAtOnce)
	for k, op := range calls {
		all = append(all, Reset(k+1, op))
	}
	for _, op := range StoreOperations {
		all = append(all, Throttle(op))
	}
	return append(all, LagServer, LagStore, LabelLost)
}
