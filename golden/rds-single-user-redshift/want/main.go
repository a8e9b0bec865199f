// The rotation function: one Redshift user changes its password.
package main

import (
	"context"

	"example.com/orders-db/database"
	"example.com/orders-db/function"
	"example.com/orders-db/redshift"
	"example.com/orders-db/rotation"
	"example.com/orders-db/singleuser"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := singleuser.ConfigFromEnv(env) // what is wrong stays in env
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
