package play_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/cmd"
	"github.com/rotasmith/rotasmith/generator/rehearsal/play"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/report"
	"github.com/rotasmith/rotasmith/golden/function"
)

// emit writes a project and builds its function.
func emit(t *testing.T, p play.Project) play.Project {
	t.Helper()
	p.Name, p.Dir = "orders-db", filepath.Join(t.TempDir(), "project")
	args := []string{"new", p.Name, "--engine", p.Engine, "--no-input", "--dir", p.Dir}
	switch {
	case p.Clone:
		args = append(args, "--type", "rds-two-user", "--set", "users=clone")
	case p.TwoUsers:
		args = append(args, "--type", "rds-two-user")
	case p.ByAdmin:
		args = append(args, "--type", "rds-single-user", "--set", "change_as=admin")
	default:
		args = append(args, "--type", "rds-single-user")
	}
	if code := cmd.Main(args, cmd.System{In: strings.NewReader(""), Out: io.Discard, Err: os.Stderr, Getenv: func(string) string { return "" }}); code != 0 {
		t.Fatal("rotasmith new fails")
	}
	return p
}

func build(t *testing.T, p play.Project) play.Project {
	t.Helper()
	if err := function.Build(t.Context(), p.Dir); err != nil {
		t.Fatal(err)
	}
	p.Binary = filepath.Join(p.Dir, "bootstrap")
	return p
}

// needs skips a test that has no server.
func needs(t *testing.T, kind servers.Kind) {
	t.Helper()
	if err := servers.Missing(kind); err != nil && os.Getenv(serverstest.Require) != "" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("takes a server and most of a minute")
	}
}

// open starts a server and makes a world on it.
func open(t *testing.T, p play.Project) *play.World {
	t.Helper()
	target, err := play.Start(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	world, err := play.Open(p, target.Database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = world.Close() })
	return world
}

func quick(t *testing.T, w *play.World) (runs []report.Run) {
	t.Helper()
	calls, err := w.Calls(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	faults := append([]play.Fault{play.Preflight, play.TestOnly, play.Clean(2)}, play.QuickFaults(calls, w.Database.IsChange)...)
	for _, f := range append(faults, play.Reset(len(calls)/2, ""), play.LagStore) {
		run, err := f.Play(t.Context(), w)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		t.Logf("%s %s %.0f ms, gap %.0f-%.0f ms %s", run.Name, run.Outcome, run.Length, run.Gap[0], run.Gap[1], run.Invariant)
		runs = append(runs, run)
	}
	return runs
}

// TestFaults lets all kinds of faults happen to projects as they are emitted, of each
// engine and strategy once, and of every kind by make fuzz: nothing breaks. golden/e2e
// kills and freezes all of them at each call.
func TestFaults(t *testing.T) {
	t.Parallel()
	projects := []play.Project{
		{Engine: "postgres", ByAdmin: true}, {Engine: "postgres", TwoUsers: true, Clone: true}, {Engine: "mysql"}, {Engine: "mariadb", TwoUsers: true},
	}
	if os.Getenv("ROTATION_TEST_CASES") != "" { // of make fuzz
		projects = append(projects, play.Project{Engine: "postgres"}, play.Project{Engine: "postgres", TwoUsers: true}, play.Project{Engine: "mysql", TwoUsers: true},
			play.Project{Engine: "mysql", ByAdmin: true}, play.Project{Engine: "mariadb"})
	}
	for _, p := range projects {
		name := strings.Join([]string{p.Engine, map[bool]string{true: "two users", false: "one user"}[p.TwoUsers]}, ", ")
		if p.Clone {
			name += ", clone"
		}
		if p.ByAdmin {
			name += ", admin"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			needs(t, servers.Kind(p.Engine))
			p := build(t, emit(t, p))
			for _, run := range quick(t, open(t, p)) {
				if run.Outcome == report.Broken {
					t.Errorf("%s: %s", run.Name, run.Invariant)
				}
			}
		})
	}
}
