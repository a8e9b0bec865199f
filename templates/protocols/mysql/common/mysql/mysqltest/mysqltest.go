// Package mysqltest is what tests on a real MySQL or MariaDB need. The server
// is one that may be played with: tests create and drop databases and users.
//
//	ROTATION_TEST_MYSQL_URL  mysql://admin:password@host:port/?ca=ca.pem, of a user that may create users
//	                         and grant what it has
//	ROTATION_TEST_MYSQL_LOG  the server's general log, if it is on and can be read here
//	ROTATION_TEST_CASES      how many users tests make at random, 100 if not set
//	ROTATION_TEST_SEED       from which seed, 1 if not set
package mysqltest

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

const (
	variableURL = "ROTATION_TEST_MYSQL_URL"
	variableLog = "ROTATION_TEST_MYSQL_LOG"
)

// Server is the server that the environment names.
type Server struct {
	Roots *x509.CertPool
	// CAFile is where Roots came from.
	CAFile string
	// Admin is the login that creates what a test needs.
	Admin database.Account
	// Version is what the server says of itself.
	Version string
}

// New connects. Without a server the test fails: anyone who asks for these tests
// wants them run.
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
		Roots: x509.NewCertPool(), CAFile: u.Query().Get("ca"),
		Admin: database.Account{
			User: u.User.Username(), Password: rotation.NewSensitive(password),
			Host: u.Hostname(), Port: port, ServerName: u.Hostname(),
		},
	}
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	s.Roots.AppendCertsFromPEM(pem)
	s.Version = s.Exec(t, s.Admin, "SELECT VERSION()")[0][0]
	return s
}

// MariaDB reports whether the server is one.
func (s *Server) MariaDB() bool { return strings.Contains(s.Version, "MariaDB") }

// User creates a user and drops it when the test ends. It returns its login.
// identified is what stands behind its name in CREATE USER; "" gives it the
// password.
func (s *Server) User(t testing.TB, name, host, password, identified string) database.Account {
	t.Helper()
	if identified == "" {
		identified = "IDENTIFIED BY " + Literal(password)
	}
	account := Literal(name) + "@" + Literal(host)
	s.Exec(t, s.Admin, "DROP USER IF EXISTS "+account, "CREATE USER "+account+" "+identified)
	t.Cleanup(func() { s.Exec(t, s.Admin, "DROP USER IF EXISTS "+account) })
	return s.Account(name, password)
}

// Account returns a login.
func (s *Server) Account(user, password string) database.Account {
	account := s.Admin
	account.User, account.Password = user, rotation.NewSensitive(password)
	return account
}

// Open returns a pool of connections, which the test's end closes.
func (s *Server) Open(t testing.TB, account database.Account) *sql.DB {
	t.Helper()
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = account.User, account.Password.Reveal(), account.Database
	config.Net, config.Addr = "tcp", net.JoinHostPort(account.Host, strconv.Itoa(account.Port))
	config.TLS = &tls.Config{RootCAs: s.Roots, ServerName: account.ServerName}
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(connector)
	t.Cleanup(func() { _ = pool.Close() })
	return pool
}

// Works returns nil if the login works.
func (s *Server) Works(t testing.TB, account database.Account) error {
	t.Helper()
	pool := s.Open(t, account)
	defer func() { _ = pool.Close() }()
	return pool.PingContext(t.Context())
}

// Exec runs the statements one by one on a connection of their own and returns
// the rows of the last as text, NULL as "".
func (s *Server) Exec(t testing.TB, account database.Account, statements ...string) [][]string {
	t.Helper()
	pool := s.Open(t, account)
	defer func() { _ = pool.Close() }()
	pool.SetMaxOpenConns(1)
	var rows [][]string
	for _, statement := range statements {
		var err error
		if rows, err = Run(pool, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return rows
}

// Run runs statement and returns its rows as text, NULL as "".
func Run(pool *sql.DB, statement string) (rows [][]string, err error) {
	read, err := pool.Query(statement) //nolint:noctx // cleaning up outlives a test's context
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }()
	columns, err := read.Columns()
	if err != nil {
		return nil, err
	}
	for read.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := read.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, value := range values {
			row[i] = value.String
		}
		rows = append(rows, row)
	}
	return rows, read.Err()
}

// Log returns what the server logged, and skips the test if that cannot be read
// here.
func (s *Server) Log(t testing.TB) string {
	t.Helper()
	name := os.Getenv(variableLog)
	if name == "" {
		t.Skipf("%s is not set", variableLog)
	}
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

// Literal quotes text in the server's usual SQL mode.
func Literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(text) + "'"
}
