// The rotation function: one Redshift user changes its password.
package main

import (
	"context"

	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := singleuser.ConfigFromEnv(env) // errors are collected in env
	server, err := database.ConfigFromEnv(env, redshift.Authorities)
	if err != nil {
		return nil, err
	}
	engine, err := redshift.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	return singleuser.New(target{engine}, config)
}

// target is the engine in the strategy's words.
type target struct{ *redshift.Target }

func (t target) Login(ctx context.Context, account database.Account) (database.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err // and not a nil session in an interface that is not nil
	}
	return session, nil
}
