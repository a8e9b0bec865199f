package grants

import (
	"context"
	"errors"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
)

var errServer = errors.New("the server fails")

// failing is a server that fails at one of the calls it gets.
type failing struct {
	Server
	calls, at int
}

func (f *failing) call() error {
	if f.calls++; f.calls == f.at {
		return errServer
	}
	return nil
}

func (f *failing) Writable() error { return errors.Join(f.call(), f.Server.Writable()) }

func (f *failing) CheckName(user string) error {
	return errors.Join(f.call(), f.Server.CheckName(user))
}

func (f *failing) Exec(ctx context.Context, doing, statement string) error {
	return errors.Join(f.call(), f.Server.Exec(ctx, doing, statement))
}

func (f *failing) Alter(ctx context.Context, doing, statement string) error {
	return errors.Join(f.call(), f.Server.Alter(ctx, doing, statement))
}

func (f *failing) Select(ctx context.Context, doing, statement string) (mysqlconn.Rows, error) {
	rows, err := f.Server.Select(ctx, doing, statement)
	return rows, errors.Join(f.call(), err)
}

func (f *failing) Mine(ctx context.Context) (string, error) {
	statement, err := f.Server.Mine(ctx)
	return statement, errors.Join(f.call(), err)
}

func (f *failing) Names(ctx context.Context, user string) ([]mysqlconn.Name, error) {
	names, err := f.Server.Names(ctx, user)
	return names, errors.Join(f.call(), err)
}

func (f *failing) Account(ctx context.Context, user string) (mysqlconn.Name, error) {
	name, err := f.Server.Account(ctx, user)
	return name, errors.Join(f.call(), err)
}

func (f *failing) Users(ctx context.Context, users ...string) ([]User, error) {
	found, err := f.Server.Users(ctx, users...)
	return found, errors.Join(f.call(), err)
}

// admin is the administrator's session on a server with two users, of whom the
// second has none of the first one's rights.
func admin(t *testing.T) Server {
	t.Helper()
	var server *databasetest.Server
	world := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		server = databasetest.NewServer(w.Outside, adminPassword)
		server.AddUser(userA, firstPassword, work...)
		server.AddUser(userB, firstPassword)
		return rotationtest.Subject{Initial: "{}"}
	})
	s, err := server.Target(world.Outside.Process()).Open(t.Context(), database.Account{User: databasetest.Admin, Password: rotation.NewSensitive(adminPassword)})
	if err != nil {
		t.Fatal(err)
	}
	return session{Session: s, user: databasetest.Admin}
}

// TestNoFailureIsLost: a call that fails fails the operation, whichever it is. (C7, T1)
func TestNoFailureIsLost(t *testing.T) {
	for name, operate := range map[string]func(context.Context, Server) error{
		"parity":   func(ctx context.Context, s Server) error { return Parity(ctx, s, userA, userB) },
		"rehearse": func(ctx context.Context, s Server) error { return Rehearse(ctx, s, userA, userB) },
		"create":   func(ctx context.Context, s Server) error { return Create(ctx, s, "new") },
		"activate": func(ctx context.Context, s Server) error {
			return Activate(ctx, s, userB, rotation.NewSensitive("next"))
		},
		"reconcile": func(ctx context.Context, s Server) error {
			_, err := Reconcile(ctx, s, userA, userB, true)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			whole := &failing{Server: admin(t)}
			_ = operate(t.Context(), whole) // parity finds a difference
			if whole.calls == 0 {
				t.Fatal("no call")
			}
			for at := 1; at <= whole.calls; at++ {
				if err := operate(t.Context(), &failing{Server: admin(t), at: at}); !errors.Is(err, errServer) {
					t.Errorf("call %d of %d fails: got %v", at, whole.calls, err)
				}
			}
		})
	}
}

// TestTwoUsers: a user is not compared with itself, and nothing is given by the user
// it is given to. (T1)
func TestTwoUsers(t *testing.T) {
	s := admin(t)
	if _, err := Reconcile(t.Context(), s, userA, userA, false); rotation.CodeOf(err) != rotation.CodeParity {
		t.Errorf("the same user twice: got %v", err)
	}
	for _, own := range []string{userA, userB} {
		if err := Parity(t.Context(), session{Session: s.(session).Session, user: own}, userA, userB); err == nil {
			t.Errorf("%s compares itself", own)
		}
	}
}
