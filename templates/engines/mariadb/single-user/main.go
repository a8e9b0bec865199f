// The rotation function: one MariaDB user changes its password.
package main

import (
	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/engines/mariadb/single-user/mariadb/dualpassword"
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
	engine, err := mariadb.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	engine.Text = env.OneOf("PASSWORD_FORM", "hash", "hash", "text") == "text"
	return singleuser.New(dualpassword.New(engine), config)
}
