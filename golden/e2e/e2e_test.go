// Package e2e runs what rotasmith writes: the real binary behind the Lambda
// runtime API, Secrets Manager's wire protocol and a real PostgreSQL with TLS
// and SCRAM.
package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
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

// quietly keeps the statements that follow out of the server's log: they set
// passwords in clear text, which no rotator does.
const quietly = "SET log_statement = 'none'"

var scenarios = []scenario{
	{
		name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: 2,
		prepare: prepareSingle, reset: resetSingle,
	},
	{
		name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"}, gapPoints: 2,
		env: []string{"CHANGE_AS=admin"}, prepare: prepareSingle, reset: resetSingle,
	},
	{
		name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"},
		env:     []string{`USER_PAIRS=[["` + userA + `","` + userB + `"]]`},
		prepare: prepareBootstrapped, reset: resetBootstrapped,
		admin: func(*database) (string, string) { return rotator, rotators },
	},
	{
		name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"},
		env:     []string{`USER_PAIRS=[["` + userA + `","` + userA + `_clone"]]`, "USERS=clone"},
		prepare: prepareClone, reset: resetClone,
	},
}

func prepareSingle(t *testing.T, db *database) {
	db.admin(t,
		"CREATE ROLE "+userOrders+" LOGIN",
		"GRANT CREATE, USAGE ON SCHEMA public TO "+userOrders,
		"CREATE TABLE orders (note text)")
	db.superuser(t, "ALTER TABLE orders OWNER TO "+userOrders)
}

func resetSingle(t *testing.T, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userOrders+" PASSWORD '"+first+"'")
	return map[string]any{"username": userOrders, "password": first}
}

// prepareBootstrapped runs the emitted bootstrap.sql, twice, as a non-superuser
// admin, on a database whose first user owns a table.
func prepareBootstrapped(t *testing.T, db *database) {
	db.admin(t, "CREATE ROLE "+userA+" LOGIN")
	db.superuser(t, "CREATE TABLE orders (note text)", "ALTER TABLE orders OWNER TO "+userA)
	for range 2 {
		psql := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
			"-v", "owner="+owner, "-v", "user_a="+userA, "-v", "user_b="+userB, "-v", "rotator="+rotator,
			"-f", db.dir+"/bootstrap.sql", db.URL(db.Admin, db.AdminPassword, db.name))
		psql.Env = append(os.Environ(), "LC_ALL=C")
		if out, err := psql.CombinedOutput(); err != nil {
			t.Fatalf("bootstrap.sql: %v\n%s", err, out)
		}
	}
	db.superuser(t, quietly, "ALTER ROLE "+rotator+" PASSWORD '"+rotators+"'")
}

func resetBootstrapped(t *testing.T, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userA+" PASSWORD '"+first+"'", "ALTER ROLE "+userB+" PASSWORD NULL")
	return map[string]any{"username": userA, "password": first, "alternate_username": userB}
}

func prepareClone(t *testing.T, db *database) {
	db.admin(t, "CREATE ROLE "+userA+" LOGIN")
	db.superuser(t, "GRANT CREATE, USAGE ON SCHEMA public TO "+userA, "CREATE TABLE orders (note text)", "ALTER TABLE orders OWNER TO "+userA)
}

func resetClone(t *testing.T, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userA+" PASSWORD '"+first+"'", "DROP ROLE IF EXISTS "+userA+"_clone")
	return map[string]any{"username": userA, "password": first}
}

// TestEndToEnd walks every scenario on one server: rotations in a row, kills
// after every call, and processes that stand still.
func TestEndToEnd(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-28s %-7s %-11s %12s %10s %12s %s\n", "case", "state", "recovery", "kill points", "dead ends", "dead points", "gap (ms)")
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			b := newBench(t, s)
			t.Run("only asks", b.onlyAsks)
			t.Run("rotates ten times", b.rotatesTenTimes)
			if s.gapPoints > 0 {
				t.Run("applies late", b.appliesLate)
			}
			gap := b.gap()
			for _, steady := range []bool{false, true} {
				for _, anew := range []bool{false, true} {
					state, recovery := pick(steady, "steady", "first"), pick(anew, "new token", "same token")
					t.Run(state+"/"+recovery, func(t *testing.T) {
						points, dead, ends := b.killed(t, steady, anew)
						fmt.Fprintf(&table, "%-28s %-7s %-11s %12d %10d %12d %s\n", s.name, state, recovery, points, ends, dead, gap)
					})
				}
			}
			t.Run("label lost", b.labelLost)
			t.Run("two deliveries at once", b.twoAtOnce)
			t.Run("frozen", b.frozen)
			t.Run("late statement", b.lateStatement)
			b.silent()
		})
	}
	t.Logf("\n%s", &table)
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
	}
}

// onlyAsks sends a preflight and lets the service test a rotation: both find
// everything in order, and neither writes anything (C13, C16).
func (b *bench) onlyAsks(t *testing.T) {
	b.fresh()
	before := b.db.users(t)
	b.watch(nil)
	answer, err := b.function.Invoke(t.Context(), fmt.Appendf(nil, `{"Preflight": true, "SecretId": %q}`, b.secret), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var report rotation.Preflight
	if err := json.Unmarshal(answer, &report); err != nil || !report.OK {
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
	if after := b.db.users(t); after != before {
		t.Error("it changed the server's users")
	}
	if err := b.works(); err != nil {
		t.Error(err)
	}
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
// changes the server, and between the change and the label move stand one log-in
// and no other call (S8).
func (b *bench) appliesLate(t *testing.T) {
	b.fresh()
	before := b.db.users(t)
	service := b.service(b.function, 1)
	service.Pause = time.Second
	service.AfterStep = func(step rehearsal.Step) {
		if changed := b.db.users(t) != before; changed != (step.Name == rehearsal.FinishSecret) {
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
	changed := slices.IndexFunc(calls, isChange)
	want := []string{"log in as " + userOrders, "UpdateSecretVersionStage"}
	if got := calls[changed+1:]; changed < 0 || !slices.Equal(got[:min(2, len(got))], want) {
		t.Errorf("after the change come %q, want %q first", got, want)
	}
}

// killed kills the function after each of a rotation's calls, lets the service
// go on, and counts after how many AWSCURRENT was dead until then.
//
// It does not kill before calls as well: what is outside before call k+1 is
// what was outside after call k, as rotationtest proves in process.
func (b *bench) killed(t *testing.T, steady, anew bool) (points, dead, ends int) {
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
	for k := 1; k <= len(calls); k++ {
		if !steady {
			b.fresh() // a steady world stays one
		}
		gap, err := b.killedAfter(k, anew)
		if err != nil {
			ends++
			t.Errorf("killed after call %d (%s): %v", k, calls[k-1], err)
			b.fresh()
			if err := b.rotate(); err != nil {
				t.Fatal(err)
			}
		}
		if gap {
			dead++
		}
	}
	if dead > b.scenario.gapPoints {
		t.Errorf("AWSCURRENT was dead after %d of %d kills, and %d are allowed", dead, len(calls), b.scenario.gapPoints)
	}
	return len(calls), dead, ends
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
// died, and somebody took AWSPENDING off. The next rotation must find its way.
func (b *bench) labelLost(t *testing.T) {
	b.fresh()
	b.watch(func(_ int, op string, done bool) error {
		if done && isChange(op) {
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
}

// isChange reports whether op changes a password for good.
func isChange(op string) bool { return strings.HasPrefix(op, "ALTER ROLE ") }

// twoAtOnce delivers one rotation to two processes at the same time.
func (b *bench) twoAtOnce(t *testing.T) {
	b.fresh()
	other := b.newFunction()
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
	b.silent(other.Output())
}

// frozen holds a process before its change and before its promotion, while
// another one carries out one and two rotations, and then lets it go on.
func (b *bench) frozen(t *testing.T) {
	for what, holds := range map[string]func(string) bool{
		"before its change":    isChange,
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
	other := b.newFunction()
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
	b.silent(other.Output())
}

// lateStatement is row 13 of the crash table: the process is killed while its
// change waits behind a lock, and the server carries it out when the lock is
// gone, in the midst of the next rotation.
func (b *bench) lateStatement(t *testing.T) {
	b.fresh()
	sent := make(chan struct{})
	unlock := func() {}
	b.watch(b.once(isChange, func() {
		unlock = b.db.lockUsers(t)
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
}
