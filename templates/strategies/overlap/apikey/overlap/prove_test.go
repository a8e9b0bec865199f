package overlap_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// kind is what is special about a provider.
type kind struct {
	ledger func(*apikeytest.Ledger)
	as     func(apikeytest.Provider) overlap.Provider
}

// The kinds of provider that there are.
var kinds = map[string]kind{
	"as many keys as one likes":    {plain, labelled},
	"idempotency keys, three keys": {func(l *apikeytest.Ledger) { l.Replays, l.Room = true, 3 }, labelled},
	"keys without a label":         {two, func(p apikeytest.Provider) overlap.Provider { return unlabelled{p} }},
	"keys that are made here":      {plain, func(p apikeytest.Provider) overlap.Provider { return chooser{p} }},
}

func plain(*apikeytest.Ledger)                        {}
func two(l *apikeytest.Ledger)                        { l.Room = 2 }
func labelled(p apikeytest.Provider) overlap.Provider { return p }

// unlabelled is a provider that does not know what its keys are called.
type unlabelled struct{ apikeytest.Provider }

func (unlabelled) Unlabelled() bool { return true }

func (u unlabelled) List(ctx context.Context, account apikey.Account) ([]apikey.Key, error) {
	keys, err := u.Provider.List(ctx, account)
	for i := range keys {
		keys[i].Label = ""
	}
	return keys, err
}

// chooser is a provider that takes keys which are made here.
type chooser struct{ apikeytest.Provider }

func (chooser) Create(_ context.Context, account apikey.Account, _ apikey.Name) (rotation.Value, error) {
	text := rand.Text()
	return account.Secret.With(apikey.KeyID, "print of "+text).With(apikey.KeyValue, "key-sentinel-"+text), nil
}

func (c chooser) Register(_ context.Context, _ apikey.Account, value rotation.Value, label string) error {
	return c.Process.Send("Register", rotation.Errorf(rotation.CodeDisconnected, "the connection broke"), func() error {
		key, _ := value.Get(apikey.KeyValue)
		c.Ledger.Register(apikey.ID(value), key.Reveal(), label)
		return nil
	})
}

func subject(w *rotationtest.World, k kind, config overlap.Config) (rotationtest.Subject, *apikeytest.Ledger) {
	admin := w.Seed("admin", `{"api_key":"`+apikeytest.AdminKey+`"}`)
	ledger := apikeytest.NewLedger(w)
	k.ledger(ledger)
	initial := `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `","admin_arn":"` + admin + `","zone":"eu"}`
	return ledger.Subject(initial, func(p *rotationtest.Process) (rotation.Strategy, error) {
		return overlap.New(k.as(apikeytest.Provider{Ledger: ledger, Process: p}), config), nil
	}), ledger
}

// K0, K1, K2, K3, K4, K6, K8, C11, C18: after each fault, AWSCURRENT works, and in the
// end no key is alive but AWSCURRENT's, AWSPREVIOUS's and foreign ones.
func TestProof(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subject(w, kind, overlap.Config{})
				return s
			})
		})
	}
}
