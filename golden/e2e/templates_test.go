package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
)

// postgresEngines runs the tests of PostgreSQL, and of Redshift what PostgreSQL can
// stand in for, as the superuser who makes it stand in.
func postgresEngines(t *testing.T, server serverstest.Server) {
	postgres18Engine(t, server)
	t.Run("redshift", func(t *testing.T) { runPostgresTests(t, server, server.Superuser, "redshift") })
	wantQuietLog(t, server, "statement: ALTER USER", "md5")
}

// postgres18Engine runs the tests of PostgreSQL as the admin that managed services
// give and as the superuser that a container has. Then it reads what the server
// logged: with log_statement=all no password may stand there. (C9)
func postgres18Engine(t *testing.T, server serverstest.Server) {
	for _, login := range []servers.Login{server.Admin, server.Superuser} {
		t.Run("as "+login.User, func(t *testing.T) { runPostgresTests(t, server, login, "postgres") })
	}
	wantQuietLog(t, server, "statement: ALTER ROLE", "SCRAM-SHA-256$", "md5")
}

func runPostgresTests(t *testing.T, server serverstest.Server, login servers.Login, engine string) {
	t.Helper()
	runTests(t, server, []string{"./templates/protocols/postgres/...", "./templates/engines/" + engine + "/..."},
		"ROTATION_TEST_POSTGRES_URL="+server.URL(login, "postgres"), "ROTATION_TEST_POSTGRES_LOG="+server.LogFile)
}

// mysqlEngines runs the tests of MySQL and of MariaDB alike.
func mysqlEngines(t *testing.T, server serverstest.Server) {
	env := []string{"ROTATION_TEST_MYSQL_URL=" + server.URL(server.Admin, ""), "ROTATION_TEST_MYSQL_LOG=" + server.LogFile}
	runTests(t, server, []string{"./templates/protocols/mysql/...", "./templates/engines/" + string(server.Kind) + "/..."}, env...)
	if server.Kind != servers.MySQL {
		return
	}
	// As RDS has it, where _ and % in the names of databases are wildcards. (A6)
	db, err := server.OpenMySQL(server.Superuser, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	set := func(to string) {
		if _, err := db.ExecContext(t.Context(), "SET GLOBAL partial_revokes = "+to); err != nil {
			t.Fatal(err)
		}
	}
	set("OFF")
	runTests(t, server, []string{"./templates/engines/mysql/two-user/roles", "-run=TestTwoUsers/differential"}, env...)
	set("ON")
}

func documentdbEngine(t *testing.T, server serverstest.Server) {
	runTests(t, server, []string{"./templates/engines/documentdb/..."}, "ROTATION_TEST_DOCUMENTDB_URL="+server.URL(server.Admin, "admin"))
}

// runTests runs the tests of packages that take a real server, one package at a time:
// the server has one list of users, and some tests read what it logged meanwhile.
func runTests(t *testing.T, server serverstest.Server, packages []string, env ...string) {
	t.Helper()
	defer server.Reset(t)
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-count=1", "-p=1", "-tags=db"}, packages...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// wantQuietLog fails the test if a password stands in the server's log, or if
// that lacks what shows that it could.
func wantQuietLog(t *testing.T, server serverstest.Server, shows ...string) {
	t.Helper()
	log, err := os.ReadFile(server.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range shows {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log does not hold %q: it proves nothing", want)
		}
	}
	if i := strings.Index(string(log), "Sentinel"); i >= 0 {
		t.Errorf("a password stands in the log: %.200s", log[max(0, i-100):])
	}
}
