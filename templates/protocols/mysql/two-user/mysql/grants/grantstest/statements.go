package grantstest

import (
	"regexp"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// mostStatements is how many statements a rotation may send: each is a round
// trip, perhaps across a VPC.
const mostStatements = 20

// Statements counts what the server logs of a rotation, from the vouching for
// AWSCURRENT to the end of finishSecret. (T3)
func Statements(t *testing.T, b *Bench) {
	b = b.in(t)
	b.forget("counted_clone")
	active := b.equipped("counted", "%")
	next := b.rotate("counted", "counted_clone", "Counted0")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	query := regexp.MustCompile(`\bQuery\t`)
	for name, cloned := range map[string]bool{"preprovisioned": false, "clone": true} {
		t.Run(name, func(t *testing.T) {
			before := len(b.Log(t))
			must(b.target.Prove(ctx, active))
			admin := b.in(t).admin()
			must(admin.Claim(ctx, "counted_clone"))
			next.Password = rotation.NewSensitive(sentinel + "Counted-" + name)
			set := admin.Change
			if cloned {
				set = admin.Activate
				must(admin.Create(ctx, "counted_clone"))
				_, err := admin.Reconcile(ctx, "counted", "counted_clone", false)
				must(err)
			}
			must(admin.Parity(ctx, "counted", "counted_clone"))
			must(set(ctx, "counted_clone", next.Password))
			must(b.target.Prove(ctx, next))
			for range 2 { // testSecret and finishSecret
				session := b.in(t).login(next)
				if err := session.Parity(ctx, "counted", "counted_clone"); rotation.CodeOf(err) != rotation.CodePermission {
					t.Fatalf("the user sees the other's rights: %v", err)
				}
				must(b.in(t).admin().Parity(ctx, "counted", "counted_clone"))
			}
			sent := b.Log(t)[before:]
			if n := len(query.FindAllString(sent, -1)); n == 0 || n > mostStatements {
				t.Errorf("%d statements were sent, and not %d at the most:\n%s", n, mostStatements, sent)
			} else {
				t.Logf("%d statements", n)
			}
		})
	}
}
