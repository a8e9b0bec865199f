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

// TestRehearseLeavesNothing kills a rehearsal on a server of the user's, over TLS: the next
// one drops what is left, and its own.
func TestRehearseLeavesNothing(t *testing.T) {
	server := serverstest.Own(t, servers.Postgres)
	dir := filepath.Join(t.TempDir(), "orders-db")
	newProject(t, dir)
	left := func() string {
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
	for want := play.Prefix + " " + play.Prefix + "_a " + play.Prefix + "_b " + play.Prefix + "_owner " + play.Prefix + "_rotator"; left() != want; {
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
	if left() == "" {
		t.Fatal("nothing is left behind that the next could drop")
	}
	again, out := rehearse("--faults", "freeze", "--rotations", "1")
	if err := again.Run(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if strings.Contains(out.String(), server.Admin.Password) {
		t.Error("it prints the admin's password")
	}
	if names := left(); names != "" {
		t.Errorf("it leaves %s", names)
	}
}
