// The rotation function: one MySQL user changes its password.
package main

import (
	"example.com/orders-db/database"
	"example.com/orders-db/dual"
	"example.com/orders-db/function"
	"example.com/orders-db/mysql"
	"example.com/orders-db/rotation"
	"example.com/orders-db/singleuser"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := singleuser.ConfigFromEnv(env) // what is wrong stays in env
	server, err := database.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	engine, err := mysql.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	return singleuser.New(dual.New(engine), config)
}
