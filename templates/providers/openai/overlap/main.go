// The rotation function: a key of an OpenAI project is followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/openai/common/openai"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	provider := openai.New(
		apihttp.Client{Base: env.String("API_BASE_URL", "")},
		openai.Config{Lifetime: env.Duration("KEY_LIFETIME", 0), Scopes: env.List("KEY_SCOPES")},
	)
	return overlap.New(provider, config), env.Err()
}
