package e2e

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
)

// postgresEngines runs the tests of PostgreSQL, and of Redshift what PostgreSQL can
// stand in for, as the superuser who makes it stand in.
func postgresEngines(t *testing.T) {
	postgresEngine(servers.Postgres)(t)
	t.Run("redshift", func(t *testing.T) {
		t.Parallel()
		server := serverstest.Own(t, servers.Postgres)
		runPostgresTests(t, server, server.Superuser, "redshift")
		wantQuietLog(t, server, "statement: ALTER USER", "md5")
	})
}

// postgresEngine runs the tests of PostgreSQL as the admin that managed services give
// and as the superuser that a container has. Then it reads the server's log, which must
// contain no password although log_statement is all. (C9)
func postgresEngine(kind servers.Kind) func(*testing.T) {
	return func(t *testing.T) {
		for _, superuser := range []bool{false, true} {
			t.Run(pick(superuser, "as the superuser", "as the admin"), func(t *testing.T) {
				t.Parallel()
				server := serverstest.Own(t, kind)
				runPostgresTests(t, server, pick(superuser, server.Superuser, server.Admin), "postgres")
				wantQuietLog(t, server, "statement: ALTER ROLE", "SCRAM-SHA-256$", "md5")
			})
		}
	}
}

func runPostgresTests(t *testing.T, server serverstest.Server, login servers.Login, engine string) {
	t.Helper()
	runTests(t, []string{"protocols/postgres", "engines/" + engine},
		"ROTATION_TEST_POSTGRES_URL="+server.URL(login, "postgres"), "ROTATION_TEST_POSTGRES_LOG="+server.LogFile)
}

// mysqlEngines runs the tests of MySQL, once more as RDS has it where that matters: _ and
// % in the names of databases are wildcards there. (A6)
func mysqlEngines(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		runMySQLTests(t, serverstest.Own(t, servers.MySQL))
	})
	t.Run("without partial revokes", func(t *testing.T) {
		t.Parallel()
		server := serverstest.Own(t, servers.MySQL)
		db, err := server.OpenMySQL(server.Superuser, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), "SET GLOBAL partial_revokes = OFF")
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		goTest(t, []string{"test", "-count=1", "-tags=db", "-run=TestTwoUsers/differential", "./templates/engines/mysql/two-user/mysql/parity"}, mysqlEnv(server)...)
	})
}

func mariadbEngine(t *testing.T) {
	t.Parallel()
	runMySQLTests(t, serverstest.Own(t, servers.MariaDB))
}

func runMySQLTests(t *testing.T, server serverstest.Server) {
	t.Helper()
	runTests(t, []string{"protocols/mysql", "engines/" + string(server.Kind)}, mysqlEnv(server)...)
}

func mysqlEnv(server serverstest.Server) []string {
	return []string{"ROTATION_TEST_MYSQL_URL=" + server.URL(server.Admin, ""), "ROTATION_TEST_MYSQL_LOG=" + server.LogFile}
}

func documentdbEngine(t *testing.T) {
	t.Parallel()
	server := serverstest.Own(t, servers.FerretDB)
	runTests(t, []string{"engines/documentdb"}, "ROTATION_TEST_DOCUMENTDB_URL="+server.URL(server.Admin, "admin"))
}

// runTests runs the tests in folders of templates/ that take a real server, one package
// at a time: the server has one list of users, and some tests read what it logged
// meanwhile. Tests that take none run with the rest of templates/.
func runTests(t *testing.T, folders []string, env ...string) {
	t.Helper()
	packages, names := onServers(t, folders)
	args := []string{"test", "-count=1", "-p=1", "-tags=db", "-run=^(" + strings.Join(names, "|") + ")$"}
	goTest(t, append(args, packages...), env...)
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// onServers returns the packages in folders of templates/ that have tests behind the
// build tag db, and the names of those tests.
func onServers(t *testing.T, folders []string) (packages, names []string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join("..", "..", "templates", folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(text), "//go:build db\n") {
				return err
			}
			if pkg, _ := filepath.Rel(filepath.Join("..", ".."), filepath.Dir(path)); !slices.Contains(packages, "./"+pkg) {
				packages = append(packages, "./"+pkg)
			}
			for _, found := range testName.FindAllStringSubmatch(string(text), -1) {
				names = append(names, found[1])
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(names) == 0 {
		t.Fatalf("no test in %s takes a server", folders)
	}
	return packages, names
}

func goTest(t *testing.T, args []string, env ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..")
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
