// The rotation function: two PostgreSQL users take turns.
package main

import (
	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/database/twouser"
	"example.com/orders-db/internal/postgres"
	"example.com/orders-db/internal/postgres/parity"
	"example.com/orders-db/internal/rotation"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := twouser.ConfigFromEnv(env) // errors are collected in env
	server, err := database.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	engine, err := postgres.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	engine.Text = env.OneOf("PASSWORD_FORM", "hash", "hash", "text") == "text"
	return twouser.New(parity.New(engine), config)
}
