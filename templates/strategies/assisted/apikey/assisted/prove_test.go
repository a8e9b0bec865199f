package assisted_test

import (
	"context"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted/assistedtest"
)

// revoker is a provider that revokes a key with nothing but itself.
type revoker struct{ apikeytest.Provider }

func (p revoker) Revoke(ctx context.Context, account apikey.Account) error {
	return p.Provider.Revoke(ctx, account, apikey.ID(account.Secret))
}

// plain is a provider that only a person can have a key revoked at.
type plain struct{ apikey.Verifier }

func subject(w *rotationtest.World, as func(apikeytest.Provider) assisted.Provider) (rotationtest.Subject, *apikeytest.Ledger) {
	admin := w.Seed("admin", `{"api_key":"`+apikeytest.AdminKey+`"}`)
	ledger := apikeytest.NewLedger(w)
	initial := `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `","admin_arn":"` + admin + `","zone":"eu"}`
	s := ledger.Subject(initial, func(p *rotationtest.Process) (rotation.Strategy, error) {
		return assisted.New(as(apikeytest.Provider{Ledger: ledger, Process: p})), nil
	})
	return s, ledger
}

func asRevoker(p apikeytest.Provider) assisted.Provider { return revoker{p} }
func asPlain(p apikeytest.Provider) assisted.Provider   { return plain{p} }

// K4, K5, K7, K8, C11, C18: after each fault, AWSCURRENT works, the supplied key
// is taken once, and in the end no key is alive but AWSCURRENT's and
// AWSPREVIOUS's.
func TestProof(t *testing.T) {
	rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
		s, ledger := subject(w, asRevoker)
		s.Before = func() error { return assistedtest.Supply(w, ledger) }
		return s
	})
}
