package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/doctor"
	"github.com/rotasmith/rotasmith/generator/doctor/account/accounttest"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// rotator is a secret with what rotates it, as the service and a person on call act on them.
type rotator interface {
	store() *rotationtest.SecretsManager
	// run lets the service run a rotation, which it tries three times.
	run(token string) error
	works() error // AWSCURRENT
	// mend sets the password to AWSCURRENT's, as an administrator does.
	mend(t *testing.T)
	now() time.Time
	heard() string
	emitted() bool
}

// clinic is where a rotator is diagnosed, over the wire.
type clinic struct {
	rotator
	*Account
	secret string
	server *accounttest.Server
	tokens int
	lines  []any
	read   int // bytes of the log
}

func newClinic(t *testing.T, r rotator, secret string) *clinic {
	t.Helper()
	c := &clinic{rotator: r, secret: secret, server: &accounttest.Server{Secrets: &rehearsal.Front{SecretsManager: r.store()}, Configuration: map[string]any{"State": "Active", "Timeout": 60}}}
	c.server.Policy = `{"Statement":{"Effect":"Allow","Principal":{"Service":"secretsmanager.amazonaws.com"},"Action":"lambda:InvokeFunction","Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}}}`
	if r.emitted() {
		c.server.Configuration["Environment"] = map[string]any{"Variables": map[string]any{"ALLOWED_SECRETS": "arn:*"}}
	}
	server := httptest.NewServer(c.server)
	t.Cleanup(server.Close)
	accounttest.Setenv(t.Setenv, server.URL)
	var err error
	if c.Account, err = Open(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	c.Now = r.now
	return c
}

// hear puts what the rotator has said since into CloudWatch.
func (c *clinic) hear() {
	text := c.heard()
	for line := range strings.Lines(text[c.read:]) {
		c.lines = append(c.lines, map[string]any{"timestamp": c.now().UnixMilli(), "message": line})
	}
	c.read = len(text)
	c.server.Log = map[string]any{"events": c.lines}
}

func (c *clinic) diagnose(t *testing.T) *doctor.Diagnosis {
	t.Helper()
	c.hear()
	s, err := c.Secret(t.Context(), c.secret, true)
	if err != nil {
		t.Fatal(err)
	}
	return doctor.Diagnose(s)
}

// heal follows the advice for the worst findings, again until there are none, as a person does who pastes each
// command once and does what stands before it.
func (c *clinic) heal(t *testing.T) error {
	t.Helper()
	for range 3 {
		d := c.diagnose(t)
		if d.Severity() != doctor.Broken && d.State != doctor.StateFailed {
			return nil
		}
		for _, f := range d.Findings {
			if f.Severity != d.Severity() {
				break
			}
			for _, command := range f.Commands {
				if err := c.paste(t, f, command); err != nil {
					return fmt.Errorf("%s: %s: %w", f.Code, command, err)
				}
			}
		}
	}
	return fmt.Errorf("after three rounds: %+v", c.diagnose(t))
}

// paste does what a command does.
func (c *clinic) paste(t *testing.T, f doctor.Finding, command string) error {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(command, "'", ""))
	flag := func(name string) *string {
		if i := slices.Index(words, name); i >= 0 {
			return &words[i+1]
		}
		return nil
	}
	switch strings.Join(words[:3], " ") {
	case "aws secretsmanager rotate-secret":
		c.tokens++
		token := fmt.Sprintf("99999999-0000-4000-8000-%012d", c.tokens)
		in := &secretsmanager.RotateSecretInput{SecretId: flag("--secret-id"), ClientRequestToken: &token, RotationLambdaARN: flag("--rotation-lambda-arn")}
		if _, err := c.store().RotateSecret(t.Context(), in); err != nil {
			if token = c.store().InFlight(c.secret); token == "" {
				return err
			}
		}
		_ = c.run(token) // the next diagnosis says how it went
	case "aws secretsmanager update-secret-version-stage":
		if !strings.Contains(strings.Join(f.Do, " "), "First see whether AWSCURRENT logs in") {
			return errors.New("nothing says to look first")
		}
		if c.works() != nil {
			c.mend(t)
		}
		_, err := c.store().UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: flag("--secret-id"), VersionStage: flag("--version-stage"), RemoveFromVersionId: flag("--remove-from-version-id"),
		})
		return err
	case "aws secretsmanager put-secret-value":
		_, err := c.store().PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: flag("--secret-id"), SecretString: aws.String(firstValue), ClientRequestToken: aws.String("first")})
		return err
	case "aws logs tail", "aws cloudtrail lookup-events", "aws ec2 describe-vpc-endpoints", "aws ec2 describe-route-tables": // to be looked at
	default:
		return errors.New("is not known here")
	}
	return nil
}

const (
	user          = "orders"
	otherUser     = "orders_b"
	firstPassword = "first"
	firstValue    = `{"host":"db","username":"` + user + `","password":"` + firstPassword + `"}`
)

// ours is an emitted function over a server in memory.
type ours struct {
	*rotationtest.World
	db *databasetest.Server
}

func (o *ours) store() *rotationtest.SecretsManager { return o.World.Store }
func (o *ours) run(token string) error              { return o.Rotate(token, 3) }
func (o *ours) works() error                        { return o.CurrentWorks() }
func (o *ours) now() time.Time                      { return o.Now() }
func (o *ours) heard() string                       { return o.Output() }
func (o *ours) emitted() bool                       { return true }

func (o *ours) mend(t *testing.T) {
	current, err := o.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := current.Get(database.KeyUser)
	password, _ := current.Get(database.KeyPassword)
	o.db.SetPassword(name.Reveal(), password.Reveal())
}

type singleTarget struct{ *databasetest.Target }

func (t singleTarget) Login(ctx context.Context, a database.Account) (database.Session, error) {
	session, err := t.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return session, nil
}

type twoTarget struct{ *databasetest.Target }

func (t twoTarget) Login(ctx context.Context, a database.Account) (twouser.Session, error) {
	session, err := t.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return session, nil
}

func newOurs(t *testing.T, strategy func(*rotationtest.World, *databasetest.Server) func(*rotationtest.Process) (rotation.Strategy, error)) *ours {
	t.Helper()
	o := new(ours)
	o.World = rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		admin := w.Seed("admin", `{"username":"`+databasetest.Admin+`","password":"admin"}`)
		o.db = databasetest.NewServer(w.Outside, "admin")
		o.db.AddUser(user, firstPassword, "read")
		o.db.AddUser(otherUser, "not known", "read")
		return rotationtest.Subject{
			Initial: `{"engine":"` + databasetest.Engine + `","host":"db","port":5432,"username":"` + user + `","password":"` + firstPassword + `","masterarn":"` + admin + `","alternate_username":"` + otherUser + `"}`,
			Works: func(value rotation.Value) error {
				name, _ := value.Get(database.KeyUser)
				password, _ := value.Get(database.KeyPassword)
				return o.db.CanWork(name.Reveal(), password.Reveal())
			},
			Settle: o.db.Settle, GapPoints: 2, Strategy: strategy(w, o.db),
		}
	})
	return o
}

func (o *ours) begin(t *testing.T) (token string) {
	t.Helper()
	o.Pass(10 * 24 * time.Hour)
	token = o.Token()
	if err := o.Request(token); err != nil {
		t.Fatal(err)
	}
	return token
}

// C5: after a rotation was killed or cut off at any of its calls, doctor says that it is running or failed, and what it says to
// paste leads to a complete rotation with an AWSCURRENT that works.
func TestAdviceAfterEveryKill(t *testing.T) {
	strategies := map[string]func(*rotationtest.World, *databasetest.Server) func(*rotationtest.Process) (rotation.Strategy, error){
		"one user": func(_ *rotationtest.World, db *databasetest.Server) func(*rotationtest.Process) (rotation.Strategy, error) {
			return func(p *rotationtest.Process) (rotation.Strategy, error) {
				return singleuser.New(singleTarget{db.Target(p)}, singleuser.Config{RecoveryVersions: singleuser.DefaultRecoveryVersions})
			}
		},
		"two users": func(_ *rotationtest.World, db *databasetest.Server) func(*rotationtest.Process) (rotation.Strategy, error) {
			return func(p *rotationtest.Process) (rotation.Strategy, error) {
				return twouser.New(twoTarget{db.Target(p)}, twouser.Config{Secrets: database.Mandates{{Secret: "*", Admin: "*", Users: []string{user, otherUser}}}})
			}
		},
	}
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			o := newOurs(t, strategy)
			o.Outside.Plan(0, rotationtest.None)
			if err := o.Rotate(o.begin(t), 1); err != nil {
				t.Fatal(err)
			}
			calls := len(o.Outside.Calls())
			runs := 0
			for _, fault := range []rotationtest.Fault{rotationtest.KillBefore, rotationtest.KillAfter, rotationtest.Fail, rotationtest.Lose} {
				for n := 1; n <= calls; n++ {
					if testing.Short() && (n+int(fault))%5 != 0 {
						continue
					}
					if err := adviceAfter(t, newOurs(t, strategy), n, fault); err != nil {
						t.Errorf("%s at call %d: %v", fault, n, err)
					}
					runs++
				}
			}
			t.Logf("%d disturbed rotations", runs)
		})
	}
}

func adviceAfter(t *testing.T, o *ours, n int, fault rotationtest.Fault) error {
	t.Helper()
	c := newClinic(t, o, o.Secret)
	if err := o.Rotate(o.begin(t), 1); err != nil {
		return err
	}
	c.hear()
	token := o.begin(t)
	o.Outside.Plan(n, fault)
	failed := o.Rotate(token, 1)
	o.Outside.Plan(0, rotationtest.None)
	ended := failed == nil || o.Holder(rotation.StageCurrent) == token
	if d := c.diagnose(t); d.State != doctor.StateRunning && d.State != doctor.StateFailed && !ended {
		return fmt.Errorf("at once: %+v", d)
	}
	o.Pass(2 * 24 * time.Hour)
	if d := c.diagnose(t); d.State != doctor.StateFailed && !ended || d.State == doctor.StateFailed && (len(d.Findings) == 0 || len(d.Findings[0].Commands) == 0) {
		return fmt.Errorf("later: %+v", d)
	}
	if err := c.heal(t); err != nil {
		return err
	}
	if d := c.diagnose(t); d.State != doctor.StateComplete {
		return fmt.Errorf("in the end: %+v", d)
	}
	return errors.Join(o.CurrentWorks(), o.Silent(failed))
}

// template does what AWS's template for one user does, with its refusals and in its words: the dead ends are its own.
// https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas/blob/master/SecretsManagerRDSPostgreSQLRotationSingleUser/lambda_function.py
type template struct {
	sm       *rotationtest.SecretsManager
	arn      string
	password string // of the user, at the server
	dead     string // the step in which the function is killed
	down     bool   // the server is not reached
	clock    time.Time
	said     strings.Builder
	next     int
}

func (r *template) store() *rotationtest.SecretsManager { return r.sm }
func (r *template) now() time.Time                      { return r.clock }
func (r *template) heard() string                       { return r.said.String() }
func (r *template) emitted() bool                       { return false }

func (r *template) value(stage string) (id string, v map[string]string) {
	out, err := r.sm.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &r.arn, VersionStage: &stage})
	if err != nil {
		return "", nil
	}
	_ = json.Unmarshal([]byte(*out.SecretString), &v) // its own values
	return *out.VersionId, v
}

func (r *template) logsIn(v map[string]string) bool {
	return !r.down && v != nil && v["password"] == r.password
}

func (r *template) works() error {
	if _, v := r.value("AWSCURRENT"); !r.logsIn(v) {
		return errors.New("AWSCURRENT does not log in")
	}
	return nil
}

func (r *template) mend(*testing.T) {
	_, v := r.value("AWSCURRENT")
	r.password = v["password"]
}

func (r *template) fail(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	fmt.Fprintf(&r.said, "[ERROR] ValueError: %v\n", err)
	return err
}

func (r *template) run(token string) error {
	var err error
	for range 3 {
		for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
			if err = r.step(step, token); err != nil {
				break
			}
		}
		if err == nil {
			return r.sm.RotationSucceeded(r.arn, token)
		}
	}
	return err
}

func (r *template) step(step, token string) error {
	ctx := context.Background()
	id, current := r.value("AWSCURRENT")
	_, pending := r.value("AWSPENDING")
	if step == r.dead {
		return r.fail("Task timed out after 30.00 seconds")
	}
	switch step {
	case "createSecret":
		if current == nil {
			return r.fail("Secrets Manager can't find the specified secret value for staging label: AWSCURRENT")
		}
		if pending != nil {
			return nil
		}
		r.next++
		text, err := json.Marshal(map[string]string{"host": current["host"], "username": current["username"], "password": fmt.Sprint("new", r.next)})
		if err != nil {
			return err
		}
		_, err = r.sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &r.arn, ClientRequestToken: &token, SecretString: aws.String(string(text)), VersionStages: []string{"AWSPENDING"}})
		return err
	case "setSecret":
		_, previous := r.value("AWSPREVIOUS")
		switch {
		case pending["username"] != current["username"]:
			return r.fail("Attempting to modify user %s other than current user %s", pending["username"], current["username"])
		case pending["host"] != current["host"]:
			return r.fail("Attempting to modify database host %s other than current database host %s", pending["host"], current["host"])
		case !r.logsIn(pending) && !r.logsIn(current) && !r.logsIn(previous):
			return r.fail("Unable to log into database with previous, current, or pending secret of secret arn %s", r.arn)
		}
		r.password = pending["password"]
	case "testSecret":
		if !r.logsIn(pending) {
			return r.fail("Unable to log into database with pending secret of secret ARN %s", r.arn)
		}
	case "finishSecret":
		_, err := r.sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: &r.arn, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &token, RemoveFromVersionId: &id})
		return err
	}
	return nil
}

// C1: the dead ends of other people's rotators. Doctor names the cause, and once that is mended its commands lead to a complete
// rotation.
func TestAdviceInDeadEnds(t *testing.T) {
	put := func(r *template, value string, labels ...string) {
		r.next++
		_, err := r.sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &r.arn, ClientRequestToken: aws.String(fmt.Sprint("by hand ", r.next)), SecretString: &value, VersionStages: labels})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		empty bool
		spoil func(*template) // before the rotation
		then  func(*template) // after it
		state doctor.State
		codes []string
		mend  func(*template)
	}{
		{"2 killed by its timeout", false, func(r *template) { r.dead = "setSecret" }, nil, doctor.StateFailed, []string{"timed-out", "pending-stuck"}, func(r *template) { r.dead = "" }},
		{"3 nothing logs in", false, func(r *template) { r.password = "by hand" }, nil, doctor.StateFailed, []string{"locked-out", "pending-stuck"}, func(r *template) { r.mend(t) }},
		{"4 rotation on before the first value", true, func(*template) {}, nil, doctor.StateNoValue, []string{"nothing-to-rotate", "rotated-without-value"}, func(*template) {}},
		{"6 AWSPENDING without a value", false, func(r *template) { r.dead = "createSecret" }, nil, doctor.StateFailed, []string{"timed-out", "pending-stuck"}, func(r *template) { r.dead = "" }},
		{"14 testSecret never sees the change", false, func(r *template) { r.dead = "testSecret" }, nil, doctor.StateFailed, []string{"timed-out", "pending-stuck"}, func(r *template) { r.dead = "" }},
		{"15 host changed while a rotation was under way", false, func(r *template) { r.dead = "setSecret" }, func(r *template) {
			r.dead = ""
			pending := r.sm.InFlight(r.arn)
			put(r, `{"host":"new","username":"orders","password":"first"}`, "MOVED")
			_, err := r.sm.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: &r.arn, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String(fmt.Sprint("by hand ", r.next)), RemoveFromVersionId: aws.String("first")})
			if err != nil {
				t.Fatal(err)
			}
			_ = r.run(pending) // which fails for ever
		}, doctor.StateFailed, []string{"tampered-host", "must-be-given-up"}, func(*template) {}},
		{"switched off midway", false, func(r *template) { r.dead = "testSecret" }, func(r *template) {
			r.dead = ""
			if _, err := r.sm.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: &r.arn}); err != nil {
				t.Fatal(err)
			}
		}, doctor.StateCancelled, []string{"cancelled-midway"}, func(*template) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &template{password: firstPassword, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			r.sm = &rotationtest.SecretsManager{Now: r.now}
			create := &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(firstValue), ClientRequestToken: aws.String("first")}
			if test.empty {
				create.SecretString = nil
			}
			out, err := r.sm.CreateSecret(t.Context(), create)
			if err != nil {
				t.Fatal(err)
			}
			r.arn = *out.ARN
			c := newClinic(t, r, name)
			r.clock = r.clock.Add(48 * time.Hour)
			test.spoil(r)
			if _, err := r.sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: &r.arn, RotationLambdaARN: aws.String(rehearsal.FunctionARN), ClientRequestToken: aws.String("begun")}); err != nil {
				t.Fatal(err)
			}
			if err := r.run("begun"); err == nil {
				t.Fatal("the rotation went well")
			}
			if test.then != nil {
				test.then(r)
			}
			c.hear()
			r.clock = r.clock.Add(48 * time.Hour)
			d := c.diagnose(t)
			var codes []string
			for _, f := range d.Findings {
				if f.Severity == doctor.Broken {
					codes = append(codes, f.Code)
				}
			}
			if d.State != test.state || !slices.Equal(codes, test.codes) {
				t.Errorf("state %s, %v; want %s, %v", d.State, codes, test.state, test.codes)
			}
			test.mend(r)
			if err := c.heal(t); err != nil {
				t.Error(err)
			}
			if d := c.diagnose(t); d.State != doctor.StateComplete || r.works() != nil || r.sm.InFlight(r.arn) != "" {
				t.Errorf("in the end %+v, %v", d, r.works())
			}
		})
	}
}
