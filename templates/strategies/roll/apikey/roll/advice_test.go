package roll_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

// C25: once the provider or the way to it is as it should be, and the admin may do what
// a rotation needs, the same rotation goes through.
func TestAdviceOnTheProvider(t *testing.T) {
	for _, code := range []rotation.Code{
		rotation.CodeUnreachable, rotation.CodeNoAnswer, rotation.CodeDisconnected, rotation.CodeTLS,
		rotation.CodeCertAuthority, rotation.CodeCertName, rotation.CodeCertExpired,
		rotation.CodePermission, rotation.CodePolicy, rotation.CodeThrottled, rotation.CodeBadAnswer, rotation.CodeServer,
	} {
		refusal := rotation.Errorf(code, "refused")
		w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
			s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider { return refusing{p, &refusal} })
			return s
		})
		token := requested(t, w)
		if got := rotation.CodeOf(w.Rotate(token, 1)); got != code {
			t.Errorf("got the code %q, want %q", got, code)
		}
		refusal = nil
		if err := errors.Join(w.CurrentWorks(), w.Rotate(token, 1), w.Settled(token)); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}

// refusing is a provider that replaces no key while there is a refusal.
type refusing struct {
	apikeytest.Provider
	refusal **rotation.Error
}

func (r refusing) Roll(ctx context.Context, account apikey.Account) (rotation.Value, error) {
	if *r.refusal != nil {
		return rotation.Value{}, *r.refusal
	}
	return r.Provider.Roll(ctx, account)
}

// C25: a new key of the admin's in the admin secret is all that a refused one needs. A
// refused key of AWSCURRENT's is replaced by the next rotation.
func TestAdviceOnARefusedKey(t *testing.T) {
	w, ledger := newWorld(t, func(*rotationtest.Subject, *apikeytest.Ledger) {})
	admin := func(key string) {
		if _, err := w.Store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: new("admin"), ClientRequestToken: new(w.Token()), SecretString: new(`{"api_key":"` + key + `"}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	admin("revoked")
	token := requested(t, w)
	if got := rotation.CodeOf(w.Rotate(token, 1)); got != rotation.CodeAuthRejected {
		t.Errorf("got the code %q, want %q", got, rotation.CodeAuthRejected)
	}
	admin(apikeytest.AdminKey)
	if err := errors.Join(w.Rotate(token, 1), w.Settled(token)); err != nil {
		t.Error(err)
	}

	ledger.Roll("first")
	if w.CurrentWorks() == nil {
		t.Fatal("AWSCURRENT's key works although a person replaced it")
	}
	w.Pass(24 * time.Hour)
	token = requested(t, w)
	if err := errors.Join(w.Rotate(token, 1), w.Settled(token)); err != nil {
		t.Error(err)
	}
}

// C25: a key_id that names no key, or another one, is corrected while no rotation is under
// way, and the next one goes through.
func TestAdviceOnTheID(t *testing.T) {
	for code, id := range map[rotation.Code]string{rotation.CodeNotFound: "none", rotation.CodeIdentity: "foreign"} {
		w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
			s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider { return knowing{p} })
			return s
		})
		name := func(id string) {
			current, err := w.Value(rotation.StageCurrent)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
				SecretId: &w.Secret, ClientRequestToken: new(w.Token()), SecretString: new(current.With(apikey.KeyID, id).Text().Reveal()),
			}); err != nil {
				t.Fatal(err)
			}
		}
		name(id)
		token := requested(t, w)
		if got := rotation.CodeOf(w.Rotate(token, 1)); got != code {
			t.Errorf("got the code %q, want %q", got, code)
		}
		if err := w.GiveUp(token); err != nil {
			t.Fatal(err)
		}
		name("first")
		token = requested(t, w)
		if err := errors.Join(w.Rotate(token, 1), w.Settled(token), w.CurrentWorks()); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}

// knowing is a provider that replaces a key only for a caller who knows whose it is.
type knowing struct{ apikeytest.Provider }

func (k knowing) Roll(ctx context.Context, account apikey.Account) (rotation.Value, error) {
	key, _ := account.Secret.Get(apikey.KeyValue)
	id := apikey.ID(account.Secret)
	if found, ok := k.Ledger.Accepts(key.Reveal()); ok && id == "foreign" && found.ID != id {
		return rotation.Value{}, rotation.Errorf(rotation.CodeIdentity, "the key is not the one that %q names", apikey.KeyID)
	}
	return k.Provider.Roll(ctx, account)
}

// C25: a key that ends too soon is told of, as AWSCURRENT. Once new keys live longer, the
// next rotation says no more of it.
func TestAdviceOnExpired(t *testing.T) {
	life := time.Hour
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider { return ending{p, w.Now().Add(life)} })
		return s
	})
	for told := 1; told >= 0; told-- {
		before := len(w.Output())
		w.Pass(24 * time.Hour)
		token := requested(t, w)
		if err := errors.Join(w.Rotate(token, 1), w.Settled(token)); err != nil {
			t.Error(err)
		}
		if said := strings.Contains(w.Output()[before:], `"code":"`+string(rotation.CodeExpired)+`"`); said != (told == 1) {
			t.Errorf("with keys that live for %s: told of it: %t", life, said)
		}
		life = 365 * 24 * time.Hour
	}
}
