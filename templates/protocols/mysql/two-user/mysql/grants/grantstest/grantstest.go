// Package grantstest holds MySQL's and MariaDB's ways with two users to one
// list of tests, on a real server.
package grantstest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// sentinel begins every new password, and must not stand in the server's log.
const sentinel = "Sentinel-2"

// Bench is a server with a database, roles and sessions.
type Bench struct {
	*mysqltest.Server
	t      testing.TB
	target twouser.Target
}

// New returns a bench whose database holds nothing but a table and a routine.
func New(t testing.TB, server *mysqltest.Server, target twouser.Target) *Bench {
	t.Helper()
	b := &Bench{server, t, target}
	forget := func() { b.run("DROP DATABASE IF EXISTS shop", "DROP ROLE IF EXISTS clerk", "DROP ROLE IF EXISTS boss") }
	forget()
	t.Cleanup(forget)
	b.run("CREATE DATABASE shop",
		"CREATE TABLE shop.orders (id int, note text)",
		"CREATE PROCEDURE shop.count_orders() SELECT COUNT(*) FROM shop.orders",
		"CREATE ROLE clerk", "CREATE ROLE boss",
		"GRANT SELECT ON shop.* TO clerk")
	return b
}

func (b *Bench) in(t testing.TB) *Bench { return &Bench{b.Server, t, b.target} }

func (b *Bench) run(statements ...string) [][]string {
	b.t.Helper()
	return b.Exec(b.t, b.Admin, statements...)
}

func (b *Bench) login(account database.Account) twouser.Session {
	b.t.Helper()
	session, err := b.target.Login(b.t.Context(), account)
	if err != nil {
		b.t.Fatalf("log in as %q: %v", account.User, err)
	}
	b.t.Cleanup(session.Close)
	return session
}

func (b *Bench) admin() twouser.Session { return b.login(b.Admin) }

func (b *Bench) wantCode(err error, want rotation.Code, words ...string) {
	b.t.Helper()
	if got := rotation.CodeOf(err); got != want {
		b.t.Errorf("got %v (code %q), want code %q", err, got, want)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			b.t.Errorf("%q is not in: %v", word, err)
		}
	}
}

// defaultRole returns the statement that makes clerk a user's default role.
func (b *Bench) defaultRole(account string) string {
	if b.MariaDB() {
		return "SET DEFAULT ROLE clerk FOR " + account
	}
	return "SET DEFAULT ROLE clerk TO " + account
}

// equipped makes a user with a right of every kind.
func (b *Bench) equipped(name, host string) database.Account {
	b.t.Helper()
	login := b.User(b.t, name, host, "First-password1", "")
	account := mysqltest.Literal(name) + "@" + mysqltest.Literal(host)
	b.run("GRANT INSERT ON shop.orders TO "+account,
		"GRANT SELECT (id), UPDATE (id, note) ON shop.orders TO "+account+" WITH GRANT OPTION",
		"GRANT EXECUTE ON PROCEDURE shop.count_orders TO "+account,
		"GRANT CREATE, DROP, CREATE ROUTINE, CREATE VIEW ON shop.* TO "+account,
		"GRANT PROCESS ON *.* TO "+account,
		"GRANT clerk TO "+account,
		"GRANT boss TO "+account+" WITH ADMIN OPTION",
		b.defaultRole(account),
		"ALTER USER "+account+" REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 4000 MAX_USER_CONNECTIONS 70 PASSWORD EXPIRE INTERVAL 300 DAY")
	if !b.MariaDB() {
		b.run("GRANT XA_RECOVER_ADMIN ON *.* TO "+account,
			"GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO "+account+" WITH GRANT OPTION",
			"ALTER USER "+account+" PASSWORD HISTORY 3 PASSWORD REUSE INTERVAL 9 DAY PASSWORD REQUIRE CURRENT OPTIONAL FAILED_LOGIN_ATTEMPTS 9 PASSWORD_LOCK_TIME UNBOUNDED")
	}
	return login
}

// forget drops every account of a user, now and when the test ends.
func (b *Bench) forget(names ...string) {
	b.t.Helper()
	drop := func() {
		for _, name := range names {
			for _, row := range b.run("SELECT host FROM mysql.user WHERE user = " + mysqltest.Literal(name)) {
				b.run("DROP USER " + mysqltest.Literal(name) + "@" + mysqltest.Literal(row[0]))
			}
		}
	}
	drop()
	b.t.Cleanup(drop)
}

// rotate does what the strategy does with a clone, and returns its login.
func (b *Bench) rotate(active, inactive, password string) database.Account {
	b.t.Helper()
	ctx, admin := b.t.Context(), b.admin()
	defer admin.Close()
	must := func(err error) {
		b.t.Helper()
		if err != nil {
			b.t.Fatal(err)
		}
	}
	must(admin.Rehearse(ctx, active, inactive))
	must(admin.Claim(ctx, inactive))
	must(admin.Create(ctx, inactive))
	extra, err := admin.Reconcile(ctx, active, inactive, false)
	must(err)
	if len(extra) > 0 {
		b.t.Errorf("the clone has more: %q", extra)
	}
	must(admin.Parity(ctx, active, inactive))
	next := b.Account(inactive, sentinel+password)
	must(admin.Activate(ctx, inactive, next.Password))
	b.login(next)
	return next
}

// names are those that a careless statement would break, or take for another
// user's. Each has room for a suffix.
func (b *Bench) names() []string {
	longest := 32
	if b.MariaDB() {
		longest = 63
	}
	return []string{
		"plain", "orders_clone", "Orders", "with space", "tab\tand\nline", `double"quote`, `single'quote`, "back`tick", `back\slash`, "per%cent",
		"a@b", "semi;colon", "--comment", "/*comment*/", "übergröße", "日本語", "x TO y", strings.Repeat("x", longest-len("_clone")),
	}
}

// Clone rotates to and fro between a user with a right of every kind and its
// clone, and lets both do their work with what the other made. (T2, T4, T6)
func Clone(t *testing.T, b *Bench) {
	for i, name := range b.names() {
		host := []string{"%", "127.0.0.%", "127.0.0.1"}[i%3]
		t.Run(name+"@"+host, func(t *testing.T) {
			b, clone := b.in(t), name+"_clone"
			b.forget(clone)
			base := b.equipped(name, host)
			next := b.rotate(name, clone, "Clone1")
			b.work(base, "one", "")
			b.work(next, "two", "one")
			base = b.rotate(clone, name, "Base2")
			b.work(base, "three", "two")
			b.work(b.rotate(name, clone, "Clone3"), "four", "three")
			b.run("DROP TABLE shop.four", "DROP VIEW shop.v_four")
		})
	}
}

// work is what an application does, with what the other user made before.
func (b *Bench) work(login database.Account, mine, others string) {
	b.t.Helper()
	login.Database = "shop"
	b.Exec(b.t, login, "INSERT INTO orders (id, note) VALUES (1, 'x')", // a grant on the table
		"UPDATE orders SET note = 'y' WHERE id = 1", // and on columns
		"SELECT note FROM orders",                   // through the default role
		"CALL count_orders()", "SET ROLE boss", "SET ROLE clerk",
		"CREATE TABLE "+mine+" (n int)", "CREATE VIEW v_"+mine+" AS SELECT id FROM orders")
	if others != "" {
		b.Exec(b.t, login, "SELECT * FROM v_"+others, "SELECT * FROM "+others, "DROP VIEW v_"+others, "DROP TABLE "+others)
	}
}

// Locked crashes after each step: no one logs in as the clone before all else
// about it is right. (T2)
func Locked(t *testing.T, b *Bench) {
	b = b.in(t)
	b.equipped("steps", "127.0.0.%")
	b.forget("steps_clone")
	locked := func() bool {
		rows := b.run("SHOW CREATE USER 'steps_clone'@" + mysqltest.Literal(b.run("SELECT host FROM mysql.user WHERE user = 'steps_clone'")[0][0]))
		return strings.Contains(rows[0][0], " ACCOUNT LOCK")
	}
	for step, do := range []func(twouser.Session) error{
		func(s twouser.Session) error { return s.Create(t.Context(), "steps_clone") },
		func(s twouser.Session) error {
			_, err := s.Reconcile(t.Context(), "steps", "steps_clone", false)
			return err
		},
		func(s twouser.Session) error {
			return s.Activate(t.Context(), "steps_clone", rotation.NewSensitive(sentinel+"Steps"))
		},
	} {
		for range 2 { // the second time is the retry
			// A rule against using a password again is the strategy's to judge.
			if err := do(b.admin()); err != nil && rotation.CodeOf(err) != rotation.CodePolicy {
				t.Fatal(err)
			}
			if done := step == 2; locked() == done {
				t.Fatalf("after step %d the clone is locked: %t", step, done)
			}
		}
		if step == 0 {
			b.wantCode(b.admin().Parity(t.Context(), "steps", "steps_clone"), rotation.CodeParity, "it logs in from", "it lacks")
		}
	}
	if err := b.admin().Create(t.Context(), "steps_clone"); err != nil || locked() {
		t.Errorf("a clone that exists is not left as it is: %v", err)
	}
}

// Drift makes each difference that there can be, one at a time: it is found,
// and mended. (T3, T4)
func Drift(t *testing.T, b *Bench) {
	const a, c = "'drift'@'%'", "'drift_clone'@'%'"
	b = b.in(t)
	b.equipped("drift", "%")
	b.forget("drift_clone")
	b.rotate("drift", "drift_clone", "Drift")
	type drift struct {
		name, word string
		statements []string
	}
	drifts := []drift{
		{"table", "INSERT ON `shop`.`orders`", []string{"REVOKE INSERT ON shop.orders FROM " + c}},
		{"column", "UPDATE (`note`)", []string{"REVOKE UPDATE (note) ON shop.orders FROM " + c}},
		{"grant option", "the right to pass it on", []string{"REVOKE GRANT OPTION ON shop.orders FROM " + c}},
		{"routine", "EXECUTE ON PROCEDURE", []string{"REVOKE EXECUTE ON PROCEDURE shop.count_orders FROM " + c}},
		{"database", "CREATE VIEW ON `shop`.*", []string{"REVOKE CREATE VIEW ON shop.* FROM " + c}},
		{"everywhere", "PROCESS ON *.*", []string{"REVOKE PROCESS ON *.* FROM " + c}},
		{"role", "`clerk`", []string{"REVOKE clerk FROM " + c}},
		{"admin option", "`boss`", []string{"REVOKE boss FROM " + c, "GRANT boss TO " + c}},
		{"no default role", "DEFAULT ROLE", []string{strings.Replace(b.defaultRole(c), "clerk", "NONE", 1)}},
		{"other default role", "DEFAULT ROLE", []string{strings.Replace(b.defaultRole(c), "clerk", "boss", 1)}},
		{"TLS", "REQUIRE", []string{"ALTER USER " + c + " REQUIRE NONE"}},
		{"certificate", "REQUIRE", []string{"ALTER USER " + c + " REQUIRE SUBJECT '/CN=it''s' AND ISSUER '/CN=\"x'"}},
		{"certificate of the active", "REQUIRE", []string{"ALTER USER " + a + " REQUIRE X509"}},
		{"limits", "MAX_QUERIES_PER_HOUR", []string{"ALTER USER " + c + " WITH MAX_QUERIES_PER_HOUR 1"}},
		{"no limit", "MAX_USER_CONNECTIONS", []string{"ALTER USER " + a + " WITH MAX_USER_CONNECTIONS 0"}},
		{"expiry", "PASSWORD EXPIRE", []string{"ALTER USER " + c + " PASSWORD EXPIRE NEVER"}},
		{"host", "it logs in from", []string{"RENAME USER " + c + " TO 'drift_clone'@'127.%'"}},
		{"the active's", "DELETE ON `shop`.`orders`", []string{"GRANT DELETE ON shop.orders TO " + a}},
		{"an odd name", "SELECT ON `odd``db, x`.*", []string{"GRANT SELECT ON `odd``db, x`.* TO " + a}},
		{"a pattern", "SELECT ON `sh\\_p`.*", []string{"GRANT SELECT ON `sh\\_p`.* TO " + a}},
	}
	if !b.MariaDB() {
		drifts = append(drifts, []drift{
			{"dynamic privilege", "XA_RECOVER_ADMIN", []string{"REVOKE XA_RECOVER_ADMIN ON *.* FROM " + c}},
			{"its grant option", "APPLICATION_PASSWORD_ADMIN", []string{"REVOKE APPLICATION_PASSWORD_ADMIN ON *.* FROM " + c, "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO " + c}},
			{"plugin", "authentication plugin", []string{"ALTER USER " + c + " IDENTIFIED WITH sha256_password BY 'Other-password1'"}},
			{"history", "PASSWORD HISTORY", []string{"ALTER USER " + c + " PASSWORD HISTORY DEFAULT"}},
			{"reuse", "PASSWORD REUSE INTERVAL", []string{"ALTER USER " + c + " PASSWORD REUSE INTERVAL DEFAULT"}},
			{"current", "PASSWORD REQUIRE CURRENT", []string{"ALTER USER " + a + " PASSWORD REQUIRE CURRENT"}},
			{"attempts", "FAILED_LOGIN_ATTEMPTS", []string{"ALTER USER " + c + " FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME 2"}},
		}...)
	}
	for _, d := range drifts {
		t.Run(d.name, func(t *testing.T) {
			b := b.in(t)
			b.run(d.statements...)
			b.wantCode(b.admin().Parity(t.Context(), "drift", "drift_clone"), rotation.CodeParity, d.word)
			if _, err := b.admin().Reconcile(t.Context(), "drift", "drift_clone", false); err != nil {
				t.Fatal(err)
			}
			if err := b.admin().Parity(t.Context(), "drift", "drift_clone"); err != nil {
				t.Error(err)
			}
		})
	}
}

// PartialRevokes go for the clone as well, since they bound a right that it
// gets. (T3, T4)
func PartialRevokes(t *testing.T, b *Bench) {
	if b.run("SELECT @@partial_revokes")[0][0] != "1" {
		t.Skip("the server knows no partial revokes: it runs without partial_revokes")
	}
	b = b.in(t)
	b.equipped("partial", "%")
	b.run("GRANT SELECT, INSERT ON *.* TO partial", "REVOKE INSERT ON mysql.* FROM partial", "REVOKE SELECT ON `shop`.* FROM partial")
	b.forget("partial_clone")
	b.rotate("partial", "partial_clone", "Partial")
	bounds := func(user string) (found []string) {
		for _, row := range b.run("SHOW GRANTS FOR " + user) {
			if text, ok := strings.CutPrefix(row[0], "REVOKE "); ok {
				found = append(found, strings.Split(text, " FROM ")[0])
			}
		}
		return found
	}
	if got := bounds("partial_clone"); !slices.Equal(got, []string{"INSERT ON `mysql`.*", "SELECT ON `shop`.*"}) {
		t.Errorf("the clone's bounds are %q", got)
	}
	b.run("REVOKE INSERT ON shop.* FROM partial_clone")
	b.wantCode(b.admin().Parity(t.Context(), "partial", "partial_clone"), rotation.CodeParity, "INSERT ON `shop`.*")
	b.run("GRANT INSERT ON mysql.* TO partial_clone")
	b.rotate("partial", "partial_clone", "Partial2")
	if got := bounds("partial_clone"); !slices.Equal(got, []string{"INSERT ON `mysql`.*", "SELECT ON `shop`.*"}) {
		t.Errorf("the clone's bounds are %q", got)
	}
}

// Extra rights are reported, and revoked if asked. (T4)
func Extra(t *testing.T, b *Bench) {
	b = b.in(t)
	b.equipped("extra", "%")
	b.forget("extra_clone")
	b.rotate("extra", "extra_clone", "Extra")
	b.run("GRANT DELETE ON shop.orders TO extra_clone", "GRANT SELECT (note) ON shop.orders TO extra_clone", "GRANT EVENT ON shop.* TO extra_clone WITH GRANT OPTION",
		"GRANT clerk TO extra_clone WITH ADMIN OPTION", "REVOKE boss FROM extra")
	const clerk, boss = "`clerk`", "`boss`"
	for _, revoke := range []bool{false, true} {
		extra, err := b.admin().Reconcile(t.Context(), "extra", "extra_clone", revoke)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(extra, "; ")
		for _, word := range []string{"DELETE ON `shop`.`orders`", "SELECT (`note`)", "EVENT ON `shop`.* with the right to pass it on", clerk, boss} {
			if !strings.Contains(said, word) {
				t.Errorf("%q is not in %q", word, said)
			}
		}
		if err := b.admin().Parity(t.Context(), "extra", "extra_clone"); err != nil {
			t.Error(err)
		}
	}
	if extra, err := b.admin().Reconcile(t.Context(), "extra", "extra_clone", true); err != nil || len(extra) > 0 {
		t.Errorf("after they were revoked: %q, %v", extra, err)
	}
	if err := b.admin().Parity(t.Context(), "extra_clone", "extra"); err != nil {
		t.Errorf("the other way round: %v", err)
	}
}

// Coverage has rights that need not be the same to do for another: what one
// user made by itself is no drift. (T3)
func Coverage(t *testing.T, b *Bench) {
	b = b.in(t)
	for _, name := range []string{"cover_a", "cover_b"} {
		b.User(t, name, "%", "First-password1", "")
		b.run("GRANT SELECT, INSERT, CREATE, DROP, EXECUTE, CREATE ROUTINE, ALTER ROUTINE ON shop.* TO " + name)
	}
	login := b.Account("cover_a", "First-password1")
	login.Database = "shop"
	b.Exec(t, login, "CREATE PROCEDURE made_by_a() SELECT 1") // and gets rights on it
	b.run("GRANT INSERT (id) ON shop.orders TO cover_a")
	if err := b.admin().Parity(t.Context(), "cover_a", "cover_b"); err != nil {
		t.Error(err)
	}
	b.run("REVOKE EXECUTE ON shop.* FROM cover_b")
	b.wantCode(b.admin().Parity(t.Context(), "cover_a", "cover_b"), rotation.CodeParity, "EXECUTE")
	b.run("DROP PROCEDURE shop.made_by_a") // or its definer cannot be dropped
}

// Refusals have what stands in the way, each before anything is written. (T3,
// T6, C7, C16)
func Refusals(t *testing.T, b *Bench) {
	b = b.in(t)
	b.equipped("refused", "%")
	weak := b.User(t, "weak", "%", "First-password1", "")
	b.run("GRANT CREATE USER ON *.* TO weak", "GRANT SELECT ON mysql.* TO weak")
	own := b.login(b.Account("refused", "First-password1"))
	users := func() string { return fmt.Sprint(b.run("SELECT user, host FROM mysql.user ORDER BY 1, 2")) }
	long := strings.Repeat("n", 129)
	b.User(t, "several", "%", "one", "")
	b.User(t, "several", "127.0.0.1", "two", "")
	ctx := t.Context()
	for name, test := range map[string]struct {
		do   func() error
		code rotation.Code
		word string
	}{
		"long name":              {func() error { return b.admin().Create(ctx, long) }, rotation.CodeBadUsers, "129 characters"},
		"a space too many":       {func() error { return b.admin().Create(ctx, "space ") }, rotation.CodeBadUsers, "ends with a space"},
		"long name, logging in":  {func() error { return b.target.Prove(ctx, b.Account(long, "x")) }, rotation.CodeBadUsers, "129 characters"},
		"long name, rehearsed":   {func() error { return b.admin().Rehearse(ctx, "refused", long) }, rotation.CodeBadUsers, "129 characters"},
		"rights not to be given": {func() error { return b.login(weak).Rehearse(ctx, "refused", "refused_clone") }, rotation.CodePermission, "cannot pass on: "},
		"no right at all":        {func() error { return own.Rehearse(ctx, "refused", "refused_clone") }, rotation.CodePermission, ""},
		"nor to create":          {func() error { return own.Create(ctx, "refused_clone") }, rotation.CodePermission, ""},
		"own session":            {func() error { return own.Parity(ctx, "refused", "weak") }, rotation.CodePermission, "does not see"},
		"no user":                {func() error { return b.admin().Parity(ctx, "refused", "nobody") }, rotation.CodeParity, `"nobody" does not exist`},
		"several accounts":       {func() error { return b.admin().Parity(ctx, "refused", "several") }, rotation.CodeBadUsers, "2 accounts"},
		"several, mended": {func() error {
			_, err := b.admin().Reconcile(ctx, "several", "weak", false)
			return err
		}, rotation.CodeBadUsers, "2 accounts"},
		"itself": {func() error {
			_, err := b.admin().Reconcile(ctx, "weak", "weak", false)
			return err
		}, rotation.CodeParity, "not two existing users"},
	} {
		t.Run(name, func(t *testing.T) {
			before := users()
			b.in(t).wantCode(test.do(), test.code, test.word)
			if after := users(); after != before {
				t.Errorf("it changed the users: %s, before %s", after, before)
			}
		})
	}

	t.Run("a definer", func(t *testing.T) {
		b := b.in(t)
		b.forget("definer_clone")
		b.equipped("definer", "%")
		login := b.equipped("definer_clone", "127.0.0.1")
		login.Database = "shop"
		b.Exec(t, login, "CREATE VIEW defined AS SELECT id FROM orders")
		_, err := b.admin().Reconcile(t.Context(), "definer", "definer_clone", false)
		b.wantCode(err, rotation.CodeParity, "name it as their definer")
		b.run("DROP VIEW shop.defined")
		if _, err := b.admin().Reconcile(t.Context(), "definer", "definer_clone", false); err != nil {
			t.Error(err)
		}
	})
}

// ByRole has an admin who may pass on only what its default role may, as RDS's
// master user of MySQL. (C16)
func ByRole(t *testing.T, b *Bench) {
	b = b.in(t)
	giver := b.User(t, "giver", "%", "First-password1", "")
	b.User(t, "asked", "%", "First-password1", "")
	b.forget("asked_clone")
	b.run("GRANT CREATE USER ON *.* TO giver", "GRANT SELECT ON mysql.* TO giver", "GRANT INSERT ON shop.orders TO asked",
		"GRANT INSERT ON shop.* TO clerk WITH GRANT OPTION", "GRANT clerk TO giver")
	b.wantCode(b.login(giver).Rehearse(t.Context(), "asked", "asked_clone"), rotation.CodePermission, "INSERT ON `shop`.`orders`")
	b.run(b.defaultRole("giver"))
	(&Bench{Server: &mysqltest.Server{Roots: b.Roots, Admin: giver, Version: b.Version}, t: t, target: b.target}).rotate("asked", "asked_clone", "ByRole")
}

// Silent finds none of the new passwords in the server's general log. (C9)
func Silent(t *testing.T, b *Bench) {
	if log := b.Log(t); strings.Contains(log, sentinel) || !strings.Contains(log, "ACCOUNT UNLOCK") {
		t.Error("a password stands in the general log, or nothing does")
	}
}

// All runs every test.
func All(t *testing.T, server *mysqltest.Server, target twouser.Target) {
	for name, test := range map[string]func(*testing.T, *Bench){
		"clone": Clone, "locked": Locked, "drift": Drift, "extra": Extra, "coverage": Coverage, "differential": Differential, "hostile": Hostile, "statements": Statements, "refusals": Refusals, "by role": ByRole,
	} {
		t.Run(name, func(t *testing.T) { test(t, New(t, server, target)) })
	}
	if !server.MariaDB() {
		t.Run("partial revokes", func(t *testing.T) { PartialRevokes(t, New(t, server, target)) })
	}
	t.Run("silent", func(t *testing.T) { Silent(t, New(t, server, target)) })
}
