// The rotation function: a client secret of an app in Okta is followed by another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/okta/common/okta"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // errors are collected in env
	api := apihttp.Client{Base: env.String("API_BASE_URL", "")}
	if api.Base == "" {
		env.Refuse("API_BASE_URL", "must be the URL of the Okta organization")
	}
	clientAuth := env.OneOf("CLIENT_AUTH", okta.AuthBasic, okta.AuthBasic, okta.AuthPost)
	return overlap.New(okta.New(api, clientAuth), config), env.Err()
}
