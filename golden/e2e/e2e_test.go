// Package e2e runs what rotasmith writes: the real binary behind the Lambda
// runtime API, Secrets Manager's wire protocol and real servers with TLS.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

const (
	userOrders = "orders"
	userA      = "orders_a"
	userB      = "orders_b"
	owner      = "orders_owner"
	rotator    = "orders_rotator"
	first      = "first-password-sentinel-3f9c"
	rotators   = "rotator-password-sentinel-8d01"
)

// groups are all that is tried, by server. Since a server has one list of users, what
// runs at the same time has a server of its own.
var groups = []struct {
	kind servers.Kind
	// engines runs the tests that emitted projects have behind the build tag db.
	engines   func(*testing.T)
	faults    func(*testing.T)
	scenarios []scenario
}{
	{servers.Postgres, postgresEngines, postgresFaults, slices.Concat(postgresScenarios, redshiftScenarios)},
	{servers.Postgres18, postgresEngine(servers.Postgres18), nil, postgres18Scenarios},
	{servers.MySQL, mysqlEngines, mysqlFaults(mysqlEngine{}), mysqlScenarios},
	{servers.MariaDB, mariadbEngine, mysqlFaults(mysqlEngine{mariadb: true}), mariadbScenarios},
	{servers.FerretDB, documentdbEngine, nil, ferretScenarios},
}

// TestEndToEnd runs the engines' own tests on every server, walks every scenario
// (rotations in a row, kills after every call, and processes that stand still), and
// lets all be wrong that can be. One table tells the outcome of the kills.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	for _, g := range groups {
		t.Run(string(g.kind), func(t *testing.T) {
			t.Parallel()
			t.Run("engines", g.engines)
			for _, s := range g.scenarios {
				t.Run(s.server()+", "+s.name, func(t *testing.T) { walk(t, s) })
			}
			if g.faults != nil {
				t.Run("faults", g.faults)
			}
		})
	}
}

func walk(t *testing.T, s scenario) {
	t.Parallel()
	b := newBench(t, s)
	t.Run("only asks", b.onlyAsks)
	t.Run("rotates ten times", b.rotatesTenTimes)
	if s.gapPoints > 0 {
		t.Run("applies late", b.appliesLate)
	}
	if said := strings.Contains(b.function.Output(), `"Degraded":1`); said != s.degraded {
		t.Errorf("a rotation says that it does less than it should: %t", said)
	}
	gap := b.gap()
	if s.gapPoints == 0 {
		t.Run("without pause", func(t *testing.T) { gap = b.withoutPause(t) })
	}
	for _, steady := range []bool{false, true} {
		for _, anew := range []bool{false, true} {
			if s.twin && steady != anew {
				continue
			}
			state, recovery := pick(steady, "steady", "first"), pick(anew, "new token", "same token")
			t.Run(state+"/"+recovery, func(t *testing.T) {
				r := b.killed(t, steady, anew)
				r.gap = gap
				report(r)
			})
		}
	}
	t.Run("label lost", b.labelLost)
	t.Run("two deliveries at once", b.twoAtOnce)
	if !s.neverFrozen {
		t.Run("frozen", b.frozen)
		t.Run("late statement", b.lateStatement)
	}
	b.silent()
}

func pick[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}

// rotatesTenTimes logs in as the application after each step of each rotation.
func (b *bench) rotatesTenTimes(t *testing.T) {
	b.fresh()
	service := b.service(b.function, 1)
	service.AfterStep = func(step rehearsal.Step) {
		if err := b.works(); err != nil {
			t.Errorf("after %s: %v", step.Name, err)
		}
	}
	for range 10 {
		token := b.token()
		if _, err := service.Rotate(t.Context(), b.secret, token); err != nil {
			t.Fatal(err)
		}
		if err := b.settled(token); err != nil {
			t.Fatal(err)
		}
		b.tried("rotations", 1)
	}
}

// onlyAsks sends a preflight and lets the service test a rotation: both find
// everything in order, and neither writes anything (C13, C16).
func (b *bench) onlyAsks(t *testing.T) {
	b.fresh()
	before := b.db.catalogue(t)
	b.watch(nil)
	answer, err := b.function.Invoke(t.Context(), fmt.Appendf(nil, `{"Preflight": true, "SecretId": %q}`, b.secret), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var report rotation.Preflight
	if err := json.Unmarshal(answer, &report); err != nil || report.OK == b.scenario.degraded {
		t.Errorf("preflight: %s, %v", answer, err)
	}
	if _, err := b.service(b.function, 1).TestOnly(t.Context(), b.secret, b.token()); err != nil {
		t.Errorf("test only: %v", err)
	}
	for _, call := range b.counted() {
		if call == "PutSecretValue" || call == "UpdateSecretVersionStage" {
			t.Errorf("it called %s", call)
		}
	}
	if after := b.db.catalogue(t); after != before {
		t.Error("it changed the server's users")
	}
	if err := b.works(); err != nil {
		t.Error(err)
	}
}

// withoutPause logs in all the time with the value that AWSCURRENT has at that
// moment, while rotations go on, some of them killed and given up half-way (S6).
// A value works until the rotation after the one that replaces it, so every
// rotation waits for the log-in that is under way.
func (b *bench) withoutPause(t *testing.T) (gap string) {
	b.fresh()
	done, ended, between := make(chan struct{}), make(chan struct{}), make(chan struct{})
	logins := 0
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case between <- struct{}{}:
			default:
			}
			value, _, err := b.current()
			if err == nil {
				err = b.db.logsIn(value)
			}
			if err != nil {
				t.Errorf("log-in %d: %v", logins, err)
				return
			}
			logins++
		}
	}()
	meanwhile := func(rotate func() error) {
		select {
		case <-between:
		case <-ended:
		}
		if err := rotate(); err != nil {
			t.Error(err)
		}
	}
	for range 3 {
		b.watch(nil)
		meanwhile(b.rotate)
		change := b.lastChange()
		for _, anew := range []bool{true, false} {
			meanwhile(func() error {
				_, err := b.killedAfter(change, anew)
				return err
			})
		}
	}
	close(done)
	<-ended
	b.tried("log-ins meanwhile", logins)
	return "0"
}

// lastChange returns which of the last rotation's calls changed a password last.
func (b *bench) lastChange() (k int) {
	for i, call := range b.counted() {
		if b.db.isChange(call) {
			k = i + 1
		}
	}
	return max(1, k)
}

var gapMetric = regexp.MustCompile(`"CredentialGap":([0-9.]+)`)

// gap returns the range of gaps that the function measured, in milliseconds.
func (b *bench) gap() string {
	var gaps []float64
	for _, found := range gapMetric.FindAllStringSubmatch(b.function.Output(), -1) {
		if ms, err := strconv.ParseFloat(found[1], 64); err == nil && ms > 0 {
			gaps = append(gaps, ms)
		}
	}
	if len(gaps) == 0 {
		return "none"
	}
	slices.Sort(gaps)
	return fmt.Sprintf("%.0f-%.0f", gaps[0], gaps[len(gaps)-1])
}

// appliesLate pauses a second between the steps: nothing before finishSecret
// changes the server, and between the change and the label move stands one
// log-in and no other call (S8).
func (b *bench) appliesLate(t *testing.T) {
	b.fresh()
	before := b.db.catalogue(t)
	service := b.service(b.function, 1)
	service.Pause = time.Second
	service.AfterStep = func(step rehearsal.Step) {
		if changed := b.db.catalogue(t) != before; changed != (step.Name == rehearsal.FinishSecret) {
			t.Errorf("after %s the server is changed: %t", step.Name, changed)
		}
	}
	b.watch(nil)
	token := b.token()
	if _, err := service.Rotate(t.Context(), b.secret, token); err != nil {
		t.Fatal(err)
	}
	if err := b.settled(token); err != nil {
		t.Error(err)
	}
	calls := b.counted()
	changed := slices.IndexFunc(calls, b.db.isChange)
	want := append(b.db.loginCalls(userOrders), "UpdateSecretVersionStage")
	if got := calls[changed+1:]; changed < 0 || !slices.Equal(got[:min(len(want), len(got))], want) {
		t.Errorf("after the change come %q, want %q first", got, want)
	}
}

// killed kills the function after each of a rotation's calls, lets the service
// go on, and counts what came of it.
//
// It does not kill before calls as well: what is outside before call k+1 is
// what was outside after call k, as rotationtest proves in process.
func (b *bench) killed(t *testing.T, steady, anew bool) row {
	b.fresh()
	if steady {
		if err := b.rotate(); err != nil {
			t.Fatal(err)
		}
	}
	b.watch(nil)
	if err := b.rotate(); err != nil {
		t.Fatal(err)
	}
	calls := b.counted()
	r := row{server: b.scenario.server(), scenario: b.scenario.name, steady: steady, anew: anew, points: len(calls)}
	for k := 1; k <= len(calls); k++ {
		if !steady {
			b.fresh() // a steady world stays one
		}
		gap, err := b.killedAfter(k, anew)
		if err != nil {
			if errors.Is(err, errLostRights) {
				r.lostRights++
			} else {
				r.deadEnds++
			}
			t.Errorf("killed after call %d (%s): %v", k, calls[k-1], err)
			b.fresh()
			if err := b.rotate(); err != nil {
				t.Fatal(err)
			}
		}
		if gap {
			r.deadPoints++
		}
	}
	if r.deadPoints > b.scenario.gapPoints {
		t.Errorf("AWSCURRENT was dead after %d of %d kills, and %d are allowed", r.deadPoints, r.points, b.scenario.gapPoints)
	}
	return r
}

func (b *bench) killedAfter(k int, anew bool) (gap bool, err error) {
	b.watch(func(n int, _ string, done bool) error {
		if n != k || !done {
			return nil
		}
		b.function.Kill()
		return rehearsal.ErrDrop
	})
	token := b.token()
	_, err = b.service(b.function, 1).Rotate(b.t.Context(), b.secret, token)
	b.watch(nil)
	if err == nil {
		return false, fmt.Errorf("the rotation has only %d calls", len(b.counted()))
	}
	if err := b.works(); err != nil {
		gap = true
		if b.scenario.gapPoints == 0 {
			return gap, fmt.Errorf("AWSCURRENT does not work: %w", err)
		}
	}
	token, err = b.recoverWith(b.function, token, anew)
	if err != nil {
		return gap, fmt.Errorf("no recovery: %w", err)
	}
	return gap, b.settled(token)
}

// labelLost is row 10 of the crash table: the password was applied, the process
// died, and an administrator took AWSPENDING off. The next rotation must find its
// way.
func (b *bench) labelLost(t *testing.T) {
	b.fresh()
	b.watch(func(_ int, op string, done bool) error {
		if done && b.db.isChange(op) {
			b.function.Kill()
			return rehearsal.ErrDrop
		}
		return nil
	})
	token := b.token()
	if _, err := b.service(b.function, 1).Rotate(t.Context(), b.secret, token); err == nil {
		t.Fatal("nothing was changed")
	}
	b.watch(nil)
	if err := b.giveUp(token); err != nil {
		t.Fatal(err)
	}
	token = b.token()
	if _, err := b.service(b.function, 1).Rotate(t.Context(), b.secret, token); err != nil {
		t.Fatal(err)
	}
	if err := b.settled(token); err != nil {
		t.Error(err)
	}
	b.tried("labels lost", 1)
}

// twoAtOnce delivers one rotation to two processes at the same time.
func (b *bench) twoAtOnce(t *testing.T) {
	b.fresh()
	other := b.newFunction(b.db.dir)
	defer other.Close()
	for range 3 {
		token := b.token()
		if _, err := b.service(b.function, 1).SecretsManager.RotateSecret(t.Context(), rotateInput(b.secret, token)); err != nil {
			t.Fatal(err)
		}
		results := make(chan error, 2)
		for _, f := range []*rehearsal.Function{b.function, other} {
			go func() {
				_, err := b.service(f, 3).Retry(context.WithoutCancel(t.Context()), b.secret, token)
				results <- err
			}()
		}
		for range 2 {
			if err := <-results; err != nil {
				t.Log("one delivery failed, as it may:", err)
			}
		}
		if _, err := b.service(b.function, 3).Retry(t.Context(), b.secret, token); err != nil {
			t.Errorf("once more: %v", err)
		}
		if err := b.settled(token); err != nil {
			t.Error(err)
		}
	}
	b.tried("two at once", 3)
	b.silent(other.Output())
}

// frozen holds a process before its change and before its promotion, while
// another one carries out one and two rotations, and then lets it go on.
func (b *bench) frozen(t *testing.T) {
	for what, holds := range map[string]func(string) bool{
		"before its change":    b.db.isChange,
		"before its promotion": func(op string) bool { return op == "UpdateSecretVersionStage" },
	} {
		for _, rotations := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, for %d", what, rotations), func(t *testing.T) {
				b.frozenWhile(t, holds, rotations)
			})
		}
	}
}

func (b *bench) frozenWhile(t *testing.T, holds func(string) bool, rotations int) {
	b.fresh()
	other := b.newFunction(b.db.dir)
	defer other.Close()
	held, release := make(chan struct{}), make(chan struct{})
	b.watch(b.once(holds, func() {
		close(held)
		<-release
	}))
	token := b.token()
	ended := make(chan error, 1)
	service := b.service(b.function, 1)
	service.Timeout = 5 * time.Minute
	go func() {
		_, err := service.Rotate(context.WithoutCancel(t.Context()), b.secret, token)
		ended <- err
	}()
	select {
	case <-held:
	case err := <-ended:
		t.Fatalf("it never came to a stop: %v", err)
	}
	if err := b.function.Freeze(); err != nil {
		t.Fatal(err)
	}
	last := token
	for range rotations {
		var err error
		if last == token {
			last, err = b.recoverWith(other, token, true)
		} else {
			last = b.token()
			_, err = b.service(other, 3).Rotate(t.Context(), b.secret, last)
		}
		if err != nil {
			t.Errorf("while it stood still: %v", err)
		}
	}
	if err := b.settled(last); err != nil {
		t.Errorf("while it stood still: %v", err)
	}
	close(release)
	if err := b.function.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the process that stood still believes that it rotated")
	}
	b.watch(nil)
	if err := b.settled(last); err != nil {
		t.Errorf("after it went on: %v", err)
	}
	if err := b.rotate(); err != nil {
		t.Errorf("the next rotation: %v", err)
	}
	b.tried("frozen", 1)
	b.silent(other.Output())
}

// lateStatement is row 13 of the crash table: the process is killed while its
// change waits behind a lock, and the server carries it out when the lock is
// gone, in the midst of the next rotation.
func (b *bench) lateStatement(t *testing.T) {
	b.fresh()
	sent := make(chan struct{})
	unlock := func() {}
	b.watch(b.once(b.db.isChange, func() {
		var err error
		if unlock, err = b.db.lockUsers(b.db); err != nil {
			t.Error(err)
		}
		close(sent)
	}))
	token := b.token()
	ended := make(chan error, 1)
	go func() {
		_, err := b.service(b.function, 1).Rotate(context.WithoutCancel(t.Context()), b.secret, token)
		ended <- err
	}()
	select {
	case <-sent:
	case err := <-ended:
		t.Fatalf("nothing was changed: %v", err)
	}
	b.db.awaitWaiting(t, 1)
	b.function.Kill()
	<-ended
	b.watch(nil)
	go func() {
		b.db.awaitWaiting(t, 2) // the late one and the next rotation
		unlock()
	}()
	last, err := b.recoverWith(b.function, token, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.settled(last); err != nil {
		t.Error(err)
	}
	b.tried("late statements", 1)
}
