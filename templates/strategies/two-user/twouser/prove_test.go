package twouser_test

import (
	"context"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/twouser"
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
