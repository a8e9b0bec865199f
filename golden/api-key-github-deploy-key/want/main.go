// The rotation function: a deploy key of a GitHub repository is followed by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/githubdeploykey"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	door := githubdeploykey.SSH{
		Address: env.String("SSH_ADDRESS", githubdeploykey.Address),
		HostKey: env.String("SSH_HOST_KEY", githubdeploykey.HostKey),
	}
	provider := githubdeploykey.New(httpapi.Client{Base: env.String("API_BASE_URL", "")}, door.Knock)
	return overlap.New(provider, config), env.Err()
}
