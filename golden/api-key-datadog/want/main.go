// The rotation function: a Datadog API key is followed by another.
package main

import (
	"example.com/keys/datadog"
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	provider := datadog.New(httpapi.Client{Base: env.String("API_BASE_URL", "")})
	return overlap.New(provider, config), env.Err()
}
