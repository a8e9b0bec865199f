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

// The environment variables with the folder of another PostgreSQL's programs:
// than the newest that is installed, and than the one that .ci/setup fetched.
const (
	PostgresBin   = "ROTASMITH_POSTGRES_BIN"
	Postgres18Bin = "ROTASMITH_POSTGRES_18_BIN"
)

// Postgres returns the server of this test binary, which the first call starts.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	return started(t, postgresPrograms(), "PostgreSQL is not installed: apt-get install postgresql, or set "+PostgresBin, startedPostgres)
}

// Postgres18 is [Postgres] for PostgreSQL 18, beside it: 16 changed what a role
// with CREATEROLE may do.
func Postgres18(t testing.TB) *PostgresServer {
	t.Helper()
	return started(t, postgres18Programs(), "PostgreSQL 18 is missing: run .ci/setup as root on Debian, or set "+Postgres18Bin, startedPostgres18)
}

var (
	startedPostgres   = sync.OnceValues(func() (*PostgresServer, error) { return startPostgres(postgresPrograms(), "") })
	startedPostgres18 = sync.OnceValues(func() (*PostgresServer, error) {
		programs := postgres18Programs()
		return startPostgres(programs, programs.temp())
	})
)

// PostgresOnSmallDisk returns a server of the test's own and the folder in which
// its disk is, of 128 MB, for the test to fill. Only root can make one.
func PostgresOnSmallDisk(t testing.TB) (server *PostgresServer, disk string) {
	t.Helper()
	if postgresBin() == "" || os.Geteuid() != 0 {
		missing(t, "a small disk takes root on Linux, and PostgreSQL: apt-get install postgresql")
	}
	disk, err := os.MkdirTemp("", "disk-") //nolint:usetesting // the server's user may not enter a test's folder
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=128m", "disk", disk).CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("a small disk cannot be mounted: %v: %s", err, out))
	}
	t.Cleanup(func() { // what the server still holds of it goes with the server
		_ = exec.Command("umount", "--lazy", disk).Run() // the test's context has ended
		_ = os.Remove(disk)
	})
	if server, err = startPostgres(postgresPrograms(), disk); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.alive.Close() })
	return server, disk
}

func started(t testing.TB, found programs, hint string, start func() (*PostgresServer, error)) *PostgresServer {
	t.Helper()
	if found.bin == "" {
		missing(t, hint)
	}
	server, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// programs are where a server's programs are: in the folder bin, which is seen
// from root, another system's files, unless that is "".
type programs struct{ root, bin string }

// command returns the command line that runs args, and with less rights than
// root's if it is unprivileged.
func (p programs) command(unprivileged bool, args ...string) []string {
	switch {
	case p.root != "" && unprivileged:
		return append([]string{"chroot", "--userspec=daemon:daemon", p.root}, args...)
	case p.root != "":
		return append([]string{"chroot", p.root}, args...)
	case unprivileged && os.Geteuid() == 0:
		return append([]string{"runuser", "-u", "postgres", "--"}, args...)
	default:
		return args
	}
}

// owner is who unprivileged commands run as.
func (p programs) owner() string {
	if p.root != "" {
		return "daemon"
	}
	return "postgres"
}

// temp returns where files that the programs see can be made.
func (p programs) temp() string {
	if p.root == "" {
		return ""
	}
	return filepath.Join(p.root, "tmp")
}

// postgres18Programs returns those that .ci/setup fetched, which only root can
// run: they live in a system of their own.
func postgres18Programs() programs {
	if dir := os.Getenv(Postgres18Bin); dir != "" {
		return programs{bin: dir}
	}
	root, bin := cached("debian", "postgresql-18"), "/usr/lib/postgresql/18/bin"
	if _, err := os.Stat(filepath.Join(root, bin, "initdb")); err != nil || os.Geteuid() != 0 {
		return programs{}
	}
	return programs{root, bin}
}

// postgresPrograms returns the folder with initdb and pg_ctl of this machine.
func postgresPrograms() programs { return programs{bin: postgresBin()} }

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
host all +scram_only 127.0.0.1/32 scram-sha-256
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

// startPostgres keeps all that the server writes in a folder of temp.
func startPostgres(from programs, temp string) (*PostgresServer, error) {
	authority, certificate, err := newCertificates()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(temp, "postgres-")
	if err != nil {
		return nil, err
	}
	inside := strings.TrimPrefix(dir, from.root)
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
	if os.Geteuid() == 0 { // initdb and the server refuse to run as root
		chown := from.command(false, "chown", "-R", from.owner(), inside)
		if out, err := exec.Command(chown[0], chown[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("hand the server its folder: %w: %s", err, out)
		}
	}
	command := from.command(true, "sh", "-c", postgresScript, "sh", from.bin, inside, strconv.Itoa(port))
	// Whoever kills the test together with all it started must not kill the
	// script, which is to clean up after it.
	if setsid, err := exec.LookPath("setsid"); err == nil {
		command = append([]string{setsid}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = "/"
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
