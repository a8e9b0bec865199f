package roll_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

func subject(w *rotationtest.World) (rotationtest.Subject, *apikeytest.Ledger) {
	return subjectOf(w, func(p apikeytest.Provider) roll.Provider { return p })
}

func subjectOf(w *rotationtest.World, provider func(apikeytest.Provider) roll.Provider) (rotationtest.Subject, *apikeytest.Ledger) {
	admin := w.Seed("admin", `{"api_key":"`+apikeytest.AdminKey+`"}`)
	ledger := apikeytest.NewLedger(w)
	initial := `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `","admin_arn":"` + admin + `"}`
	s := ledger.Subject(initial, func(p *rotationtest.Process) (rotation.Strategy, error) {
		return roll.New(provider(apikeytest.Provider{Ledger: ledger, Process: p})), nil
	})
	return apikeytest.Single(s), ledger
}

// K1, C11, C18: a rotation that is killed is completed by the next try, and
// AWSCURRENT is dead at no other moment than between the provider's answer and the
// move of the label.
func TestProof(t *testing.T) {
	rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := subject(w)
		return s
	})
}

// chooser is a provider that takes a key which is made here.
type chooser struct{ apikeytest.Provider }

func (chooser) Roll(_ context.Context, account apikey.Account) (rotation.Value, error) {
	return account.Secret.With(apikey.KeyValue, rand.Text()), nil
}

func (c chooser) Register(_ context.Context, _ apikey.Account, value rotation.Value) error {
	return c.Process.Send("Register", rotation.Errorf(rotation.CodeDisconnected, "the connection broke"), func() error {
		key, _ := value.Get(apikey.KeyValue)
		c.Ledger.Replace(apikey.ID(value), key.Reveal())
		return nil
	})
}

func chosen(w *rotationtest.World) rotationtest.Subject {
	s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider { return chooser{p} })
	return s
}

// K0, K1, C11, C18: the same of a key that is made here.
func TestProofOfChosen(t *testing.T) { rotationtest.Prove(t, chosen) }

// K0: a key that is made here is stored before AWSCURRENT's ends, so a rotation that
// is killed goes on with the same key.
func TestChosenIsStoredFirst(t *testing.T) {
	w := rotationtest.NewWorld(t, chosen)
	calls := func() []string { return w.Outside.Calls() }
	if err := w.Rotate(requested(t, w), 1); err != nil {
		t.Fatal(err)
	}
	put, register := slices.Index(calls(), "PutSecretValue"), slices.Index(calls(), "Register")
	if put < 0 || register < put {
		t.Errorf("PutSecretValue is call %d and Register call %d", put, register)
	}
}

// C19: a delivery that stood still before it put the key in place does not do so when
// a later rotation has.
func TestChosenComesLate(t *testing.T) {
	w := rotationtest.NewWorld(t, chosen)
	token := requested(t, w)
	w.Outside.Plan(registering(t), rotationtest.Freeze)
	late := w.Outside.Process()
	handler, err := w.Handler(late)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := handler.Handle(t.Context(), fmt.Appendf(nil, `{"Step":"createSecret","SecretId":%q,"ClientRequestToken":%q}`, w.Secret, token))
		ended <- err
	}()
	for !late.Frozen() {
		runtime.Gosched()
	}
	w.Outside.Plan(0, rotationtest.None)
	if err := w.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	w.Pass(24 * time.Hour)
	if err := w.Rotate(requested(t, w), 1); err != nil {
		t.Fatal(err)
	}
	late.Thaw()
	if err := <-ended; err == nil {
		t.Error("the late delivery claims success")
	}
	if err := w.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

// registering returns which call of createSecret is the last before the key is put in
// place.
func registering(t *testing.T) int {
	t.Helper()
	w := rotationtest.NewWorld(t, chosen)
	token := requested(t, w)
	w.Outside.Plan(0, rotationtest.None)
	if err := w.Deliver(w.Outside.Process(), token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	n := slices.Index(w.Outside.Calls(), "Register")
	if n < 1 {
		t.Fatal("createSecret does not put the key in place")
	}
	return n
}
