package twouser_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/twouser"
)

var (
	preprovisioned = twouser.Config{Pairs: pairs}
	clone          = twouser.Config{Pairs: pairs, Clone: true}
	modes          = map[string]twouser.Config{"preprovisioned": preprovisioned, "clone": clone}
)

// rig is a bench whose wire to the server a test can watch and cut.
type rig struct {
	bench
	t     testing.TB
	token string // of the rotation under way

	tried []database.Account
	// login and change answer in the server's place, unless they return do().
	login  func(a database.Account, do func() error) error
	change func(password string, do func(password string) error) error
}

// newRig begins a rotation, after as many complete ones.
func newRig(t testing.TB, config twouser.Config, rotations int) *rig {
	t.Helper()
	r := &rig{bench: newBench(t, config), t: t}
	r.Strategy = func(p *rotationtest.Process) (rotation.Strategy, error) {
		return twouser.New(wire{target{r.server.Target(p)}, r}, config)
	}
	for range rotations {
		r.rotate()
	}
	r.request()
	return r
}

func (r *rig) request() {
	r.t.Helper()
	r.token = r.Token()
	r.must(r.Request(r.token))
}

// rotate is a rotation that nothing disturbs.
func (r *rig) rotate() {
	r.t.Helper()
	r.request()
	r.must(r.Rotate(r.token, 1))
	r.must(r.Settled(r.token))
}

// wantNext checks that the next rotation meets no obstacle.
func (r *rig) wantNext() {
	r.t.Helper()
	r.login, r.change = nil, nil
	r.server.Refuse(nil)
	r.rotate()
}

// edit stores the value of a version anew, as somebody does who may write to the
// secret. Values cannot change under their id, so it becomes another version.
func (r *rig) edit(stage, old, new string) {
	r.t.Helper()
	v, err := r.Value(stage)
	r.must(err)
	text := strings.ReplaceAll(v.Text().Reveal(), old, new)
	if text == v.Text().Reveal() {
		r.t.Fatalf("%s stands nowhere in %s", old, stage)
	}
	token := r.Token()
	_, err = r.Store.PutSecretValue(r.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &r.Secret, ClientRequestToken: &token, SecretString: &text, VersionStages: []string{stage},
	})
	r.must(err)
	if stage == rotation.StagePending {
		r.token = token
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// deliver sends steps, each to a new process, until one fails. It forgets what
// was tried and said to the server before the last one.
func (r *rig) deliver(steps ...string) (err error) {
	for _, step := range steps {
		r.tried = nil
		r.server.Statements()
		r.Outside.Plan(0, rotationtest.None)
		if err = r.Deliver(r.Outside.Process(), r.token, step); err != nil {
			break
		}
	}
	return err
}

// wantOutcome checks a step's code, who logged in, and the statements.
func (r *rig) wantOutcome(err error, code rotation.Code, users string, statements ...string) {
	r.t.Helper()
	if got := rotation.CodeOf(err); got != code {
		r.t.Errorf("error %v: got code %q, want %q", err, got, code)
	}
	var tried []string
	for _, a := range r.tried {
		tried = append(tried, a.User)
	}
	if got := strings.Join(tried, " "); got != users {
		r.t.Errorf("tried %q, want %q", got, users)
	}
	var got []string
	for _, s := range r.server.Statements() {
		got = append(got, s.By+" "+s.Op+" "+s.User)
	}
	if !slices.Equal(got, statements) {
		r.t.Errorf("statements %q, want %q", got, statements)
	}
}

// wantUsers checks whose names AWSCURRENT and AWSPENDING have, "" for no value,
// and that AWSCURRENT works.
func (r *rig) wantUsers(current, pending string) {
	r.t.Helper()
	r.must(r.CurrentWorks())
	for stage, want := range map[string]string{rotation.StageCurrent: current, rotation.StagePending: pending} {
		if got := r.userOf(stage); got != want {
			r.t.Errorf("%s has the user %q, want %q", stage, got, want)
		}
	}
}

func (r *rig) userOf(stage string) string {
	v, err := r.Value(stage)
	if err != nil {
		return ""
	}
	name, _ := v.Get(database.KeyUser)
	return name.Reveal()
}

func (r *rig) wantNoWrites() {
	r.t.Helper()
	for _, call := range r.Outside.Calls() {
		if call == "PutSecretValue" || call == "UpdateSecretVersionStage" {
			r.t.Errorf("%s was called", call)
		}
	}
	for _, s := range r.server.Statements() {
		if s.Op != "try" {
			r.t.Errorf("the server was told to %s %s", s.Op, s.User)
		}
	}
}

// wire is the target that the rig watches.
type wire struct {
	target
	r *rig
}

func (w wire) Login(ctx context.Context, a database.Account) (session twouser.Session, err error) {
	w.r.tried = append(w.r.tried, a)
	do := func() error {
		session, err = w.target.Login(ctx, a)
		return err
	}
	if w.r.login != nil {
		err = w.r.login(a, do)
	} else {
		err = do()
	}
	if err != nil {
		return nil, err
	}
	return wireSession{session, w.r}, nil
}

type wireSession struct {
	twouser.Session
	r *rig
}

func (s wireSession) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	do := func(password string) error { return s.Session.Change(ctx, user, rotation.NewSensitive(password)) }
	if s.r.change != nil {
		return s.r.change(password.Reveal(), do)
	}
	return do(password.Reveal())
}

// rejectAs answers the log-ins of one user with a code.
func rejectAs(user string, code rotation.Code) func(database.Account, func() error) error {
	return func(a database.Account, do func() error) error {
		if a.User == user {
			return rotation.Errorf(code, "no")
		}
		return do()
	}
}

// T1: no statement is about the user that AWSCURRENT names at that moment, in
// rotation after rotation and whatever call meets whatever fault.
func TestCurrentUserIsNeverTouched(t *testing.T) {
	for name, config := range modes {
		t.Run(name, func(t *testing.T) {
			config.RevokeExtra = config.Clone
			fresh := func() *rig {
				r := newRig(t, config, 1)
				r.server.Refuse(func(s databasetest.Statement) error {
					if s.User == r.userOf(rotation.StageCurrent) {
						t.Errorf("%s %s %s, whom AWSCURRENT names", s.By, s.Op, s.User)
					}
					return nil
				})
				if config.Clone {
					r.server.Grant(userA, "extra")
				}
				return r
			}
			r := fresh()
			r.Outside.Plan(0, rotationtest.None)
			r.must(r.Rotate(r.token, 1))
			calls := len(r.Outside.Calls())
			for range 4 {
				r.rotate()
			}
			for _, fault := range []rotationtest.Fault{
				rotationtest.KillBefore, rotationtest.KillAfter, rotationtest.Fail, rotationtest.Lose, rotationtest.Late, rotationtest.Cancelled,
			} {
				for call := range calls {
					for _, giveUp := range []bool{false, true} {
						r := fresh()
						r.Outside.Plan(call+1, fault)
						_ = r.Rotate(r.token, 1)
						r.Outside.Plan(0, rotationtest.None)
						if giveUp && r.Holder(rotation.StageCurrent) != r.token {
							r.must(r.GiveUp(r.token))
							r.request()
						}
						r.must(r.Rotate(r.token, 3))
						r.Outside.Overdue()
						r.must(r.Settled(r.token))
					}
				}
			}
		})
	}
}

// T2: a clone is made locked, gets its rights, is compared, and can log in only
// after the last statement, which sets the password and unlocks.
func TestCloneIsCompleteOrLocked(t *testing.T) {
	r := newRig(t, clone, 0)
	r.must(r.deliver(rotation.StepCreate))
	r.wantOutcome(r.deliver(rotation.StepSet), "", "orders_a admin orders_b",
		"admin create orders_b", "admin grant read to orders_b", "admin grant write to orders_b", "admin grant owner to orders_b", "admin activate orders_b")
	calls := len(r.Outside.Calls())

	for n := range calls {
		r := newRig(t, clone, 0)
		r.must(r.deliver(rotation.StepCreate))
		r.Outside.Plan(n+1, rotationtest.KillAfter)
		_ = r.Deliver(r.Outside.Process(), r.token, rotation.StepSet)
		pending, err := r.Value(rotation.StagePending)
		r.must(err)
		password, _ := pending.Get(database.KeyPassword)
		if r.server.CanWork(userB, password.Reveal()) == nil {
			r.must(r.server.CanWork(userB, password.Reveal(), work...))
		}
		r.must(r.Rotate(r.token, 1))
		r.must(r.Settled(r.token))
	}
}

// T3: a user made beforehand that lacks a right is refused before its password
// is set, and again in testSecret and finishSecret: a log-in proves nothing.
func TestParity(t *testing.T) {
	for name, config := range modes {
		for at := range rotationtest.Steps[1:] {
			step := rotationtest.Steps[at+1]
			t.Run(name+"/"+step, func(t *testing.T) {
				if config.Clone && step == rotation.StepSet {
					t.Skip("a clone gets what it lacks")
				}
				r := newRig(t, config, 0)
				r.must(r.deliver(rotationtest.Steps[:at+1]...))
				r.server.Grant(userA, "report")
				err := r.deliver(step)
				users := userB
				if step == rotation.StepSet {
					users = "orders_a admin"
				}
				r.wantOutcome(err, rotation.CodeParity, users)
				r.wantUsers(userA, userB)
				r.server.Grant(userB, "report")
				r.must(r.Rotate(r.token, 1))
			})
		}
	}
}

// T3: a session that is somebody else's proves nothing.
func TestIdentity(t *testing.T) {
	r := newRig(t, preprovisioned, 0)
	r.login = rejectAs(userB, rotation.CodeIdentity)
	if got := rotation.CodeOf(r.Rotate(r.token, 1)); got != rotation.CodeIdentity {
		t.Errorf("got code %q, want %q", got, rotation.CodeIdentity)
	}
	r.wantUsers(userA, userB)
}

// T4: in clone mode a right that one user got is given to the other, and one that
// the other has beyond that is reported; it is taken away only if asked for.
func TestDrift(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		r := newRig(t, clone, 1) // AWSCURRENT is the clone
		r.server.Grant(userB, "report")
		r.must(r.Rotate(r.token, 1))
		v, err := r.Value(rotation.StageCurrent)
		r.must(err)
		password, _ := v.Get(database.KeyPassword)
		r.must(r.server.CanWork(userA, password.Reveal(), append(work, "report")...))
	})
	for name, revoke := range map[string]bool{"extra": false, "extra, revoked": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, twouser.Config{Pairs: pairs, Clone: true, RevokeExtra: revoke}, 1)
			r.server.Grant(userA, "extra")
			err := r.Rotate(r.token, 1)
			if said := r.Output(); !strings.Contains(said, `"extra":["extra"]`) {
				t.Errorf("the extra right is not reported:\n%s", said)
			}
			if revoke {
				r.must(err)
				r.wantUsers(userA, "")
				return
			}
			if got := rotation.CodeOf(err); got != rotation.CodeParity {
				t.Errorf("got %v, want %s", err, rotation.CodeParity)
			}
			r.wantUsers(userB, userA)
		})
	}
	t.Run("any error aborts", func(t *testing.T) {
		for _, op := range []string{"create", "grant write to", "revoke extra from", "activate"} {
			r := newRig(t, twouser.Config{Pairs: pairs, Clone: true, RevokeExtra: true}, 1)
			r.server.Grant(userA, "extra")
			r.server.Refuse(func(s databasetest.Statement) error {
				if s.Op == op {
					return rotation.Errorf(rotation.CodePermission, "no")
				}
				return nil
			})
			err := r.deliver(rotation.StepCreate, rotation.StepSet)
			statements := r.server.Statements()
			if got := rotation.CodeOf(err); got != rotation.CodePermission || statements[len(statements)-1].Op != op {
				t.Errorf("%s refused: got %v after %v", op, err, statements)
			}
			r.wantUsers(userB, userA)
			r.wantNext2()
		}
	})
}

// wantNext2 checks that the rotation under way ends well.
func (r *rig) wantNext2() {
	r.t.Helper()
	r.login, r.change = nil, nil
	r.server.Refuse(nil)
	r.must(r.Rotate(r.token, 1))
	r.must(r.Settled(r.token))
}
