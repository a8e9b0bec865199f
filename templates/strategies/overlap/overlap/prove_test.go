package overlap_test

import (
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/overlap"
)

// The kinds of provider that there are.
var kinds = map[string]func(*apikeytest.Ledger){
	"as many keys as one likes":    func(*apikeytest.Ledger) {},
	"two keys":                     func(l *apikeytest.Ledger) { l.Room = 2 },
	"keys that are known late":     func(l *apikeytest.Ledger) { l.Lag = 20 * time.Second },
	"idempotency keys":             func(l *apikeytest.Ledger) { l.Replays = true },
	"idempotency keys, three keys": func(l *apikeytest.Ledger) { l.Replays, l.Room = true, 3 },
}

func subject(w *rotationtest.World, kind func(*apikeytest.Ledger), as func(apikeytest.Provider) overlap.Provider) (rotationtest.Subject, *apikeytest.Ledger) {
	admin := w.Seed("admin", `{"api_key":"`+apikeytest.AdminKey+`"}`)
	ledger := apikeytest.NewLedger(w)
	kind(ledger)
	initial := `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `","admin_arn":"` + admin + `","zone":"eu"}`
	return ledger.Subject(initial, func(p *rotationtest.Process) (rotation.Strategy, error) {
		return overlap.New(as(apikeytest.Provider{Ledger: ledger, Process: p}), overlap.Config{}), nil
	}), ledger
}

func plain(p apikeytest.Provider) overlap.Provider { return p }

// K1, K2, K3, K4, K6, C11, C18: whatever fails, AWSCURRENT works, and in the end
// no key is alive but AWSCURRENT's, AWSPREVIOUS's and foreign ones.
func TestProof(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subject(w, kind, plain)
				return s
			})
		})
	}
}
