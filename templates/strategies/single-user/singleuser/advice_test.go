package singleuser_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/singleuser"
)

// C25: what RUNBOOK.md says about a code helps: the same rotation goes through, or
// the next one where the entry says that this one is given up.
func TestAdvice(t *testing.T) {
	nothing := func(*rig) {}
	byHand := func(r *rig) { r.server.SetPassword(user, "current") }
	refusing := func(code rotation.Code) func(*rig) {
		return func(r *rig) {
			r.server.Refuse(func(databasetest.Statement) error { return rotation.Errorf(code, "refused") })
		}
	}
	shut := func(code rotation.Code) func(*rig) {
		return func(r *rig) {
			r.login = func(database.Account, func() error) error { return rotation.Errorf(code, "no log-in") }
		}
	}
	well := func(r *rig) {
		r.login = nil
		r.server.Refuse(nil)
	}
	for name, test := range map[string]struct {
		config singleuser.Config
		has    string // the server
		begin  func(*rig)
		code   rotation.Code
		cure   func(*rig)
		next   bool
	}{
		"locked out, the password set by hand": {self, "unknown", nothing, rotation.CodeLockedOut, byHand, false},
		"locked out, more versions": {singleuser.Config{}, "old", nothing, rotation.CodeLockedOut, func(r *rig) {
			r.deploy(singleuser.Config{RecoveryVersions: 2})
		}, false},
		"locked out, recovery": {admin, "unknown", nothing, rotation.CodeLockedOut, func(r *rig) {
			r.deploy(singleuser.Config{AsAdmin: true, Secrets: secrets, AllowRecovery: true})
		}, false},
		"the admin is refused": {
			admin, "current", func(r *rig) { r.server.SetPassword(databasetest.Admin, "changed") }, rotation.CodeAuthRejected,
			func(r *rig) { r.server.SetPassword(databasetest.Admin, adminPassword) }, false,
		},
		"outcome unknown": {
			self, "current", func(r *rig) {
				r.inGap(func(r *rig) { r.server.LimitAll(databasetest.Limits{Connections: 1}) })
			}, rotation.CodeOutcomeUnknown,
			func(r *rig) { r.server.LimitAll(databasetest.Limits{}) }, false,
		},
		"rolled back": {
			self, "current", func(r *rig) {
				r.change = func(_ string, do func(string) error) error {
					r.change = nil
					return do("truncated")
				}
			}, rotation.CodeRolledBack, nothing, true,
		},
		"policy":      {self, "current", refusing(rotation.CodePolicy), rotation.CodePolicy, well, true},
		"permission":  {self, "current", refusing(rotation.CodePermission), rotation.CodePermission, well, false},
		"no hash":     {self, "current", refusing(rotation.CodeNoHash), rotation.CodeNoHash, well, false},
		"no space":    {self, "current", refusing(rotation.CodeNoSpace), rotation.CodeNoSpace, well, false},
		"not writer":  {self, "current", refusing(rotation.CodeNotWriter), rotation.CodeNotWriter, well, false},
		"locked":      {self, "current", shut(rotation.CodeLocked), rotation.CodeLocked, well, false},
		"unreachable": {self, "current", shut(rotation.CodeUnreachable), rotation.CodeUnreachable, well, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.config, test.has, nil)
			test.begin(r)
			if got := rotation.CodeOf(r.steps(whole...)); got != test.code {
				t.Errorf("got code %q, want %q", got, test.code)
			}
			test.cure(r)
			if test.next {
				r.token = r.Token()
				r.must(r.Request(r.token))
			}
			r.must(r.steps(rotationtest.Steps...))
			r.must(r.Settled(r.token))
		})
	}
}

// C17, C25: a password that the rules refuse stays while AWSCURRENT does not log in.
// Once it does, the next try gives it up, and the next rotation makes another.
func TestAdviceOnPolicy(t *testing.T) {
	r := newRig(t, self, "previous", nil)
	r.change = func(password string, do func(string) error) error {
		if password == "pending" {
			return rotation.Errorf(rotation.CodePolicy, "too short")
		}
		return do(password)
	}
	for range 2 { // a longer password_length does not help: there is a value
		if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != rotation.CodePolicy {
			t.Errorf("got code %q, want %q", got, rotation.CodePolicy)
		}
		r.wantLabels("current", "pending")
	}
	r.server.SetPassword(user, "current")
	if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != rotation.CodePolicy {
		t.Errorf("got code %q, want %q", got, rotation.CodePolicy)
	}
	r.wantLabels("current", "")
	r.wantNext()
}

// deploy is the function with another configuration.
func (r *rig) deploy(config singleuser.Config) {
	r.Strategy = func(p *rotationtest.Process) (rotation.Strategy, error) {
		return singleuser.New(wire{target{r.server.Target(p)}, r}, config)
	}
}
