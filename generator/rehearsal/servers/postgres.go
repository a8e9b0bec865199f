package servers

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a running PostgreSQL. It takes connections with and without
// TLS, asks for a password in all of them, and writes every statement to its log.
type PostgresServer struct {
	Host string
	Port int
	// CA and CAFile are the authority of the server's certificate.
	CA     *x509.CertPool
	CAFile string
	// Admin is what managed services give: it may create roles and databases
	// and is no superuser.
	Admin, AdminPassword         string
	Superuser, SuperuserPassword string
	// LogFile is the server's own log.
	LogFile string

	alive *os.File // closing it stops the server, and so does the end of the process
}

// PostgresBin names the environment variable with the folder of another
// PostgreSQL's programs than the newest that is installed.
const PostgresBin = "ROTASMITH_POSTGRES_BIN"

// Postgres returns the server of this test binary, which the first call starts.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	if postgresBin() == "" {
		missing(t, "PostgreSQL is not installed: apt-get install postgresql, or set "+PostgresBin)
	}
	server, err := startedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

var startedPostgres = sync.OnceValues(func() (*PostgresServer, error) { return startPostgres(postgresBin()) })

// postgresBin returns the folder with initdb and pg_ctl, "" if there is none.
func postgresBin() string {
	if dir := os.Getenv(PostgresBin); dir != "" {
		return dir
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb)
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql@*/bin/initdb"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return filepath.Dir(slices.Max(found))
		}
	}
	return ""
}

// postgresScript makes a cluster, serves until its standard input ends, and
// leaves nothing behind. The test binary holds the other end of that input, so
// that not even its being killed leaves a server.
const postgresScript = `
trap '' INT
bin=$1 dir=$2 port=$3
trap 'rm -rf "$dir"' EXIT
"$bin/initdb" -D "$dir/data" -U postgres -A md5 --pwfile="$dir/password" -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
cat >"$dir/data/pg_hba.conf" <<END
# md5 takes the verifiers of both kinds
host all all 127.0.0.1/32 md5
END
cat >>"$dir/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
ssl = on
ssl_cert_file = '$dir/server.crt'
ssl_key_file = '$dir/server.key'
password_encryption = scram-sha-256
log_statement = all
log_line_prefix = '%p %u@%d %e '
fsync = off
lc_messages = 'C'
END
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >/dev/null 2>&1 || { cat "$dir/log"; exit 1; }
echo ready
cat >/dev/null
"$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1
`

func startPostgres(bin string) (_ *PostgresServer, err error) {
	authority, certificate, err := newCertificates()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{
		Host: "localhost", Port: port,
		CA: x509.NewCertPool(), CAFile: filepath.Join(dir, "ca.pem"),
		Admin: "admin", AdminPassword: randomText(),
		Superuser: "postgres", SuperuserPassword: randomText(),
		LogFile: filepath.Join(dir, "log"),
	}
	s.CA.AppendCertsFromPEM(authority.certificate)
	for name, content := range map[string][]byte{
		"ca.pem":     authority.certificate,
		"server.crt": certificate.certificate,
		"server.key": certificate.key,
		"password":   []byte(s.SuperuserPassword),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	command := []string{"sh", "-c", postgresScript, "sh", bin, dir, strconv.Itoa(port)}
	if os.Geteuid() == 0 { // initdb and the server refuse to run as root
		if err := giveTo("postgres", dir); err != nil {
			return nil, err
		}
		command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
	}
	// Whoever kills the test together with all it started must not kill the
	// script, which is to clean up after it.
	if setsid, err := exec.LookPath("setsid"); err == nil {
		command = append([]string{setsid}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	stdin, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.alive = alive
	cmd.Stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	_ = stdin.Close()
	var said strings.Builder
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if lines.Text() == "ready" {
			return s, s.createAdmin()
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return nil, errors.Join(fmt.Errorf("PostgreSQL did not start: %s", said.String()), cmd.Wait())
}

func (s *PostgresServer) createAdmin() error {
	return s.asSuperuser(context.Background(), func(conn *pgx.Conn) error {
		_, err := conn.Exec(context.Background(), fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB CREATEROLE PASSWORD '%s'", s.Admin, s.AdminPassword))
		return err
	})
}

// URL returns where and as whom to log in, as a connection string that also
// names the certificate authority.
func (s *PostgresServer) URL(user, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, password),
		Host:     net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Path:     "/" + database,
		RawQuery: url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}.Encode(),
	}
	return u.String()
}

// Reset drops all databases and roles that tests have made.
func (s *PostgresServer) Reset(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	err := s.asSuperuser(ctx, func(conn *pgx.Conn) error {
		for _, catalogue := range []string{
			"SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')",
			"SELECT format('REASSIGN OWNED BY %1$I TO postgres; DROP OWNED BY %1$I', rolname) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname NOT IN ('postgres', 'admin')",
			"SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname NOT IN ('postgres', 'admin')",
		} {
			rows, err := conn.Query(ctx, catalogue)
			if err != nil {
				return err
			}
			statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return err
			}
			for _, statement := range statements {
				if _, err := conn.PgConn().Exec(ctx, statement).ReadAll(); err != nil {
					return fmt.Errorf("%s: %w", statement, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *PostgresServer) asSuperuser(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, s.URL(s.Superuser, s.SuperuserPassword, "postgres"))
	if err != nil {
		return err
	}
	return errors.Join(do(conn), conn.Close(ctx))
}

// giveTo hands dir and what is in it to a user of the system.
func giveTo(name, dir string) error {
	account, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, uidErr := strconv.Atoi(account.Uid)
	gid, gidErr := strconv.Atoi(account.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	entries, err := filepath.Glob(filepath.Join(dir, "*"))
	for _, path := range append(entries, dir) {
		err = errors.Join(err, os.Chown(path, uid, gid))
	}
	return err
}

// freePort returns a port that nothing listened on a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func randomText() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
