// The rotation function: a Cloudflare API token is followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/cloudflare/common/cloudflare"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, err := overlap.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	return overlap.New(cloudflare.New(apihttp.Client{}), config), nil
}
