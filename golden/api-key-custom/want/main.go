// The rotation function: a key of your provider is followed by another.
package main

import (
	"example.com/keys/custom"
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, err := overlap.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	return overlap.New(custom.New(httpapi.Client{}), config), nil
}
