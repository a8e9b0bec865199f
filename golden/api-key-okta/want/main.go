// The rotation function: a client secret of an app in Okta is followed by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/okta"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, _ := overlap.ConfigFromEnv(env) // what is wrong stays in env
	api := httpapi.Client{Base: env.String("API_BASE_URL", "")}
	if api.Base == "" {
		env.Refuse("API_BASE_URL", "must be the URL of the Okta organization")
	}
	clientAuth := env.OneOf("CLIENT_AUTH", okta.AuthBasic, okta.AuthBasic, okta.AuthPost)
	return overlap.New(okta.New(api, clientAuth), config), env.Err()
}
