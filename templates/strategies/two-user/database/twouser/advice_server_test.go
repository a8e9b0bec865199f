package twouser_test

import (
	"errors"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
)

// C25: a fault of the server, of the way to it or of an account leaves AWSCURRENT as
// it is, and once it is cured the same rotation goes through.
func TestAdviceOnTheServer(t *testing.T) {
	shut := func(code rotation.Code) func(*rig) func() {
		return func(r *rig) func() {
			r.login = func(database.Account, func() error) error { return rotation.Errorf(code, "no log-in") }
			return r.repair
		}
	}
	for code, begin := range map[rotation.Code]func(*rig) (cure func()){
		rotation.CodeBusy: func(r *rig) func() {
			other, err := r.server.Target(r.Outside.Process()).Open(t.Context(), database.Account{User: databasetest.Admin, Password: rotation.NewSensitive(adminPassword)})
			r.must(err)
			r.must(other.Claim(t.Context(), userA))
			return other.Close
		},
		rotation.CodeUserLimit: func(r *rig) func() {
			r.server.Limit(databasetest.Admin, databasetest.Limits{Connections: 1}, 1)
			return func() { r.server.Limit(databasetest.Admin, databasetest.Limits{Connections: 2}, 1) }
		},
		rotation.CodeNoAnswer:      shut(rotation.CodeNoAnswer),
		rotation.CodeDisconnected:  shut(rotation.CodeDisconnected),
		rotation.CodeCertAuthority: shut(rotation.CodeCertAuthority),
		rotation.CodeCertName:      shut(rotation.CodeCertName),
		rotation.CodeCertExpired:   shut(rotation.CodeCertExpired),
		rotation.CodeTLS:           shut(rotation.CodeTLS),
		rotation.CodeIdentity:      shut(rotation.CodeIdentity),
		rotation.CodeServer:        shut(rotation.CodeServer),
	} {
		t.Run(string(code), func(t *testing.T) {
			r := newRig(t, preprovisioned, 1)
			cure := begin(r)
			if got := rotation.CodeOf(r.deliver(rotationtest.Steps...)); got != code {
				t.Errorf("got code %q, want %q", got, code)
			}
			r.wantUsers(userB, userA)
			cure()
			r.must(r.Rotate(r.token, 1))
			r.must(r.Settled(r.token))
		})
	}
}

// C25: where AWSCURRENT's user has expired, the same rotation goes through once its date
// is put right.
func TestAdviceOnExpired(t *testing.T) {
	b := newBench(t, preprovisioned)
	token := b.Token()
	if err := b.Request(token); err != nil {
		t.Fatal(err)
	}
	b.server.Bar(userA, rotation.Errorf(rotation.CodeExpired, "past its date"))
	if got := rotation.CodeOf(b.Rotate(token, 1)); got != rotation.CodeExpired {
		t.Errorf("got code %q, want %q", got, rotation.CodeExpired)
	}
	b.server.Bar(userA, nil)
	if err := errors.Join(b.Rotate(token, 1), b.Settled(token)); err != nil {
		t.Error(err)
	}
}
