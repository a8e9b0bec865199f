package overlap_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// C25: without room, the rotation goes through once a key that no one uses is gone.
func TestAdviceOnQuota(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	unused, ok := b.ledger.Create("made by hand", "")
	if !ok {
		t.Fatal("the provider has no room for a second key")
	}
	token := b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeQuota)
	b.ledger.Lose(unused.ID)
	if err := b.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	b.wantAlive("first", apikey.ID(b.current()))
}

// C25: where AWSCURRENT's key was replaced by hand, rotations go on from the one that
// replaced it, once it is in the secret and the rotation under way is given up. No version
// with a label names the first key any more: where there is no room, a person revokes it.
func TestAdviceOnAReplacedKey(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	b.rotate()
	key, _ := b.ledger.Roll(apikey.ID(b.current()))
	token := b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeAuthRejected)
	if err := b.GiveUp(token); err != nil {
		t.Fatal(err)
	}
	b.put(func(v rotation.Value) rotation.Value { return v.With(apikey.KeyValue, key.Secret) })
	token = b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeQuota)
	b.ledger.Lose("first")
	if err := b.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

// C25: where AWSCURRENT's key was revoked and there is room, a rotation makes another.
func TestAdviceOnARevokedKey(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	b.rotate()
	b.ledger.Lose(apikey.ID(b.current()))
	b.rotate()
	if err := b.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

// C25: once the provider or the way to it is as it should be, and the admin may do what
// a rotation needs, the same rotation goes through.
func TestAdviceOnTheProvider(t *testing.T) {
	for _, code := range []rotation.Code{
		rotation.CodeUnreachable, rotation.CodeNoAnswer, rotation.CodeDisconnected, rotation.CodeTLS,
		rotation.CodeCertAuthority, rotation.CodeCertName, rotation.CodeCertExpired,
		rotation.CodePermission, rotation.CodePolicy, rotation.CodeThrottled, rotation.CodeBadAnswer, rotation.CodeServer,
	} {
		refusal := rotation.Errorf(code, "refused")
		b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return refusing{p, &refusal} }}, overlap.Config{})
		token := b.requested()
		wantCode(t, b.Rotate(token, 1), code)
		refusal = nil
		if err := errors.Join(b.Rotate(token, 1), b.Settled(token), b.Tidy()); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}

// refusing is a provider that makes no key while there is a refusal.
type refusing struct {
	apikeytest.Provider
	refusal **rotation.Error
}

func (r refusing) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	if *r.refusal != nil {
		return rotation.Value{}, *r.refusal
	}
	return r.Provider.Create(ctx, account, name)
}

// C25: a new key of the admin's in the admin secret is all that a refused one needs.
func TestAdviceOnTheAdmin(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	admin := func(key string) {
		if _, err := b.Store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: new("admin"), ClientRequestToken: new(b.Token()), SecretString: new(`{"api_key":"` + key + `"}`),
		}); err != nil {
			t.Fatal(err)
		}
	}
	admin("revoked")
	token := b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeAuthRejected)
	admin(apikeytest.AdminKey)
	if err := errors.Join(b.Rotate(token, 1), b.Settled(token)); err != nil {
		t.Error(err)
	}
}

// C25: where AWSPENDING's key was revoked, the rotation is given up by itself and another
// makes a key.
func TestAdviceOnNotFound(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	token := b.requested()
	if err := b.deliver(token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	b.ledger.Lose("key1")
	wantCode(t, b.Rotate(token, 1), rotation.CodeNotFound)
	b.rotate()
	b.wantAlive("first", "key2")
}

// C25: a key_id that names another key is corrected while no rotation is under way, and
// the next one goes through.
func TestAdviceOnIdentity(t *testing.T) {
	b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return knowing{p} }}, overlap.Config{})
	name := func(id string) {
		b.put(func(v rotation.Value) rotation.Value { return v.With(apikey.KeyID, id) })
	}
	name("foreign")
	token := b.requested()
	wantCode(t, b.Rotate(token, 1), rotation.CodeIdentity)
	if err := b.GiveUp(token); err != nil {
		t.Fatal(err)
	}
	name("first")
	b.rotate()
	if err := b.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

// knowing is a provider that says which key it was called with.
type knowing struct{ apikeytest.Provider }

func (k knowing) Verify(ctx context.Context, value rotation.Value) ([]string, error) {
	key, _ := value.Get(apikey.KeyValue)
	if found, ok := k.Ledger.Accepts(key.Reveal()); ok && found.ID != apikey.ID(value) {
		return nil, rotation.Errorf(rotation.CodeIdentity, "the key is not the one that %q names", apikey.KeyID)
	}
	_, err := k.Provider.Verify(ctx, value)
	return []string{"everything"}, err
}

// C25: a key that ends too soon, or may do too little, is given up. Once new keys live
// longer and the admin may pass the rights on, the next rotation goes through.
func TestAdviceOnWorthLess(t *testing.T) {
	for code, test := range map[rotation.Code]scoped{
		rotation.CodeExpired: {scopes: []string{"write", "read"}, expiry: "2026-01-02T12:00:00Z"},
		rotation.CodeScopes:  {scopes: []string{"read"}},
	} {
		keys := test
		b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider {
			keys.Provider = p
			return keys
		}}, overlap.Config{})
		wantCode(t, b.Rotate(b.requested(), 1), code)
		keys.scopes, keys.expiry = []string{"write", "read"}, ""
		b.rotate()
		if err := errors.Join(b.CurrentWorks(), b.Tidy()); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}

// C25: once the admin may revoke, the next rotation revokes what is left, and says no more
// that something is.
func TestAdviceOnUnrevoked(t *testing.T) {
	refuses := true
	b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return stubborn{p, &refuses} }}, overlap.Config{})
	told := func() int { return strings.Count(b.Output(), `"code":"`+string(rotation.CodeUnrevoked)+`"`) }
	b.rotate()
	b.rotate()
	before := told()
	refuses = false
	b.rotate()
	if before == 0 || told() != before {
		t.Errorf("told %d times that a key is alive, and %d times in the end", before, told())
	}
	b.wantAlive("key2", "key3")
}

func (b *bench) current() rotation.Value {
	b.t.Helper()
	current, err := b.Value(rotation.StageCurrent)
	if err != nil {
		b.t.Fatal(err)
	}
	return current
}
