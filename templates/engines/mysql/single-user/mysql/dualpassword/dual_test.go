package dualpassword

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

const (
	user          = "orders"
	firstPassword = "first-password-sentinel-11bb"
	adminPassword = "admin-password-sentinel-77aa"
)

// model is a world with one user on a server that has MySQL's rules for two
// passwords. After every call to the server it asks whether AWSCURRENT works.
type model struct {
	*rotationtest.World
	t      testing.TB
	server *databasetest.Server
	config singleuser.Config
	// abandoned are the passwords of rotations that were given up after their
	// change, before anything else happens.
	abandoned []string
	begin     sync.Once
	// naive is the mistake that this package is there to avoid.
	naive bool

	mu      sync.Mutex
	outages []string
}

func newModel(t testing.TB, asAdmin bool) *model {
	t.Helper()
	m := &model{t: t, config: singleuser.Config{AsAdmin: asAdmin, Secrets: database.Mandates{{Secret: "*", Admin: "*"}}, RecoveryVersions: 5}}
	m.World = rotationtest.NewWorld(t, m.subject)
	return m
}

func (m *model) subject(w *rotationtest.World) rotationtest.Subject {
	m.World = w
	admin := w.Seed("admin", `{"username":"`+databasetest.Admin+`","password":"`+adminPassword+`"}`)
	m.server = databasetest.NewServer(w.Outside, adminPassword)
	m.server.AddUser(user, firstPassword)
	return rotationtest.Subject{
		Initial: value(firstPassword, admin),
		Strategy: func(p *rotationtest.Process) (rotation.Strategy, error) {
			m.begin.Do(func() { m.giveUp(admin) })
			return singleuser.New(modelTarget{m.server.Target(p), m}, m.config)
		},
		Works: func(v rotation.Value) error {
			name, _ := v.Get(database.KeyUser)
			password, _ := v.Get(database.KeyPassword)
			return m.server.CanWork(name.Reveal(), password.Reveal())
		},
		Settle:  m.server.Settle,
		Secrets: []string{firstPassword, adminPassword},
	}
}

func value(password, admin string) string {
	return `{"engine":"` + databasetest.Engine + `","host":"db","username":"` + user + `","password":"` + password + `","masterarn":"` + admin + `"}`
}

// giveUp leaves what rotations leave that were given up after their change: a
// version without a label, whose password is the primary one, and AWSCURRENT's
// the secondary.
func (m *model) giveUp(admin string) {
	m.t.Helper()
	label := aws.String("GIVEN_UP") // AWSPENDING is on its way to the next version already
	for i, password := range m.abandoned {
		id := fmt.Sprintf("given-up-%024d", i)
		_, err := m.Store.PutSecretValue(m.t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: &m.Secret, ClientRequestToken: &id, SecretString: aws.String(value(password, admin)), VersionStages: []string{*label},
		})
		if err == nil {
			_, err = m.Store.UpdateSecretVersionStage(m.t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: &m.Secret, VersionStage: label, RemoveFromVersionId: &id,
			})
		}
		if err != nil {
			m.t.Fatal(err)
		}
		m.server.SetPasswords(user, password, firstPassword)
	}
}

// look asks whether AWSCURRENT works at this moment.
func (m *model) look(op string) {
	if err := m.CurrentWorks(); err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.outages = append(m.outages, op)
	}
}

func (m *model) wantNoOutage(t *testing.T, when string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.outages) > 0 {
		t.Errorf("%s: AWSCURRENT was dead after %q", when, m.outages)
	}
}

// modelTarget is the server as the strategy wants it.
type modelTarget struct {
	*databasetest.Target
	m *model
}

func (modelTarget) Overlaps(bool) bool { return true }

func (t modelTarget) Login(ctx context.Context, a database.Account) (database.Session, error) {
	opened, err := t.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return modelSession{opened, t.m}, nil
}

type modelSession struct {
	*databasetest.Session
	m *model
}

var _ statements = modelSession{}

func (modelSession) Overlaps(context.Context, bool) error { return nil }

func (s modelSession) Overlap(ctx context.Context, changer database.Session, o singleuser.Overlap) error {
	switch {
	case s.m.naive:
		return s.Session.Assign(ctx, o.User, o.Pending, true)
	case s.m.config.AsAdmin:
		return overlapAsAdmin(ctx, s, changer.(modelSession), o)
	default:
		return overlap(ctx, s, o)
	}
}

func (s modelSession) Replace(ctx context.Context, previous, password rotation.Sensitive, retain bool) error {
	defer s.m.look("replace")
	err := s.Session.Replace(ctx, previous, password, retain)
	if errors.Is(err, databasetest.ErrNotPrimary) {
		return rotation.Errorf(rotation.CodeServer, "not the primary password").Because(errNotPrimary)
	}
	return err
}

func (s modelSession) Assign(ctx context.Context, name string, password rotation.Sensitive, retain bool) error {
	defer s.m.look("assign")
	return s.Session.Assign(ctx, name, password, retain)
}

func (s modelSession) Change(ctx context.Context, name string, password rotation.Sensitive) error {
	defer s.m.look("change")
	return s.Session.Change(ctx, name, password)
}

// modes are who changes the password.
var modes = map[string]bool{"self": false, "admin": true}

// S2, S6, C11, C18, C19: AWSCURRENT works throughout, with a fault in any call,
// with deliveries that overlap, and after any number of rotations that were
// given up.
func TestProof(t *testing.T) {
	for mode, asAdmin := range modes {
		for before, abandoned := range map[string][]string{
			"nothing before": nil, "two given up": {"abandoned-1", "abandoned-2"},
		} {
			t.Run(mode+", "+before, func(t *testing.T) {
				var worlds []*model
				rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
					m := &model{t: t, config: singleuser.Config{AsAdmin: asAdmin, Secrets: database.Mandates{{Secret: "*", Admin: "*"}}, RecoveryVersions: 5}, abandoned: abandoned}
					worlds = append(worlds, m)
					return m.subject(w)
				})
				for _, m := range worlds {
					m.wantNoOutage(t, "in one of many worlds")
				}
			})
		}
	}
}

// S6: two rotations are killed after any of their calls and given up, or gone on
// with, and a third one goes through. At no moment is AWSCURRENT dead, and after
// it AWSPREVIOUS works as well.
func TestAbandonedAnywhereTwice(t *testing.T) {
	for mode, asAdmin := range modes {
		t.Run(mode, func(t *testing.T) {
			calls := len(newModel(t, asAdmin).disturbed(t, 0, true))
			worlds := 0
			for first := 0; first <= calls; first++ {
				for second := 0; second <= calls; second++ {
					if testing.Short() && (first+second)%7 != 0 {
						continue
					}
					for _, gaveUp := range []bool{true, false} {
						m := newModel(t, asAdmin)
						m.disturbed(t, first, true)
						m.disturbed(t, second, gaveUp)
						m.undisturbed(t)
						m.wantNoOutage(t, fmt.Sprintf("killed after calls %d and %d, given up %t", first, second, gaveUp))
						worlds++
					}
				}
			}
			t.Logf("%d worlds of rotations with %d calls", worlds, calls)
		})
	}
}

// disturbed kills a rotation after its n-th call, 0 for never, and gives it up
// or lets the service try again. It returns the calls of the first try.
func (m *model) disturbed(t *testing.T, n int, giveUp bool) []string {
	t.Helper()
	token := m.Token()
	if err := m.Request(token); err != nil {
		t.Fatal(err)
	}
	m.Outside.Plan(n, rotationtest.KillAfter)
	_ = m.Rotate(token, 1)
	calls := m.Outside.Calls()
	m.Outside.Plan(0, rotationtest.None)
	m.look("the kill")
	goOn := func() error { return m.Rotate(token, 3) }
	if giveUp && m.Holder(rotation.StageCurrent) != token {
		goOn = func() error { return m.GiveUp(token) }
	}
	if err := goOn(); err != nil {
		t.Fatal(err)
	}
	return calls
}

func (m *model) undisturbed(t *testing.T) {
	t.Helper()
	token := m.Token()
	if err := errors.Join(m.Request(token), m.Rotate(token, 1), m.Settled(token)); err != nil {
		t.Fatal(err)
	}
	previous, err := m.Value(rotation.StagePrevious)
	if err == nil {
		err = m.Works(previous)
	}
	if err != nil {
		t.Errorf("AWSPREVIOUS: %v", err)
	}
}

// S6: the model tells a careless rotator from this one.
func TestModelFindsNaiveRetain(t *testing.T) {
	m := newModel(t, false)
	m.naive = true
	calls := len(m.disturbed(t, 0, true))
	for n := 1; n <= calls; n++ {
		m := newModel(t, false)
		m.naive = true
		m.disturbed(t, n, true)
		token := m.Token()
		_ = m.Request(token)
		for _, step := range rotationtest.Steps[:2] {
			_ = m.Deliver(m.Outside.Process(), token, step)
		}
		if m.CurrentWorks() != nil {
			return
		}
	}
	t.Error("a naive RETAIN never hurt AWSCURRENT")
}

// S6: in self-service a primary password that no version holds is an error that
// changes nothing; an admin needs not know it.
func TestUnknownPrimary(t *testing.T) {
	for mode, asAdmin := range modes {
		t.Run(mode, func(t *testing.T) {
			m := newModel(t, asAdmin)
			m.server.SetPasswords(user, "set by hand", firstPassword)
			token := m.Token()
			if err := m.Request(token); err != nil {
				t.Fatal(err)
			}
			err := m.Rotate(token, 1)
			if asAdmin && err != nil {
				t.Error(err)
			}
			if !asAdmin && (rotation.CodeOf(err) != rotation.CodeServer || !strings.Contains(err.Error(), "primary")) {
				t.Errorf("got %v", err)
			}
			if err := m.CurrentWorks(); err != nil {
				t.Error(err)
			}
		})
	}
}

// S6, C17: the answer of the server's password rules to each of the two
// questions.
func TestPasswordRules(t *testing.T) {
	policy := rotation.Errorf(rotation.CodePolicy, "too weak, or used before")
	for name, test := range map[string]struct {
		asAdmin     bool
		own, admin  error
		inForce     bool
		want        rotation.Code
		onePassword bool
	}{
		"self, refused":                        {own: policy, want: rotation.CodePolicy},
		"self, set before":                     {own: policy, inForce: true},
		"admin, refused":                       {asAdmin: true, admin: policy, want: rotation.CodePolicy},
		"admin, set before":                    {asAdmin: true, admin: policy, inForce: true},
		"admin, AWSCURRENT is against a rule":  {asAdmin: true, own: policy, want: rotation.CodePolicy, onePassword: true},
		"admin, no answer to the question":     {asAdmin: true, own: rotation.Errorf(rotation.CodeUnreachable, "gone"), want: rotation.CodeUnreachable},
		"admin, AWSCURRENT is not the primary": {asAdmin: true, own: errNotPrimary},
	} {
		t.Run(name, func(t *testing.T) {
			o := singleuser.Overlap{User: user, InForce: func(context.Context) (bool, error) { return test.inForce, nil }}
			var err error
			if test.asAdmin {
				err = overlapAsAdmin(t.Context(), scripted{test.own}, scripted{test.admin}, o)
			} else {
				err = overlap(t.Context(), scripted{test.own}, o)
			}
			if rotation.CodeOf(err) != test.want || errors.Is(err, singleuser.ErrOnePassword) != test.onePassword {
				t.Errorf("got %v (code %q), want code %q", err, rotation.CodeOf(err), test.want)
			}
		})
	}
}

// scripted answers every statement with the same.
type scripted struct{ err error }

func (s scripted) Replace(context.Context, rotation.Sensitive, rotation.Sensitive, bool) error {
	return s.err
}

func (s scripted) Assign(context.Context, string, rotation.Sensitive, bool) error { return s.err }

// TestLocksAtOnce reads how many wrong passwords lock a user. (S1)
func TestLocksAtOnce(t *testing.T) {
	const created = "CREATE USER `orders`@`%` IDENTIFIED WITH 'caching_sha2_password' REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK" +
		" PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT"
	for counter, want := range map[string]bool{
		"": false,
		" FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED": true,
		" FAILED_LOGIN_ATTEMPTS 1":                              true,
		" FAILED_LOGIN_ATTEMPTS 10 PASSWORD_LOCK_TIME 1":        false,
		" FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME 1":         false,
	} {
		if got := locksAtOnce(created + counter); got != want {
			t.Errorf("%q: got %t", counter, got)
		}
	}
}

// TestRemembers reads whether a user's passwords may be used again. (S6)
func TestRemembers(t *testing.T) {
	const created = "CREATE USER `orders`@`%` IDENTIFIED WITH 'caching_sha2_password' REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK"
	for rules, want := range map[string][2]bool{ // by defaults of 0, and of 5 and 30
		" PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT": {false, true},
		" PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY PASSWORD REQUIRE CURRENT DEFAULT":         {false, false},
		" PASSWORD HISTORY 3 PASSWORD REUSE INTERVAL 0 DAY":                                          {true, true},
		" PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 1 DAY":                                          {true, true},
		" PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL DEFAULT":                                        {false, true},
	} {
		for i, defaults := range [][]string{{"0", "0"}, {"5", "30"}} {
			if got := remembers(created+rules, defaults); got != want[i] {
				t.Errorf("%q with %v: got %t", rules, defaults, got)
			}
		}
	}
}
