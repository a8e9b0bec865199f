package grantstest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// pair are the names that bootstrap.sql is told.
type pair struct{ a, b, rotator, database string }

// Bootstrap runs the bootstrap.sql of the folder that the test stands in, as an
// admin who is no superuser.
func Bootstrap(t *testing.T, server *mysqltest.Server, target twouser.Target) {
	for _, names := range []pair{
		{"boot_a", "boot_b", "boot_rotator", "shop"},
		{`A's "user"`, "b`übergröße%", `Rota\tor`, "my_odd`shop"},
	} {
		t.Run(names.a, func(t *testing.T) { bootstrapped(t, New(t, server, target), names) })
	}
	t.Run("without names", func(t *testing.T) {
		b := New(t, server, target)
		b.forget("boot_a")
		said, err := b.bootstrap("SET @user_a = 'boot_a'")
		if err == nil || !strings.Contains(said, "usage: see the first lines of bootstrap.sql") {
			t.Errorf("got %v:\n%s", err, said)
		}
		if rows := b.run("SELECT user FROM mysql.user WHERE user LIKE 'boot%'"); len(rows) > 0 {
			t.Errorf("it has made %v", rows)
		}
	})
	t.Run("several accounts", func(t *testing.T) {
		b := New(t, server, target)
		b.forget("boot_b", "boot_rotator")
		b.User(t, "boot_a", "%", "First-password1", "")
		b.User(t, "boot_a", "127.0.0.1", "First-password1", "")
		said, err := b.bootstrap(pair{"boot_a", "boot_b", "boot_rotator", "shop"}.settings())
		if err == nil || !strings.Contains(said, "the users are to have one account each") {
			t.Errorf("got %v:\n%s", err, said)
		}
	})
}

// bootstrapped takes a user who has worked for a while and gives it a partner.
func bootstrapped(t *testing.T, b *Bench, names pair) {
	database := "`" + strings.ReplaceAll(names.database, "`", "``") + "`"
	if names.database != "shop" {
		b.run("CREATE DATABASE " + database)
		t.Cleanup(func() { b.run("DROP DATABASE " + database) })
	}
	b.forget(names.b, names.rotator)
	first := b.User(t, names.a, "127.0.0.%", "First-password1", "")
	on := database
	if partial := b.run("SHOW VARIABLES LIKE 'partial_revokes'"); len(partial) == 0 || partial[0][1] != "ON" {
		on = strings.ReplaceAll(on, "_", `\_`) // or it would be a wildcard
	}
	b.run("GRANT SELECT ON " + on + ".* TO " + mysqltest.Literal(names.a) + "@'127.0.0.%'")
	for range 2 {
		if said, err := b.bootstrap(names.settings()); err != nil || said != "" {
			t.Fatalf("bootstrap.sql: %v\n%s", err, said)
		}
	}
	rotator := b.Account(names.rotator, sentinel+"Rotator")
	if err := b.admin().Change(t.Context(), names.rotator, rotator.Password); err != nil {
		t.Fatal(err)
	}
	admin, next := b.login(rotator), b.Account(names.b, sentinel+"Next")
	for what, do := range map[string]func() error{
		"claim":  func() error { return admin.Claim(t.Context(), names.b) },
		"parity": func() error { return admin.Parity(t.Context(), names.a, names.b) },
		"try":    func() error { return admin.Try(t.Context(), names.b, next.Password) },
	} {
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := admin.Change(t.Context(), names.b, next.Password); err != nil {
		t.Fatal(err)
	}
	b.login(next)

	// Each can do everything with what the other made, and is no drift for it.
	first.Database, next.Database = names.database, names.database
	b.Exec(t, first, "CREATE TABLE made_by_a (n int)", "CREATE PROCEDURE p() SELECT 1", "CREATE VIEW v AS SELECT n FROM made_by_a")
	b.Exec(t, next, "ALTER TABLE made_by_a ADD COLUMN by_b int", "CALL p()", "SELECT * FROM v", "CREATE TABLE made_by_b (n int)")
	b.Exec(t, first, "ALTER TABLE made_by_b ADD COLUMN by_a int")
	for range 2 {
		if err := admin.Parity(t.Context(), names.a, names.b); err != nil {
			t.Error(err)
		}
		names.a, names.b = names.b, names.a
	}
	b.Exec(t, next, "DROP PROCEDURE p", "DROP VIEW v")
	b.run("GRANT RELOAD ON *.* TO " + mysqltest.Literal(names.a) + "@'127.0.0.%'")
	b.wantCode(admin.Parity(t.Context(), names.a, names.b), rotation.CodeParity, "RELOAD ON *.*")

	for _, statement := range []string{"SELECT * FROM made_by_a", "GRANT SELECT ON mysql.* TO " + mysqltest.Literal(names.rotator)} {
		pool := b.Open(t, rotator)
		if _, err := mysqltest.Run(pool, strings.Replace(statement, "made_by_a", database+".made_by_a", 1)); err == nil {
			t.Errorf("the rotator may %s", statement)
		}
	}
}

func (p pair) settings() string {
	return fmt.Sprintf("SET @user_a = %s, @user_b = %s, @rotator = %s, @database = %s",
		mysqltest.Literal(p.a), mysqltest.Literal(p.b), mysqltest.Literal(p.rotator), mysqltest.Literal(p.database))
}

// bootstrap runs bootstrap.sql and returns what the client says.
func (b *Bench) bootstrap(settings string) (string, error) {
	b.t.Helper()
	client, err := exec.LookPath("mysql")
	if err != nil {
		b.t.Skip("the client mysql is not installed")
	}
	script, err := os.Open("bootstrap.sql")
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = script.Close() }()
	cmd := exec.CommandContext(b.t.Context(), client, "--no-defaults", "--protocol=TCP", "--default-character-set=utf8mb4", "--host="+b.Admin.Host, "--port="+strconv.Itoa(b.Admin.Port),
		"--user="+b.Admin.User, "--ssl-ca="+b.CAFile, "--init-command="+settings)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+b.Admin.Password.Reveal())
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = script, &said, &said
	err = cmd.Run()
	return said.String(), err
}
