// The rotation function: two PostgreSQL users take turns.
package main

import (
	"example.com/orders-db/database"
	"example.com/orders-db/function"
	"example.com/orders-db/postgres"
	"example.com/orders-db/roles"
	"example.com/orders-db/rotation"
	"example.com/orders-db/twouser"
)

func main() { function.Run(newStrategy) }

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
	return twouser.New(roles.New(engine), config)
}
