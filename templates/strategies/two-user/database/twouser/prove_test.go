package twouser_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// target is the test server as the strategy wants it.
type target struct{ *databasetest.Target }

func (t target) Login(ctx context.Context, a database.Account) (twouser.Session, error) {
	session, err := t.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return session, nil
}

const (
	userA         = "orders_a"
	userB         = "orders_b"
	firstPassword = "first-password-sentinel-11bb"
	adminPassword = "admin-password-sentinel-77aa"
)

// work is what the application needs.
var work = []string{"read", "write", "owner"}

// secrets are the function's: one, whose users take turns.
var secrets = database.Mandates{{Secret: "*", Admin: "*", Users: []string{userA, userB}}}

// bench is a world with the strategy on a server that has the pair.
type bench struct {
	*rotationtest.World
	server *databasetest.Server
}

func newBench(t testing.TB, config twouser.Config) bench {
	t.Helper()
	var server *databasetest.Server
	world := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		var s rotationtest.Subject
		s, server = subject(w, config)
		return s
	})
	return bench{world, server}
}

func subject(w *rotationtest.World, config twouser.Config) (rotationtest.Subject, *databasetest.Server) {
	admin := w.Seed("admin", `{"username":"`+databasetest.Admin+`","password":"`+adminPassword+`"}`)
	server := databasetest.NewServer(w.Outside, adminPassword)
	server.AddUser(userA, firstPassword, work...)
	alternate := ""
	if !config.Clone {
		server.AddUser(userB, "not-in-the-secret-yet-4242", work...)
		alternate = `,"alternate_username":"` + userB + `"`
	}
	return rotationtest.Subject{
		Initial: `{"engine":"` + databasetest.Engine + `","host":"db","port":5432,"username":"` + userA +
			`","password":"` + firstPassword + `","masterarn":"` + admin + `"` + alternate + `}`,
		Strategy: func(p *rotationtest.Process) (rotation.Strategy, error) {
			return twouser.New(target{server.Target(p)}, config)
		},
		Works: func(value rotation.Value) error {
			name, _ := value.Get(database.KeyUser)
			password, _ := value.Get(database.KeyPassword)
			return server.CanWork(name.Reveal(), password.Reveal(), work...)
		},
		Settle:  server.Settle,
		Secrets: []string{firstPassword, adminPassword},
	}, server
}

// T1, T2, T3, C11, C18, C19: AWSCURRENT works after every fault at every call,
// with all its rights, and at no moment in between does it not.
func TestProof(t *testing.T) {
	for name, config := range modes {
		t.Run(name, func(t *testing.T) {
			rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subject(w, config)
				return s
			})
		})
	}
	t.Run("where users do not see each other", func(t *testing.T) {
		rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
			s, server := subject(w, clone)
			server.Blind()
			return s
		})
	})
}

// C22: nor where reads of Secrets Manager lag and answers are lost.
func TestProofWithOldReads(t *testing.T) {
	for name, config := range modes {
		t.Run(name, func(t *testing.T) {
			rotationtest.ProveLagging(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subject(w, config)
				return s
			})
		})
	}
}

// C20: nor where each user has one connection more than applications hold.
func TestProofWithOneConnection(t *testing.T) {
	rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
		s, server := subject(w, preprovisioned)
		for _, user := range []string{userA, userB} {
			server.Limit(user, databasetest.Limits{Connections: 5}, 4)
		}
		s.Cramped = true
		return s
	})
}

// T2: being killed after a call and before the next are one and the same.
func TestNothingBetweenCalls(t *testing.T) {
	for name, config := range modes {
		t.Run(name, func(t *testing.T) {
			databasetest.NothingBetweenCalls(t, func(t testing.TB) (*rotationtest.World, *databasetest.Server) {
				b := newBench(t, config)
				return b.World, b.server
			})
		})
	}
}

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

// C25: the cure that RUNBOOK.md has for a code helps: the same rotation goes through,
// or the next one where the entry says that this one is given up.
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
