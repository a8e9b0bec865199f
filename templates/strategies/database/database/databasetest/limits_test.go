package databasetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
)

var app = database.Account{User: "app", Password: rotation.NewSensitive("right")}

func newServer() (*databasetest.Server, func(context.Context, database.Account) (func(), error)) {
	now := time.Now()
	outside := &rotationtest.Outside{Now: func() time.Time { return now }}
	server := databasetest.NewServer(outside, "admin")
	server.AddUser(app.User, app.Password.Reveal())
	return server, func(ctx context.Context, account database.Account) (func(), error) {
		session, err := server.Target(outside.Process()).Open(ctx, account)
		if err != nil {
			return nil, err
		}
		return session.Close, nil
	}
}

// C20: the server in memory has the rules that the engines' tests ask of real ones.
func TestRulesOfLimits(t *testing.T) {
	server, open := newServer()
	databasetest.RulesOfLimits(t, app, func(n int) { server.Limit(app.User, databasetest.Limits{Connections: n}, 0) }, open)
}

// C20: the answer of a server that is full or down, or that has locked the user,
// does not depend on the password.
func TestNoVerdict(t *testing.T) {
	wrong := app
	wrong.Password = rotation.NewSensitive("wrong")
	for code, begin := range map[rotation.Code]func(*databasetest.Server, func()){
		rotation.CodeServerFull:  func(s *databasetest.Server, hold func()) { hold(); s.LimitAll(databasetest.Limits{Connections: 1}) },
		rotation.CodeUnreachable: func(s *databasetest.Server, _ func()) { s.Down(time.Second) },
		rotation.CodeLocked: func(s *databasetest.Server, _ func()) {
			s.Limit(app.User, databasetest.Limits{WrongPasswords: 1}, 0)
		},
	} {
		t.Run(string(code), func(t *testing.T) {
			server, open := newServer()
			begin(server, func() {
				if _, err := open(t.Context(), app); err != nil {
					t.Fatal(err)
				}
			})
			if code == rotation.CodeLocked {
				_, _ = open(t.Context(), wrong)
			}
			for _, account := range []database.Account{app, wrong} {
				if _, err := open(t.Context(), account); rotation.CodeOf(err) != code {
					t.Errorf("got %v, want %s", err, code)
				}
			}
		})
	}
}
