// The rotation function: a token of a Grafana service account is followed by another.
package main

import (
	"time"

	"example.com/keys/function"
	"example.com/keys/grafana"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	api := httpapi.Client{Base: env.String("API_BASE_URL", "")}
	if api.Base == "" {
		env.Refuse("API_BASE_URL", "must be the URL of Grafana")
	}
	provider := grafana.New(api, grafana.Config{Lifetime: env.Duration("TOKEN_LIFETIME", 0), Now: time.Now})
	return overlap.New(provider, config), env.Err()
}
