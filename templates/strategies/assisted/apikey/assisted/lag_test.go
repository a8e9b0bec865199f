package assisted_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted/assistedtest"
)

// Reads of Secrets Manager are late, answers are lost and requests are sent twice:
// no key that is in use goes for it. (C22)
func TestLagging(t *testing.T) {
	rotationtest.ProveLagging(t, func(w *rotationtest.World) rotationtest.Subject {
		s, ledger := subject(w, asRevoker)
		s.Before = func() error { return assistedtest.Supply(w, ledger) }
		return s
	})
}
