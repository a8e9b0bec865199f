package cmd

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/play"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
)

// left names what rehearsals have made on a server.
func left(t *testing.T, server serverstest.Server) string {
	t.Helper()
	psql := exec.CommandContext(t.Context(), "psql", "-X", "-A", "-t", "-c",
		"SELECT datname FROM pg_database WHERE datname LIKE 'rotasmith%' UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'rotasmith%' ORDER BY 1",
		server.URL(server.Admin, "postgres"))
	out, err := psql.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

// TestRehearseLeavesNothing kills a rehearsal on a server of the user's, over TLS: the next
// one drops what is left, and its own.
func TestRehearseLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a server and most of a minute")
	}
	for _, kind := range []servers.Kind{servers.Postgres, servers.Postgres18} {
		t.Run(string(kind), func(t *testing.T) { leavesNothing(t, serverstest.Own(t, kind)) })
	}
}

func leavesNothing(t *testing.T, server serverstest.Server) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "orders-db")
	newProject(t, dir)
	exe, err := exec.LookPath("rotasmith") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	rehearse := func(args ...string) (*exec.Cmd, *bytes.Buffer) {
		c := exec.CommandContext(t.Context(), exe, append([]string{"rehearse", dir}, args...)...)
		c.Env = append(os.Environ(), play.URLVariable+"="+server.URL(server.Admin, "postgres"))
		out := new(bytes.Buffer)
		c.Stdout, c.Stderr = out, out
		return c, out
	}
	killed, out := rehearse("--rotations", "1000", "--faults", "none")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	for want := play.Prefix + " " + play.Prefix + "_a " + play.Prefix + "_b " + play.Prefix + "_owner " + play.Prefix + "_rotator"; left(t, server) != want; {
		if killed.ProcessState != nil || t.Context().Err() != nil {
			t.Fatalf("it never came so far: %s", out)
		}
	}
	if other, said := rehearse("--faults", "none"); other.Run() == nil || !strings.Contains(said.String(), "another rehearsal runs") {
		t.Errorf("a second rehearsal at the same time says %q", said)
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	if left(t, server) == "" {
		t.Fatal("nothing is left behind that the next could drop")
	}
	again, out := rehearse("--faults", "freeze", "--rotations", "1")
	if err := again.Run(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if strings.Contains(out.String(), server.Admin.Password) {
		t.Error("it prints the admin's password")
	}
	if names := left(t, server); names != "" {
		t.Errorf("it leaves %s", names)
	}
}

// TestRehearseInterrupted ends a rehearsal while it waits for an application: that is gone
// with all that it has started, and so is all on the server.
func TestRehearseInterrupted(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a server and most of a minute")
	}
	server := serverstest.Own(t, servers.Postgres)
	dir, pid := filepath.Join(t.TempDir(), "orders-db"), filepath.Join(t.TempDir(), "pid")
	newProject(t, dir)
	exe, err := exec.LookPath("rotasmith") // this test binary, see TestMain
	if err != nil {
		t.Fatal(err)
	}
	app := "sleep 1000 & echo $! >" + pid + ".part; mv " + pid + ".part " + pid + "; wait"
	c := exec.CommandContext(t.Context(), exe, "rehearse", dir, "--faults", "none", "--app", app, "--check", "http://127.0.0.1:9")
	c.Env = append(os.Environ(), play.URLVariable+"="+server.URL(server.Admin, "postgres"))
	out := new(bytes.Buffer)
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait() // the exit code is looked at below
	}()
	var child []byte
	for child == nil {
		select {
		case <-ended:
			t.Fatalf("it never came so far: %s", out)
		default:
			child, _ = os.ReadFile(pid)
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, out)
	}
	if state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(child)) + "/stat"); err == nil && !strings.Contains(string(state), ") Z ") {
		t.Errorf("the application goes on: %s", state)
	}
	if names := left(t, server); names != "" {
		t.Errorf("it leaves %s", names)
	}
}
