package e2e

import (
	"strings"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
)

// postgres18Scenarios are those of two users on the release whose rights of
// roles differ: from 16 on an admin has only those that it was granted. A
// frozen process can do the same with either.
var postgres18Scenarios = func() (on18 []scenario) {
	for _, s := range postgresScenarios {
		if strings.HasPrefix(s.name, "two users") {
			s.engine, s.on = postgres{servers.Postgres18}, "postgres 18"
			s.neverFrozen, s.twin = true, true
			on18 = append(on18, s)
		}
	}
	return on18
}()
