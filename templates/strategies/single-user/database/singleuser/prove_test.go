package singleuser_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// target is the test server as the strategy wants it.
type target struct{ *databasetest.Target }

func (t target) Login(ctx context.Context, a database.Account) (database.Session, error) {
	session, err := t.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return session, nil
}

const (
	user          = "orders"
	firstPassword = "first-password-sentinel-11bb"
	adminPassword = "admin-password-sentinel-77aa"
)

// secrets are the function's: one, whose administrator sets one user's password.
var secrets = database.Mandates{{Secret: "*", Admin: "*", Users: []string{user}}}

// bench is a world with the strategy on a server that has one application user.
type bench struct {
	*rotationtest.World
	server *databasetest.Server
}

func newBench(t testing.TB, config singleuser.Config) bench {
	t.Helper()
	var server *databasetest.Server
	world := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		var s rotationtest.Subject
		s, server = subject(w, config)
		return s
	})
	return bench{world, server}
}

func subject(w *rotationtest.World, config singleuser.Config) (rotationtest.Subject, *databasetest.Server) {
	admin := w.Seed("admin", `{"username":"`+databasetest.Admin+`","password":"`+adminPassword+`"}`)
	server := databasetest.NewServer(w.Outside, adminPassword)
	server.AddUser(user, firstPassword)
	return rotationtest.Subject{
		Initial: `{"engine":"` + databasetest.Engine + `","host":"db","port":5432,"username":"` + user +
			`","password":"` + firstPassword + `","masterarn":"` + admin + `"}`,
		Strategy: func(p *rotationtest.Process) (rotation.Strategy, error) {
			return singleuser.New(target{server.Target(p)}, config)
		},
		Works: func(value rotation.Value) error {
			name, _ := value.Get(database.KeyUser)
			password, _ := value.Get(database.KeyPassword)
			return server.CanWork(name.Reveal(), password.Reveal())
		},
		Settle:    server.Settle,
		GapPoints: 2,
		Secrets:   []string{firstPassword, adminPassword},
	}, server
}

var configs = map[string]singleuser.Config{
	"self":  {RecoveryVersions: singleuser.DefaultRecoveryVersions},
	"admin": {RecoveryVersions: singleuser.DefaultRecoveryVersions, AsAdmin: true, Secrets: secrets},
}

// S2, S8, C11, C18, C19: no fault at any call leaves AWSCURRENT dead.
func TestProof(t *testing.T) {
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subject(w, config)
				return s
			})
		})
	}
}

// S2, C22: nor does it where reads of Secrets Manager lag and answers are lost.
func TestProofWithOldReads(t *testing.T) {
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			rotationtest.ProveLagging(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subject(w, config)
				return s
			})
		})
	}
}

// C20: nor does it where the user has room for one connection.
func TestProofWithOneConnection(t *testing.T) {
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
				s, server := subject(w, config)
				server.Limit(user, databasetest.Limits{Connections: 1}, 0)
				s.Cramped = true
				return s
			})
		})
	}
}

// S2: being killed after a call and before the next are one and the same.
func TestNothingBetweenCalls(t *testing.T) {
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			databasetest.NothingBetweenCalls(t, func(t testing.TB) (*rotationtest.World, *databasetest.Server) {
				b := newBench(t, config)
				return b.World, b.server
			})
		})
	}
}

// S2, S6: where the server keeps both passwords AWSCURRENT is never dead.
func TestProofOfOverlap(t *testing.T) {
	config := singleuser.Config{RecoveryVersions: singleuser.DefaultRecoveryVersions, AsAdmin: true, Secrets: secrets}
	rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
		s, server := subject(w, config)
		s.GapPoints = 0
		s.Strategy = func(p *rotationtest.Process) (rotation.Strategy, error) {
			return singleuser.New(keeper{target{server.Target(p)}}, config)
		}
		return s
	})
}

// keeper is a server to which an admin can say at any time which two passwords
// a user has.
type keeper struct{ target }

func (keeper) Overlaps(bool) bool { return true }

func (k keeper) Login(ctx context.Context, a database.Account) (database.Session, error) {
	session, err := k.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return keeperSession{session}, nil
}

type keeperSession struct{ *databasetest.Session }

func (keeperSession) Overlaps(context.Context, bool) error { return nil }

func (keeperSession) Overlap(ctx context.Context, changer database.Session, o singleuser.Overlap) error {
	return changer.(keeperSession).Add(ctx, o.User, o.Current, o.Pending)
}

// steps delivers steps until one fails.
func (r *rig) steps(steps ...string) (err error) {
	for _, step := range steps {
		if err = r.deliver(step); err != nil {
			break
		}
	}
	return err
}

// whole is a rotation whose value is there already.
var whole = rotationtest.Steps[1:]

// C20: with room for one connection of the user a rotation completes. An answer
// that only the right password gets is a proof, as if it had logged in.
func TestUserLimit(t *testing.T) {
	for name, limits := range map[string]databasetest.Limits{
		"one connection":     {Connections: 1},
		"all but one in use": {Connections: 5},
		"the last log-in":    {Logins: 4}, // setSecret twice, testSecret, finishSecret
	} {
		for mode, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				r := newRig(t, config, "current", nil)
				r.server.Limit(user, limits, max(0, limits.Connections-1))
				r.must(r.steps(whole...))
				r.must(r.Settled(r.token))
			})
		}
	}
}

// C20: with room for none nothing is changed, and setSecret and preflight say so.
// An administrator needs none of the user's.
func TestNoRoom(t *testing.T) {
	for mode, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, config, "current", nil)
			r.server.Limit(user, databasetest.Limits{Connections: 2}, 2)
			if config.AsAdmin {
				r.must(r.steps(whole...))
				r.must(r.Settled(r.token))
				return
			}
			for _, step := range whole {
				if got := rotation.CodeOf(r.deliver(step)); got != rotation.CodeUserLimit {
					t.Errorf("%s ends with %q", step, got)
				}
			}
			r.server.Limit(user, databasetest.Limits{Connections: 2}, 1)
			r.wantServer("current")
			r.must(r.steps(whole...))
		})
	}
}

// C20: once the server as a whole has no room, nothing is begun; what it says then
// is no verdict on any password.
func TestServerFull(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.server.LimitAll(databasetest.Limits{Connections: 1})
	other, err := r.server.Target(r.Outside.Process()).Open(t.Context(), account(databasetest.Admin, adminPassword))
	r.must(err)
	for _, step := range whole {
		r.wantOutcome(r.deliver(step), rotation.CodeServerFull, "current")
	}
	r.wantServer("current")
	other.Close()
	r.server.LimitAll(databasetest.Limits{})
	r.must(r.steps(whole...))
}

// C20: nothing is begun where the server has no room for the log-in that proves the
// new password beside the session that changes it.
func TestNoRoomForTheProof(t *testing.T) {
	for mode, sessions := range map[string]int{"self": 1, "admin": 2} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, configs[mode], "current", nil)
			r.server.LimitAll(databasetest.Limits{Connections: sessions})
			if got := rotation.CodeOf(r.deliver(rotation.StepSet)); got != rotation.CodeServerFull {
				t.Errorf("ended with code %q", got)
			}
			r.server.LimitAll(databasetest.Limits{Connections: sessions + 1})
			r.must(r.steps(whole...))
			r.must(r.Settled(r.token))
		})
	}
}

// C20, S1: a user whose second wrong password locks it gets none in a rotation that
// nothing disturbs.
func TestNoWrongPassword(t *testing.T) {
	for mode, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, config, "current", nil)
			r.server.Limit(user, databasetest.Limits{WrongPasswords: 2}, 0)
			r.must(r.steps(whole...))
			r.must(r.Settled(r.token))
			for _, login := range r.server.Logins() {
				if !login.OK {
					t.Errorf("a log-in of %s was refused", login.User)
				}
			}
			r.wantNext()
		})
	}
}

// C20, S1: a user whom one wrong password locks keeps its password where the server
// knows one at a time: between the change and the label any client's log-in would
// lock it, and after a kill the next delivery's.
func TestLockedByOneWrongPassword(t *testing.T) {
	for mode, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
		for _, step := range []string{rotation.StepSet, rotation.StepFinish} {
			t.Run(mode+"/"+step, func(t *testing.T) {
				r := newRig(t, config, "current", nil)
				r.server.Limit(user, databasetest.Limits{WrongPasswords: 1}, 0)
				if got := rotation.CodeOf(r.deliver(step)); got != rotation.CodeLocked {
					t.Errorf("ended with code %q", got)
				}
				r.wantServer("current")
				r.server.Limit(user, databasetest.Limits{WrongPasswords: 2}, 0)
				r.must(r.steps(whole...))
				r.must(r.Settled(r.token))
			})
		}
	}
}

// C23: between the change and the label everything that may pass is tried again.
// AWSCURRENT works when the invocation is over.
func TestGapUsesItsTime(t *testing.T) {
	const passing = 10 * time.Second
	for name, begin := range map[string]func(*rig){
		"the server is full": func(r *rig) {
			r.server.LimitAll(databasetest.Limits{Connections: 1})
			r.after(passing, func() { r.server.LimitAll(databasetest.Limits{}) })
		},
		"the server is restarted": func(r *rig) { r.server.Down(passing) },
		"the user is locked": func(r *rig) {
			r.login = func(_ database.Account, do func() error) error { return rotation.Errorf(rotation.CodeLocked, "locked") }
			r.after(passing, func() { r.login = nil })
		},
	} {
		for mode, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				r := newRig(t, config, "current", nil)
				r.inGap(begin)
				r.must(r.deliver(rotation.StepFinish))
				r.must(r.Settled(r.token))
			})
		}
	}
}

// C23: a change that does not work is undone before the time is up, on the session
// that is still open, and AWSCURRENT works.
func TestGapEnds(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.inGap(func(r *rig) { r.server.LimitAll(databasetest.Limits{Connections: 1}) })
	if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != rotation.CodeOutcomeUnknown { // no server could be asked
		t.Errorf("ended with code %q", got)
	}
	r.wantServer("current")
	r.wantLabels("current", "pending")
	r.server.LimitAll(databasetest.Limits{})
	r.must(r.deliver(rotation.StepFinish))
	r.must(r.Settled(r.token))
}

// C23, C22: the same where AWSCURRENT cannot be moved for as long as the function
// runs: the session that undoes the change is kept from ending meanwhile.
func TestGapEndsWithoutALabel(t *testing.T) {
	for code, answer := range map[rotation.Code]error{rotation.CodeStoreDenied: denied, rotation.CodeStoreThrottle: throttled} {
		t.Run(string(code), func(t *testing.T) {
			r := newRig(t, self, "current", nil)
			r.stage = func(func() error) error { return answer }
			if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != code {
				t.Errorf("ended with code %q", got)
			}
			r.wantServer("current")
			r.wantLabels("current", "pending")
			r.stage = nil
			r.must(r.deliver(rotation.StepFinish))
			r.must(r.Settled(r.token))
		})
	}
}

var lagging = map[string]rotationtest.Lag{"DescribeSecret": {For: 5 * time.Second}, "GetSecretValue": {For: 5 * time.Second}}

// C22: the answer to the label's move is lost, the request is repeated and refused,
// and the labels that are read are those of before. Nothing is put back.
func TestLostMove(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.Pass(time.Minute)
	r.Lag(lagging)
	r.stage = func(do func() error) error {
		r.stage = nil
		r.must(do())
		return do()
	}
	r.must(r.deliver(rotation.StepFinish))
	r.must(r.Settled(r.token))
}

// C22: one finishSecret is delivered to two processes, and the second one does not
// see yet what the first has done.
func TestTwoDeliveries(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.Pass(time.Minute)
	r.Lag(lagging)
	r.must(r.deliver(rotation.StepFinish))
	r.must(r.deliver(rotation.StepFinish))
	r.must(r.Settled(r.token))
}

// C22: the same while Secrets Manager refuses the second one's move for a reason
// that says nothing of the label.
func TestTwoDeliveriesAndARefusal(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.Pass(time.Minute)
	r.Lag(lagging)
	first := true
	r.login = func(a database.Account, do func() error) error {
		if err := do(); err != nil || !first {
			return err
		}
		first = false // the second one has logged in with AWSCURRENT and stands still
		r.must(r.deliver(rotation.StepFinish))
		r.stage = func(func() error) error { return denied }
		return nil
	}
	_ = r.deliver(rotation.StepFinish)
	r.must(r.CurrentWorks())
}

// C22: a finishSecret whose version is AWSCURRENT already logs in with it before it
// says that all is well, and mends what it finds.
func TestFinishHeals(t *testing.T) {
	for mode, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
		t.Run(mode, func(t *testing.T) {
			r := newRig(t, config, "current", nil)
			r.must(r.deliver(rotation.StepFinish))
			r.server.SetPassword(user, "current")
			r.must(r.deliver(rotation.StepFinish))
			r.must(r.Settled(r.token))
			r.server.SetPassword(user, "unknown")
			if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != rotation.CodeLockedOut {
				t.Errorf("AWSCURRENT is dead, and finishSecret ends with %q", got)
			}
		})
	}
}

// S7: createSecret looks for what setSecret will need, before it stores a value that
// would have to keep what is wrong; put right, a rotation goes through.
func TestCreateNeedsTheAdmin(t *testing.T) {
	b := newBench(t, admin)
	r := &rig{bench: b, t: t, ctx: t.Context()}
	right := r.Initial
	r.put(r.Token(), strings.Replace(right, "masterarn", "masterArn", 1), rotation.StageCurrent)
	r.token = r.Token()
	r.must(r.Request(r.token))
	err := r.deliver(rotation.StepCreate)
	r.wantOutcome(err, rotation.CodeBadSecret, "")
	if !strings.Contains(err.Error(), `the rotated secret has no key "masterarn"`) {
		t.Errorf("%v does not say where what is missing", err)
	}
	r.wantLabels(firstPassword, "")
	r.put(r.Token(), strings.Replace(right, ":secret:admin", ":secret:other", 1), rotation.StageCurrent)
	r.Config.AllowedSecrets = []string{r.Secret, "*:secret:admin-??????"}
	r.token = r.Token()
	r.must(r.Request(r.token))
	err = r.deliver(rotation.StepCreate)
	r.wantOutcome(err, rotation.CodeSecretNotAllowed, "")
	if !strings.Contains(err.Error(), "admin secret: ") {
		t.Errorf("%v does not say which secret", err)
	}
	r.put(r.Token(), right, rotation.StageCurrent)
	r.wantNext()
}

// C25: the cure that RUNBOOK.md has for a code helps: the same rotation goes
// through, or the next one where the entry says that this one is given up.
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
