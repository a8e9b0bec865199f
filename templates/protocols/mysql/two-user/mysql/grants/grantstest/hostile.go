package grantstest

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
)

// Hostile rotates a user that owns its database and has there views, routines,
// triggers and events with the names of all that the administrator could use, and
// objects whose names would be statements. Nothing of it runs with the
// administrator's rights. (C24)
func Hostile(t *testing.T, b *Bench) {
	b = b.in(t)
	b.forget("mallory", "mallory_clone", "promoted")
	b.run("DROP DATABASE IF EXISTS witness", "CREATE DATABASE witness", "CREATE TABLE witness.struck (n int) ENGINE = MyISAM") // no rollback hides it
	t.Cleanup(func() { b.run("DROP DATABASE witness") })
	mallory := b.User(t, "mallory", "%", "First-password1", "")
	t.Cleanup(func() { b.run("DROP DATABASE IF EXISTS shop") }) // before its definer goes
	b.run("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, EXECUTE, TRIGGER, EVENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE ON shop.* TO mallory WITH GRANT OPTION")
	b.User(t, "promoted", "%", "First-password1", "")
	mallory.Database = "shop"

	const strike = "INSERT INTO witness.struck VALUES (1)"
	traps := []string{"CREATE PROCEDURE strike() SQL SECURITY INVOKER " + strike}
	for _, name := range []string{"version", "current_user", "user", "get_lock", "concat", "count", "quote", "json_value", "hex", "group_concat", "replace", "coalesce"} {
		traps = append(traps, "CREATE FUNCTION `"+name+"` () RETURNS int MODIFIES SQL DATA SQL SECURITY INVOKER BEGIN "+strike+"; RETURN 1; END")
	}
	for _, name := range []string{"user", "global_priv", "db", "default_roles", "plugins", "views", "routines", "user_attributes"} {
		traps = append(traps, "CREATE SQL SECURITY INVOKER VIEW `"+name+"` AS SELECT shop.version() AS user, shop.version() AS host, shop.version() AS definer")
	}
	traps = append(traps,
		"CREATE TRIGGER fire BEFORE INSERT ON orders FOR EACH ROW CALL shop.strike()",
		"CREATE EVENT often ON SCHEDULE EVERY 1 SECOND DO CALL shop.strike()")
	odd := []string{
		"x` TO 'promoted'@'%' WITH GRANT OPTION -- x", "x`.* TO 'promoted'@'%'; -- x", `x\`, "x' OR ''='", "GRANT ALL ON *.* TO promoted", " TO `promoted`@`%`", "(n) ON `mysql`.*",
	}
	for _, name := range odd {
		quoted := "`" + strings.ReplaceAll(name, "`", "``") + "`"
		traps = append(traps, "CREATE TABLE "+quoted+" ("+quoted+" int)",
			"GRANT SELECT ("+quoted+"), INSERT ON shop."+quoted+" TO mallory", "GRANT SELECT ON shop."+quoted+" TO mallory WITH GRANT OPTION")
	}
	b.Exec(t, mallory, traps...)
	struck := func() bool { return len(b.run("SELECT n FROM witness.struck")) > 0 }

	for _, turn := range [][2]string{{"mallory", "mallory_clone"}, {"mallory_clone", "mallory"}, {"mallory", "mallory_clone"}} {
		b.rotate(turn[0], turn[1], "Hostile")
		for what, do := range map[string]func() error{
			"try": func() error {
				return b.admin().Try(t.Context(), turn[1], rotation.NewSensitive(sentinel+"Hostile-try"))
			},
			"change": func() error { return b.admin().Change(t.Context(), turn[1], rotation.NewSensitive(sentinel+"Hostile")) },
		} {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	// A clone from elsewhere is renamed, for which its views and routines are looked up.
	b.run("DROP USER mallory_clone", "CREATE USER mallory_clone@'127.0.0.1' IDENTIFIED BY 'First-password1'")
	b.rotate("mallory", "mallory_clone", "Hostile")
	if struck() {
		t.Error("the application's code ran with the administrator's rights")
	}
	if got := b.run("SHOW GRANTS FOR promoted"); len(got) != 1 || !strings.HasPrefix(got[0][0], "GRANT USAGE ON *.* ") {
		t.Errorf("the application gave itself %q", got)
	}

	// The traps are not blunt: reading the application's view springs one.
	pool := b.Open(t, b.Admin)
	if _, err := mysqltest.Run(pool, "SELECT * FROM shop.user"); err != nil || !struck() {
		t.Errorf("a careless session is not caught: %v", err)
	}
}
