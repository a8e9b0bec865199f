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
func TestPostgresEngine(t *testing.T) {
	server := Postgres(t)
	for name, login := range map[string]string{
		"admin":     server.URL(server.Admin, server.AdminPassword, "postgres"),
		"superuser": server.URL(server.Superuser, server.SuperuserPassword, "postgres"),
	} {
		t.Run(name, func(t *testing.T) {
			defer server.Reset(t)
			// One package at a time: some tests read what the server logged meanwhile.
			cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-p=1", "-tags=db", "./templates/engines/postgres/...")
			cmd.Dir = "../../.."
			cmd.Env = append(os.Environ(), "ROTATION_TEST_POSTGRES_URL="+login, "ROTATION_TEST_POSTGRES_LOG="+server.LogFile)
			out, err := cmd.CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Error(err)
			}
		})
	}

	log, err := os.ReadFile(server.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"statement: ALTER ROLE", "SCRAM-SHA-256$", "md5"} {
		if !strings.Contains(string(log), want) {
			t.Errorf("the log does not hold %q: it proves nothing", want)
		}
	}
	if i := strings.Index(string(log), "Sentinel"); i >= 0 {
		t.Errorf("a password stands in the log: %.200s", log[max(0, i-100):])
	}
}
