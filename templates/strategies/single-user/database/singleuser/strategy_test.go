package singleuser_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

var (
	self  = singleuser.Config{RecoveryVersions: singleuser.DefaultRecoveryVersions}
	admin = singleuser.Config{RecoveryVersions: singleuser.DefaultRecoveryVersions, AsAdmin: true, Secrets: secrets}
)

// rig is a bench whose secret has a history, every version with a password of
// its own, and whose wire to the server a test can watch and cut.
type rig struct {
	bench
	t     testing.TB
	ctx   context.Context // of the invocations
	token string          // of the rotation under way

	tried []database.Account
	// login and change answer in the server's place, unless they return do().
	login  func(a database.Account, do func() error) error
	change func(password string, do func(password string) error) error
	// stage answers calls that move AWSCURRENT.
	stage func(do func() error) error
	// then happens when it is due.
	then func()
	due  time.Time
	// why is what the admin finds out about a user whom no password lets in.
	why error
	// two makes it a server that lets users have two passwords.
	two *twoPasswords
}

// history are the passwords of the secret's versions, oldest first. The last
// two are AWSCURRENT and AWSPENDING.
var history = []string{firstPassword, "older", "old", "previous", "current", "pending"}

// newRig begins a rotation on a server that has the given password. change
// edits the value of the version with that password, if not nil.
func newRig(t testing.TB, config singleuser.Config, has string, edit func(password, value string) string) *rig {
	t.Helper()
	r := &rig{bench: newBench(t, config), t: t, ctx: t.Context()}
	r.Strategy = func(p *rotationtest.Process) (rotation.Strategy, error) {
		return singleuser.New(wire{target{r.server.Target(p)}, r}, config)
	}
	for _, password := range history[1:] {
		value := r.value(password)
		if edit != nil {
			value = edit(password, value)
		}
		r.Pass(time.Minute)
		if password == "pending" {
			r.token = r.Token()
			r.must(r.Request(r.token))
			r.put(r.token, value, rotation.StagePending)
		} else {
			r.put(r.Token(), value, rotation.StageCurrent)
		}
	}
	r.server.SetPassword(user, has)
	return r
}

func (r *rig) value(password string) string {
	return strings.Replace(r.Initial, firstPassword, password, 1)
}

func (r *rig) put(token, value, stage string) {
	r.t.Helper()
	_, err := r.Store.PutSecretValue(r.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &r.Secret, ClientRequestToken: &token, SecretString: &value, VersionStages: []string{stage},
	})
	r.must(err)
}

// inGap lets something begin once the server has taken the change.
func (r *rig) inGap(begin func(*rig)) {
	r.change = func(password string, do func(string) error) error {
		r.change = nil
		err := do(password)
		begin(r)
		return err
	}
}

// after lets do happen when time has passed.
func (r *rig) after(d time.Duration, do func()) {
	r.due, r.then = r.Now().Add(d), do
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// deliver sends one step to a new process and forgets what was before.
func (r *rig) deliver(step string) error {
	r.t.Helper()
	p := r.Outside.Process()
	strategy, err := r.Strategy(p)
	r.must(err)
	handler := rotation.New(labels{r.View(p), r}, strategy, r.Config, rotation.WithOutput(r), rotation.WithClock(r.Now, r.Pause))
	r.tried = nil
	r.server.Statements()
	r.Outside.Plan(0, rotationtest.None)
	_, err = handler.Handle(r.Invocation(r.ctx), event(r.t, r.Secret, r.token, step))
	return err
}

func event(t testing.TB, secret, token, step string) json.RawMessage {
	t.Helper()
	event, err := json.Marshal(map[string]string{"SecretId": secret, "ClientRequestToken": token, "Step": step})
	if err != nil {
		t.Fatal(err)
	}
	return event
}

// wantOutcome checks a step's code, the passwords tried in it and the changes.
func (r *rig) wantOutcome(err error, code rotation.Code, tried string, statements ...string) {
	r.t.Helper()
	if got := rotation.CodeOf(err); got != code {
		r.t.Errorf("error %v: got code %q, want %q", err, got, code)
	}
	var passwords []string
	for _, a := range r.tried {
		passwords = append(passwords, a.Password.Reveal())
	}
	if got := strings.Join(passwords, " "); got != tried {
		r.t.Errorf("tried %q, want %q", got, tried)
	}
	var got []string
	for _, s := range r.server.Statements() {
		got = append(got, s.By+" "+s.Op+" "+s.User)
	}
	if !slices.Equal(got, statements) {
		r.t.Errorf("statements %q, want %q", got, statements)
	}
}

// wantServer checks which password the server has.
func (r *rig) wantServer(password string) {
	r.t.Helper()
	if err := r.server.CanWork(user, password); err != nil {
		r.t.Errorf("password %q: %v", password, err)
	}
}

// wantLabels checks whether AWSCURRENT and AWSPENDING are on the passwords named.
func (r *rig) wantLabels(current, pending string) {
	r.t.Helper()
	for stage, want := range map[string]string{rotation.StageCurrent: current, rotation.StagePending: pending} {
		var got string
		if v, err := r.Value(stage); err == nil {
			password, _ := v.Get(database.KeyPassword)
			got = password.Reveal()
		}
		if got != want {
			r.t.Errorf("%s has the password %q, want %q", stage, got, want)
		}
	}
}

// wantNext checks that the next rotation meets no obstacle.
func (r *rig) wantNext() {
	r.t.Helper()
	r.login, r.change, r.stage = nil, nil, nil
	r.server.Refuse(nil)
	token := r.Token()
	r.must(r.Request(token))
	r.must(r.Rotate(token, 1))
	r.must(r.Settled(token))
}

// wire is the target that the rig watches.
type wire struct {
	target
	r *rig
}

func (w wire) attempt(ctx context.Context, a database.Account, do func() error) error {
	w.r.tried = append(w.r.tried, a)
	if w.r.then != nil && w.r.Now().After(w.r.due) {
		w.r.then()
		w.r.then = nil
	}
	if ctx.Err() != nil {
		return rotation.Errorf(rotation.CodeDeadline, "no time left")
	}
	if w.r.login != nil {
		return w.r.login(a, do)
	}
	return do()
}

func (w wire) Login(ctx context.Context, a database.Account) (session database.Session, err error) {
	err = w.attempt(ctx, a, func() (err error) {
		session, err = w.target.Login(ctx, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	if w.r.two != nil {
		return twoSession{wireSession{session, w.r}, a.Host}, nil
	}
	return wireSession{session, w.r}, nil
}

func (w wire) Overlaps(bool) bool { return w.r.two != nil }

func (w wire) Prove(ctx context.Context, a database.Account) error {
	return w.attempt(ctx, a, func() error { return w.target.Prove(ctx, a) })
}

type wireSession struct {
	database.Session
	r *rig
}

func (s wireSession) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	do := func(password string) error {
		return s.Session.Change(ctx, user, rotation.NewSensitive(password))
	}
	if s.r.change != nil {
		return s.r.change(password.Reveal(), do)
	}
	return do(password.Reveal())
}

func (s wireSession) Diagnose(context.Context, string) error { return s.r.why }

func (s wireSession) SurvivesRefusal(ctx context.Context) error {
	return s.Session.(singleuser.Locking).SurvivesRefusal(ctx)
}

// labels is the store whose answers to moves of AWSCURRENT the rig gives.
type labels struct {
	rotation.Store
	r *rig
}

func (l labels) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, options ...func(*secretsmanager.Options)) (out *secretsmanager.UpdateSecretVersionStageOutput, err error) {
	do := func() error {
		out, err = l.Store.UpdateSecretVersionStage(ctx, in, options...)
		return err
	}
	if l.r.stage != nil && aws.ToString(in.VersionStage) == rotation.StageCurrent {
		return out, l.r.stage(do)
	}
	return out, do()
}

func account(user, password string) database.Account {
	return database.Account{User: user, Password: rotation.NewSensitive(password)}
}

var (
	denied    = &smithy.GenericAPIError{Code: "AccessDeniedException", Fault: smithy.FaultClient}
	throttled = &smithy.GenericAPIError{Code: "ThrottlingException", Fault: smithy.FaultClient}
)

var (
	errUnreachable = rotation.Errorf(rotation.CodeUnreachable, "no answer")
	errGone        = rotation.Errorf(rotation.CodeDisconnected, "the connection broke")
)

// S1, S4: candidates are tried in their order, each once, and none after the one
// that logs in. AWSCURRENT comes first: a rotation that nothing disturbs leaves no
// refused log-in behind. It logs in again for the room that finishSecret needs.
func TestCandidates(t *testing.T) {
	on := func(password, old, new string) func(string, string) string {
		return func(p, value string) string {
			if p == password {
				return strings.Replace(value, old, new, 1)
			}
			return value
		}
	}
	const try = "orders try orders"
	for name, test := range map[string]struct {
		has    string
		config singleuser.Config
		edit   func(password, value string) string
		login  func(a database.Account, do func() error) error
		tried  string
		code   rotation.Code
		stmts  []string
	}{
		"AWSPENDING":       {has: "pending", tried: "current pending"},
		"AWSCURRENT":       {has: "current", tried: "current current", stmts: []string{try}},
		"AWSPREVIOUS":      {has: "previous", tried: "current pending previous", stmts: []string{try}},
		"the newest older": {has: "old", tried: "current pending previous old", stmts: []string{try}},
		"the oldest":       {has: firstPassword, tried: "current pending previous old older " + firstPassword, stmts: []string{try}},
		"none":             {has: "unknown", tried: "current pending previous old older " + firstPassword, code: rotation.CodeLockedOut},
		"one older only":   {has: "older", config: singleuser.Config{RecoveryVersions: 1}, tried: "current pending previous old", code: rotation.CodeLockedOut},
		"no older":         {has: "old", config: singleuser.Config{RecoveryVersions: 0, AllowRecovery: true}, tried: "current pending previous", code: rotation.CodeLockedOut},

		"a password twice":   {has: "old", edit: on("previous", `"previous"`, `"current"`), tried: "current pending old", stmts: []string{try}},
		"written otherwise":  {has: "old", edit: on("previous", `"previous"`, `"c\u0075rrent"`), tried: "current pending old", stmts: []string{try}},
		"another user's":     {has: "previous", config: self, edit: on("previous", user, "other"), tried: "current pending old older " + firstPassword, code: rotation.CodeLockedOut},
		"another host's":     {has: "previous", config: self, edit: on("previous", `"db"`, `"moved"`), tried: "current pending old older " + firstPassword, code: rotation.CodeLockedOut},
		"another port's":     {has: "old", edit: on("old", `5432`, `6432`), tried: "current pending previous older " + firstPassword, code: rotation.CodeLockedOut},
		"without TLS":        {has: "previous", edit: on("previous", `"port"`, `"ssl":false,"port"`), tried: "current pending old older " + firstPassword, code: rotation.CodeLockedOut},
		"no account":         {has: "old", edit: on("previous", `"host"`, `"hots"`), tried: "current pending old", stmts: []string{try}},
		"no object":          {has: "old", edit: on("previous", `{`, ``), tried: "current pending old", stmts: []string{try}},
		"pending, a new one": {has: "current", edit: on("pending", `"pending"`, `"current"`), tried: "", code: rotation.CodeSameValue},

		// C7: only a rejected password leads to the next.
		"unreachable": {
			has: "previous", tried: "current", code: rotation.CodeUnreachable,
			login: func(database.Account, func() error) error { return errUnreachable },
		},
		"locked": {
			has: "previous", tried: "current", code: rotation.CodeLocked,
			login: func(a database.Account, do func() error) error {
				if a.Password.Reveal() == "current" {
					return rotation.Errorf(rotation.CodeLocked, "locked")
				}
				return do()
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if reflect.DeepEqual(test.config, singleuser.Config{}) {
				test.config = self
			}
			r := newRig(t, test.config, test.has, test.edit)
			r.login = test.login
			r.wantOutcome(r.deliver(rotation.StepSet), test.code, test.tried, test.stmts...)
			r.wantServer(test.has)
		})
	}
}

// S8: nothing before finishSecret changes the server, and the tests before it
// pass with the password that is to be replaced. C15: the gap is what lies
// between the server's acknowledgement and Secrets Manager's.
func TestAppliesLate(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.wantOutcome(r.deliver(rotation.StepCreate), "", "")
	r.wantOutcome(r.deliver(rotation.StepSet), "", "current current", "orders try orders")
	r.wantOutcome(r.deliver(rotation.StepTest), "", "current")
	r.wantServer("current")
	r.login = func(_ database.Account, do func() error) error {
		r.Pass(20 * time.Millisecond)
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), "", "current pending", "orders change orders")
	r.wantServer("pending")
	r.wantLabels("pending", "")
	if said := r.Output(); strings.Count(said, `"CredentialGap":`) != 1 || strings.Count(said, `"CredentialGap":20,`) != 1 {
		t.Errorf("want one gap of 20 ms, in the last step:\n%s", said)
	}
}

// S1: a password that an earlier delivery changed is not changed again, only
// promoted. C15: the gap that began then is not known, and not reported as none.
func TestFinishAfterChange(t *testing.T) {
	r := newRig(t, self, "pending", nil)
	r.wantOutcome(r.deliver(rotation.StepFinish), "", "current pending")
	r.wantLabels("pending", "")
	if said := r.Output(); strings.Contains(said, `"CredentialGap":`) || !strings.Contains(said, "an earlier delivery changed the password") {
		t.Errorf("a gap that was not measured:\n%s", said)
	}
}

// S3, S8: the previous password is put back even if the step's own time ran out
// meanwhile: the invocation keeps some for that.
func TestPutBackOutOfTime(t *testing.T) {
	r := newRig(t, self, "current", nil)
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(t.Context())
	r.login = func(a database.Account, do func() error) error {
		if a.Password.Reveal() == "pending" && len(r.tried) > 1 { // the proof
			cancel()
			return rotation.Errorf(rotation.CodeAuthRejected, "the server lied")
		}
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeRolledBack, "current pending current",
		"orders change orders", "orders change orders")
	r.wantServer("current")
	r.wantLabels("current", "")
}

// T8, S3: changes, and what proves them, go to the server that takes changes; a
// replica is asked only what applications ask it.
func TestHosts(t *testing.T) {
	const reader, writer = "c.cluster-ro-1.eu-west-1.rds.amazonaws.com", "c.cluster-1.eu-west-1.rds.amazonaws.com"
	r := newRig(t, admin, "current", func(_, value string) string { return strings.Replace(value, `"db"`, `"`+reader+`"`, 1) })
	for _, step := range rotationtest.Steps[1:] {
		r.must(r.deliver(step))
		want := writer
		if step == rotation.StepTest {
			want = reader
		}
		for _, a := range r.tried {
			if a.Host != want {
				t.Errorf("%s logged in at %s, want %s", step, a.Host, want)
			}
		}
	}
}

// S3, C17: the server acknowledges a change and then refuses the new password.
// The previous one is put back and proven, and the pending value given up.
func TestServerLies(t *testing.T) {
	for name, config := range map[string]singleuser.Config{"self": self, "admin": admin} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, config, "current", nil)
			r.change = func(password string, do func(string) error) error {
				return do(strings.TrimPrefix(password, "p")) // "ending"
			}
			err := r.deliver(rotation.StepFinish)
			by, tried := user, "current pending current"
			if config.AsAdmin {
				by, tried = databasetest.Admin, "current "+adminPassword+" pending current"
			}
			r.wantOutcome(err, rotation.CodeRolledBack, tried, by+" change orders", by+" change orders")
			r.wantServer("current")
			r.wantLabels("current", "")
			r.wantNext()
		})
	}
}

// S3: after a rollback to what is not AWSCURRENT nothing is proven of AWSCURRENT,
// so the pending value is kept: it is the way out.
func TestServerLiesInAnOutage(t *testing.T) {
	r := newRig(t, self, "previous", nil)
	r.change = func(password string, do func(string) error) error {
		if password == "pending" {
			password = "truncated"
		}
		return do(password)
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeRolledBack,
		"current pending previous pending previous", "orders change orders", "orders change orders")
	r.wantServer("previous")
	r.wantLabels("current", "pending")
}

// S3, C8: time that ran out while the server was asked is no reason to leave the
// rollback undone: there is some left for that.
func TestServerLiesAtTheEnd(t *testing.T) {
	r := newRig(t, self, "current", nil)
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(t.Context())
	r.change = func(_ string, do func(string) error) error {
		r.change = nil
		return do("truncated")
	}
	r.login = func(_ database.Account, do func() error) error {
		if len(r.tried) == 2 {
			cancel()
		}
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeRolledBack,
		"current pending current", "orders change orders", "orders change orders")
	r.wantServer("current")
	r.wantLabels("current", "")
}

// S3, S7: a password that the admin replaced and no one knew cannot come back.
func TestServerLiesToTheAdmin(t *testing.T) {
	r := newRig(t, singleuser.Config{AsAdmin: true, Secrets: secrets, AllowRecovery: true}, "unknown", nil)
	r.change = func(_ string, do func(string) error) error { return do("truncated") }
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeOutcomeUnknown,
		"current pending previous "+adminPassword+" "+adminPassword+" pending", "admin change orders")
	r.wantLabels("current", "pending")
}

// S3: while the outcome is unknown AWSPENDING stays, since its password may be
// the one that the server has, and nothing is undone by guessing.
func TestOutcomeUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		has   string
		spoil func(*rig)
		code  rotation.Code
		tried string
		stmts int
		next  string // what the retry tries
	}{
		"the change does not arrive": {
			"current",
			func(r *rig) { r.change = func(string, func(string) error) error { return errGone } },
			rotation.CodeDisconnected, "current pending", 0, "current pending",
		},
		"the rollback is not answered": {
			"current",
			func(r *rig) {
				r.change = func(password string, do func(string) error) error {
					if password == "pending" {
						return nil
					}
					return errGone
				}
			},
			rotation.CodeOutcomeUnknown, "current pending", 0, "current pending",
		},
		"the rollback does not take": {
			"current",
			func(r *rig) {
				r.change = func(_ string, do func(string) error) error { return do("garbage") }
			},
			rotation.CodeOutcomeUnknown, "current pending current", 2, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, self, test.has, nil)
			test.spoil(r)
			r.wantOutcome(r.deliver(rotation.StepFinish), test.code, test.tried, slices.Repeat([]string{"orders change orders"}, test.stmts)...)
			r.wantLabels("current", "pending")
			if test.next == "" {
				return // no version holds the password
			}
			r.login, r.change = nil, nil
			if err := r.deliver(rotation.StepFinish); err != nil || len(r.tried) != len(strings.Fields(test.next)) {
				t.Errorf("the next delivery: %v, having tried %d", err, len(r.tried))
			}
			r.wantLabels("pending", "")
			r.wantServer("pending")
		})
	}
}

// S3, C23: a change whose answer was lost is found out by logging in, at once.
func TestChangeNotAnswered(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.change = func(password string, do func(string) error) error {
		r.must(do(password))
		return errGone
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), "", "current pending", "orders change orders")
	r.must(r.Settled(r.token))
}

// S8, C22: if the label certainly cannot be moved, AWSCURRENT's password comes back,
// on the open connection, and is proven. If that is not certain, nothing is undone.
func TestLabelCannotBeMoved(t *testing.T) {
	ill := &smithy.GenericAPIError{Code: "InternalServiceError", Fault: smithy.FaultServer}
	for name, test := range map[string]struct {
		has    string
		answer error
		code   rotation.Code
		tried  string
		left   string // the password on the server afterwards
	}{
		"denied":                         {"current", denied, rotation.CodeStoreDenied, "current pending current", "current"},
		"denied, in an outage":           {"previous", denied, rotation.CodeStoreDenied, "current pending previous pending current", "current"},
		"denied, after a change before":  {"pending", denied, rotation.CodeStoreDenied, "current pending current", "current"},
		"unclear":                        {"current", ill, rotation.CodeStore, "current pending", "pending"},
		"unclear, after a change before": {"pending", ill, rotation.CodeStore, "current pending", "pending"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, self, test.has, nil)
			r.stage = func(func() error) error { return test.answer }
			err := r.deliver(rotation.StepFinish)
			r.server.Statements()
			r.wantOutcome(err, test.code, test.tried)
			r.wantServer(test.left)
			r.wantLabels("current", "pending")

			r.stage = nil
			r.must(r.deliver(rotation.StepFinish))
			r.wantServer("pending")
			r.wantLabels("pending", "")
		})
	}
}

// S8, C11: someone puts another value by hand just before the label moves. It stays
// AWSCURRENT, and the server gets the password that it says.
func TestCurrentMovedByHand(t *testing.T) {
	r := newRig(t, self, "current", nil)
	r.stage = func(do func() error) error {
		r.put(r.Token(), r.value("by-hand"), rotation.StageCurrent)
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeCurrentMoved,
		"current pending by-hand", "orders change orders", "orders change orders")
	r.wantServer("by-hand")
	r.wantLabels("by-hand", "")
	r.wantNext()
}

// S4: AWSPENDING was lost after its password was applied (row 10 of the crash
// matrix). No label's password logs in; the next rotation finds the lost one,
// says which it was, and ends the outage.
func TestLabelLost(t *testing.T) {
	r := newRig(t, self, "pending", nil)
	r.must(r.GiveUp(r.token))
	lost := r.token
	r.token = r.Token()
	r.must(r.Request(r.token))
	for _, step := range rotationtest.Steps {
		r.must(r.deliver(step))
	}
	r.must(r.Settled(r.token))
	if said := r.Output(); !strings.Contains(said, `"recovered":"`+lost+`"`) || !strings.Contains(said, `"Candidate":"`+lost+`"`) {
		t.Errorf("version %s, which logged in, is not named in:\n%s", lost, said)
	}
}

// S7: the admin changes the password, and only after the secret has proven that
// it speaks for the user.
func TestAsAdmin(t *testing.T) {
	recovery := singleuser.Config{AsAdmin: true, Secrets: secrets, AllowRecovery: true}
	for name, test := range map[string]struct {
		config singleuser.Config
		has    string
		edit   func(password, value string) string
		code   rotation.Code
		tried  string
		stmts  []string
	}{
		"proven": {
			config: admin, has: "current", tried: "current " + adminPassword + " pending",
			stmts: []string{"admin change orders"},
		},
		"not proven": {
			config: singleuser.Config{AsAdmin: true, Secrets: secrets}, has: "unknown", tried: "current pending previous " + adminPassword, code: rotation.CodeLockedOut,
		},
		"not proven, recovery": {
			config: recovery, has: "unknown", tried: "current pending previous " + adminPassword + " " + adminPassword + " pending",
			stmts: []string{"admin change orders"},
		},
		"recovery without an admin": {
			config: singleuser.Config{AllowRecovery: true}, has: "unknown", tried: "current pending previous", code: rotation.CodeLockedOut,
		},
		"no admin secret": {
			config: admin, has: "current", tried: "current", code: rotation.CodeBadSecret,
			edit: func(_, value string) string { return strings.Replace(value, "masterarn", "masterArn", 1) },
		},
		"another admin secret": { // C5
			config: admin, has: "current", tried: "current", code: rotation.CodeSecretNotAllowed,
			edit: func(_, value string) string { return strings.Replace(value, ":secret:admin", ":secret:other", 1) },
		},
		"another secret's admin": { // B3
			config: singleuser.Config{AsAdmin: true, Secrets: database.Mandates{{Secret: "*", Admin: "other-AbCdEf"}}}, has: "current", tried: "current",
			code: rotation.CodeSecretNotAllowed,
		},
		"another secret's user": {
			config: singleuser.Config{AsAdmin: true, Secrets: database.Mandates{{Secret: "*", Admin: "*", Users: []string{"bills"}}}}, has: "current", tried: "current",
			code: rotation.CodeBadUsers,
		},
		"another secret": {
			config: singleuser.Config{AsAdmin: true, Secrets: database.Mandates{{Secret: "bills-AbCdEf", Admin: "*"}}}, has: "current", tried: "current",
			code: rotation.CodeSecretNotAllowed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.config, test.has, test.edit)
			r.Config.AllowedSecrets = []string{r.Secret, "*:secret:admin-??????"}
			r.wantOutcome(r.deliver(rotation.StepFinish), test.code, test.tried, test.stmts...)
			if test.code == "" {
				r.wantServer("pending")
				r.wantLabels("pending", "")
			} else {
				r.wantServer(test.has)
			}
		})
	}
}

// C7: where a server calls an expired account a wrong password, the admin tells
// the difference, and no recovery is tried on what a password cannot mend.
func TestExpired(t *testing.T) {
	for _, step := range []string{rotation.StepSet, rotation.StepFinish} {
		r := newRig(t, singleuser.Config{AsAdmin: true, Secrets: secrets, AllowRecovery: true}, "unknown", nil)
		r.why = rotation.Errorf(rotation.CodeExpired, "past its date")
		r.wantOutcome(r.deliver(step), rotation.CodeExpired, "current pending previous "+adminPassword)
		r.wantLabels("current", "pending")
	}
}

// S7: unreachable is not rejected: the admin recovers nothing that may work.
func TestRecoveryNeedsARejection(t *testing.T) {
	r := newRig(t, singleuser.Config{AsAdmin: true, Secrets: secrets, AllowRecovery: true}, "current", nil)
	r.login = func(a database.Account, do func() error) error {
		if a.User == user {
			return errUnreachable
		}
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeUnreachable, "current")
}

// C17: a password that the server refuses by its rules is given up, provided that
// AWSCURRENT works; with any other refusal it stays for the next try.
func TestServerRefuses(t *testing.T) {
	for _, test := range []struct {
		step, has string
		refusal   rotation.Code
		pending   string // what is left of it
	}{
		{rotation.StepSet, "current", rotation.CodePolicy, ""},
		{rotation.StepFinish, "current", rotation.CodePolicy, ""},
		{rotation.StepSet, "previous", rotation.CodePolicy, "pending"},
		{rotation.StepFinish, "previous", rotation.CodePolicy, "pending"},
		{rotation.StepSet, "current", rotation.CodePermission, "pending"},
		{rotation.StepFinish, "current", rotation.CodePermission, "pending"},
	} {
		t.Run(test.step+"/"+test.has+"/"+string(test.refusal), func(t *testing.T) {
			r := newRig(t, self, test.has, nil)
			r.server.Refuse(func(databasetest.Statement) error { return rotation.Errorf(test.refusal, "refused") })
			err := r.deliver(test.step)
			if got := rotation.CodeOf(err); got != test.refusal {
				t.Errorf("got %v, want %s", err, test.refusal)
			}
			r.wantServer(test.has)
			r.wantLabels("current", test.pending)
			if test.pending == "" {
				r.wantNext()
			}
		})
	}
}

// C5: an altered pending value is told before anything is dialled, and testSecret
// does not dial what it says.
func TestTampered(t *testing.T) {
	for _, change := range [][2]string{
		{`"db"`, `"evil"`}, {"5432", "6432"}, {`"` + user, `"` + databasetest.Admin}, {":secret:admin", ":secret:evil"},
		{`"port"`, `"ssl":false,"port"`}, {`"port"`, `"tls_server_name":"evil","port"`}, {`"port"`, `"dbname":"evil","port"`},
	} {
		r := newRig(t, self, "current", func(password, value string) string {
			if password == "pending" {
				return strings.Replace(value, change[0], change[1], 1)
			}
			return value
		})
		for _, step := range []string{rotation.StepSet, rotation.StepFinish} {
			r.wantOutcome(r.deliver(step), rotation.CodeTampered, "")
		}
		_ = r.deliver(rotation.StepTest)
		for _, a := range r.tried {
			if a.User != user || a.Host != "db" || a.Port != 5432 || a.Plaintext || a.ServerName != "db" || a.Database != "" {
				t.Errorf("%s: testSecret dialled %+v", change[1], a)
			}
		}
	}
}

// C13: a test alone passes if AWSCURRENT works, and changes nothing anywhere.
func TestTestOnly(t *testing.T) {
	for name, empty := range map[string]bool{"a copy": false, "an empty version": true} {
		t.Run(name, func(t *testing.T) {
			r := &rig{bench: newBench(t, self), t: t, ctx: t.Context()}
			r.Store.EmptyTestVersion = empty
			r.token = r.Token()
			_, err := r.Store.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
				SecretId: &r.Secret, ClientRequestToken: &r.token, RotateImmediately: aws.Bool(false), RotationLambdaARN: aws.String("arn:rotator"),
			})
			r.must(err)
			r.must(r.deliver(rotation.StepTest))
			r.wantNoWrites()
			r.server.SetPassword(user, "unknown")
			if err := r.deliver(rotation.StepTest); err == nil {
				t.Error("passed, and AWSCURRENT does not work")
			}
			r.wantNoWrites()
			r.must(r.Store.EndTest(r.Secret, r.token))
		})
	}
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

// C18: finishSecret takes no one's word: straight after createSecret it changes
// and proves by itself, and an empty version it does not promote.
func TestFinishAlone(t *testing.T) {
	r := &rig{bench: newBench(t, self), t: t, ctx: t.Context()}
	r.token = r.Token()
	r.must(r.Request(r.token))
	before := r.Holder(rotation.StageCurrent)
	if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got != rotation.CodeNoPendingValue || r.Holder(rotation.StageCurrent) != before {
		t.Errorf("on an empty version: code %q, AWSCURRENT on %s", got, r.Holder(rotation.StageCurrent))
	}
	r.must(r.deliver(rotation.StepCreate))
	r.must(r.deliver(rotation.StepFinish))
	r.must(r.Settled(r.token))
}

// C19: while another rotator holds the account, nothing is changed.
func TestBusy(t *testing.T) {
	r := newRig(t, self, "current", nil)
	other, err := r.server.Target(r.Outside.Process()).Open(t.Context(), account(databasetest.Admin, adminPassword))
	r.must(err)
	r.must(other.Claim(t.Context(), user))
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeBusy, "current")
	other.Close()
	r.must(r.deliver(rotation.StepFinish))
}

// C19: the labels are read again between the log-in and the change.
func TestNothingLate(t *testing.T) {
	for name, meanwhile := range map[string]func(*rig){
		"given up": func(r *rig) { r.must(r.GiveUp(r.token)) },
		"another rotation": func(r *rig) {
			r.must(r.GiveUp(r.token))
			token := r.Token()
			r.must(r.Request(token))
			r.must(r.Rotate(token, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, self, "current", nil)
			r.login = func(a database.Account, do func() error) error {
				if a.Password.Reveal() == "current" {
					r.login = nil
					r.must(do())
					meanwhile(r)
					r.server.Statements()
				}
				return do()
			}
			if got := rotation.CodeOf(r.deliver(rotation.StepFinish)); got == "" || got == rotation.CodeServer {
				t.Errorf("ended with code %q", got)
			}
			if statements := r.server.Statements(); len(statements) > 0 {
				t.Errorf("the server was told to %v", statements)
			}
			r.must(r.CurrentWorks())
		})
	}
}

// C16: a preflight finds what a rotation would miss, and writes nothing.
func TestPreflight(t *testing.T) {
	for name, test := range map[string]struct {
		config singleuser.Config
		spoil  func(*rig)
		want   rotation.Code
	}{
		"all there":      {self, func(*rig) {}, ""},
		"as admin":       {admin, func(*rig) {}, ""},
		"wrong password": {self, func(r *rig) { r.server.SetPassword(user, "unknown") }, rotation.CodeAuthRejected},
		"wrong admin":    {admin, func(r *rig) { r.server.SetPassword(databasetest.Admin, "unknown") }, rotation.CodeAuthRejected},
		"no right": {self, func(r *rig) {
			r.server.Refuse(func(databasetest.Statement) error { return rotation.Errorf(rotation.CodePermission, "no") })
		}, rotation.CodePermission},
		"locked at once": {self, func(r *rig) { r.server.Limit(user, databasetest.Limits{WrongPasswords: 1}, 0) }, rotation.CodeLocked},
		"locked later":   {self, func(r *rig) { r.server.Limit(user, databasetest.Limits{WrongPasswords: 2}, 0) }, ""},
		"no account":     {self, func(r *rig) { r.put(r.Token(), `{"username": "orders"}`, rotation.StageCurrent) }, rotation.CodeBadSecret},
		"a copy": {self, func(r *rig) {
			r.put(r.Token(), strings.Replace(r.value("current"), "{", `{"PGPASSWORD":"current",`, 1), rotation.StageCurrent)
		}, rotation.CodeBadSecret},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.config, "current", nil)
			test.spoil(r)
			p := r.Outside.Process()
			r.Outside.Plan(0, rotationtest.None)
			handler, err := r.Handler(p)
			r.must(err)
			answer, err := handler.Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+r.Secret+`"}`))
			r.must(err)
			r.wantNoWrites()
			report := answer.(rotation.Preflight)
			var got rotation.Code
			for _, check := range report.Checks {
				got += check.Code
			}
			if got != test.want || report.OK != (test.want == "") {
				t.Errorf("got %+v, want %q", report, test.want)
			}
		})
	}
}

// A rotation costs so many calls to Secrets Manager, with a new process for every
// step and with one for all.
func TestCalls(t *testing.T) {
	for name, limit := range map[string]int{"cold": 16, "warm": 11} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, self)
			token := b.Token()
			if err := b.Request(token); err != nil {
				t.Fatal(err)
			}
			handler, err := b.Handler(b.Outside.Process())
			for _, step := range rotationtest.Steps {
				if name == "cold" {
					handler, err = b.Handler(b.Outside.Process())
				}
				if err == nil {
					_, err = handler.Handle(t.Context(), event(t, b.Secret, token, step))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			var calls []string
			for _, call := range b.Outside.Calls() {
				if strings.Contains(call, "Secret") {
					calls = append(calls, call)
				}
			}
			if len(calls) > limit {
				t.Errorf("%d calls, want at most %d: %q", len(calls), limit, calls)
			}
		})
	}
}

// Every bad setting is named at once.
func TestConfigFromEnv(t *testing.T) {
	env := func(variables map[string]string) *rotation.Env {
		return rotation.NewEnv(func(name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		})
	}
	for name, test := range map[string]struct {
		env  map[string]string
		want singleuser.Config
	}{
		"none": {nil, singleuser.Config{RecoveryVersions: 5}},
		"all":  {map[string]string{"CHANGE_AS": "admin", "SECRETS": `{"*":{"*":["` + user + `"]}}`, "ALLOW_RECOVERY": "true", "RECOVERY_VERSIONS": "0"}, singleuser.Config{AsAdmin: true, Secrets: secrets, AllowRecovery: true}},
		"self": {map[string]string{"CHANGE_AS": "self"}, singleuser.Config{RecoveryVersions: 5}},
	} {
		if got, err := singleuser.ConfigFromEnv(env(test.env)); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, test.want)
		}
	}
	_, err := singleuser.ConfigFromEnv(env(map[string]string{"CHANGE_AS": "master", "ALLOW_RECOVERY": "perhaps", "RECOVERY_VERSIONS": "-1"}))
	for _, name := range []string{"CHANGE_AS", "ALLOW_RECOVERY", "RECOVERY_VERSIONS"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}
