// The rotation function: a Datadog API key is followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/function"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/datadog/common/datadog"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/httpapi"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/overlap"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	provider := datadog.New(httpapi.Client{Base: env.String("API_BASE_URL", "")})
	return overlap.New(provider, config), env.Err()
}
