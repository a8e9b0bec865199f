package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

// quietly keeps the statements that follow out of the server's log: they set
// passwords in clear text, which no rotator does.
const quietly = "SET log_statement = 'none'"

var postgresScenarios = []scenario{
	{
		engine: postgres{servers.Postgres}, name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: 2,
		prepare: prepareSingle, reset: resetSingle,
	},
	{
		engine: postgres{servers.Postgres}, name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"}, gapPoints: 2,
		env: []string{"CHANGE_AS=admin"}, prepare: prepareSingle, reset: resetSingle,
	},
	{
		engine: postgres{servers.Postgres}, name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userB + `"]}}`},
		prepare: prepareBootstrapped, reset: resetBootstrapped,
		admin: func(*database) (string, string) { return rotator, rotators },
	},
	{
		engine: postgres{servers.Postgres}, name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userA + `_clone"]}}`, "USERS=clone"},
		prepare: prepareClone, reset: resetClone,
	},
}

func prepareSingle(t testing.TB, db *database) {
	db.admin(t,
		"CREATE ROLE "+userOrders+" LOGIN",
		"GRANT CREATE, USAGE ON SCHEMA public TO "+userOrders,
		"CREATE TABLE orders (note text)")
	db.superuser(t, "ALTER TABLE orders OWNER TO "+userOrders)
	db.superuser(t, readers(userOrders)...)
}

func resetSingle(t testing.TB, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userOrders+" PASSWORD '"+first+"'")
	return map[string]any{"username": userOrders, "password": first}
}

// prepareBootstrapped runs the emitted bootstrap.sql, twice, as a non-superuser
// admin, on a database whose first user owns a table.
func prepareBootstrapped(t testing.TB, db *database) {
	db.admin(t, "CREATE ROLE "+userA+" LOGIN")
	db.superuser(t, "CREATE TABLE orders (note text)", "ALTER TABLE orders OWNER TO "+userA)
	for range 2 {
		psql := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
			"-v", "owner="+owner, "-v", "user_a="+userA, "-v", "user_b="+userB, "-v", "rotator="+rotator,
			"-f", db.dir+"/bootstrap.sql", db.URL(db.Admin, db.name))
		psql.Env = append(os.Environ(), "LC_ALL=C")
		if out, err := psql.CombinedOutput(); err != nil {
			t.Fatalf("bootstrap.sql: %v\n%s", err, out)
		}
	}
	db.superuser(t, readers(owner)...)
	db.superuser(t, quietly, "ALTER ROLE "+rotator+" PASSWORD '"+rotators+"'")
}

func resetBootstrapped(t testing.TB, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userA+" PASSWORD '"+first+"'", "ALTER ROLE "+userB+" PASSWORD NULL")
	return map[string]any{"username": userA, "password": first, "alternate_username": userB}
}

func prepareClone(t testing.TB, db *database) {
	db.admin(t, "CREATE ROLE "+userA+" LOGIN")
	db.superuser(t, "GRANT CREATE, USAGE ON SCHEMA public TO "+userA, "CREATE TABLE orders (note text)", "ALTER TABLE orders OWNER TO "+userA)
	db.superuser(t, readers(userA)...)
}

func resetClone(t testing.TB, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userA+" PASSWORD '"+first+"'", "DROP ROLE IF EXISTS "+userA+"_clone")
	return map[string]any{"username": userA, "password": first}
}

// postgres is an [engine] on one of the servers of its kind.
type postgres struct{ release servers.Kind }

func (postgres) name() string { return "postgres" }

func (e postgres) kind() servers.Kind { return e.release }

func (e postgres) start(t testing.TB, server serverstest.Server) *database {
	d := &database{engine: e, Server: server, name: "postgres"}
	d.Reset(t)
	d.superuser(t, "CREATE DATABASE "+databaseName+" OWNER "+d.Admin.User)
	d.name = databaseName
	return d
}

func (postgres) connect(d *database, user, password string) (*pgx.Conn, error) {
	return pgx.Connect(context.Background(), d.URL(servers.Login{User: user, Password: password}, d.name))
}

func (e postgres) try(d *database, user, password string, statements ...string) error {
	ctx := context.Background()
	conn, err := e.connect(d, user, password)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.PgConn().Exec(ctx, statement).ReadAll(); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// scan reads the one value of a query as the superuser.
func (e postgres) scan(d *database, into any, query string) error {
	ctx := context.Background()
	conn, err := e.connect(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return err
	}
	return errors.Join(conn.QueryRow(ctx, query).Scan(into), conn.Close(ctx))
}

// work reads a table and calls a routine by a role's right, and changes what
// whichever user came first has made.
func (postgres) work() []string {
	return []string{
		"INSERT INTO orders (note) VALUES ('made by '||session_user)",
		"SELECT count(*) FROM orders",
		"ALTER TABLE orders ALTER COLUMN note SET STATISTICS 100",
		"SELECT note FROM prices",
		"SELECT count_prices()",
		"CREATE TABLE IF NOT EXISTS made_later (id int)",
		"INSERT INTO made_later VALUES (1)",
		"ALTER TABLE made_later ALTER COLUMN id SET STATISTICS 100",
	}
}

// readers makes what only the role readers may use, and user a member of it.
func readers(user string) []string {
	return []string{
		"CREATE ROLE readers",
		"CREATE TABLE prices (note text)",
		"GRANT SELECT ON prices TO readers",
		"CREATE FUNCTION count_prices() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM prices'",
		"REVOKE EXECUTE ON FUNCTION count_prices() FROM PUBLIC",
		"GRANT EXECUTE ON FUNCTION count_prices() TO readers",
		"GRANT readers TO " + user,
	}
}

func (e postgres) users(d *database) (users string, err error) {
	err = e.scan(d, &users, `SELECT string_agg(u, E'\n' ORDER BY u) FROM (
		SELECT a::text FROM pg_authid a UNION ALL SELECT m::text FROM pg_auth_members m UNION ALL SELECT s::text FROM pg_db_role_setting s) AS all_of (u)`)
	return users, err
}

func (e postgres) lockUsers(d *database) (release func(), err error) {
	ctx := context.Background()
	conn, err := e.connect(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return nil, err
	}
	_, err = conn.PgConn().Exec(ctx, "BEGIN; LOCK TABLE pg_authid IN EXCLUSIVE MODE").ReadAll()
	return sync.OnceFunc(func() { _ = conn.Close(ctx) }), err
}

func (e postgres) waiting(d *database) (n int, err error) {
	err = e.scan(d, &n, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
	return n, err
}

func (postgres) relay() wire.Relay { return wire.Postgres }

func (postgres) loginCalls(user string) []string { return []string{"log in as " + user} }

func (postgres) isChange(op string) bool { return strings.HasPrefix(op, "ALTER ROLE ") }
