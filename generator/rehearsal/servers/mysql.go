package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MySQLServer is a running MySQL or MariaDB. It takes connections with and
// without TLS and writes every statement to its general log. It resolves no
// names: the host parts of accounts are addresses and patterns of them.
type MySQLServer struct {
	Host string
	Port int
	// CA and CAFile are the authority of the server's certificate.
	CA     *x509.CertPool
	CAFile string
	// Admin is what managed services give: it may create users and grant what
	// it has, and lacks what reaches beyond the databases.
	Admin, AdminPassword         string
	Superuser, SuperuserPassword string
	// LogFile is the general log.
	LogFile string

	alive *os.File
}

// MySQLRoot names the environment variable with the folder of a system that
// MySQL's mysqld is installed in, when that is not this machine's own: it and
// MariaDB do not go together on one.
const MySQLRoot = "ROTASMITH_MYSQL_ROOT"

// MySQL returns the MySQL of this test binary, which the first call starts.
func MySQL(t testing.TB) *MySQLServer {
	t.Helper()
	if _, ok := mysqlRoot(); !ok {
		missing(t, "MySQL is not installed: run .ci/setup as root, or set "+MySQLRoot)
	}
	server, err := startedMySQL()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

var startedMySQL = sync.OnceValues(func() (*MySQLServer, error) {
	root, _ := mysqlRoot()
	return startMySQL("MySQL", root, mysqlScript, mysqlAdmin)
})

// MariaDB returns the MariaDB of this test binary, which the first call starts.
func MariaDB(t testing.TB) *MySQLServer {
	t.Helper()
	if _, err := exec.LookPath("mariadbd"); err != nil {
		missing(t, "MariaDB is not installed: apt-get install mariadb-server")
	}
	server, err := startedMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

var startedMariaDB = sync.OnceValues(func() (*MySQLServer, error) {
	return startMySQL("MariaDB", "", mariadbScript, mariadbAdmin)
})

// mysqlRoot returns the root of the system that has MySQL's mysqld.
func mysqlRoot() (root string, ok bool) {
	if root := os.Getenv(MySQLRoot); root != "" {
		return root, true
	}
	root = cached("debian", "mysql-server-core")
	if _, err := os.Stat(filepath.Join(root, "usr", "sbin", "mysqld")); err == nil && os.Geteuid() == 0 { // chroot is root's
		return root, true
	}
	program, err := exec.LookPath("mysqld")
	if err != nil {
		return "", false
	}
	version, err := exec.Command(program, "--version").Output()
	return "", err == nil && !strings.Contains(string(version), "MariaDB")
}

// Both scripts make a server, serve until standard input ends, and leave
// nothing behind. What the server itself says is the script's output, so that
// the output ends when the server does. A server that is thrown away need not
// shut down in good order.
const (
	mysqlScript = `
trap '' INT
root=$1 dir=$2 port=$3
trap 'rm -rf "$root$dir"' EXIT
run() {
	set -- mysqld --no-defaults --datadir="$dir/data" "$@"
	if [ -n "$root" ]; then set -- chroot --userspec=daemon:daemon "$root" "$@"; fi
	exec "$@"
}
if [ -n "$root" ]; then chroot "$root" chown -R daemon "$dir"; fi
(run --initialize-insecure) >"$root$dir/out" 2>&1 || { cat "$root$dir/out"; exit 1; }
run --port="$port" --bind-address=127.0.0.1 --mysqlx=OFF --secure-file-priv=NULL --socket="$dir/socket" --pid-file="$dir/pid" \
	--ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.crt" --ssl-key="$dir/server.key" \
	--general-log=ON --general-log-file="$dir/log" --skip-name-resolve --skip-log-bin --partial-revokes=ON --init-file="$dir/init.sql" \
	--innodb-flush-log-at-trx-commit=0 2>&1 &
server=$!
exec >/dev/null 2>&1
cat
kill -KILL $server
wait $server
`
	mariadbScript = `
trap '' INT
dir=$2 port=$3 user=
trap 'rm -rf "$dir"' EXIT
if [ "$(id -u)" = 0 ]; then
	user=--user=mysql
	chown -R mysql "$dir"
fi
mariadb-install-db --no-defaults $user --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
mariadbd --no-defaults $user --datadir="$dir/data" --port="$port" --bind-address=127.0.0.1 --socket="$dir/socket" --pid-file="$dir/pid" \
	--ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.crt" --ssl-key="$dir/server.key" \
	--general-log=ON --general-log-file="$dir/log" --skip-name-resolve --init-file="$dir/init.sql" \
	--innodb-flush-log-at-trx-commit=0 2>&1 &
server=$!
exec >/dev/null 2>&1
cat
kill -KILL $server
wait $server
`
)

// What the master user of RDS has.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.MasterAccounts.html
const (
	commonRights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, " +
		"CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, " +
		"CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"
	mysqlAdmin   = commonRights + ", CREATE ROLE, DROP ROLE, ROLE_ADMIN, APPLICATION_PASSWORD_ADMIN, XA_RECOVER_ADMIN"
	mariadbAdmin = commonRights
)

func startMySQL(name, root, script, rights string) (_ *MySQLServer, err error) {
	authority, certificate, err := newCertificates()
	if err != nil {
		return nil, err
	}
	base := os.TempDir()
	if root != "" {
		base = filepath.Join(root, "tmp")
	}
	dir, err := os.MkdirTemp(base, strings.ToLower(name)+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &MySQLServer{
		Host: "localhost", Port: port,
		CA: x509.NewCertPool(), CAFile: filepath.Join(dir, "ca.pem"),
		Admin: "admin", AdminPassword: randomText(),
		Superuser: "root", SuperuserPassword: randomText(),
		LogFile: filepath.Join(dir, "log"),
	}
	s.CA.AppendCertsFromPEM(authority.certificate)
	users := fmt.Sprintf(`CREATE USER '%[1]s'@'%%' IDENTIFIED BY '%[2]s';
GRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION;
CREATE USER '%[3]s'@'%%' IDENTIFIED BY '%[4]s';
GRANT %[5]s ON *.* TO '%[3]s'@'%%' WITH GRANT OPTION;
DROP USER IF EXISTS '%[1]s'@'localhost', '%[1]s'@'127.0.0.1', '%[1]s'@'::1', ''@'localhost';
`, s.Superuser, s.SuperuserPassword, s.Admin, s.AdminPassword, rights)
	for name, content := range map[string][]byte{
		"ca.pem":     authority.certificate,
		"server.crt": certificate.certificate,
		"server.key": certificate.key,
		"init.sql":   []byte(users),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	inside := strings.TrimPrefix(dir, root)
	s.alive, err = start(name, []string{"sh", "-c", script, "sh", root, inside, strconv.Itoa(port)}, "ready for connections")
	return s, err
}

// Open returns a pool of connections. Its end is the test's.
func (s *MySQLServer) Open(t testing.TB, user, password, database string) *sql.DB {
	t.Helper()
	connector, err := mysql.NewConnector(s.config(user, password, database))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// URL returns where and as whom to log in, as emitted projects' tests on a real
// server take it.
func (s *MySQLServer) URL(user, password string) string {
	u := url.URL{
		Scheme: "mysql", User: url.UserPassword(user, password), Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Path: "/", RawQuery: url.Values{"ca": {s.CAFile}}.Encode(),
	}
	return u.String()
}

func (s *MySQLServer) config(user, password, database string) *mysql.Config {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = user, password, database
	config.Net, config.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	config.TLS = &tls.Config{RootCAs: s.CA, ServerName: s.Host}
	config.Logger = &mysql.NopLogger{}
	return config
}

// Reset drops all databases, users and roles that tests have made.
func (s *MySQLServer) Reset(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	db := s.Open(t, s.Superuser, s.SuperuserPassword, "")
	for _, catalogue := range []string{
		"SELECT CONCAT('DROP DATABASE `', REPLACE(schema_name, '`', '``'), '`') FROM information_schema.schemata" +
			" WHERE schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')",
		"SELECT CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host)) FROM mysql.user" +
			" WHERE user NOT IN ('root', 'admin', 'mariadb.sys') AND user NOT LIKE 'mysql.%' AND host <> ''",
		// A role of MariaDB has no host.
		"SELECT CONCAT('DROP ROLE ', QUOTE(user)) FROM mysql.user WHERE host = '' AND user <> ''",
	} {
		statements, err := column(ctx, db, catalogue)
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
}

func column(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}
