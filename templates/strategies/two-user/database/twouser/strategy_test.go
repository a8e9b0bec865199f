package twouser_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

var (
	preprovisioned = twouser.Config{Secrets: secrets}
	clone          = twouser.Config{Secrets: secrets, Clone: true}
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

// repair lets the server answer for itself again.
func (r *rig) repair() {
	r.login, r.change = nil, nil
	r.server.Refuse(nil)
}

// wantGoingOn checks that the rotation under way ends well after all.
func (r *rig) wantGoingOn() {
	r.t.Helper()
	r.repair()
	r.must(r.Rotate(r.token, 1))
	r.must(r.Settled(r.token))
}

// wantNext checks that the next rotation meets no obstacle.
func (r *rig) wantNext() {
	r.t.Helper()
	r.repair()
	r.rotate()
}

// edit stores the value of a version anew, as someone does who may write to the
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

func (w wire) attempt(a database.Account, do func() error) error {
	w.r.tried = append(w.r.tried, a)
	if w.r.login != nil {
		return w.r.login(a, do)
	}
	return do()
}

func (w wire) Prove(ctx context.Context, a database.Account) error {
	return w.attempt(a, func() error { return w.target.Prove(ctx, a) })
}

func (w wire) Login(ctx context.Context, a database.Account) (session twouser.Session, err error) {
	err = w.attempt(a, func() (err error) {
		session, err = w.target.Login(ctx, a)
		return err
	})
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
					if testing.Short() && (call+int(fault))%7 != 0 {
						continue
					}
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

// T3: where users do not see each other, the admin compares them in every step.
func TestParityAsAdmin(t *testing.T) {
	for _, step := range []string{rotation.StepTest, rotation.StepFinish} {
		t.Run(step, func(t *testing.T) {
			r := newRig(t, preprovisioned, 0)
			r.server.Blind()
			r.must(r.deliver(rotationtest.Steps[:slices.Index(rotationtest.Steps, step)]...))
			r.server.Grant(userA, "report")
			r.wantOutcome(r.deliver(step), rotation.CodeParity, "orders_b admin")
			r.wantUsers(userA, userB)
			r.server.Grant(userB, "report")
			r.must(r.Rotate(r.token, 1))
		})
	}
}

// T3: a session that is someone else's proves nothing.
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
			r := newRig(t, twouser.Config{Secrets: secrets, Clone: true, RevokeExtra: revoke}, 1)
			r.server.Grant(userA, "extra")
			r.must(r.Rotate(r.token, 1))
			if said := r.Output(); !strings.Contains(said, `"extra":["extra"]`) {
				t.Errorf("the extra right is not reported:\n%s", said)
			}
			v, err := r.Value(rotation.StageCurrent)
			r.must(err)
			password, _ := v.Get(database.KeyPassword)
			if kept := r.server.CanWork(userA, password.Reveal(), "extra") == nil; kept == revoke {
				t.Errorf("the extra right is still there: %t", kept)
			}
		})
	}
	t.Run("any error aborts", func(t *testing.T) {
		for _, op := range []string{"create", "grant write to", "revoke extra from", "activate"} {
			r := newRig(t, twouser.Config{Secrets: secrets, Clone: true, RevokeExtra: true}, 1)
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
			r.wantGoingOn()
		}
	})
}

// T6: the configured pair, not the names, decides which user is next; AWS's own
// secrets, which name no other user, work as well as ours.
func TestNames(t *testing.T) {
	names := [][2]string{
		{"app", "app_clone"}, {"app_clone_clone", "app_clone_clone_clone"}, {"a\"b", "a'b"}, {"größe", "GRÖSSE"},
		{"two words", "two  words"}, {"App", "aPP"}, {"x;--", "x\\"}, {"日本", "日本_b"}, {strings.Repeat("n", 63), "n"},
	}
	next := func(fields map[string]string) (map[string]string, error) {
		i := slices.IndexFunc(names, func(pair [2]string) bool { return pair[0] == fields["username"] || pair[1] == fields["username"] })
		config := preprovisioned
		if i >= 0 {
			config.Secrets = database.Mandates{{Secret: "*", Admin: "*", Users: names[i][:]}}
		}
		b := newBench(t, config)
		initial, err := b.Value(rotation.StageCurrent)
		if err != nil {
			t.Fatal(err)
		}
		admin, _ := initial.Get(database.KeyAdmin)
		fields["host"], fields["password"], fields["masterarn"] = "db", "old", admin.Reveal()
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &b.Secret, SecretString: aws.String(string(text))})
		if err != nil {
			t.Fatal(err)
		}
		token := b.Token()
		if err := b.Request(token); err != nil {
			t.Fatal(err)
		}
		if err := b.Deliver(b.Outside.Process(), token, rotation.StepCreate); err != nil {
			return nil, err
		}
		value, err := b.Value(rotation.StagePending)
		if err != nil {
			t.Fatal(err)
		}
		after := make(map[string]string)
		if err := json.Unmarshal([]byte(value.Text().Reveal()), &after); err != nil {
			t.Fatal(err)
		}
		if after["password"] == "old" || after["host"] != "db" {
			t.Errorf("next value is %v", after)
		}
		return after, nil
	}
	for _, pair := range names {
		for i, name := range pair {
			other := pair[1-i]
			got, err := next(map[string]string{"username": name})
			if _, ok := got["alternate_username"]; err != nil || ok || got["username"] != other {
				t.Errorf("%q: next is %v, %v, want %q and no alternate", name, got, err, other)
			}
			got, err = next(map[string]string{"username": name, "alternate_username": other})
			if err != nil || got["username"] != other || got["alternate_username"] != name {
				t.Errorf("%q: next is %v, %v, want %q with the other as alternate", name, got, err, other)
			}
		}
	}
	for _, fields := range []map[string]string{
		{"username": "root"}, {"username": "APP"}, {"username": "app "},
		{"username": "app", "alternate_username": "root"}, {"username": "app", "alternate_username": "app"}, {"username": "app", "alternate_username": "APP_CLONE"},
	} {
		if got, err := next(fields); rotation.CodeOf(err) != rotation.CodeBadUsers {
			t.Errorf("%v: next is %v, %v, want %s", fields, got, err, rotation.CodeBadUsers)
		}
	}
}

// T7, C5: the admin sets no one's password but that of the pair's other user,
// whatever someone wrote into the secret. Nothing is dialled to find out.
func TestBadUsers(t *testing.T) {
	for _, step := range []string{rotation.StepSet, rotation.StepFinish} {
		for name, test := range map[string]struct {
			stage, old, new string
			tried           string
			pending         string // what is left of it
		}{
			"pending, a stranger":        {rotation.StagePending, `"username":"orders_b"`, `"username":"admin"`, "", "admin"},
			"pending, a stranger beside": {rotation.StagePending, `"alternate_username":"orders_a"`, `"alternate_username":"admin"`, "", userB},
			"pending, AWSCURRENT's own":  {rotation.StagePending, `"username":"orders_b"`, `"username":"orders_a"`, userA, ""},
			"pending, by case":           {rotation.StagePending, `"username":"orders_b"`, `"username":"ORDERS_B"`, "", "ORDERS_B"},
		} {
			t.Run(step+"/"+name, func(t *testing.T) {
				r := newRig(t, preprovisioned, 0)
				r.must(r.deliver(rotation.StepCreate))
				r.edit(test.stage, test.old, test.new)
				r.wantOutcome(r.deliver(step), rotation.CodeBadUsers, test.tried)
				r.wantUsers(userA, test.pending)
			})
		}
	}
	// C17: it may be the only password that logs in.
	for _, code := range []rotation.Code{rotation.CodeAuthRejected, rotation.CodeUnreachable} {
		t.Run("pending, AWSCURRENT's own, and AWSCURRENT is "+string(code), func(t *testing.T) {
			r := newRig(t, preprovisioned, 0)
			r.must(r.deliver(rotation.StepCreate))
			r.edit(rotation.StagePending, `"username":"orders_b"`, `"username":"orders_a"`)
			r.login = rejectAs(userA, code)
			r.wantOutcome(r.deliver(rotation.StepSet), rotation.CodeBadUsers, userA)
			r.wantUsers(userA, userA)
		})
	}
	t.Run("pending, another pair's", func(t *testing.T) {
		config := clone
		config.Secrets = append(slices.Clone(secrets), database.Mandate{Secret: "bills-AbCdEf", Admin: "*", Users: []string{"bills_a", "bills_b"}})
		r := newRig(t, config, 0)
		r.must(r.deliver(rotation.StepCreate))
		r.edit(rotation.StagePending, userB, "bills_b")
		r.wantOutcome(r.deliver(rotation.StepSet), rotation.CodeBadUsers, "")
	})
	t.Run("current, a stranger", func(t *testing.T) {
		r := newRig(t, preprovisioned, 0)
		r.must(r.GiveUp(r.token))
		r.edit(rotation.StageCurrent, userA, "orders_c")
		r.request()
		r.wantOutcome(r.deliver(rotation.StepCreate), rotation.CodeBadUsers, "")
	})
}

// T7: the admin acts only if the secret has proven that it speaks for the pair:
// AWSCURRENT logs in, or else the other user as AWSPREVIOUS has it.
func TestVouch(t *testing.T) {
	recovery := preprovisioned
	recovery.AllowRecovery = true
	for name, test := range map[string]struct {
		config   twouser.Config
		current  rotation.Code // how AWSCURRENT's log-in ends
		previous rotation.Code // and AWSPREVIOUS's
		edit     [2]string     // in AWSPREVIOUS
		code     rotation.Code
		tried    string
	}{
		"AWSCURRENT logs in":         {config: preprovisioned, tried: "orders_b admin orders_a"},
		"AWSPREVIOUS logs in":        {config: preprovisioned, current: rotation.CodeAuthRejected, tried: "orders_b orders_a admin orders_a"},
		"neither":                    {config: preprovisioned, current: rotation.CodeAuthRejected, previous: rotation.CodeAuthRejected, tried: "orders_b orders_a admin", code: rotation.CodeLockedOut},
		"neither, recovery":          {config: recovery, current: rotation.CodeAuthRejected, previous: rotation.CodeAuthRejected, tried: "orders_b orders_a admin admin orders_a"},
		"AWSCURRENT unreachable":     {config: recovery, current: rotation.CodeUnreachable, tried: "orders_b", code: rotation.CodeUnreachable},
		"AWSCURRENT locked":          {config: recovery, current: rotation.CodeLocked, tried: "orders_b", code: rotation.CodeLocked},
		"AWSPREVIOUS unreachable":    {config: recovery, current: rotation.CodeAuthRejected, previous: rotation.CodeUnreachable, tried: "orders_b orders_a", code: rotation.CodeUnreachable},
		"AWSPREVIOUS, a stranger":    {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`"username":"orders_a"`, `"username":"admin"`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
		"AWSPREVIOUS, the same user": {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`"username":"orders_a"`, `"username":"orders_b"`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
		// C5: a version that differs in where or how to connect is no candidate.
		"AWSPREVIOUS, another host": {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`"db"`, `"evil"`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
		"AWSPREVIOUS, another port": {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`5432`, `6432`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
		"AWSPREVIOUS, no TLS":       {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`"port"`, `"ssl":false,"port"`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
		"AWSPREVIOUS, another name": {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`"port"`, `"tls_server_name":"evil","port"`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
		"AWSPREVIOUS, another db":   {config: preprovisioned, current: rotation.CodeAuthRejected, edit: [2]string{`"port"`, `"dbname":"evil","port"`}, tried: "orders_b admin", code: rotation.CodeLockedOut},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.config, 1)
			if test.edit[0] != "" {
				r.edit(rotation.StagePrevious, test.edit[0], test.edit[1])
			}
			r.must(r.deliver(rotation.StepCreate))
			r.login = func(a database.Account, do func() error) error {
				code := test.current
				if a.User == userA {
					code = test.previous
				}
				if code != "" && a.User != databasetest.Admin && !slices.ContainsFunc(r.tried, func(a database.Account) bool { return a.User == databasetest.Admin }) {
					return rotation.Errorf(code, "no")
				}
				return do()
			}
			var statements []string
			if test.code == "" {
				statements = []string{"admin change orders_a"}
			}
			r.wantOutcome(r.deliver(rotation.StepSet), test.code, test.tried, statements...)
			r.wantUsers(userB, userA)
			r.wantGoingOn()
		})
	}
}

// B4, C4, C5, T7: an admin secret that is missing or not on the function's list is none, a
// copy of the password or of a user's name would not work any more, and createSecret
// says so before it stores what setSecret could not use.
func TestCreateRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		want     rotation.Code
		text     string
	}{
		"missing":     {`"masterarn"`, `"masterArn"`, rotation.CodeBadSecret, `the rotated secret has no key "masterarn"`},
		"not allowed": {`:secret:admin`, `:secret:other`, rotation.CodeSecretNotAllowed, "admin secret: "},
		"password":    {`"port"`, `"URL":"postgres://` + firstPassword + `@db","port"`, rotation.CodeBadSecret, `"URL" holds a copy of the password`},
		"name":        {`"port"`, `"LOGIN":"` + userA + `","port"`, rotation.CodeBadSecret, `"LOGIN" holds a copy of a user's name`},
		"other name":  {`"port"`, `"URL":"postgres://` + userB + `@db","port"`, rotation.CodeBadSecret, `"URL" holds a copy of a user's name`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, preprovisioned, 0)
			r.must(r.GiveUp(r.token))
			r.edit(rotation.StageCurrent, test.old, test.new)
			r.request()
			r.Config.AllowedSecrets = []string{r.Secret, "*:secret:admin-??????"}
			err := r.deliver(rotation.StepCreate)
			r.wantOutcome(err, test.want, "")
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v does not say %q", err, test.text)
			}
			if _, err := r.Value(rotation.StagePending); err == nil {
				t.Error("a value was stored that no rotation can use")
			}
		})
	}
}

// T8: changes go to the writer, tests to the host that applications use, and a
// replica that has not heard of the new password yet is given time.
func TestReplicaLags(t *testing.T) {
	const reader, writer = "c.cluster-ro-1.eu-west-1.rds.amazonaws.com", "c.cluster-1.eu-west-1.rds.amazonaws.com"
	r := newRig(t, preprovisioned, 0)
	r.must(r.GiveUp(r.token))
	r.edit(rotation.StageCurrent, `"db"`, `"`+reader+`"`)
	r.request()
	behind := 3
	r.login = func(a database.Account, do func() error) error {
		if a.User == userB && a.Host == reader && behind > 0 {
			behind--
			return rotation.Errorf(rotation.CodeAuthRejected, "never heard of it")
		}
		return do()
	}
	r.must(r.deliver(rotation.StepCreate))
	r.wantOutcome(r.deliver(rotation.StepSet), "", "orders_a admin orders_b", "admin change orders_b")
	for i, want := range []string{reader, writer, writer} {
		if got := r.tried[i].Host; got != want {
			t.Errorf("%s logged in at %s, want %s", r.tried[i].User, got, want)
		}
	}
	began := r.Store.Now()
	r.wantOutcome(r.deliver(rotation.StepTest), "", "orders_b orders_b orders_b orders_b")
	if waited := r.Store.Now().Sub(began); waited < time.Second {
		t.Errorf("three more looks within %s", waited)
	}
	behind = 1
	r.wantOutcome(r.deliver(rotation.StepFinish), "", "orders_b orders_b")
	r.wantUsers(userB, "")
}

// T8, C8: a replica that never hears of it is given up before the invocation
// ends, and with what it said. Only a rejection is a reason to ask again.
func TestReplicaFails(t *testing.T) {
	for code, again := range map[rotation.Code]bool{
		rotation.CodeAuthRejected: true, rotation.CodeUnreachable: false, rotation.CodeNoAnswer: false,
		rotation.CodeDisconnected: false, rotation.CodeLocked: false, rotation.CodeTLS: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, preprovisioned, 0)
			r.must(r.GiveUp(r.token))
			r.edit(rotation.StageCurrent, `"db"`, `"c.cluster-ro-1.eu-west-1.rds.amazonaws.com"`)
			r.request()
			r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
			r.login = rejectAs(userB, code)
			r.tried = nil
			p := r.Outside.Process()
			strategy, err := r.Strategy(p)
			r.must(err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err = rotation.New(p.Store(r.Store), strategy, r.Config, rotation.WithOutput(r)).Handle(ctx, r.event(rotation.StepTest))
			if rotation.CodeOf(err) != code || ctx.Err() != nil || len(r.tried) > 1 != again {
				t.Errorf("got %v after %d log-ins, and the invocation: %v", err, len(r.tried), ctx.Err())
			}
		})
	}
}

// C11: a delivery that waited for a replica reads the labels again before it promotes.
func TestGivenUpWhileAReplicaLags(t *testing.T) {
	r := newRig(t, preprovisioned, 0)
	r.must(r.GiveUp(r.token))
	r.edit(rotation.StageCurrent, `"db"`, `"c.cluster-ro-1.eu-west-1.rds.amazonaws.com"`)
	r.request()
	r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
	r.login = func(a database.Account, do func() error) error {
		if len(r.tried) == 1 {
			r.must(r.GiveUp(r.token))
			return rotation.Errorf(rotation.CodeAuthRejected, "never heard of it")
		}
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeUnknownToken, "orders_b orders_b")
	r.wantUsers(userA, "")
}

// T8: an admin that is refused is no replica that lags, and is asked once.
func TestAdminRefusedOnAReplica(t *testing.T) {
	r := newRig(t, clone, 0)
	r.server.Blind()
	r.must(r.GiveUp(r.token))
	r.edit(rotation.StageCurrent, `"db"`, `"c.cluster-ro-1.eu-west-1.rds.amazonaws.com"`)
	r.request()
	r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
	refused := 0
	r.login = func(a database.Account, do func() error) error {
		if refused++; a.User == databasetest.Admin && refused < 10 {
			return rotation.Errorf(rotation.CodeAuthRejected, "no")
		}
		return do()
	}
	r.wantOutcome(r.deliver(rotation.StepTest), rotation.CodeAuthRejected, "orders_b admin")
}

func (r *rig) event(step string) json.RawMessage {
	r.t.Helper()
	event, err := json.Marshal(map[string]string{"SecretId": r.Secret, "ClientRequestToken": r.token, "Step": step})
	r.must(err)
	return event
}

// T8: a server that is no replica and rejects the new password is not asked again.
func TestNoReplica(t *testing.T) {
	r := newRig(t, preprovisioned, 0)
	r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
	r.login = rejectAs(userB, rotation.CodeAuthRejected)
	r.wantOutcome(r.deliver(rotation.StepTest), rotation.CodeAuthRejected, userB)
}

// C18: finishSecret takes no one's word. Straight after createSecret, and on an
// empty version, it promotes nothing.
func TestFinishAlone(t *testing.T) {
	r := newRig(t, preprovisioned, 1)
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeNoPendingValue, "")
	r.must(r.deliver(rotation.StepCreate))
	r.wantOutcome(r.deliver(rotation.StepFinish), rotation.CodeAuthRejected, userA)
	r.wantUsers(userB, userA)
	r.wantGoingOn()
}

// C18: a server that acknowledges the password and did not take it is found out
// in setSecret, before anything else relies on it.
func TestServerLies(t *testing.T) {
	r := newRig(t, preprovisioned, 1)
	r.change = func(_ string, do func(string) error) error { return do("truncated") }
	r.must(r.deliver(rotation.StepCreate))
	r.wantOutcome(r.deliver(rotation.StepSet), rotation.CodeAuthRejected, "orders_b admin orders_a", "admin change orders_a")
	r.wantUsers(userB, userA)
	r.wantGoingOn()
}

// C17: a password that the server refuses by its rules is given up, unless an
// earlier delivery has set it: then the rule is against setting it twice.
func TestServerRefuses(t *testing.T) {
	for name, config := range modes {
		for code, pending := range map[rotation.Code]string{rotation.CodePolicy: "", rotation.CodePermission: userB, rotation.CodeUnreachable: userB} {
			t.Run(name+"/"+string(code), func(t *testing.T) {
				r := newRig(t, config, 0)
				r.server.Refuse(func(s databasetest.Statement) error {
					if s.Op == "change" || s.Op == "activate" {
						return rotation.Errorf(code, "no")
					}
					return nil
				})
				if got := rotation.CodeOf(r.deliver(rotation.StepCreate, rotation.StepSet)); got != code {
					t.Errorf("got code %q, want %q", got, code)
				}
				r.wantUsers(userA, pending)
				if pending == "" {
					r.wantNext()
				} else {
					r.wantGoingOn()
				}
			})
		}
		t.Run(name+"/set already", func(t *testing.T) {
			r := newRig(t, config, 0)
			r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
			r.server.Refuse(func(s databasetest.Statement) error {
				if s.Op == "change" || s.Op == "activate" {
					return rotation.Errorf(rotation.CodePolicy, "no password twice")
				}
				return nil
			})
			r.must(r.deliver(rotation.StepSet))
			r.wantUsers(userA, userB)
		})
	}
}

// C19: between the admin's log-in and the first statement the labels are read
// again, and while another rotator has the user nothing is changed.
func TestNothingLate(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(*rig)
		want      rotation.Code
	}{
		"given up": {func(r *rig) { r.must(r.GiveUp(r.token)) }, rotation.CodeUnknownToken},
		"another rotation": {func(r *rig) {
			r.must(r.GiveUp(r.token))
			token := r.token
			r.rotate()
			r.token = token
		}, rotation.CodeUnknownToken},
		"claimed": {func(r *rig) {
			other, err := r.server.Target(r.Outside.Process()).Open(r.t.Context(), database.Account{User: databasetest.Admin, Password: rotation.NewSensitive(adminPassword)})
			r.must(err)
			r.must(other.Claim(r.t.Context(), userB))
		}, rotation.CodeBusy},
	} {
		for mode, config := range modes {
			t.Run(name+"/"+mode, func(t *testing.T) {
				r := newRig(t, config, 0)
				r.must(r.deliver(rotation.StepCreate))
				r.login = func(a database.Account, do func() error) error {
					if a.User == databasetest.Admin {
						r.login = nil
						test.meanwhile(r)
						r.server.Statements()
					}
					return do()
				}
				if got := rotation.CodeOf(r.deliver(rotation.StepSet)); got != test.want {
					t.Errorf("got code %q, want %q", got, test.want)
				}
				if statements := r.server.Statements(); len(statements) > 0 {
					t.Errorf("the server was told to %v", statements)
				}
				r.must(r.CurrentWorks())
			})
		}
	}
}

// C13: a test alone passes if AWSCURRENT works, whether or not there is a second
// user yet, and changes nothing anywhere.
func TestTestOnly(t *testing.T) {
	for mode, config := range modes {
		for name, empty := range map[string]bool{"a copy": false, "an empty version": true} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				r := newRig(t, config, 0)
				r.must(r.GiveUp(r.token))
				r.Store.EmptyTestVersion = empty
				r.token = r.Token()
				_, err := r.Store.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
					SecretId: &r.Secret, ClientRequestToken: &r.token, RotateImmediately: aws.Bool(false), RotationLambdaARN: aws.String("arn:rotator"),
				})
				r.must(err)
				r.must(r.deliver(rotation.StepTest))
				r.wantNoWrites()
				r.server.SetPassword(userA, "unknown")
				if err := r.deliver(rotation.StepTest); err == nil {
					t.Error("passed, and AWSCURRENT does not work")
				}
				r.wantNoWrites()
				r.must(r.Store.EndTest(r.Secret, r.token))
			})
		}
	}
}

// C5, C13: a pending version that names AWSCURRENT's user passes testSecret only
// if it equals AWSCURRENT as a whole, and what someone altered is not dialled.
func TestTampered(t *testing.T) {
	for name, edit := range map[string][2]string{
		"host": {`"db"`, `"evil"`}, "port": {"5432", "6432"}, "TLS": {`"port"`, `"ssl":false,"port"`}, "admin": {":secret:admin", ":secret:evil"},
	} {
		for _, step := range rotationtest.Steps[1:] {
			t.Run(name+"/"+step, func(t *testing.T) {
				r := newRig(t, preprovisioned, 0)
				r.must(r.deliver(rotation.StepCreate, rotation.StepSet))
				r.edit(rotation.StagePending, edit[0], edit[1])
				r.wantOutcome(r.deliver(step), rotation.CodeTampered, "")
			})
		}
	}
}

// C14: AWSPREVIOUS's user keeps its password for as long as clients may hold it.
func TestTooSoon(t *testing.T) {
	r := newRig(t, preprovisioned, 1)
	previous, err := r.Value(rotation.StagePrevious)
	r.must(err)
	r.Config.MinRotationAge = rotation.DefaultMinRotationAge
	r.wantOutcome(r.deliver(rotation.StepCreate), rotation.CodeTooSoon, "")
	r.must(r.Works(previous))
	r.Pass(rotation.DefaultMinRotationAge)
	r.rotate()
}

// A secret that was made for AWS's own function rotates as it is, and stays one
// that AWS's own function would understand.
func TestAWSTemplate(t *testing.T) {
	config := clone
	r := newRig(t, config, 0)
	r.must(r.GiveUp(r.token))
	r.edit(rotation.StageCurrent, `"port":5432`, `"port":5432,"dbClusterIdentifier":"c-1","ssl":true,"dbname":"orders"`)
	before, err := r.Value(rotation.StageCurrent)
	r.must(err)
	for _, user := range []string{userB, userA, userB} {
		r.rotate()
		r.wantUsers(user, "")
		after, err := r.Value(rotation.StageCurrent)
		r.must(err)
		if keys := before.Differences(after, database.KeyUser, database.KeyPassword); len(keys) > 0 {
			t.Errorf("%q changed", keys)
		}
	}
}

// C16: a preflight finds what a rotation would miss, and writes nothing.
func TestPreflight(t *testing.T) {
	for name, test := range map[string]struct {
		config twouser.Config
		spoil  func(*rig)
		want   rotation.Code
	}{
		"all there":          {preprovisioned, func(*rig) {}, ""},
		"no second user yet": {clone, func(*rig) {}, ""},
		"a right is missing": {preprovisioned, func(r *rig) { r.server.Grant(userA, "report") }, rotation.CodeParity},
		"a stranger":         {preprovisioned, func(r *rig) { r.edit(rotation.StageCurrent, userA, "orders_c") }, rotation.CodeBadUsers},
		"wrong password":     {preprovisioned, func(r *rig) { r.server.SetPassword(userA, "unknown") }, rotation.CodeAuthRejected},
		"wrong admin":        {clone, func(r *rig) { r.server.SetPassword(databasetest.Admin, "unknown") }, rotation.CodeAuthRejected},
		"no admin secret":    {clone, func(r *rig) { r.edit(rotation.StageCurrent, "masterarn", "masterArn") }, rotation.CodeBadSecret},
		"a copy":             {preprovisioned, func(r *rig) { r.edit(rotation.StageCurrent, `"port"`, `"PGUSER":"`+userA+`","port"`) }, rotation.CodeBadSecret},
		"no right of the admin": {preprovisioned, func(r *rig) {
			r.server.Refuse(func(databasetest.Statement) error { return rotation.Errorf(rotation.CodePermission, "no") })
		}, rotation.CodePermission},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, test.config, 0)
			r.must(r.GiveUp(r.token))
			test.spoil(r)
			r.Outside.Plan(0, rotationtest.None)
			handler, err := r.Handler(r.Outside.Process())
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

// T7: preflight lets the admin log in only where a rotation would.
func TestPreflightAsksTheSecretFirst(t *testing.T) {
	recovery := preprovisioned
	recovery.AllowRecovery = true
	for want, config := range map[string]twouser.Config{"orders_a": preprovisioned, "orders_a admin": recovery} {
		r := newRig(t, config, 0)
		r.must(r.GiveUp(r.token))
		r.server.SetPassword(userA, "unknown")
		r.server.Statements()
		handler, err := r.Handler(r.Outside.Process())
		r.must(err)
		_, err = handler.Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+r.Secret+`"}`))
		var statements []string
		if config.AllowRecovery {
			statements = []string{"admin try orders_b"}
		}
		r.wantOutcome(err, "", want, statements...)
	}
}

// A rotation costs so many calls to Secrets Manager, with a new process for every
// step and with one for all. Two of them read the admin secret.
func TestCalls(t *testing.T) {
	for mode, config := range modes {
		for name, limit := range map[string]int{"cold": 16 + 2, "warm": 10 + 2} {
			t.Run(mode+"/"+name, func(t *testing.T) {
				r := newRig(t, config, 1)
				r.Outside.Plan(0, rotationtest.None)
				handler, err := r.Handler(r.Outside.Process())
				for _, step := range rotationtest.Steps {
					if name == "cold" {
						handler, err = r.Handler(r.Outside.Process())
					}
					r.must(err)
					_, err = handler.Handle(t.Context(), r.event(step))
					r.must(err)
				}
				var calls []string
				for _, call := range r.Outside.Calls() {
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
}

// T7: pairs are two distinct users each, and no user is in two of them, or one
// secret's rotation would change what another's AWSCURRENT names.
func TestConfigFromEnv(t *testing.T) {
	read := func(variables map[string]string) (twouser.Config, error) {
		return twouser.ConfigFromEnv(rotation.NewEnv(func(name string) (string, bool) {
			value, ok := variables[name]
			return value, ok
		}))
	}
	one := func(users string) string {
		return `{"root-AbCdEf":{"s-AbCdEf":` + users + `}}`
	}
	config, err := read(map[string]string{"SECRETS": one(`["a","b"]`), "USERS": "clone", "REVOKE_EXTRA": "true", "ALLOW_RECOVERY": "true"})
	want := twouser.Config{Secrets: database.Mandates{{Secret: "s-AbCdEf", Admin: "root-AbCdEf", Users: []string{"a", "b"}}}, Clone: true, RevokeExtra: true, AllowRecovery: true}
	if err != nil || !reflect.DeepEqual(config, want) {
		t.Errorf("got %+v, %v, want %+v", config, err, want)
	}
	two := func(first, second string) string {
		return `{"root-AbCdEf":{"s-AbCdEf":` + first + `,"t-AbCdEf":` + second + `}}`
	}
	config, err = read(map[string]string{"SECRETS": two(`["a","b"]`, `["b","a"]`)})
	if err != nil || len(config.Secrets) != 2 || config.Clone || config.RevokeExtra || config.AllowRecovery {
		t.Errorf("got %+v, %v, want the careful defaults", config, err)
	}
	for _, value := range []string{
		"", "[]", "null", one(`[]`), one(`["a"]`), one(`["a",""]`), one(`["a","a"]`), one(`["a","b","c"]`), two(`["a","b"]`, `["b","c"]`), one(`["a","b"]`) + " x", one(`[1,2]`),
	} {
		if config, err := read(map[string]string{"SECRETS": value}); err == nil || !strings.Contains(err.Error(), "SECRETS") {
			t.Errorf("%s: got %v, %v, want it refused", value, config.Secrets, err)
		}
	}
	_, err = read(map[string]string{"USERS": "both", "REVOKE_EXTRA": "some", "ALLOW_RECOVERY": "perhaps"})
	for _, name := range []string{"SECRETS", "USERS", "REVOKE_EXTRA", "ALLOW_RECOVERY"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}
