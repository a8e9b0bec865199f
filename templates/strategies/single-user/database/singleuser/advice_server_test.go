package singleuser_test

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// C25: a fault of the server, of the way to it or of the user's account has changed
// nothing, and once it is cured the same rotation goes through.
func TestAdviceOnTheServer(t *testing.T) {
	shut := func(code rotation.Code) func(*rig) func() {
		return func(r *rig) func() {
			r.login = func(database.Account, func() error) error { return rotation.Errorf(code, "no log-in") }
			return func() { r.login = nil }
		}
	}
	open := func(r *rig) *databasetest.Session {
		other, err := r.server.Target(r.Outside.Process()).Open(t.Context(), account(databasetest.Admin, adminPassword))
		r.must(err)
		return other
	}
	for code, begin := range map[rotation.Code]func(*rig) (cure func()){
		rotation.CodeBusy: func(r *rig) func() {
			other := open(r)
			r.must(other.Claim(t.Context(), user))
			return other.Close
		},
		rotation.CodeServerFull: func(r *rig) func() {
			open(r)
			r.server.LimitAll(databasetest.Limits{Connections: 1})
			return func() { r.server.LimitAll(databasetest.Limits{Connections: 3}) }
		},
		rotation.CodeUserLimit: func(r *rig) func() {
			r.server.Limit(user, databasetest.Limits{Connections: 5}, 5)
			return func() { r.server.Limit(user, databasetest.Limits{Connections: 6}, 5) }
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
			r := newRig(t, self, "current", nil)
			cure := begin(r)
			if got := rotation.CodeOf(r.steps(whole...)); got != code {
				t.Errorf("got code %q, want %q", got, code)
			}
			r.wantServer("current")
			cure()
			r.must(r.steps(rotationtest.Steps...))
			r.must(r.Settled(r.token))
		})
	}
}

// C25: an account that has expired takes the password that AWSCURRENT has, once its date
// is put right, and the same rotation goes through.
func TestAdviceOnExpired(t *testing.T) {
	r := newRig(t, singleuser.Config{AsAdmin: true, Secrets: secrets}, "unknown", nil)
	r.why = rotation.Errorf(rotation.CodeExpired, "past its date")
	if got := rotation.CodeOf(r.steps(whole...)); got != rotation.CodeExpired {
		t.Errorf("got code %q, want %q", got, rotation.CodeExpired)
	}
	r.why = nil
	r.server.SetPassword(user, "current")
	r.must(r.steps(rotationtest.Steps...))
	r.must(r.Settled(r.token))
}

// C25: a name that the server does not read as it stands is corrected in the secret once
// the rotation is given up, and the next one goes through.
func TestAdviceOnBadUsers(t *testing.T) {
	r := newRig(t, self, "current", func(_, value string) string {
		return strings.Replace(value, `"`+user+`"`, `"`+user+`_and_more"`, 1)
	})
	r.login = func(a database.Account, do func() error) error {
		if a.User != user {
			return rotation.Errorf(rotation.CodeBadUsers, "the server cuts %q off", a.User)
		}
		return do()
	}
	if got := rotation.CodeOf(r.steps(whole...)); got != rotation.CodeBadUsers {
		t.Errorf("got code %q, want %q", got, rotation.CodeBadUsers)
	}
	r.must(r.GiveUp(r.token))
	r.put(r.Token(), r.value("current"), rotation.StageCurrent)
	r.wantNext()
}
