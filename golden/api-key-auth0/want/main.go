// The rotation function: the client secret of an Auth0 application is replaced.
package main

import (
	"example.com/keys/auth0"
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/roll"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	api := httpapi.Client{Base: env.String("API_BASE_URL", "")}
	if api.Base == "" {
		env.Refuse("API_BASE_URL", "must be the URL of the Auth0 tenant")
	}
	return roll.New(auth0.New(api)), env.Err()
}
