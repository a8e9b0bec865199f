//go:build db

package parity

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// How many cases are made up, and from which seed, for longer runs than the
// usual one.
const (
	variableCases = "ROTATION_TEST_CASES"
	variableSeed  = "ROTATION_TEST_SEED"

	usualCases = 100
)

// pairs are the ways in which two users act as one role, and in which they
// nearly do.
var pairs = [][]string{
	{"GRANT d_owner TO d_a, d_b", "ALTER ROLE d_a SET role = d_owner", "ALTER ROLE d_b SET role = d_owner"},
	{"GRANT d_owner TO d_a, d_b", "ALTER ROLE d_a SET role = d_owner", "ALTER ROLE d_b SET role = d_owner"},
	{"GRANT d_a TO d_b", "ALTER ROLE d_b SET role = d_a"},
	{"GRANT d_b TO d_a", "ALTER ROLE d_a SET role = d_b"},
	{"GRANT d_a TO d_b"},
	{},
}

// changes are what is done to one of the users, to the owner role or to a group
// that may be a user's.
var changes = []string{
	"GRANT SELECT ON s.t TO %s", "GRANT INSERT, UPDATE ON s.t TO %s WITH GRANT OPTION", "GRANT SELECT (n) ON s.u TO %s", "GRANT SELECT ON s.guarded TO %s",
	"GRANT USAGE ON SEQUENCE s.q TO %s", "GRANT EXECUTE ON FUNCTION s.f() TO %s", "GRANT CREATE ON SCHEMA s TO %s", "GRANT d_group TO %s", "GRANT d_group TO %s WITH ADMIN OPTION",
	"GRANT d_other TO %s", "REVOKE d_owner FROM %s", "REVOKE d_group FROM %s", "ALTER ROLE %s CREATEROLE", "ALTER ROLE %s CREATEDB", "ALTER ROLE %s NOINHERIT", "ALTER ROLE %s CONNECTION LIMIT 0",
	"ALTER ROLE %s VALID UNTIL '2001-01-01'", "ALTER ROLE %s SET search_path = s", "ALTER ROLE %s SET default_transaction_read_only = on", "ALTER ROLE %s SET role = d_group",
	"ALTER ROLE %s RESET role", "ALTER ROLE %s SET row_security = off", "CREATE POLICY p_%[1]s ON s.guarded TO %[1]s USING (n = 1)", "CREATE POLICY q_%s ON s.guarded USING (who = session_user)",
	"CREATE POLICY r_%s ON s.guarded USING (who = current_user)",
	"ALTER TABLE s.u OWNER TO %s", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO %s", "ALTER ROLE %s SET my.tenant = 'x'",
	"REVOKE CONNECT ON DATABASE %[2]s FROM PUBLIC; GRANT CONNECT ON DATABASE %[2]s TO %[1]s", "REVOKE TEMPORARY ON DATABASE %[2]s FROM PUBLIC; GRANT TEMPORARY ON DATABASE %[2]s TO %[1]s",
	"GRANT d_group TO %s WITH INHERIT FALSE", "GRANT d_group TO %s WITH SET FALSE", "GRANT d_owner TO %s WITH SET FALSE", "GRANT d_owner TO %s WITH INHERIT FALSE",
}

// operations are what both users try. The rows that one returns count too.
var operations = []string{
	"SELECT count(*) FROM s.t", "SELECT count(n) FROM s.u", "SELECT count(m) FROM s.u", "SELECT count(*) FROM t", "SELECT count(*) FROM s.guarded", "INSERT INTO s.t VALUES (1)", "UPDATE s.t SET n = 2",
	"SELECT nextval('s.q') > 0", "SELECT s.f()", "CREATE TABLE s.made (n int)", "ALTER TABLE s.u ADD COLUMN k int", "CREATE TEMPORARY TABLE scratch (n int)", "SET LOCAL ROLE d_group", "SET LOCAL ROLE d_other",
	"SET LOCAL ROLE d_owner", "CREATE ROLE d_made", "GRANT INSERT ON s.t TO d_other", "GRANT d_group TO d_other", "SHOW transaction_read_only", "SELECT current_setting('my.tenant', true)",
}

// TestParityIsWhatUsersCanDo makes users at random and lets both try: where the
// verdict is that one can take the other's place, it can do all that the other
// can, with the same outcome. (T10)
func TestParityIsWhatUsersCanDo(t *testing.T) {
	b := newBench(t)
	for _, role := range []string{"d_keeper", "d_owner", "d_group", "d_other"} {
		b.Role(t, role, "first", "NOLOGIN")
	}
	cases, _ := strconv.Atoi(cmp.Or(os.Getenv(variableCases), strconv.Itoa(usualCases)))
	seed, _ := strconv.ParseUint(cmp.Or(os.Getenv(variableSeed), "1"), 10, 64)
	random := rand.New(rand.NewPCG(seed, 5))
	verdicts := map[string]int{}
	// Whether the second may log in at all is proven by logging in.
	admin, conn := b.admin(), b.Connect(t, b.Admin)
	t.Cleanup(func() { b.forget("d_a", "d_b") })
	b.forget("d_a", "d_b")
	for i := range cases {
		made := slices.Clone(pairs[random.IntN(len(pairs))])
		for range random.IntN(4) {
			change, to := changes[random.IntN(len(changes))], []string{"d_a", "d_b", "d_owner", "d_group"}[random.IntN(4)]
			made = append(made, strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(change, "%[1]s", to), "%s", to), "%[2]s", `"`+b.Admin.Database+`"`))
		}
		a, second := b.differing(conn, made)
		err := admin.Parity(t.Context(), "d_a", "d_b")
		could, can := b.tried(a), b.tried(second)
		lacks := slices.DeleteFunc(could, func(operation string) bool { return slices.Contains(can, operation) })
		switch {
		case err == nil && len(lacks) > 0:
			t.Fatalf("case %d of seed %d: the users are said to be able to do the same, and the second cannot %q:\n%s", i, seed, lacks, strings.Join(made, "\n"))
		case err == nil:
			verdicts["same"]++
		case len(lacks) == 0:
			verdicts["doubtful"]++
		default:
			verdicts["other"]++
		}
	}
	t.Logf("%v", verdicts)
	if verdicts["same"] == 0 || verdicts["other"] == 0 {
		t.Error("the cases are too much alike to prove anything")
	}
}

// differing makes the users anew and does to them what the server lets be done.
func (b *bench) differing(conn *pgconn.PgConn, statements []string) (a, second database.Account) {
	b.t.Helper()
	own := `"` + b.Admin.Database + `"`
	for _, statement := range append([]string{
		"GRANT d_a, d_b TO CURRENT_USER", "DROP OWNED BY d_a, d_b CASCADE", "DROP SCHEMA IF EXISTS s CASCADE", "DROP ROLE d_a", "DROP ROLE d_b", "CREATE ROLE d_a LOGIN PASSWORD 'first'", "CREATE ROLE d_b LOGIN PASSWORD 'first'",
		"GRANT d_keeper, d_owner, d_group, d_other TO CURRENT_USER", "DROP OWNED BY d_owner, d_group, d_other", "REVOKE d_owner, d_group, d_other FROM d_owner, d_group, d_other",
		"ALTER ROLE d_owner RESET ALL", "ALTER ROLE d_group RESET ALL", "ALTER ROLE d_owner NOCREATEROLE NOCREATEDB INHERIT", "ALTER ROLE d_group NOCREATEROLE NOCREATEDB INHERIT",
		"CREATE SCHEMA s", "GRANT USAGE ON SCHEMA s TO PUBLIC", "CREATE TABLE s.t (n int)", "CREATE TABLE s.u (n int, m int)", "CREATE SEQUENCE s.q",
		"CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "REVOKE EXECUTE ON FUNCTION s.f() FROM PUBLIC",
		"CREATE TABLE s.guarded (n int, who text)", "INSERT INTO s.guarded VALUES (1, 'd_a'), (2, 'd_b')", "ALTER TABLE s.guarded ENABLE ROW LEVEL SECURITY",
		"GRANT CONNECT, TEMPORARY ON DATABASE " + own + " TO PUBLIC", "GRANT d_a, d_b TO CURRENT_USER",
	}, statements...) {
		_, _ = postgrestest.Run(conn, statement)
	}
	return b.Account("d_a", "first"), b.Account("d_b", "first")
}

// tried returns what a user is let do, and what comes of it.
func (b *bench) tried(account database.Account) (can []string) {
	b.t.Helper()
	conn, err := b.TryConnect(account)
	if err != nil {
		return nil
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, operation := range append([]string{"SELECT 1"}, operations...) {
		_, _ = postgrestest.Run(conn, "BEGIN")
		if rows, err := postgrestest.Run(conn, operation); err == nil {
			can = append(can, fmt.Sprintf("%s: %v", operation, rows))
		}
		_, _ = postgrestest.Run(conn, "ROLLBACK")
	}
	return can
}
