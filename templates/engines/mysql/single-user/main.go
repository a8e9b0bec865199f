// The rotation function: one MySQL user changes its password.
package main

import (
	"github.com/rotasmith/rotasmith/templates/engines/mysql/common/mysql"
	"github.com/rotasmith/rotasmith/templates/engines/mysql/single-user/mysql/dualpassword"
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
	engine, err := mysql.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	return singleuser.New(dualpassword.New(engine), config)
}
