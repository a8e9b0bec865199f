// The rotation function: a key of an OpenAI project is followed by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/openai"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	provider := openai.New(httpapi.Client{}, env.Duration("KEY_LIFETIME", 0))
	return overlap.New(provider, config), env.Err()
}
