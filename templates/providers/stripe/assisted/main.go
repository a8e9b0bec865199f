// The rotation function: a key of Stripe that a person supplies
// follows another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/stripe/common/stripe"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	return assisted.New(stripe.FromEnv(env)), env.Err()
}
