package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic/generictest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

func wire(d generic.Description) apikeytest.Wire {
	return apikeytest.Wire{
		Server: func(l *apikeytest.Ledger) http.Handler { return generictest.Server(d, l) },
		Strategy: func(client apihttp.Client, now func() time.Time) rotation.Strategy {
			return roll.New(generic.New(client, d, now))
		},
	}
}

// K1, C11, C18: over the wire, too, a rotation that is killed is completed by the
// next try.
func TestProof(t *testing.T) {
	generictest.Each(t, func(t *testing.T, d generic.Description) {
		rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
			s, _ := wire(d).Subject(w, nil)
			return apikeytest.Single(s)
		})
	})
}
