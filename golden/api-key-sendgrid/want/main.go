// The rotation function: a SendGrid API key is followed by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
	"example.com/keys/sendgrid"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, err := overlap.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	return overlap.New(sendgrid.New(httpapi.Client{Base: env.String("API_BASE_URL", "")}), config), nil
}
