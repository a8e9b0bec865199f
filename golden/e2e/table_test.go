package e2e

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
)

// row says what became of the kills of one scenario.
type row struct {
	server, scenario string
	steady, anew     bool // not the first rotation; recovered by a new token
	points           int  // calls after which the process was killed
	deadEnds         int  // kills that no later delivery made good
	lostRights       int  // kills after which a user logs in and cannot work
	orphans          int  // kills after which a provider's keys were not as they should be
	deadPoints       int  // kills that left AWSCURRENT dead until the next delivery
	gap              string
}

// rows are what [report] was given, by all servers at once.
var rows struct {
	sync.Mutex
	all []row
}

// report adds a row to the one table that this test binary prints at its end.
func report(r row) {
	rows.Lock()
	defer rows.Unlock()
	rows.all = append(rows.all, r)
}

func TestMain(m *testing.M) {
	code := m.Run()
	printTable()
	os.Exit(code)
}

func printTable() {
	if len(rows.all) == 0 {
		return
	}
	slices.SortStableFunc(rows.all, func(a, b row) int { return cmp.Compare(a.server, b.server) })
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "server\tscenario\trotation\trecovery\tkill points\tdead ends\tlost rights\torphans\tdead points\tgap (ms)")
	for _, r := range rows.all {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", r.server, r.scenario,
			pick(r.steady, "steady", "first"), pick(r.anew, "new token", "same token"),
			r.points, r.deadEnds, r.lostRights, r.orphans, r.deadPoints, r.gap)
	}
	_ = table.Flush()
}
