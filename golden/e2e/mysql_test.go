package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

var mysqlScenarios = []scenario{
	{
		engine: mysqlEngine{}, name: "single user, self", args: []string{"--type", "rds-single-user"},
		prepare: prepareMySQL("APPLICATION_PASSWORD_ADMIN"), reset: resetMySQL,
	},
	{
		engine: mysqlEngine{}, name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"},
		env: []string{"CHANGE_AS=admin"}, prepare: prepareAdministered, reset: resetMySQL, admin: narrowAdmin,
	},
	{
		engine: mysqlEngine{}, name: "single user, no right", args: []string{"--type", "rds-single-user"}, gapPoints: 2, degraded: true,
		prepare: prepareMySQL(""), reset: resetMySQL,
	},
	preprovisioned(mysqlEngine{}),
	cloned(mysqlEngine{}),
}

var mariadbScenarios = []scenario{
	{
		engine: mysqlEngine{mariadb: true}, name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: 2,
		prepare: prepareMySQL(""), reset: resetMySQL,
	},
	{
		engine: mysqlEngine{mariadb: true}, name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"},
		env: []string{"CHANGE_AS=admin"}, prepare: prepareAdministered, reset: resetMySQL, admin: narrowAdmin,
	},
	preprovisioned(mysqlEngine{mariadb: true}),
	cloned(mysqlEngine{mariadb: true}),
}

func preprovisioned(e mysqlEngine) scenario {
	return scenario{
		engine: e, name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userB + `"]}}`},
		prepare: prepareBootstrappedMySQL, reset: resetTwoMySQL(userB),
		admin: narrowAdmin,
	}
}

// narrowAdmin may change users and nothing else, least of all see their data.
func narrowAdmin(*database) (user, password string) { return rotator, rotators }

func cloned(e mysqlEngine) scenario {
	return scenario{
		engine: e, name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userA + `_clone"]}}`, "USERS=clone"},
		prepare: func(t testing.TB, db *database) { prepareUser(t, db, userA) }, reset: resetTwoMySQL(""),
	}
}

// unlogged keeps the statements that follow out of the server's log: they set
// passwords in clear text.
const unlogged = "SET SESSION sql_log_off = 1"

// prepareMySQL makes a user that may have another right.
func prepareMySQL(right string) func(testing.TB, *database) {
	return func(t testing.TB, db *database) {
		prepareUser(t, db, userOrders)
		if right != "" {
			db.superuser(t, "GRANT "+right+" ON *.* TO '"+userOrders+"'@'%'")
		}
	}
}

// prepareAdministered makes a user and the administrator that README.md asks for.
func prepareAdministered(t testing.TB, db *database) {
	prepareUser(t, db, userOrders)
	account := "'" + rotator + "'@'%'"
	db.superuser(t, unlogged, "CREATE USER "+account+" IDENTIFIED BY '"+rotators+"' REQUIRE SSL", "GRANT CREATE USER ON *.* TO "+account)
	if db.engine.(mysqlEngine).mariadb {
		db.admin(t, "GRANT SELECT ON mysql.* TO "+account)
	}
}

// prepareUser makes a user whose rights come from grants, from a role and with
// a routine.
func prepareUser(t testing.TB, db *database, user string) {
	prepareObjects(t, db)
	account := "'" + user + "'@'%'"
	db.admin(t,
		"CREATE USER "+account,
		"GRANT INSERT ON "+databaseName+".orders TO "+account,
		"GRANT CREATE, DROP, CREATE ROUTINE ON "+databaseName+".* TO "+account,
		"GRANT EXECUTE ON PROCEDURE "+databaseName+".count_orders TO "+account,
	)
	grantRole(t, db, account)
}

func prepareObjects(t testing.TB, db *database) {
	db.admin(t,
		"CREATE TABLE orders (note text)",
		"CREATE PROCEDURE count_orders() SELECT COUNT(*) FROM orders",
		"CREATE ROLE readers",
		"GRANT SELECT ON "+databaseName+".* TO readers",
	)
}

func grantRole(t testing.TB, db *database, account string) {
	db.admin(t, "GRANT readers TO "+account, db.engine.(mysqlEngine).defaultRole("readers", account))
}

// prepareBootstrappedMySQL runs the emitted bootstrap.sql, twice, as an admin
// who is no superuser. The users read by a role.
func prepareBootstrappedMySQL(t testing.TB, db *database) {
	prepareObjects(t, db)
	db.admin(t, "CREATE USER '"+userA+"'@'%'")
	for range 2 {
		bootstrap, err := os.Open(filepath.Join(db.dir, "bootstrap.sql"))
		if err != nil {
			t.Fatal(err)
		}
		settings := fmt.Sprintf("SET @user_a = '%s', @user_b = '%s', @rotator = '%s', @database = '%s', @rights = 'INSERT, EXECUTE, CREATE, DROP, CREATE ROUTINE, ALTER ROUTINE'",
			userA, userB, rotator, databaseName)
		client := exec.CommandContext(t.Context(), "mysql", "--no-defaults", "--protocol=TCP", "--host="+db.Host, "--port="+strconv.Itoa(db.Port),
			"--user="+db.Admin.User, "--ssl-ca="+db.CAFile, "--init-command="+settings)
		client.Env = append(os.Environ(), "MYSQL_PWD="+db.Admin.Password)
		client.Stdin = bootstrap
		if out, err := client.CombinedOutput(); err != nil {
			t.Fatalf("bootstrap.sql: %v\n%s", err, out)
		}
		if err := bootstrap.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{userA, userB} {
		grantRole(t, db, "'"+user+"'@'%'")
	}
	db.superuser(t, unlogged, "ALTER USER '"+rotator+"'@'%' IDENTIFIED BY '"+rotators+"'")
}

func resetMySQL(t testing.TB, db *database) map[string]any {
	db.onlyPassword(t, userOrders, first)
	return map[string]any{"username": userOrders, "password": first}
}

// resetTwoMySQL makes userA the one that AWSCURRENT names, beside other or, if
// that is "", without its clone.
func resetTwoMySQL(other string) func(testing.TB, *database) map[string]any {
	return func(t testing.TB, db *database) map[string]any {
		db.superuser(t, "DROP PROCEDURE IF EXISTS count_made", "DROP TABLE IF EXISTS made_later", "DROP USER IF EXISTS '"+userA+"_clone'@'%'")
		db.onlyPassword(t, userA, first)
		value := map[string]any{"username": userA, "password": first}
		if other != "" {
			db.onlyPassword(t, other, "not-in-the-secret-yet-4242")
			value["alternate_username"] = other
		}
		return value
	}
}

// onlyPassword gives a user one password.
func (d *database) onlyPassword(t testing.TB, user, password string) {
	d.superuser(t, unlogged, "ALTER USER '"+user+"'@'%' IDENTIFIED BY '"+password+"'")
	if !d.engine.(mysqlEngine).mariadb {
		d.superuser(t, "ALTER USER '"+user+"'@'%' DISCARD OLD PASSWORD")
	}
}

// mysqlEngine is an [engine].
type mysqlEngine struct{ mariadb bool }

func (e mysqlEngine) name() string { return pick(e.mariadb, "mariadb", "mysql") }

func (e mysqlEngine) defaultRole(role, account string) string {
	return pick(e.mariadb, "SET DEFAULT ROLE "+role+" FOR "+account, "SET DEFAULT ROLE "+role+" TO "+account)
}

func (e mysqlEngine) kind() servers.Kind { return pick(e.mariadb, servers.MariaDB, servers.MySQL) }

func (e mysqlEngine) start(t testing.TB, server serverstest.Server) *database {
	d := &database{engine: e, Server: server}
	d.Reset(t)
	d.superuser(t, "CREATE DATABASE "+databaseName)
	d.name = databaseName
	return d
}

func (mysqlEngine) open(d *database, user, password string) (*sql.DB, error) {
	pool, err := d.OpenMySQL(servers.Login{User: user, Password: password}, d.name)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	return pool, pool.PingContext(context.Background())
}

func (e mysqlEngine) try(d *database, user, password string, statements ...string) error {
	pool, err := e.open(d, user, password)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	for _, statement := range statements {
		if _, err := pool.ExecContext(context.Background(), statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// scan reads the one value of a query as the superuser.
func (e mysqlEngine) scan(d *database, into any, query string) error {
	pool, err := e.open(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return err
	}
	return errors.Join(pool.QueryRowContext(context.Background(), query).Scan(into), pool.Close())
}

func (mysqlEngine) work() []string {
	return []string{
		"INSERT INTO orders (note) VALUES (CONCAT('made by ', CURRENT_USER()))",
		"SELECT COUNT(*) FROM orders",
		"CALL count_orders()",
		// The first user to run this makes these, and the others use them. A routine
		// that ran as its maker would lack what that one has from a role.
		"CREATE TABLE IF NOT EXISTS made_later (id int)",
		"CREATE PROCEDURE IF NOT EXISTS count_made() SQL SECURITY INVOKER SELECT COUNT(*) FROM made_later",
		"SELECT COUNT(*) FROM made_later",
		"CALL count_made()",
	}
}

func (e mysqlEngine) users(d *database) (string, error) {
	pool, err := e.open(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return "", err
	}
	defer func() { _ = pool.Close() }()
	tables := pick(e.mariadb, []string{"global_priv", "roles_mapping"}, []string{"user", "role_edges", "default_roles", "global_grants"})
	var users strings.Builder
	for _, table := range append(tables, "db", "tables_priv", "procs_priv") {
		rows, err := pool.QueryContext(context.Background(), "SELECT * FROM mysql."+table+" ORDER BY 1, 2, 3")
		if err != nil {
			return "", err
		}
		columns, _ := rows.Columns()
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return "", err
			}
			fmt.Fprintln(&users, table, values)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return "", err
		}
	}
	return users.String(), nil
}

func (e mysqlEngine) lockUsers(d *database) (release func(), err error) {
	pool, err := e.open(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return nil, err
	}
	_, err = pool.ExecContext(context.Background(), "FLUSH TABLES WITH READ LOCK")
	return sync.OnceFunc(func() { _ = pool.Close() }), err
}

func (e mysqlEngine) waiting(d *database) (n int, err error) {
	err = e.scan(d, &n, "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for % lock' OR state = 'User lock'")
	return n, err
}

func (mysqlEngine) relay() wire.Relay { return wire.MySQL }

func (mysqlEngine) loginCalls(user string) []string { return []string{"log in as " + user} }

func (mysqlEngine) isChange(op string) bool {
	return strings.HasPrefix(op, "ALTER USER ") && strings.HasSuffix(op, " IDENTIFIED") || strings.HasPrefix(op, "SET PASSWORD ")
}
