// The rotation function: two MariaDB users take turns.
package main

import (
	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/engines/mariadb/two-user/roles"
	"github.com/rotasmith/rotasmith/templates/project/function"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/twouser"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := twouser.ConfigFromEnv(env) // what is wrong stays in env
	server, err := database.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	engine, err := mariadb.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	engine.Text = server.Text
	return twouser.New(roles.New(engine), config)
}
