package e2e

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// walks are what was tried beside kills, by server and scenario.
type walks map[string]int

// The columns of walks.
var walked = []string{"rotations", "log-ins meanwhile", "two at once", "frozen", "late statements", "labels lost", "faults"}

// proofs are what was tried, on all servers at once.
var proofs = struct {
	sync.Mutex
	kills []row
	walks map[string]walks
}{walks: make(map[string]walks)}

// report adds a row to the table of kills that this test binary prints at its end.
func report(r row) {
	proofs.Lock()
	defer proofs.Unlock()
	proofs.kills = append(proofs.kills, r)
}

// tried adds to the table of all else.
func (b *bench) tried(what string, times int) {
	proofs.Lock()
	defer proofs.Unlock()
	key := b.scenario.server() + "\t" + b.scenario.name
	if proofs.walks[key] == nil {
		proofs.walks[key] = make(walks)
	}
	proofs.walks[key][what] += times
}

// TestMain prints the tables of all that was tried, and keeps them for "make proofs".
func TestMain(m *testing.M) {
	code := m.Run()
	if table := proofTable(); table != "" {
		fmt.Print(table)
		if err := keepTable(table); err != nil {
			fmt.Println(err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// keepTable keeps the table of all tests and that of some apart: those of one server
// run by themselves where CI runs servers at the same time.
func keepTable(table string) error {
	name, title := "all", "End to end, all tests"
	if some := flag.Lookup("test.run").Value.String(); some != "" {
		name, title = "some", "End to end, of the tests "+some
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "rotasmith", "proofs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), []byte(title+"\n\n"+table+"\n"), 0o644)
}

func proofTable() string {
	if len(proofs.kills)+len(proofs.walks) == 0 {
		return ""
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	slices.SortStableFunc(proofs.kills, func(a, b row) int { return cmp.Compare(a.server, b.server) })
	fmt.Fprintln(table, "server\tscenario\trotation\trecovery\tkill points\tdead ends\tlost rights\torphans\tdead points\tgap (ms)")
	var all row
	for _, r := range proofs.kills {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\n", r.server, r.scenario,
			pick(r.steady, "steady", "first"), pick(r.anew, "new token", "same token"),
			r.points, r.deadEnds, r.lostRights, r.orphans, r.deadPoints, r.gap)
		all.points, all.deadEnds, all.lostRights = all.points+r.points, all.deadEnds+r.deadEnds, all.lostRights+r.lostRights
		all.orphans, all.deadPoints = all.orphans+r.orphans, all.deadPoints+r.deadPoints
	}
	fmt.Fprintf(table, "all\t\t\t\t%d\t%d\t%d\t%d\t%d\t\n\n", all.points, all.deadEnds, all.lostRights, all.orphans, all.deadPoints)
	_ = table.Flush()
	table = tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "server\tscenario\t"+strings.Join(walked, "\t"))
	sum := make(walks)
	line := func(name string, w walks) {
		fmt.Fprint(table, name)
		for _, what := range walked {
			fmt.Fprintf(table, "\t%d", w[what])
		}
		fmt.Fprintln(table)
	}
	for _, name := range slices.Sorted(maps.Keys(proofs.walks)) {
		line(name, proofs.walks[name])
		for what, n := range proofs.walks[name] {
			sum[what] += n
		}
	}
	line("all\t", sum)
	_ = table.Flush()
	return text.String()
}
