// Package assistedtest is the person in a rotation of keys that no API makes: who
// makes them, supplies them, and has every one refused that will not do.
package assistedtest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
)

// Supply is what a person does who finds that a key is wanted: makes one and
// supplies it. A supply that no one has taken yet will do.
func Supply(w *rotationtest.World, ledger *apikeytest.Ledger) error {
	current, err := w.Value(rotation.StageCurrent)
	if err != nil {
		return err
	}
	if supply, err := w.Value(assisted.LabelSupplied); err == nil && apikey.ID(supply) != apikey.ID(current) {
		return nil
	}
	key, _ := ledger.Create("made by hand", "")
	return Put(w, key.ID, key.Secret)
}

// Put stores a supply as make supply does.
func Put(w *rotationtest.World, id, secret string) error {
	value, err := json.Marshal(map[string]string{assisted.KeySupplied: "true", apikey.KeyID: id, apikey.KeyValue: secret})
	if err != nil {
		return err
	}
	_, err = w.Store.PutSecretValue(context.Background(), &secretsmanager.PutSecretValueInput{
		SecretId: &w.Secret, ClientRequestToken: aws.String(w.Token()),
		SecretString: aws.String(string(value)), VersionStages: []string{assisted.LabelSupplied},
	})
	return err
}

// Refuses supplies a key of that label to a secret that is rotated every 30 days
// and holds the rotation to refusing it with a code: nothing has moved, no key has
// ended, and a good key is taken right afterwards.
func Refuses(t *testing.T, wire apikeytest.Wire, label string, want rotation.Code) {
	t.Helper()
	w, ledger := scheduled(t, wire)
	made(t, w, ledger, label)
	before, alive := w.Holder(rotation.StageCurrent), len(ledger.Keys())
	err := Rotate(w)
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("a key %q: %v, want the code %s", label, err, want)
	}
	if w.Holder(rotation.StageCurrent) != before || w.Store.InFlight(w.Secret) != "" || len(ledger.Keys()) != alive {
		t.Errorf("a key %q has changed something", label)
	}
	if err := w.Silent(err); err != nil {
		t.Error(err)
	}
	made(t, w, ledger, "made by hand")
	if err := Rotate(w); err != nil {
		t.Errorf("a good key after that: %v", err)
	}
}

// Takes supplies a key of that label and holds the rotation to taking it, with what
// the secret has to say then.
func Takes(t *testing.T, wire apikeytest.Wire, label string, want map[string]string) {
	t.Helper()
	w, ledger := scheduled(t, wire)
	made(t, w, ledger, label)
	if err := Rotate(w); err != nil {
		t.Fatalf("a key %q: %v", label, err)
	}
	value, err := w.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range want {
		if got, _ := value.Get(key); got.Reveal() != text {
			t.Errorf("a key %q: %s is not %q", label, key, text)
		}
	}
}

// scheduled is a world whose secret is rotated every 30 days, the next time in
// five, and whose person does nothing unasked.
func scheduled(t *testing.T, wire apikeytest.Wire) (*rotationtest.World, *apikeytest.Ledger) {
	t.Helper()
	var ledger *apikeytest.Ledger
	wire.Before = nil
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, ledger = wire.Subject(w, nil)
		return s
	})
	token := w.Token()
	_, err := w.Store.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: &w.Secret, ClientRequestToken: &token, RotateImmediately: aws.Bool(false),
		RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:rotator"),
		RotationRules:     &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	if err := errors.Join(err, w.GiveUp(token)); err != nil { // the service's own test of it is over
		t.Fatal(err)
	}
	w.Pass(25 * 24 * time.Hour)
	return w, ledger
}

// made makes a key and supplies it.
func made(t *testing.T, w *rotationtest.World, ledger *apikeytest.Ledger, label string) {
	t.Helper()
	key, _ := ledger.Create(label, "")
	if err := Put(w, key.ID, key.Secret); err != nil {
		t.Fatal(err)
	}
}

// Rotate asks for a rotation and lets it run once.
func Rotate(w *rotationtest.World) error {
	token := w.Token()
	if err := w.Request(token); err != nil {
		return err
	}
	return w.Rotate(token, 1)
}
