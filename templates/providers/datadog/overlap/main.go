// The rotation function: a Datadog API key is followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/datadog/common/datadog"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	provider := datadog.New(apihttp.Client{Base: env.String("API_BASE_URL", "")})
	return overlap.New(provider, config), env.Err()
}
