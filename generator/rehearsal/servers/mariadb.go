package servers

import (
	"context"
	"os/exec"
)

func findMariaDB() (root string, err error) {
	if _, err := exec.LookPath("mariadbd"); err != nil {
		return "", &MissingError{MariaDB, "apt-get install mariadb-server"}
	}
	return "", nil
}

const mariadbScript = `
trap '' INT
dir=$2 port=$3 user=
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tmp"
export TMPDIR="$dir/tmp" # a server that starts removes the temporary tables that it finds
if [ "$(id -u)" = 0 ]; then
	user=--user=mysql
	chown -R mysql "$dir"
fi
mariadb-install-db --no-defaults $user --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db >"$dir/out" 2>&1 || { cat "$dir/out"; exit 1; }
up() {
	exec mariadbd --no-defaults $user --datadir="$dir/data" --port="$port" --bind-address=127.0.0.1 --socket="$dir/socket" --pid-file="$dir/pid" \
		--ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.crt" --ssl-key="$dir/server.key" \
		--general-log=ON --general-log-file="$dir/log" --skip-name-resolve --innodb-flush-log-at-trx-commit=0 "$@" 2>&1
}
` + serveSQL

func launchMariaDB(ctx context.Context, s *Server, root, dir string) error {
	return s.launchSQL(ctx, mariadbScript, commonRights, root, dir)
}
