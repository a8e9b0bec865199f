// The rotation function: a key of the API that generic/provider.json describes is
// followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	provider, err := generic.FromEnv(env)
	if err != nil {
		return nil, err
	}
	return overlap.New(provider, config), env.Err()
}
