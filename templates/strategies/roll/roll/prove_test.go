package roll_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/roll"
)

func subject(w *rotationtest.World) (rotationtest.Subject, *apikeytest.Ledger) {
	admin := w.Seed("admin", `{"api_key":"`+apikeytest.AdminKey+`"}`)
	ledger := apikeytest.NewLedger(w)
	initial := `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `","admin_arn":"` + admin + `"}`
	s := ledger.Subject(initial, func(p *rotationtest.Process) (rotation.Strategy, error) {
		return roll.New(apikeytest.Provider{Ledger: ledger, Process: p}), nil
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
