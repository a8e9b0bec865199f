// The rotation function: a GitLab access token is followed by another.
package main

import (
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/gitlab/common/gitlab"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// lifetime is a day less than GitLab allows by default: the day counts in the
// time zone of the instance.
const lifetime = 364 * 24 * time.Hour

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	provider := gitlab.New(
		apihttp.Client{Base: env.String("API_BASE_URL", "")},
		gitlab.Config{Lifetime: env.Duration("TOKEN_LIFETIME", lifetime), Now: time.Now},
	)
	return overlap.New(provider, config), env.Err()
}
