package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// MySQLRoot names the environment variable with the folder of a system that
// MySQL's mysqld is installed in, when that is not this machine's own: it and
// MariaDB do not go together on one.
const MySQLRoot = "ROTASMITH_MYSQL_ROOT"

// findMySQL returns the root of the system that has MySQL's mysqld.
func findMySQL() (root string, err error) {
	if root := os.Getenv(MySQLRoot); root != "" {
		return root, nil
	}
	root = cached("debian", "mysql-server-core")
	if _, err := os.Stat(filepath.Join(root, "usr", "sbin", "mysqld")); err == nil && os.Geteuid() == 0 { // chroot is root's
		return root, nil
	}
	if program, err := exec.LookPath("mysqld"); err == nil {
		version, err := exec.Command(program, "--version").Output()
		if err == nil && !strings.Contains(string(version), "MariaDB") {
			return "", nil
		}
	}
	return "", &MissingError{MySQL, "run .ci/setup as root on Debian, or set " + MySQLRoot}
}

// This script, like MariaDB's, makes a server, serves until its standard input
// ends, and leaves nothing behind. The server's own output is the script's, and
// so ends when the server does. A server that is thrown
// away need not shut down in good order. It resolves no names: the host parts of
// accounts are addresses and patterns of them.
const mysqlScript = `
trap '' INT
root=$1 dir=$2 port=$3
trap 'rm -rf "$root$dir"' EXIT
mkdir "$root$dir/tmp"
export TMPDIR="$dir/tmp" # a server that starts removes the temporary tables that it finds
run() {
	set -- mysqld --no-defaults --datadir="$dir/data" "$@"
	if [ -n "$root" ]; then set -- chroot --userspec=daemon:daemon "$root" "$@"; fi
	exec "$@"
}
if [ -n "$root" ]; then chroot "$root" chown -R daemon "$dir"; fi
(run --initialize-insecure) >"$root$dir/out" 2>&1 || { cat "$root$dir/out"; exit 1; }
up() {
	run --port="$port" --bind-address=127.0.0.1 --mysqlx=OFF --secure-file-priv=NULL --socket="$dir/socket" --pid-file="$dir/pid" \
		--ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.crt" --ssl-key="$dir/server.key" \
		--general-log=ON --general-log-file="$dir/log" --skip-name-resolve --skip-log-bin --partial-revokes=ON \
		--innodb-flush-log-at-trx-commit=0 "$@" 2>&1
}
` + serveSQL

// serveSQL is the end of both scripts. up runs the server; the first time it makes the
// users.
const serveSQL = `
up --init-file="$dir/init.sql" &
server=$!
exec >/dev/null 2>&1
while read -r order; do
	case $order in
	halt) kill $server; wait $server ;;
	resume) up & server=$! ;;
	esac
done
kill -KILL $server
wait $server
`

// commonRights are what the master user of RDS has of both servers.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.MasterAccounts.html
const commonRights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, PROCESS, REFERENCES, INDEX, ALTER, SHOW DATABASES, " +
	"CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, " +
	"CREATE ROUTINE, ALTER ROUTINE, CREATE USER, EVENT, TRIGGER"

const mysqlRights = commonRights + ", CREATE ROLE, DROP ROLE, ROLE_ADMIN, APPLICATION_PASSWORD_ADMIN, XA_RECOVER_ADMIN"

func launchMySQL(ctx context.Context, s *Server, root, dir string) error {
	return s.launchSQL(ctx, mysqlScript, mysqlRights, root, dir)
}

// launchSQL launches a server of MySQL's family, whose admin has rights.
func (s *Server) launchSQL(ctx context.Context, script, rights, root, dir string) (err error) {
	s.Superuser = Login{"root", randomText()}
	users := fmt.Sprintf(`CREATE USER '%[1]s'@'%%' IDENTIFIED BY '%[2]s';
GRANT ALL ON *.* TO '%[1]s'@'%%' WITH GRANT OPTION;
CREATE USER '%[3]s'@'%%' IDENTIFIED BY '%[4]s';
GRANT %[5]s ON *.* TO '%[3]s'@'%%' WITH GRANT OPTION;
DROP USER IF EXISTS '%[1]s'@'localhost', '%[1]s'@'127.0.0.1', '%[1]s'@'::1', ''@'localhost';
`, s.Superuser.User, s.Superuser.Password, s.Admin.User, s.Admin.Password, rights)
	if err := os.WriteFile(filepath.Join(dir, "init.sql"), []byte(users), 0o600); err != nil {
		return err
	}
	command := []string{"sh", "-c", script, "sh", root, strings.TrimPrefix(dir, root), strconv.Itoa(s.Port)}
	s.process, err = start(ctx, s.Kind, command, "ready for connections", nil)
	return err
}
