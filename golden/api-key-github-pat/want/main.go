// The rotation function: a GitHub personal access token that a person supplies
// follows another.
package main

import (
	"example.com/keys/assisted"
	"example.com/keys/function"
	"example.com/keys/githubpat"
	"example.com/keys/rotation"
)

func main() { function.Run(newStrategy) }

func newStrategy(env *rotation.Env) (rotation.Strategy, error) {
	return assisted.New(githubpat.FromEnv(env)), env.Err()
}
