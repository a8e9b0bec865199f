package servers

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPostgresEngine runs the tests that every emitted project has behind the
// build tag db, on a real server, as the admin that managed services give and
// as the one that a container has. Then it reads what the server logged: with
// log_statement=all no password may stand there. (C9)
func TestPostgresEngine(t *testing.T) { testPostgresEngine(t, Postgres(t)) }

func TestPostgres18Engine(t *testing.T) { testPostgresEngine(t, Postgres18(t)) }

func testPostgresEngine(t *testing.T, server *PostgresServer) {
	for name, login := range map[string]string{
		"admin":     server.URL(server.Admin, server.AdminPassword, "postgres"),
		"superuser": server.URL(server.Superuser, server.SuperuserPassword, "postgres"),
	} {
		t.Run(name, func(t *testing.T) { runEngine(t, server, login, "postgres") })
	}
	wantQuietLog(t, server, "statement: ALTER ROLE", "SCRAM-SHA-256$", "md5")
}

// TestRedshiftEngine runs the tests that PostgreSQL can stand in for, as the
// superuser who makes it stand in.
func TestRedshiftEngine(t *testing.T) {
	server := Postgres(t)
	runEngine(t, server, server.URL(server.Superuser, server.SuperuserPassword, "postgres"), "redshift")
	wantQuietLog(t, server, "statement: ALTER USER", "md5")
}

// runEngine runs the tests of an engine as whom login names.
func runEngine(t *testing.T, server *PostgresServer, login, engine string) {
	t.Helper()
	defer server.Reset(t)
	// One package at a time: some tests read what the server logged meanwhile.
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-p=1", "-tags=db", "./templates/protocols/postgres/...", "./templates/engines/"+engine+"/...")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "ROTATION_TEST_POSTGRES_URL="+login, "ROTATION_TEST_POSTGRES_LOG="+server.LogFile)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// wantQuietLog fails the test if a password stands in the server's log, or if
// that lacks what shows that it could.
func wantQuietLog(t *testing.T, server *PostgresServer, shows ...string) {
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
