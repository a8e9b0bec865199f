package singleuser_test

import (
	"context"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/singleuser"
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
