// The rotation function: a key of the API that generic/provider.json describes is
// followed by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/generic"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	provider, err := generic.FromEnv(env)
	if err != nil {
		return nil, err
	}
	return overlap.New(provider, config), env.Err()
}
