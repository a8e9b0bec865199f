// The rotation function: a Twilio API key is followed by another.
package main

import (
	"example.com/keys/function"
	"example.com/keys/httpapi"
	"example.com/keys/overlap"
	"example.com/keys/rotation"
	"example.com/keys/twilio"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	config, err := overlap.ConfigFromEnv(env)
	if err != nil {
		return nil, err
	}
	return overlap.New(twilio.New(httpapi.Client{}, env.String("VERIFY_PATH", twilio.VerifyPath)), config), nil
}
