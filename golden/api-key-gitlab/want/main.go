// The rotation function: a GitLab access token is followed by another.
package main

import (
	"time"

	"example.com/keys/function"
	"example.com/keys/gitlab"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

// lifetime is the longest that GitLab allows if nobody changes it.
const lifetime = 365 * 24 * time.Hour

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	provider := gitlab.New(
		httpapi.Client{Base: env.String("API_BASE_URL", "")},
		gitlab.Config{Lifetime: env.Duration("TOKEN_LIFETIME", lifetime), Now: time.Now},
	)
	return overlap.New(provider, config), env.Err()
}
