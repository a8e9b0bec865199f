// The rotation function: the key of the API that generic/provider.json describes is
// replaced by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/generic"
	"example.com/keys/roll"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	provider, err := generic.FromEnv(env)
	if err != nil {
		return nil, err
	}
	return roll.New(provider), env.Err()
}
