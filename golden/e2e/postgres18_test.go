package e2e

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
)

// TestTwoUsersOnPostgres18 walks the two-user scenarios on the release whose
// rights of roles differ: from 16 on an admin has only those that it was
// granted. What a process that stands still can do does not depend on them.
func TestTwoUsersOnPostgres18(t *testing.T) {
	t.Parallel() // with the other servers
	for _, s := range postgresScenarios {
		if !strings.HasPrefix(s.name, "two users") {
			continue
		}
		s.engine = postgres{servers.Postgres18}
		t.Run(s.name, func(t *testing.T) {
			b := newBench(t, s)
			t.Run("rotates ten times", b.rotatesTenTimes)
			for _, steady := range []bool{false, true} {
				for _, anew := range []bool{false, true} {
					t.Run(pick(steady, "steady", "first")+"/"+pick(anew, "new token", "same token"), func(t *testing.T) {
						points, _, _ := b.killed(t, steady, anew)
						t.Logf("killed after each of %d calls", points)
					})
				}
			}
			t.Run("label lost", b.labelLost)
			t.Run("two deliveries at once", b.twoAtOnce)
			b.silent()
		})
	}
}
