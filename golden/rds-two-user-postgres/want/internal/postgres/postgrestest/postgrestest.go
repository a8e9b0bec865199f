// Package postgrestest is what tests on a real PostgreSQL need. The server is
// one that may be played with: tests create and drop databases and roles.
//
//	ROTATION_TEST_POSTGRES_URL  postgres://admin:password@host:port/database?sslmode=verify-full&sslrootcert=ca.pem,
//	                            of a role with CREATEDB and CREATEROLE
//	ROTATION_TEST_POSTGRES_LOG  the server's log file, if it can be read here and log_statement is all
//	ROTATION_TEST_CASES         how many users tests make at random, 100 if not set
//	ROTATION_TEST_SEED          from which seed, 1 if not set
package postgrestest

import (
	"context"
	"crypto/x509"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

const (
	variableURL = "ROTATION_TEST_POSTGRES_URL"
	variableLog = "ROTATION_TEST_POSTGRES_LOG"
)

// Server is the server that the environment names, and a database on it that
// is the test's own.
type Server struct {
	Roots *x509.CertPool
	// Admin is the login that creates what a test needs.
	Admin  database.Account
	CAFile string
	// Version is the server's major version.
	Version int
	// Elsewhere is the same login, to the database that the environment names.
	Elsewhere database.Account
}

// New connects and creates the database. Without a server the test fails:
// anyone who asks for these tests wants them run.
func New(t testing.TB) *Server {
	t.Helper()
	text := os.Getenv(variableURL)
	if text == "" {
		t.Fatalf("%s is not set: it names the server that these tests run on", variableURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatalf("%s is no URL", variableURL)
	}
	password, _ := u.User.Password()
	port, _ := strconv.Atoi(u.Port())
	s := &Server{
		Roots:  x509.NewCertPool(),
		CAFile: u.Query().Get("sslrootcert"),
		Admin: database.Account{
			User:       u.User.Username(),
			Password:   rotation.NewSensitive(password),
			Host:       u.Hostname(),
			Port:       port,
			Database:   strings.TrimPrefix(u.Path, "/"),
			ServerName: u.Hostname(),
		},
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	s.Roots.AppendCertsFromPEM(pem)

	first := s.Admin
	s.Elsewhere = first
	own := "rotation_test_" + strings.ToLower(strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()))
	own = own[:min(len(own), 63)]
	rows := s.Exec(t, first, "DROP DATABASE IF EXISTS "+quote(own), "CREATE DATABASE "+quote(own),
		"SELECT current_setting('server_version_num')::int / 10000")
	s.Version, _ = strconv.Atoi(rows[0][0])
	t.Cleanup(func() { s.Exec(t, first, "DROP DATABASE "+quote(own)) })
	s.Admin.Database = own
	return s
}

// Role creates a role with the clauses of CREATE ROLE, and drops it with all
// that it owns when the test ends. It returns the role's login.
func (s *Server) Role(t testing.TB, name, password, clauses string) database.Account {
	t.Helper()
	s.Forget(t, name)
	s.Exec(t, s.Admin, "CREATE ROLE "+quote(name)+" "+clauses+" PASSWORD "+literal(password))
	t.Cleanup(func() { s.Forget(t, name) })
	return s.Account(name, password)
}

// Forget drops a role, if it exists, with all that it owns in the test's
// database, and its sessions: one may still wait for a lock that a test held.
func (s *Server) Forget(t testing.TB, name string) {
	t.Helper()
	if len(s.Exec(t, s.Admin, "SELECT FROM pg_roles WHERE rolname = "+literal(name))) == 0 {
		return
	}
	s.Exec(t, s.Admin,
		"GRANT "+quote(name)+" TO CURRENT_USER",
		"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = "+literal(name),
		"DROP OWNED BY "+quote(name)+" CASCADE",
		"DROP ROLE "+quote(name))
}

// Account returns a login to the test's database.
func (s *Server) Account(user, password string) database.Account {
	account := s.Admin
	account.User, account.Password = user, rotation.NewSensitive(password)
	return account
}

// Connect opens a plain connection, which the test's end closes.
func (s *Server) Connect(t testing.TB, account database.Account) *pgconn.PgConn {
	t.Helper()
	conn, err := s.TryConnect(account)
	if err != nil {
		t.Fatalf("connect as %q: %v", account.User, err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Exec runs the statements one by one on a connection of their own and returns
// the rows of the last.
func (s *Server) Exec(t testing.TB, account database.Account, statements ...string) [][]string {
	t.Helper()
	conn, err := s.TryConnect(account)
	if err != nil {
		t.Fatalf("connect as %q: %v", account.User, err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var rows [][]string
	for _, statement := range statements {
		if rows, err = Run(conn, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return rows
}

// Run runs statement on conn and returns the rows as text.
func Run(conn *pgconn.PgConn, statement string) ([][]string, error) {
	results, err := conn.Exec(context.Background(), statement).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows [][]string
	for _, values := range results[len(results)-1].Rows {
		row := make([]string, len(values))
		for i, value := range values {
			row[i] = string(value)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Log returns what the server logged since the test took from as its length,
// and skips the test if the log cannot be read here.
func (s *Server) Log(t testing.TB, from int) string {
	t.Helper()
	name := os.Getenv(variableLog)
	if name == "" {
		t.Skipf("%s is not set", variableLog)
	}
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(log[from:])
}

// TryConnect is [Server.Connect] where the login may fail. The caller closes what
// it opens.
func (s *Server) TryConnect(account database.Account) (*pgconn.PgConn, error) {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(account.User, account.Password.Reveal()),
		Host:     account.Host + ":" + strconv.Itoa(account.Port),
		Path:     "/" + account.Database,
		RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}.Encode(),
	}
	return pgconn.Connect(context.Background(), u.String())
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
