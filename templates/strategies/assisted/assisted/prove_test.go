package assisted_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/assisted"
)

// provider revokes a key with nothing but itself. What a key may do stands in the
// secret.
type provider struct{ apikeytest.Provider }

func (provider) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry, "scopes"}
}

func (p provider) Verify(ctx context.Context, value rotation.Value) ([]string, error) {
	_, err := p.Provider.Verify(ctx, value)
	scopes, ok := value.Get("scopes")
	if !ok || scopes.IsZero() {
		return []string{"read", "write"}, err
	}
	return strings.Split(scopes.Reveal(), ","), err
}

func (p provider) Revoke(ctx context.Context, account apikey.Account) error {
	return p.Provider.Revoke(ctx, account, apikey.ID(account.Secret))
}

// bench is a world with a person in it, who supplies keys.
type bench struct {
	*rotationtest.World
	ledger *apikeytest.Ledger
}

func newBench(t testing.TB) bench {
	t.Helper()
	var b bench
	b.World = rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, b.ledger = subject(w)
		s.Before = nil
		return s
	})
	return b
}

func subject(w *rotationtest.World) (rotationtest.Subject, *apikeytest.Ledger) {
	admin := w.Seed("admin", `{"api_key":"`+apikeytest.AdminKey+`"}`)
	ledger := apikeytest.NewLedger(w)
	initial := `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `","admin_arn":"` + admin + `"}`
	s := ledger.Subject(initial, func(p *rotationtest.Process) (rotation.Strategy, error) {
		return assisted.New(provider{apikeytest.Provider{Ledger: ledger, Process: p}}), nil
	})
	s.Before = func() error { return supply(w, ledger) }
	return s, ledger
}

// supply is what a person does who finds that a key is wanted: makes one and puts
// it as a version of its own. A supply that nobody has taken yet will do.
func supply(w *rotationtest.World, ledger *apikeytest.Ledger) error {
	if value, err := w.Value(assisted.LabelSupplied); err == nil {
		if current, err := w.Value(rotation.StageCurrent); err != nil || apikey.ID(value) != apikey.ID(current) {
			return err
		}
	}
	key, _ := ledger.Create("made by hand", "")
	current, err := w.Value(rotation.StageCurrent)
	if err != nil {
		return err
	}
	return put(w, current.With(apikey.KeyID, key.ID).With(apikey.KeyValue, key.Secret))
}

func put(w *rotationtest.World, value rotation.Value) error {
	_, err := w.Store.PutSecretValue(context.Background(), &secretsmanager.PutSecretValueInput{
		SecretId: &w.Secret, ClientRequestToken: aws.String(w.Token()),
		SecretString: aws.String(value.Text().Reveal()), VersionStages: []string{assisted.LabelSupplied},
	})
	return err
}

// K4, K5, K7, C11, C18: whatever fails, AWSCURRENT works, the supplied key is
// taken once, and in the end no key is alive but AWSCURRENT's and AWSPREVIOUS's.
func TestProof(t *testing.T) {
	rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := subject(w)
		return s
	})
}

// K7: a key that will not do is refused with the reason, before it is anybody's,
// and leaves nothing behind that would keep the next one from coming.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		supply func(b bench) map[string]string
		want   rotation.Code
	}{
		"none":        {nil, rotation.CodeAwaitingOperator},
		"a wrong key": {func(bench) map[string]string { return map[string]string{apikey.KeyValue: "wrong-key"} }, rotation.CodeAuthRejected},
		"the old key": {func(bench) map[string]string { return map[string]string{apikey.KeyValue: apikeytest.FirstKey} }, rotation.CodeSameValue},
		"one that ends": {func(b bench) map[string]string {
			return b.made(map[string]string{apikey.KeyExpiry: "2026-01-01T12:00:00Z"})
		}, rotation.CodeExpired},
		"too little": {func(b bench) map[string]string { return b.made(map[string]string{"scopes": "read"}) }, rotation.CodeScopes},
		"enough":     {func(b bench) map[string]string { return b.made(nil) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if test.supply != nil {
				if err := put(b.World, b.value(t, test.supply(b))); err != nil {
					t.Fatal(err)
				}
			}
			token := b.Token()
			if err := b.Request(token); err != nil {
				t.Fatal(err)
			}
			err := b.Rotate(token, 1)
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v, want the code %q", err, test.want)
			}
			if err := errors.Join(b.CurrentWorks(), b.Silent(err)); err != nil {
				t.Error(err)
			}
			if holder := b.Holder(rotation.StagePending); holder != "" {
				t.Errorf("AWSPENDING is left on %s", holder)
			}
			if supplied := b.Holder(assisted.LabelSupplied); test.want == "" && supplied != "" {
				t.Error("the supply is still there")
			}
			// Whatever it was, a good supply is taken afterwards.
			if err := put(b.World, b.value(t, b.made(nil))); err != nil {
				t.Fatal(err)
			}
			token = b.Token()
			if err := b.Request(token); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(b.Rotate(token, 1), b.Settled(token)); err != nil {
				t.Error(err)
			}
		})
	}
}

// made is a new key at the provider, as a person supplies it.
func (b bench) made(more map[string]string) map[string]string {
	key, _ := b.ledger.Create("made by hand", "")
	supply := map[string]string{apikey.KeyID: key.ID, apikey.KeyValue: key.Secret}
	maps.Copy(supply, more)
	return supply
}

func (b bench) value(t *testing.T, keys map[string]string) rotation.Value {
	t.Helper()
	value, err := rotation.ParseValue(rotation.NewSensitive("{}"))
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range keys {
		value = value.With(key, text)
	}
	return value
}

// C5: of what is supplied only the key counts.
func TestOnlyTheKeyCounts(t *testing.T) {
	b := newBench(t)
	if err := put(b.World, b.value(t, b.made(map[string]string{"admin_arn": "arn:aws:elsewhere", "zone": "us"}))); err != nil {
		t.Fatal(err)
	}
	before, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	token := b.Token()
	if err := errors.Join(b.Request(token), b.Rotate(token, 1)); err != nil {
		t.Fatal(err)
	}
	after, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	if diff := after.Differences(before, apikey.KeyID, apikey.KeyValue); len(diff) > 0 {
		t.Errorf("the secret differs in %q", diff)
	}
}
