// Package serverstest starts the servers of package servers for tests: each once for
// a test binary, which shares it, and takes back what a test has left there.
//
// Where a server is missing, tests are skipped with a hint. Where the environment
// variable [Require] is set they fail instead, for a skip would go unnoticed.
package serverstest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
)

// Require names the environment variable that makes a missing server a failure.
const Require = "ROTASMITH_REQUIRE_SERVERS"

// Server is a running server that tests share.
type Server struct{ *servers.Server }

// shared are the servers of this test binary by kind. They end with it: nothing
// needs to stop them.
var shared sync.Map

// Start returns the server of this test binary, which the first call starts.
func Start(t testing.TB, kind servers.Kind) Server {
	t.Helper()
	if err := servers.Missing(kind); err != nil {
		missing(t, err)
	}
	once, _ := shared.LoadOrStore(kind, sync.OnceValues(func() (*servers.Server, error) {
		return servers.Start(context.Background(), kind, "")
	}))
	server, err := once.(func() (*servers.Server, error))()
	if err != nil {
		t.Fatal(err)
	}
	return Server{server}
}

// missing ends a test that something is missing for.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv(Require) != "" {
		t.Fatalf("%v, and %s is set", err, Require)
	}
	t.Skip(err)
}

// OnSmallDisk returns a server of the test's own and the folder in which its disk
// is, of 128 MB, for the test to fill. Only root can make one.
func OnSmallDisk(t testing.TB, kind servers.Kind) (server Server, disk string) {
	t.Helper()
	if err := servers.Missing(kind); err != nil {
		missing(t, err)
	}
	disk, err := os.MkdirTemp("", "disk-") //nolint:usetesting // the server's user may not enter a test's folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(disk) })
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=128m", "disk", disk).CombinedOutput(); err != nil {
		missing(t, fmt.Errorf("a small disk cannot be mounted, which takes root on Linux: %w: %s", err, out))
	}
	t.Cleanup(func() { _ = exec.Command("umount", "--lazy", disk).Run() }) // the test's context has ended
	return own(t, kind, disk), disk
}

// Own starts a server that no other test uses, for tests that fill or limit it.
func Own(t testing.TB, kind servers.Kind) Server {
	t.Helper()
	if err := servers.Missing(kind); err != nil {
		missing(t, err)
	}
	return own(t, kind, "")
}

func own(t testing.TB, kind servers.Kind, disk string) Server {
	t.Helper()
	server, err := servers.Start(t.Context(), kind, disk)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return Server{server}
}

// Reset drops all users, roles and databases that tests have made.
func (s Server) Reset(t testing.TB) {
	t.Helper()
	resets := map[servers.Kind]func(context.Context) error{
		servers.Postgres: s.resetPostgres, servers.Postgres18: s.resetPostgres,
		servers.MySQL: s.resetMySQL, servers.MariaDB: s.resetMySQL,
		servers.FerretDB: s.resetFerretDB,
	}
	if err := resets[s.Kind](context.Background()); err != nil { // the test's own context may have ended
		t.Fatal(err)
	}
}
