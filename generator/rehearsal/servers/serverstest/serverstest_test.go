package serverstest

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
)

// A server takes connections until it is stopped, and leaves no file then.
func TestServersComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	for _, kind := range servers.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			if err := servers.Missing(kind); err != nil {
				missing(t, err)
			}
			server, err := servers.Start(t.Context(), kind, "")
			if err != nil {
				t.Fatal(err)
			}
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port))
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
			} else {
				_ = conn.Close()
			}
			if kind == servers.MySQL || kind == servers.MariaDB {
				serves(t, Server{server})
			}
			if kind != servers.FerretDB {
				haltsAndResumes(t, server, address)
			}
			if err := server.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if conn, err := net.Dial("tcp", address); err == nil {
				_ = conn.Close()
				t.Error("it still listens")
			}
			if _, err := os.Stat(filepath.Dir(server.CAFile)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its folder is left: %v", err)
			}
		})
	}
}

// haltsAndResumes holds a server to be away between the two, and to stand still in
// neither.
func haltsAndResumes(t *testing.T, server *servers.Server, address string) {
	t.Helper()
	if err := server.Halt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		_ = conn.Close()
		t.Error("it listens although it is halted")
	}
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// A start that is given up leaves nothing.
func TestStartIsGivenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	kind := servers.Postgres
	if err := servers.Missing(kind); err != nil {
		missing(t, err)
	}
	above, err := os.MkdirTemp("", "given-up-") //nolint:usetesting // the server's user may not enter a test's folder
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Remove(above) }()
	if err := os.Chmod(above, 0o755); err != nil {
		t.Fatal(err)
	}
	why := errors.New("given up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := servers.Start(ctx, kind, above); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	left, err := os.ReadDir(above)
	if err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// Programs that are missing are an error with a cure, and not a server.
func TestMissing(t *testing.T) {
	nowhere := t.TempDir()
	for name, value := range map[string]string{
		"PATH": nowhere, "XDG_CACHE_HOME": nowhere,
		servers.PostgresBin: "", servers.Postgres18Bin: "", servers.MySQLRoot: "", servers.FerretDBProgram: "",
	} {
		t.Setenv(name, value)
	}
	for _, kind := range servers.Kinds {
		if kind == servers.Postgres {
			continue // is found in folders of this machine too
		}
		_, err := servers.Start(t.Context(), kind, "")
		if lacks, ok := errors.AsType[*servers.MissingError](err); !ok || lacks.Cure == "" || !strings.Contains(err.Error(), string(kind)) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
	if _, err := servers.Start(t.Context(), "oracle", ""); err == nil || !strings.Contains(err.Error(), `"oracle" is no server`) {
		t.Errorf("got %v", err)
	}
}

// serves checks that a MySQL or MariaDB server has what the tests of engines need:
// verified TLS, an admin that can create users and is not a superuser, a folder of its
// own for temporary tables, a general log, and a reset to its initial state.
func serves(t *testing.T, server Server) {
	login := servers.Login{User: "it's", Password: "one-password"}
	open := func(login servers.Login, database string) *sql.DB {
		pool, err := server.OpenMySQL(login, database)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
		return pool
	}
	admin := open(server.Admin, "")
	for _, statement := range []string{
		"CREATE DATABASE orders",
		"CREATE ROLE writers",
		"CREATE USER 'it''s'@'127.%' IDENTIFIED BY 'one-password'",
		"GRANT SELECT, INSERT ON orders.* TO 'it''s'@'127.%'",
	} {
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if _, err := admin.ExecContext(t.Context(), "SET GLOBAL max_connections = 10"); err == nil {
		t.Error("the admin is a superuser")
	}
	var cipher, name string
	if err := open(login, "orders").QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || cipher == "" {
		t.Errorf("cipher %q, %v", cipher, err)
	}
	var temporary string // a server that starts removes the temporary tables of others that it finds
	if err := admin.QueryRowContext(t.Context(), "SELECT @@tmpdir").Scan(&temporary); err != nil || !strings.HasSuffix(temporary, filepath.Base(filepath.Dir(server.LogFile))+"/tmp") {
		t.Errorf("temporary tables are in %q, %v", temporary, err)
	}
	log, err := os.ReadFile(server.LogFile)
	if err != nil || !strings.Contains(string(log), "CREATE DATABASE orders") {
		t.Errorf("the general log has %d bytes and no statement of the test: %v", len(log), err)
	}
	server.Reset(t)
	if err := open(login, "").PingContext(t.Context()); err == nil {
		t.Error("the user is still there")
	}
}
