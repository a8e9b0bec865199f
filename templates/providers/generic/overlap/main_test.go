package main

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic/generictest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func wire(d generic.Description) apikeytest.Wire {
	codes := make(map[int]rotation.Code)
	for status, code := range d.Create.Codes {
		n, _ := strconv.Atoi(status)
		codes[n] = code
	}
	return apikeytest.Wire{
		Server: func(l *apikeytest.Ledger) http.Handler { return generictest.Server(d, l) },
		Strategy: func(client apihttp.Client, now func() time.Time) rotation.Strategy {
			return overlap.New(generic.New(client, d, now), overlap.Config{})
		},
		Ledger: func(l *apikeytest.Ledger) { l.Replays = d.Create.Once != "" },
		Codes:  codes,
	}
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) {
	generictest.Each(t, func(t *testing.T, d generic.Description) { wire(d).Prove(t) })
}

// C7, K7: each answer of the API has its code.
func TestAnswers(t *testing.T) {
	generictest.Each(t, func(t *testing.T, d generic.Description) { wire(d).Answers(t) })
}

// K3, K7: at the API's limit the previous key makes room, and a key that works only
// after a while is waited for.
func TestLimits(t *testing.T) {
	generictest.Each(t, func(t *testing.T, d generic.Description) {
		w := wire(d)
		w.Ledger = func(l *apikeytest.Ledger) { l.Room, l.Lag = 2, 20*time.Second }
		w.Rotate(t, 10)
	})
}
