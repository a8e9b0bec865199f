package e2e

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift/redshifttest"
)

// byPostgres is what PostgreSQL can stand in for of Redshift. A process that
// stands still is left out: Redshift has no lock that it could wait for.
var byPostgres = redshift{postgres{servers.Postgres}}

const redshiftServer = "redshift (by postgres)"

var redshiftScenarios = []scenario{
	{
		engine: byPostgres, on: redshiftServer, neverFrozen: true, name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: 2,
		prepare: prepareRedshift("", userOrders), reset: resetSingle,
	},
	{
		engine: byPostgres, on: redshiftServer, neverFrozen: true, name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"}, gapPoints: 2,
		env: []string{"CHANGE_AS=admin"}, prepare: prepareRedshift("CREATEROLE", userOrders), reset: resetSingle,
		admin: func(*database) (string, string) { return rotator, rotators },
	},
	{
		engine: byPostgres, on: redshiftServer, neverFrozen: true, name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userB + `"]}}`},
		prepare: prepareRedshift("SUPERUSER", userA, userB), reset: resetBootstrapped,
		admin: func(*database) (string, string) { return rotator, rotators },
	},
	{
		engine: byPostgres, on: redshiftServer, neverFrozen: true, name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userA + `_clone"]}}`, "USERS=clone"},
		prepare: prepareRedshift("SUPERUSER", userA), reset: resetClone,
		admin: func(*database) (string, string) { return rotator, rotators },
	},
}

// prepareRedshift makes users that may do things by being in groups, and a
// rotator with a right of its own.
func prepareRedshift(right string, users ...string) func(testing.TB, *database) {
	return func(t testing.TB, db *database) {
		db.superuser(t, quietly, "CREATE USER "+rotator+" "+right+" PASSWORD '"+rotators+"'")
		db.superuser(t, append([]string{"CREATE GROUP writers"}, readers("writers")...)...)
		db.superuser(t, "CREATE TABLE orders (note text)", "GRANT SELECT, INSERT ON orders TO GROUP writers")
		for _, user := range users {
			db.superuser(t, "CREATE USER "+user, "ALTER GROUP writers ADD USER "+user)
		}
	}
}

// redshift is an [engine]: PostgreSQL with the system views of Redshift.
type redshift struct{ postgres }

func (redshift) name() string { return "redshift" }

func (e redshift) start(t testing.TB, server serverstest.Server) *database {
	d := e.postgres.start(t, server)
	d.engine = e
	d.superuser(t, redshifttest.StandIn)
	return d
}

// work is what users can do who own nothing.
func (redshift) work() []string {
	return []string{
		"INSERT INTO orders (note) VALUES ('made by '||session_user)",
		"SELECT count(*) FROM orders",
		"SELECT note FROM prices",
		"SELECT count_prices()",
	}
}

func (redshift) isChange(op string) bool { return strings.HasPrefix(op, "ALTER USER ") }
