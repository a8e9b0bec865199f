package assisted_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/assisted"
)

// provider revokes a key with nothing but itself.
type provider struct{ apikeytest.Provider }

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
