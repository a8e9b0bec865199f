package twouser_test

import (
	"errors"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/twouser"
)

// C20: applications may hold every connection of both users. A refusal
// that only the right password gets proves it, and the administrator compares the two.
func TestUserLimit(t *testing.T) {
	for name, config := range modes {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, config, 2)
			for _, user := range []string{userA, userB} {
				r.server.Limit(user, databasetest.Limits{Connections: 5}, 5)
			}
			r.must(r.Rotate(r.token, 1))
			r.must(r.Settled(r.token))
		})
	}
}

// C20, T3: without a session of the new user a difference between the two is seen
// all the same.
func TestUserLimitAndParity(t *testing.T) {
	r := newRig(t, preprovisioned, 0)
	r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
	r.server.Grant(userA, "a right more")
	r.server.Limit(userB, databasetest.Limits{Connections: 1}, 1)
	if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != rotation.CodeParity {
		t.Errorf("ended with code %q, want %q", got, rotation.CodeParity)
	}
	r.wantUsers(userA, userB)
}

// C20: a server that locks a user at the first wrong password gets none.
func TestNoWrongPassword(t *testing.T) {
	r := newRig(t, preprovisioned, 2)
	for _, user := range []string{userA, userB} {
		r.server.Limit(user, databasetest.Limits{WrongPasswords: 1}, 0)
	}
	r.server.Logins()
	r.must(r.deliver(rotationtest.Steps...))
	for _, login := range r.server.Logins() {
		if !login.OK {
			t.Errorf("a log-in of %s was refused", login.User)
		}
	}
	r.must(r.CurrentWorks())
}

// C7, C25: an expired user is not taken for a wrong password, which ALLOW_RECOVERY
// could mend. Once its date is put right, the same rotation goes through.
func TestExpired(t *testing.T) {
	for _, recovery := range []bool{false, true} {
		b := newBench(t, twouser.Config{Secrets: secrets, AllowRecovery: recovery})
		token := b.Token()
		if err := b.Request(token); err != nil {
			t.Fatal(err)
		}
		b.server.Bar(userA, rotation.Errorf(rotation.CodeExpired, "past its date"))
		if err := b.Rotate(token, 1); rotation.CodeOf(err) != rotation.CodeExpired {
			t.Errorf("got %v, want %s", err, rotation.CodeExpired)
		}
		b.server.Bar(userA, nil)
		if err := errors.Join(b.Rotate(token, 1), b.Settled(token)); err != nil {
			t.Error(err)
		}
	}
}
