// The rotation function: two MySQL users take turns.
package main

import (
	"github.com/rotasmith/rotasmith/templates/engines/mysql/common/mysql"
	"github.com/rotasmith/rotasmith/templates/engines/mysql/two-user/roles"
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
	engine, err := mysql.New(server.Roots, server.PasswordLength)
	if err != nil {
		return nil, err
	}
	return twouser.New(roles.New(engine), config)
}
