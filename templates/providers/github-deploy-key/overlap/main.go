// The rotation function: a deploy key of a GitHub repository is followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/github-deploy-key/common/githubdeploykey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	door := githubdeploykey.SSH{
		Address: env.String("SSH_ADDRESS", githubdeploykey.Address),
		HostKey: env.String("SSH_HOST_KEY", githubdeploykey.HostKey),
	}
	provider := githubdeploykey.New(apihttp.Client{Base: env.String("API_BASE_URL", "")}, door.Knock)
	return overlap.New(provider, config), env.Err()
}
