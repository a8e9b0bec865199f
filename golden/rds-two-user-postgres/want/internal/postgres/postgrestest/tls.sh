#!/bin/sh
# tls.sh URL gives the throw-away PostgreSQL server at URL a certificate, switches TLS on and prints the URL with which
# ROTATION_TEST_POSTGRES_URL then names it. The images that CI services use come without TLS, and the rotation refuses
# to speak without it. It needs openssl, psql and a superuser.
set -eu
url=$1
host=${url#*@}
host=${host%%[:/]*}
dir=$(mktemp -d)

sql() { psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --output /dev/null "$@"; }

# await waits for a server that has just been started, or told to read its settings again.
await() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
		sql "$1" --command 'SELECT 1' 2>/dev/null && return
		sleep 1
	done
	echo "tls.sh: no answer from $host" >&2
	exit 1
}

openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
	-keyout "$dir/server.key" -out "$dir/server.crt" 2>/dev/null

# The server writes the files itself, into its data folder, which need not be on this machine.
await "$url"
sql "$url" <<SQL
COPY (SELECT regexp_split_to_table('$(cat "$dir/server.key")', E'\n')) TO PROGRAM 'umask 077 && cat > server.key';
COPY (SELECT regexp_split_to_table('$(cat "$dir/server.crt")', E'\n')) TO PROGRAM 'umask 077 && cat > server.crt';
ALTER SYSTEM SET ssl_key_file = 'server.key';
ALTER SYSTEM SET ssl_cert_file = 'server.crt';
ALTER SYSTEM SET ssl = on;
SELECT pg_reload_conf();
SQL

verified="$url?sslmode=verify-full&sslrootcert=$dir/server.crt"
await "$verified"
echo "$verified"
