// Package serverstest starts the servers of package servers for tests, which use one
// after the other, and takes back what a test has left there.
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

// Server is a running server.
type Server struct{ *servers.Server }

// idle are the servers of this test binary that no test uses at present. They end with
// it: nothing needs to stop them.
var idle = struct {
	sync.Mutex
	servers map[servers.Kind][]*servers.Server
}{servers: make(map[servers.Kind][]*servers.Server)}

// Start returns a server that no other test uses before this one ends: one that another
// test has left, with all that it made there, or a new one. So there are as many servers
// of a kind as tests at once.
func Start(t testing.TB, kind servers.Kind) Server {
	t.Helper()
	if err := servers.Missing(kind); err != nil {
		missing(t, err)
	}
	server, err := next(kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		idle.Lock()
		defer idle.Unlock()
		idle.servers[kind] = append(idle.servers[kind], server)
	})
	return Server{server}
}

func next(kind servers.Kind) (*servers.Server, error) {
	idle.Lock()
	if left := idle.servers[kind]; len(left) > 0 {
		idle.servers[kind] = left[:len(left)-1]
		idle.Unlock()
		return left[len(left)-1], nil
	}
	idle.Unlock()
	return servers.Start(context.Background(), kind, "")
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

// Own starts a server that no other test has used or will use, for tests that fill or
// limit it or read all of its log.
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
