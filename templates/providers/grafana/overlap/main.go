// The rotation function: a token of a Grafana service account is followed by another.
package main

import (
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/grafana/common/grafana"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	api := apihttp.Client{Base: env.String("API_BASE_URL", "")}
	if api.Base == "" {
		env.Refuse("API_BASE_URL", "must be the URL of Grafana")
	}
	provider := grafana.New(api, grafana.Config{Lifetime: env.Duration("TOKEN_LIFETIME", 0), Now: time.Now})
	return overlap.New(provider, config), env.Err()
}
