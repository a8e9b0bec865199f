package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The environment variables with the folder of another PostgreSQL's programs:
// than the newest that is installed, and than the one that .ci/setup fetched.
const (
	PostgresBin   = "ROTASMITH_POSTGRES_BIN"
	Postgres18Bin = "ROTASMITH_POSTGRES_18_BIN"
)

func findPostgres() (root string, err error) {
	if postgresBin() == "" {
		return "", &MissingError{Postgres, "apt-get install postgresql, or set " + PostgresBin}
	}
	return "", nil
}

// postgresBin returns the folder with initdb and pg_ctl of this machine.
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

// fetchedPostgres18 is where the programs of the system are that .ci/setup fetched.
const fetchedPostgres18 = "/usr/lib/postgresql/18/bin"

// findPostgres18 returns the system that .ci/setup fetched, whose programs only
// root can run.
func findPostgres18() (root string, err error) {
	if os.Getenv(Postgres18Bin) != "" {
		return "", nil
	}
	root = cached("debian", "postgresql-18")
	if _, err := os.Stat(filepath.Join(root, fetchedPostgres18, "initdb")); err != nil || os.Geteuid() != 0 {
		return "", &MissingError{Postgres18, "run .ci/setup as root on Debian, or set " + Postgres18Bin}
	}
	return root, nil
}

func postgres18Bin() string {
	if dir := os.Getenv(Postgres18Bin); dir != "" {
		return dir
	}
	return fetchedPostgres18
}

// postgresScript makes a cluster, serves until its standard input ends, and
// leaves nothing behind. initdb and the server refuse to run as root.
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
"$bin/postgres" --single -D "$dir/data" postgres <"$dir/admin.sql" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
: >"$dir/log"
up() { "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >/dev/null 2>&1; }
up || { cat "$dir/log"; exit 1; }
echo ready
while read -r order; do
	case $order in
	halt) "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null 2>&1 ;;
	resume) up ;;
	esac
done
"$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1
`

// launchPostgres launches the programs in a folder as the user postgres or, in
// another system, as daemon.
func launchPostgres(bin func() string) func(context.Context, *Server, string, string) error {
	return func(ctx context.Context, s *Server, root, dir string) (err error) {
		s.Superuser = Login{"postgres", randomText()}
		for name, content := range map[string]string{
			"password":  s.Superuser.Password,
			"admin.sql": fmt.Sprintf("CREATE ROLE %s LOGIN CREATEDB CREATEROLE PASSWORD '%s'\n", s.Admin.User, s.Admin.Password),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				return err
			}
		}
		inside := strings.TrimPrefix(dir, root)
		command := []string{"sh", "-c", postgresScript, "sh", bin(), inside, strconv.Itoa(s.Port)}
		if os.Geteuid() == 0 {
			chown := []string{"chown", "-R", "postgres", inside}
			switch {
			case root != "":
				chown = []string{"chroot", root, "chown", "-R", "daemon", inside}
				command = append([]string{"chroot", "--userspec=daemon:daemon", root}, command...)
			default:
				command = append([]string{"runuser", "-u", "postgres", "--"}, command...)
			}
			if out, err := exec.CommandContext(ctx, chown[0], chown[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("hand the server its folder: %w: %s", err, out)
			}
		}
		s.process, err = start(ctx, s.Kind, command, "ready", nil)
		return err
	}
}
