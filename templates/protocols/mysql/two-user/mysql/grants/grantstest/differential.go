package grantstest

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// How many cases are made up, and from which seed, for longer runs than the
// usual one.
const (
	variableCases = "ROTATION_TEST_CASES"
	variableSeed  = "ROTATION_TEST_SEED"

	usualCases = 100
)

// endowed is what two users and two roles were granted, each as what stands
// between GRANT and TO, with the options behind a semicolon.
type endowed struct {
	a, b, clerk, boss []string
}

// found are cases whose verdict was wrong once.
var found = []endowed{
	{ // the most specific row alone counts
		a: []string{"ALL PRIVILEGES ON `shop%`.*"},
		b: []string{"ALL PRIVILEGES ON `shop%`.*", "SELECT ON `shop1`.*"},
	},
	{ // a backslash keeps a wildcard from being one
		a: []string{"INSERT ON `shop_`.*"},
		b: []string{"INSERT ON `shop\\_`.*"},
	},
	{
		a: []string{"SELECT ON `sh%`.*", "DELETE ON `shop1`.`t`"},
		b: []string{"SELECT ON `sh%`.*", "DELETE ON `shop%`.*"},
	},
	{ // a role's row hides the user's, but not what the other has on the table
		a:     []string{"DELETE ON `shop1`.`t`", "clerk", "ALL PRIVILEGES ON `shop_`.*"},
		b:     []string{"ALL PRIVILEGES ON `shop_`.*", "clerk"},
		clerk: []string{"EXECUTE ON `s%1`.*"},
	},
	{
		a:     []string{"ALL PRIVILEGES ON `%`.*", "clerk", "SELECT ON `shop1`.`t`"},
		b:     []string{"clerk", "ALL PRIVILEGES ON `%`.*"},
		clerk: []string{"INSERT ON `shop1`.*"},
	},
	{ // nor does the name help that is spelt like the database, with a wildcard in it
		a: []string{"SELECT ON `%`.*", "DELETE ON `shop_`.`t`", "ALL PRIVILEGES ON `shop_`.*", "clerk"},
		b: []string{"SELECT ON `%`.*", "clerk", "ALL PRIVILEGES ON `shop_`.*"},
	},
	{ // neither is more specific than the other
		a: []string{"SELECT, INSERT ON `sh%`.*"},
		b: []string{"SELECT, INSERT ON `sh%`.*", "DELETE ON `s%1`.*"},
	},
}

var (
	databases  = []string{"sho", "shop1", "shop2", "shop_"}
	patterns   = []string{"`shop1`.*", "`shop2`.*", "`shop%`.*", "`sh%`.*", "`shop_`.*", "`shop\\_`.*", "`%`.*", "`s%1`.*", "`s%p%`.*", "*.*", "`shop1`.`t`", "`shop_`.`t`"}
	privileges = []string{"SELECT", "INSERT", "DELETE", "EXECUTE", "SELECT, INSERT, UPDATE", "ALL PRIVILEGES"}
)

// operations are what is tried on each database.
var operations = []string{
	"SELECT n FROM %s.t", "SELECT m FROM %s.t", "INSERT INTO %s.t (n) SELECT 1 FROM DUAL WHERE 1 = 0", "UPDATE %s.t SET n = 1 WHERE 1 = 0",
	"DELETE FROM %s.t WHERE 1 = 0", "CALL %s.p()", "GRANT SELECT ON %s.t TO differ_witness", "GRANT INSERT ON %s.* TO differ_witness",
}

// Differential grants at random and lets both users try: where the verdict is
// that one can take the other's place, it can do all that the other can. (T10)
func Differential(t *testing.T, b *Bench) {
	b = b.in(t)
	drop := func() {
		for _, database := range databases {
			b.run("DROP DATABASE IF EXISTS `" + database + "`")
		}
	}
	drop()
	t.Cleanup(drop)
	for _, database := range databases {
		b.run("CREATE DATABASE `"+database+"`", "CREATE TABLE `"+database+"`.t (n int, m int)", "CREATE PROCEDURE `"+database+"`.p() SELECT 1")
	}
	b.forget("differ_a", "differ_b")
	b.User(t, "differ_witness", "%", "First-password1", "")

	cases, _ := strconv.Atoi(cmp.Or(os.Getenv(variableCases), strconv.Itoa(usualCases)))
	seed, _ := strconv.ParseUint(cmp.Or(os.Getenv(variableSeed), "1"), 10, 64)
	random := rand.New(rand.NewPCG(seed, 4))
	admin := b.admin()
	verdicts := map[string]int{}
	for i := range len(found) + cases {
		c := made(random)
		if i < len(found) {
			c = found[i]
		}
		verdicts[b.differ(admin, c)]++
		if t.Failed() {
			t.Fatalf("case %d of seed %d", i-len(found), seed)
		}
	}
	t.Logf("%v", verdicts)
	if verdicts["same"] == 0 || verdicts["other"] == 0 {
		t.Error("the cases are too much alike to prove anything")
	}
}

// differ makes the users, asks for the verdict and holds it to what they can do,
// as they are and after the second was given what it lacks.
func (b *Bench) differ(admin twouser.Session, c endowed) (verdict string) {
	b.endow(c)
	can := func(user string) []string { return b.tried(user) }
	lacks := func() []string {
		hers := can("differ_b")
		return slices.DeleteFunc(can("differ_a"), func(operation string) bool { return slices.Contains(hers, operation) })
	}
	fail := func(when string, lacks []string) {
		b.t.Errorf("%s the users are said to be able to do the same, and the second cannot %q:\n%q", when, lacks, c)
		for _, user := range []string{"differ_a", "differ_b"} {
			b.t.Logf("%v", b.run("SHOW GRANTS FOR "+user))
		}
	}
	// A user that granted it all can grant it to a clone, and is told so. (C16)
	if err := admin.Rehearse(b.t.Context(), "differ_a", "differ_b"); err != nil {
		b.t.Errorf("%v:\n%q", err, c)
	}
	err := admin.Parity(b.t.Context(), "differ_a", "differ_b")
	switch lacks := lacks(); {
	case err == nil && len(lacks) > 0:
		fail("at first", lacks)
	case err == nil:
		return "same"
	case len(lacks) == 0:
		verdict = "doubtful"
	default:
		verdict = "other"
	}
	if code := rotation.CodeOf(err); code != rotation.CodeParity {
		b.t.Error(err)
	}
	if _, err := admin.Reconcile(b.t.Context(), "differ_a", "differ_b", false); err != nil {
		b.t.Errorf("%v:\n%q", err, c)
	}
	err = admin.Parity(b.t.Context(), "differ_a", "differ_b")
	if lacks := lacks(); err == nil && len(lacks) > 0 {
		fail("when reconciled,", lacks)
	} else if err != nil {
		verdict += ", not to be mended"
	}
	return verdict
}

// endow grants, as far as the server lets it.
func (b *Bench) endow(c endowed) {
	b.t.Helper()
	pool := b.Open(b.t, b.Admin)
	defer func() { _ = pool.Close() }()
	for _, statement := range []string{
		"DROP USER IF EXISTS differ_a, differ_b", "DROP ROLE IF EXISTS clerk", "DROP ROLE IF EXISTS boss", "CREATE ROLE clerk", "CREATE ROLE boss",
		"CREATE USER differ_a IDENTIFIED BY 'First-password1'", "CREATE USER differ_b IDENTIFIED BY 'First-password1'",
	} {
		if _, err := mysqltest.Run(pool, statement); err != nil {
			b.t.Fatalf("%s: %v", statement, err)
		}
	}
	for _, to := range []struct {
		name  string
		given []string
	}{{"clerk", c.clerk}, {"boss", c.boss}, {"differ_a", c.a}, {"differ_b", c.b}} {
		for _, what := range to.given {
			what, option, _ := strings.Cut(what, ";")
			statement := "GRANT " + what + " TO " + to.name + option
			if revoked, ok := strings.CutPrefix(what, "NOT "); ok {
				statement = "REVOKE " + revoked + " FROM " + to.name
			}
			_, err := mysqltest.Run(pool, statement)
			if err == nil && what == "clerk" {
				_, err = mysqltest.Run(pool, b.defaultRole(to.name))
			}
			if refusal, ok := errors.AsType[*mysql.MySQLError](err); err != nil && (!ok || refusal.Number == 1064) {
				b.t.Fatalf("%s: %v", statement, err)
			}
		}
	}
}

// tried returns what a user is let do.
func (b *Bench) tried(user string) (can []string) {
	b.t.Helper()
	pool := b.Open(b.t, b.Account(user, "First-password1"))
	defer func() { _ = pool.Close() }()
	pool.SetMaxOpenConns(1)
	for _, database := range databases {
		for _, operation := range operations {
			statement := fmt.Sprintf(operation, "`"+database+"`")
			if allowed(b.t, pool, statement) {
				can = append(can, statement)
			}
		}
	}
	return can
}

// allowed reports whether the server runs a statement or lacks a right for it.
func allowed(t testing.TB, pool *sql.DB, statement string) bool {
	t.Helper()
	_, err := mysqltest.Run(pool, statement)
	refusal, refused := errors.AsType[*mysql.MySQLError](err)
	switch {
	case err == nil:
		return true
	case refused && slices.Contains([]uint16{1044, 1045, 1142, 1143, 1227, 1370, 1410}, refusal.Number):
		return false
	default:
		t.Fatalf("%s: %v", statement, err)
		return false
	}
}

// made makes up a case: two users that were granted much the same.
func made(random *rand.Rand) endowed {
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	one := func() string {
		switch random.IntN(12) {
		case 0:
			return pick([]string{"clerk", "boss", "clerk; WITH ADMIN OPTION"})
		case 1:
			return pick([]string{"SELECT (n) ON `shop1`.`t`", "EXECUTE ON PROCEDURE `shop1`.`p`", "EXECUTE ON PROCEDURE `shop_`.`p`", "SELECT (n), UPDATE (n) ON `shop_`.`t`"})
		case 2:
			return "NOT " + pick(privileges[:4]) + " ON `" + pick(databases) + "`.*"
		}
		on := pick(patterns)
		privilege := pick(privileges)
		if strings.HasSuffix(on, "`t`") {
			privilege = pick(privileges[:3])
		} else if on == "*.*" {
			privilege = pick(privileges[:5])
		}
		option := ""
		if random.IntN(6) == 0 {
			option = "; WITH GRANT OPTION"
		}
		return privilege + " ON " + on + option
	}
	some := func(most int) (given []string) {
		for range random.IntN(most) {
			given = append(given, one())
		}
		return given
	}
	plain := func(given []string) []string { // roles in roles are too much of it
		return slices.DeleteFunc(given, func(what string) bool { return !strings.Contains(what, " ON ") })
	}
	c := endowed{a: append(some(5), one()), clerk: plain(some(3)), boss: plain(some(3))}
	c.b = slices.Clone(c.a)
	for range random.IntN(3) {
		switch i := random.IntN(len(c.b)); random.IntN(4) {
		case 0:
			c.b = append(c.b, one())
		case 1:
			c.b[i] = one()
		case 2:
			if len(c.b) > 1 {
				c.b = slices.Delete(c.b, i, i+1)
			}
		default:
			if privilege, on, ok := strings.Cut(c.b[i], " ON `"); ok && strings.HasSuffix(on, ".*") {
				c.b[i] = privilege + " ON " + pick(patterns[:9])
			}
		}
	}
	random.Shuffle(len(c.b), func(i, j int) { c.b[i], c.b[j] = c.b[j], c.b[i] })
	return c
}
