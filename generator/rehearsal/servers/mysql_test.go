package servers

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMySQLServers holds both servers to what tests of engines need of them:
// verified TLS, an admin that makes users and is no superuser, a general log,
// and a way back to the beginning.
func TestMySQLServers(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *MySQLServer{"MySQL": MySQL, "MariaDB": MariaDB} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			server.Reset(t)
			admin := server.Open(t, server.Admin, server.AdminPassword, "")
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
			user := server.Open(t, "it's", "one-password", "orders")
			var cipher, name string
			if err := user.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil || cipher == "" {
				t.Errorf("cipher %q, %v", cipher, err)
			}
			log, err := os.ReadFile(server.LogFile)
			if err != nil || !strings.Contains(string(log), "CREATE DATABASE orders") {
				t.Errorf("the general log has %d bytes and no statement of the test: %v", len(log), err)
			}
			server.Reset(t)
			if err := server.Open(t, "it's", "one-password", "").PingContext(t.Context()); err == nil {
				t.Error("the user is still there")
			}
		})
	}
}

// TestMySQLEngines runs the tests that every emitted project has behind the
// build tag db, on real servers.
func TestMySQLEngines(t *testing.T) {
	for name, engine := range map[string]struct {
		start    func(testing.TB) *MySQLServer
		packages []string
	}{
		"MySQL":   {MySQL, []string{"./templates/protocols/mysql/...", "./templates/engines/mysql/..."}},
		"MariaDB": {MariaDB, []string{"./templates/protocols/mysql/...", "./templates/engines/mariadb/..."}},
		// As RDS has it, where _ and % in the names of databases are wildcards. (A6)
		"MySQL without partial revokes": {withoutPartialRevokes, []string{"./templates/engines/mysql/two-user/roles", "-run=TestTwoUsers/differential"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := engine.start(t)
			t.Cleanup(func() { server.Reset(t) })
			// One package at a time: they share the server's one list of users.
			cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-count=1", "-tags=db", "-p=1"}, engine.packages...)...)
			cmd.Dir = "../../.."
			cmd.Env = append(os.Environ(),
				"ROTATION_TEST_MYSQL_URL="+server.URL(server.Admin, server.AdminPassword),
				"ROTATION_TEST_MYSQL_LOG="+server.LogFile)
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func withoutPartialRevokes(t testing.TB) *MySQLServer {
	t.Helper()
	server := MySQL(t)
	server.Reset(t)
	set := func(to string) {
		db := server.Open(t, server.Superuser, server.SuperuserPassword, "")
		if _, err := db.ExecContext(context.Background(), "SET GLOBAL partial_revokes = "+to); err != nil {
			t.Fatal(err)
		}
	}
	set("OFF")
	t.Cleanup(func() { set("ON") })
	return server
}
