package main

import (
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/keys/apikey"
	"example.com/keys/apikeytest"
	"example.com/keys/custom"
	"example.com/keys/customtest"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
	"example.com/keys/rotationtest"
)

var wire = apikeytest.Wire{
	Server: customtest.Server,
	Strategy: func(client httpapi.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(custom.New(client), overlap.Config{})
	},
}

// TestProvider holds each function to what it promises, and then rotates.
func TestProvider(t *testing.T) {
	t.Run("Verify", testVerify)
	t.Run("List", testList)
	t.Run("Create", testCreate)
	t.Run("Revoke", testRevoke)
	if t.Failed() {
		return // a rotation would only say so again
	}
	t.Run("Proof", wire.Prove)     // K1, K2, K3, K4
	t.Run("Answers", wire.Answers) // C7, K7
	t.Run("Lag", func(t *testing.T) {
		wire := wire
		wire.Ledger = func(l *apikeytest.Ledger) { l.Lag = 20 * time.Second } // K7
		wire.Rotate(t, 3)
	})
}

func testVerify(t *testing.T) {
	p, account, _ := newProvider(t)
	if _, err := p.Verify(t.Context(), account.Secret); err != nil {
		t.Errorf("a key that works: %v", err)
	}
	_, err := p.Verify(t.Context(), account.Secret.With(apikey.KeyValue, "nobody's"))
	if got := rotation.CodeOf(err); got != rotation.CodeAuthRejected {
		t.Errorf("a key that is unknown: %v, want the code %s", err, rotation.CodeAuthRejected)
	}
}

func testList(t *testing.T) {
	p, account, ledger := newProvider(t)
	for range 5 {
		ledger.Create("more", "")
	}
	var want []apikey.Key
	for _, key := range ledger.Keys() {
		want = append(want, apikey.Key{ID: key.ID, Label: key.Label, Created: key.Created})
	}
	got, err := p.List(t.Context(), account)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("%v, want %v", got, want)
	}
}

func same(a, b apikey.Key) bool {
	return a.ID == b.ID && a.Label == b.Label && a.Created.Equal(b.Created)
}

func testCreate(t *testing.T) {
	p, account, ledger := newProvider(t)
	made, err := p.Create(t.Context(), account, apikey.Name{Label: "rotation-of-a-test", Once: "rotation-of-a-test"})
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := made.Get(apikey.KeyValue)
	key, ok := ledger.Accepts(secret.Reveal())
	if !ok || key.ID != apikey.ID(made) || key.Label != "rotation-of-a-test" {
		t.Errorf("the secret does not say which key was made: %q, called %q", apikey.ID(made), key.Label)
	}
	if differs := made.Differences(account.Secret, p.Credential()...); len(differs) > 0 {
		t.Errorf("the secret differs in %q, which Credential does not name", differs)
	}
}

func testRevoke(t *testing.T) {
	p, account, ledger := newProvider(t)
	key, _ := ledger.Create("to be revoked", "")
	for range 2 { // the second time it is gone, which is no error
		if err := p.Revoke(t.Context(), account, key.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := ledger.Accepts(key.Secret); ok {
		t.Error("the key is alive")
	}
}

// newProvider returns the provider before its server, which knows the account's
// key and the admin's.
func newProvider(t *testing.T) (*custom.Provider, apikey.Account, *apikeytest.Ledger) {
	t.Helper()
	w := rotationtest.NewWorld(t, func(*rotationtest.World) rotationtest.Subject { return rotationtest.Subject{Initial: "{}"} })
	ledger := apikeytest.NewLedger(w)
	value := func(text string) rotation.Value {
		v, err := rotation.ParseValue(rotation.NewSensitive(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	account := apikey.Account{
		Secret: value(`{"key_id":"first","api_key":"` + apikeytest.FirstKey + `"}`),
		Admin:  value(`{"api_key":"` + apikeytest.AdminKey + `"}`),
	}
	return custom.New(httpapi.Client{Transport: apikeytest.Direct(customtest.Server(ledger)), Sleep: w.Pause}), account, ledger
}
