// The rotation function: the key of the API that generic/provider.json describes is
// replaced by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	provider, err := generic.FromEnv(env)
	if err != nil {
		return nil, err
	}
	return roll.New(provider), env.Err()
}
