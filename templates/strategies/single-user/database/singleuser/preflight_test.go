package singleuser_test

import (
	"encoding/json"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// asked is a target whose sessions know two passwords, and that wants them or not.
type asked struct {
	wire
	wants bool
}

func (a asked) Overlaps(bool) bool { return a.wants }

// C16, S6: a preflight asks whether both passwords can log in where the function counts
// on it, and nowhere else.
func TestPreflightAsksForTwoPasswords(t *testing.T) {
	for _, wants := range []bool{true, false} {
		r := newTwoRig(t, self, twoPasswords{})
		r.Strategy = func(p *rotationtest.Process) (rotation.Strategy, error) {
			return singleuser.New(asked{wire{target{r.server.Target(p)}, r}, wants}, self)
		}
		handler, err := r.Handler(r.Outside.Process())
		r.must(err)
		answer, err := handler.Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+r.Secret+`"}`))
		r.must(err)
		asks := false
		for _, check := range answer.(rotation.Preflight).Checks {
			asks = asks || check.Name == "both passwords can log in during a rotation"
		}
		if asks != wants {
			t.Errorf("counts on two: %t, asks for two: %t", wants, asks)
		}
	}
}
