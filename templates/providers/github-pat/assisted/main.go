// The rotation function: a GitHub personal access token that a person supplies
// follows another.
package main

import (
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/github-pat/common/githubpat"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
)

func main() { rotation.Serve(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	return assisted.New(githubpat.FromEnv(env)), env.Err()
}
