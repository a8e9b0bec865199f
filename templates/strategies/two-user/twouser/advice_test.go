package twouser_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/twouser"
)

// C25: what RUNBOOK.md says about a code helps: the same rotation goes through, or
// the next one where the entry says that this one is given up.
func TestAdvice(t *testing.T) {
	lost := func(r *rig) { // both passwords, and AWSCURRENT is userB's
		r.server.SetPassword(userA, "lost")
		r.server.SetPassword(userB, "lost")
	}
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
	for name, test := range map[string]struct {
		begin func(*rig)
		code  rotation.Code
		cure  func(*rig)
		next  bool
	}{
		"locked out, the password set by hand": {lost, rotation.CodeLockedOut, (*rig).setByHand, false},
		"locked out, recovery": {lost, rotation.CodeLockedOut, func(r *rig) {
			r.deploy(twouser.Config{Secrets: secrets, AllowRecovery: true})
		}, false},
		"the admin is refused": {
			func(r *rig) { r.server.SetPassword(databasetest.Admin, "changed") },
			rotation.CodeAuthRejected,
			func(r *rig) {
				_, err := r.Store.PutSecretValue(r.t.Context(), &secretsmanager.PutSecretValueInput{
					SecretId: aws.String("admin"), ClientRequestToken: aws.String(r.Token()),
					SecretString: aws.String(`{"username":"` + databasetest.Admin + `","password":"changed"}`),
				})
				r.must(err)
			}, false,
		},
		"users that the function does not know": {
			func(r *rig) {
				r.deploy(twouser.Config{Secrets: database.Mandates{{Secret: "*", Admin: "*", Users: []string{"c", "d"}}}})
			},
			rotation.CodeBadUsers, func(r *rig) { r.deploy(preprovisioned) }, false,
		},
		"a right more": {
			func(r *rig) { r.server.Grant(userB, "extra") },
			rotation.CodeParity, func(r *rig) { r.server.Grant(userA, "extra") }, false,
		},
		"locked":      {shut(rotation.CodeLocked), rotation.CodeLocked, (*rig).repair, false},
		"full":        {shut(rotation.CodeServerFull), rotation.CodeServerFull, (*rig).repair, false},
		"unreachable": {shut(rotation.CodeUnreachable), rotation.CodeUnreachable, (*rig).repair, false},
		"policy":      {refusing(rotation.CodePolicy), rotation.CodePolicy, (*rig).repair, true},
		"permission":  {refusing(rotation.CodePermission), rotation.CodePermission, (*rig).repair, false},
		"no hash":     {refusing(rotation.CodeNoHash), rotation.CodeNoHash, (*rig).repair, false},
		"no space":    {refusing(rotation.CodeNoSpace), rotation.CodeNoSpace, (*rig).repair, false},
		"not writer":  {refusing(rotation.CodeNotWriter), rotation.CodeNotWriter, (*rig).repair, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, preprovisioned, 1)
			test.begin(r)
			if got := rotation.CodeOf(r.deliver(rotationtest.Steps...)); got != test.code {
				t.Errorf("got code %q, want %q", got, test.code)
			}
			test.cure(r)
			if test.next {
				r.request()
			}
			r.must(r.Rotate(r.token, 1))
			r.must(r.Settled(r.token))
		})
	}
}

// C25: a pending value of AWSCURRENT's own user goes once AWSCURRENT logs in.
func TestAdviceOnBadUsers(t *testing.T) {
	r := newRig(t, preprovisioned, 1)
	r.must(r.deliver(rotation.StepCreate))
	r.edit(rotation.StagePending, userA, userB)
	r.server.SetPassword(userB, "lost")
	for range 2 {
		if got := rotation.CodeOf(r.deliver(rotation.StepSet)); got != rotation.CodeBadUsers {
			t.Errorf("got code %q, want %q", got, rotation.CodeBadUsers)
		}
		r.setByHand()
	}
	r.rotate()
}

// C25: after two rotations a password that leaked works no more.
func TestAdviceOnALeak(t *testing.T) {
	r := newRig(t, preprovisioned, 1)
	leaked := r.password()
	r.Config.MinRotationAge = time.Hour
	r.Pass(time.Hour)
	r.must(r.Rotate(r.token, 1))
	r.must(r.server.CanWork(userB, leaked))
	r.Config.MinRotationAge = 0
	r.rotate()
	if r.server.CanWork(userB, leaked) == nil {
		t.Error("the password that leaked works")
	}
}

// deploy is the function with another configuration.
func (r *rig) deploy(config twouser.Config) {
	r.Strategy = func(p *rotationtest.Process) (rotation.Strategy, error) {
		return twouser.New(wire{target{r.server.Target(p)}, r}, config)
	}
}

// setByHand sets the password of AWSCURRENT's user to what AWSCURRENT says.
func (r *rig) setByHand() { r.server.SetPassword(userB, r.password()) }

// password is the one that AWSCURRENT has.
func (r *rig) password() string {
	r.t.Helper()
	current, err := r.Value(rotation.StageCurrent)
	r.must(err)
	password, _ := current.Get(database.KeyPassword)
	return password.Reveal()
}
