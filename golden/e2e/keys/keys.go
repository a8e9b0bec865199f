// Package keys kills rotation functions of API keys: the real binary behind the
// Lambda runtime API, Secrets Manager's wire protocol, and a provider that is
// reached as from Lambda, by its own name and TLS, through the proxy that the
// environment names. The provider is the scripted server of its own tests, and the
// book that it keeps is the witness.
//
// That server stands in a package main, where nothing can import it. So package
// e2e lays a test beside it that calls [Killed], and runs that in an emitted
// project's folder.
package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic/generictest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
)

// The files in an emitted project's folder.
const (
	Binary = "bootstrap"
	Rows   = "kills.json"
)

// Row says what became of the kills of one kind of rotation.
type Row struct {
	Steady, Anew bool // not the first rotation; recovered by a new token
	Points       int  // calls after which the process was killed
	DeadEnds     int  // kills that no later delivery made good
	Orphans      int  // kills after which the provider's book was not as it should be
	DeadPoints   int  // kills that left AWSCURRENT dead until the next delivery
}

// Killed kills the function in the working directory after every call of its
// rotations, lets the service go on, and writes what came of it to [Rows]. single
// is true for a provider that has one key and replaces it.
func Killed[W apikeytest.Wire | func(generic.Description) apikeytest.Wire](t *testing.T, wire W, single bool) {
	switch wire := any(wire).(type) {
	case apikeytest.Wire:
		newBench(t, wire, single).killed(t)
	case func(generic.Description) apikeytest.Wire:
		generictest.Each(t, func(t *testing.T, d generic.Description) { newBench(t, wire(d), single).killed(t) })
	}
}

// later is how much time goes by before an administrator starts anew: the clock of
// Secrets Manager and of the provider is behind the function's by so much.
const later = 100 * 24 * time.Hour

// bench is a Secrets Manager, a Lambda and a provider joined by wires at which every
// call is counted and can end the process that makes it.
type bench struct {
	wire     apikeytest.Wire
	single   bool
	front    *rehearsal.Front
	provider *provider
	function *rehearsal.Function
	heard    int // of what the function said

	*rotationtest.World
	wires
}

func newBench(t *testing.T, wire apikeytest.Wire, single bool) *bench {
	b := &bench{wire: wire, single: single, provider: &provider{}}
	b.front = &rehearsal.Front{
		Before: func(c rehearsal.Call) error { return b.call(c.Op, false) },
		After:  func(c rehearsal.Call) error { return b.call(c.Op, true) },
	}
	b.provider.around = func(op string, done bool) error { return b.call(op, done) }
	b.fresh(t, 0)
	path, err := filepath.Abs(Binary)
	if err != nil {
		t.Fatal(err)
	}
	wiring, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	env := b.provider.listen(t)
	if needsBase(wiring) {
		env = append(env, "API_BASE_URL=https://api.example.com")
	}
	if bytes.Contains(wiring, []byte(`"SSH_ADDRESS"`)) {
		env = append(env, b.provider.openDoor(t, wire.Initial)...)
	}
	b.function = &rehearsal.Function{Path: path, Env: append(env,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER="+serve(t, b.front),
		"AWS_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=role", "AWS_SECRET_ACCESS_KEY="+apikeytest.AdminKey, // with AWS the role is the admin
		"ALLOWED_SECRETS=arn:aws:secretsmanager:*:*:secret:*",
		"MIN_ROTATION_AGE=0",
	)}
	t.Cleanup(b.function.Close)
	return b
}

// needsBase reports whether a function says that it cannot start without the API's
// address: some providers have one of their own.
func needsBase(wiring []byte) bool {
	return bytes.Contains(wiring, []byte(`Refuse("API_BASE_URL"`)) || bytes.Contains(wiring, []byte("generic.FromEnv"))
}

// fresh begins another world: a Secrets Manager with nothing but the first version, and
// the provider's book as it was at first. To the function all that is behind.
func (b *bench) fresh(t *testing.T, behind time.Duration) {
	b.World = rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		w.Pass(time.Since(w.Now()) - behind)
		subject, ledger := b.wire.Subject(w, nil)
		b.provider.server = b.wire.Server(ledger)
		if b.single {
			return apikeytest.Single(subject)
		}
		return subject
	})
	b.front.SecretsManager = b.Store
}

func (b *bench) killed(t *testing.T) {
	var rows []Row
	for _, steady := range []bool{false, true} {
		for _, anew := range []bool{false, true} {
			rows = append(rows, b.killedEverywhere(t, steady, anew))
		}
	}
	text, err := json.Marshal(rows)
	if err == nil {
		err = os.WriteFile(Rows, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// killedEverywhere kills the function after each of a rotation's calls.
//
// It does not kill before calls as well: what is outside before call k+1 is what was
// outside after call k, as rotationtest proves in process.
func (b *bench) killedEverywhere(t *testing.T, steady, anew bool) Row {
	behind := time.Duration(0) // what a rotation leaves is young, so the same one has to clean it up
	if anew {
		behind = later
	}
	begin := func() {
		b.fresh(t, behind)
		if steady {
			b.undisturbed(t)
		}
	}
	begin()
	b.watch(nil)
	b.undisturbed(t)
	calls := b.counted()
	row := Row{Steady: steady, Anew: anew, Points: len(calls)}
	for k, call := range calls {
		if !steady {
			b.fresh(t, behind) // a steady world stays one
		}
		gap, err := b.killedAfter(t, k+1, anew)
		if gap {
			row.DeadPoints++
		}
		if err == nil {
			continue
		}
		t.Errorf("killed after call %d (%s): %v", k+1, call, err)
		if errors.Is(err, errOrphans) {
			row.Orphans++
		} else {
			row.DeadEnds++
		}
		begin()
	}
	if row.DeadPoints > b.GapPoints {
		t.Errorf("AWSCURRENT was dead after %d of %d kills, and %d are allowed", row.DeadPoints, row.Points, b.GapPoints)
	}
	return row
}

func (b *bench) undisturbed(t *testing.T) {
	t.Helper()
	token := b.Token()
	if err := b.rotate(t, token); err != nil {
		t.Fatal(err)
	}
	if err := b.settled(token); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) killedAfter(t *testing.T, k int, anew bool) (gap bool, err error) {
	b.watch(func(n int, done bool) error {
		if n != k || !done {
			return nil
		}
		b.function.Kill()
		return rehearsal.ErrDrop
	})
	token := b.Token()
	err = b.rotate(t, token)
	b.watch(nil)
	if err == nil {
		return false, fmt.Errorf("the rotation has only %d calls", len(b.counted()))
	}
	if err := b.CurrentWorks(); err != nil {
		gap = true
		if !b.single {
			return gap, err
		}
	}
	if token, err = b.recover(t, token, anew); err != nil {
		return gap, fmt.Errorf("no recovery: %w", err)
	}
	return gap, b.settled(token)
}

// rotate lets the service rotate, an hour after the last time and with a new process:
// one that has seen another rotation, or another world, needs fewer calls.
func (b *bench) rotate(t *testing.T, token string) error {
	b.function.Kill()
	b.Pass(time.Hour)
	service := rehearsal.Service{SecretsManager: b.Store, Function: b.function, Attempts: 1}
	_, err := service.Rotate(t.Context(), b.Secret, token)
	return err
}

// recover lets the service go on after a kill, with the same token or, after an
// administrator gave the first up, with another. It returns the token that should now
// be AWSCURRENT.
func (b *bench) recover(t *testing.T, token string, anew bool) (string, error) {
	if !anew || b.Holder(rotation.StageCurrent) == token {
		service := rehearsal.Service{SecretsManager: b.Store, Function: b.function, Attempts: 3}
		_, err := service.Retry(t.Context(), b.Secret, token)
		return token, err
	}
	if err := b.GiveUp(token); err != nil {
		return token, err
	}
	token = b.Token()
	return token, b.rotate(t, token)
}

var errOrphans = errors.New("the provider's keys are not as they should be")

// settled returns nil if token's rotation ended as it should: AWSCURRENT works, no
// key is alive but what the labels name, nothing was revoked that one named (K1, K3,
// K6), and no key stands in what the function said (C9).
func (b *bench) settled(token string) error {
	said := b.function.Output()
	_, _ = b.Write([]byte(said[b.heard:]))
	b.heard = len(said)
	if err := errors.Join(b.Settled(token), b.Silent()); err != nil {
		return err
	}
	check := b.Tidy
	if check == nil {
		check = b.Recovered
	}
	if err := check(); err != nil {
		return fmt.Errorf("%w: %w", errOrphans, err)
	}
	return nil
}
