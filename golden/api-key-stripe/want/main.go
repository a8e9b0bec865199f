// The rotation function: a key of Stripe that a person supplies
// follows another.
package main

import (
	"example.com/keys/assisted"
	"example.com/keys/function"
	"example.com/keys/rotation"
	"example.com/keys/stripe"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	return assisted.New(stripe.FromEnv(env)), env.Err()
}
