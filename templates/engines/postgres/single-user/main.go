// The rotation function: one PostgreSQL user changes its password.
package main

import (
	"context"

	"github.com/rotasmith/rotasmith/templates/engines/postgres/common/postgres"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := singleuser.ConfigFromEnv(env) // errors are collected in env
	server, err := database.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	engine, err := postgres.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	engine.Text = env.OneOf("PASSWORD_FORM", "hash", "hash", "text") == "text"
	return singleuser.New(target{engine}, config)
}

// target is the engine in the strategy's words.
type target struct{ *postgres.Target }

func (t target) Login(ctx context.Context, account database.Account) (database.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err // and not a nil session in an interface that is not nil
	}
	return session, nil
}
