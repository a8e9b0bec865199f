//go:build db

package parity_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift"
	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift/redshifttest"
	"github.com/rotasmith/rotasmith/templates/engines/redshift/two-user/redshift/parity"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

const active, clone, group = "rights_a", "rights_a_clone", "rights_group"

// TestClone makes a clone on PostgreSQL and compares it, before and after each
// thing that sets two users apart. (T2, T3, T4)
func TestClone(t *testing.T) {
	server, superuser := redshifttest.New(t)
	engine, err := redshift.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	target := parity.New(engine)
	log := func(account database.Account) twouser.Session {
		session, err := target.Login(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(session.Close)
		return session
	}
	run := func(statements ...string) { server.Exec(t, server.Admin, statements...) }
	for _, name := range []string{clone, group} {
		server.Forget(t, name)
		t.Cleanup(func() { server.Forget(t, name) })
	}
	account := server.Role(t, active, "first", "LOGIN CONNECTION LIMIT 7")
	run("CREATE GROUP "+group, "ALTER GROUP "+group+" ADD USER "+active)
	admin := log(superuser)

	wantCode(t, admin.Parity(t.Context(), active, clone), rotation.CodeParity)
	if err := admin.Rehearse(t.Context(), active, clone); err != nil {
		t.Errorf("rehearsal: %v", err)
	}
	wantCode(t, admin.Parity(t.Context(), active, clone), rotation.CodeParity) // nothing is left of it
	for range 2 {
		if err := admin.Create(t.Context(), clone); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, admin.Parity(t.Context(), active, clone), rotation.CodeParity)
	if extra, err := admin.Reconcile(t.Context(), active, clone, false); err != nil || len(extra) > 0 {
		t.Fatalf("reconcile: %v, %v", extra, err)
	}
	if err := admin.Parity(t.Context(), active, clone); err != nil {
		t.Fatal(err)
	}
	password := rotation.NewSensitive("SentinelOfTheClone")
	if err := admin.Activate(t.Context(), clone, password); err != nil {
		t.Fatal(err)
	}
	if err := target.Prove(t.Context(), server.Account(clone, password.Reveal())); err != nil {
		t.Error(err)
	}
	wantCode(t, log(account).Parity(t.Context(), active, clone), rotation.CodePermission)

	if _, err := postgrestest.Run(server.Connect(t, account), "CREATE TEMPORARY TABLE scratch (note text)"); err != nil {
		t.Fatal(err)
	}
	if err := admin.Parity(t.Context(), active, clone); err != nil {
		t.Errorf("with a temporary table: %v", err)
	}
	differences := map[string]string{
		"GRANT SELECT ON t TO " + active:                    "REVOKE SELECT ON t FROM " + active,
		"GRANT SELECT (id) ON t TO " + clone:                "REVOKE SELECT (id) ON t FROM " + clone,
		"GRANT CREATE ON SCHEMA public TO " + active:        "REVOKE CREATE ON SCHEMA public FROM " + active,
		"ALTER TABLE t OWNER TO " + active:                  "ALTER TABLE t OWNER TO CURRENT_USER",
		"CREATE POLICY rows_of ON t TO " + active:           "DROP POLICY rows_of ON t",
		"ALTER USER " + clone + " CONNECTION LIMIT 8":       "ALTER USER " + clone + " CONNECTION LIMIT 7",
		"ALTER USER " + active + " CREATEDB":                "ALTER USER " + active + " NOCREATEDB",
		"ALTER USER " + active + " SUPERUSER":               "ALTER USER " + active + " NOSUPERUSER",
		"ALTER USER " + clone + " VALID UNTIL '2199-01-01'": "ALTER USER " + clone + " VALID UNTIL 'infinity'",
		"ALTER USER " + active + " SET search_path = x":     "ALTER USER " + active + " RESET search_path",
		"ALTER GROUP " + group + " DROP USER " + clone:      "ALTER GROUP " + group + " ADD USER " + clone,
	}
	for view, columns := range map[string][2]string{ // of which PostgreSQL has nothing
		"svv_datashare_privileges":    {"identity_name", "identity_type"},
		"svv_ml_model_privileges":     {"identity_name", "identity_type"},
		"svv_iam_privileges":          {"identity_name", "identity_type"},
		"svv_attached_masking_policy": {"grantee", "grantee_type"},
	} {
		named := fmt.Sprintf("SET allow_system_table_mods = on; CREATE OR REPLACE VIEW pg_catalog.%s AS SELECT '%s'::text AS %s, 'user'::text AS %s", view, active, columns[0], columns[1])
		differences[named] = named + " WHERE false"
	}
	for apart, together := range differences {
		run("CREATE TABLE IF NOT EXISTS t (id int)", apart)
		err := admin.Parity(t.Context(), active, clone)
		if wantCode(t, err, rotation.CodeParity); err != nil && strings.Contains(err.Error(), "search_path") {
			t.Error("a setting's value stands in the error")
		}
		run(together)
		if err := admin.Parity(t.Context(), active, clone); err != nil {
			t.Fatalf("after %s: %v", together, err)
		}
	}
	run("CREATE GROUP rights_more", "ALTER GROUP rights_more ADD USER "+clone)
	t.Cleanup(func() { server.Forget(t, "rights_more") })
	for _, revoke := range []bool{false, true} {
		if extra, err := admin.Reconcile(t.Context(), active, clone, revoke); err != nil || len(extra) != 1 {
			t.Errorf("revoke %t: %v, %v", revoke, extra, err)
		}
	}
	if extra, err := admin.Reconcile(t.Context(), active, clone, true); err != nil || len(extra) != 0 {
		t.Errorf("once more: %v, %v", extra, err)
	}
}

// TestHostileApplication has an application that owns the database and shadows
// there all that the administrator could name. (C24)
func TestHostileApplication(t *testing.T) {
	server, superuser := redshifttest.New(t)
	engine, err := redshift.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	server.Forget(t, clone)
	t.Cleanup(func() { server.Forget(t, clone) })
	struck := server.Hostile(t, server.Role(t, active, "first", "LOGIN"))
	session, err := parity.New(engine).Login(t.Context(), superuser)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	password := rotation.NewSensitive("SentinelOfTheClone")
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"rehearse", func() error { return session.Rehearse(t.Context(), active, clone) }},
		{"create", func() error { return session.Create(t.Context(), clone) }},
		{"reconcile", func() error {
			_, err := session.Reconcile(t.Context(), active, clone, true)
			return err
		}},
		{"parity", func() error { return session.Parity(t.Context(), active, clone) }},
		{"activate", func() error { return session.Activate(t.Context(), clone, password) }},
		{"try", func() error { return session.Try(t.Context(), clone, password) }},
		{"change", func() error { return session.Change(t.Context(), clone, password) }},
	} {
		if err := step.do(); err != nil && rotation.CodeOf(err) != rotation.CodeParity { // it owns the traps, and has settings
			t.Errorf("%s: %v", step.name, err)
		}
		if struck() {
			t.Errorf("%s: the application's code ran with the administrator's rights", step.name)
		}
	}
	if _, err := postgrestest.Run(server.Connect(t, superuser), "SELECT 1 FROM pg_user WHERE usename = 'x'"); err != nil || !struck() {
		t.Errorf("a careless session is not caught: %v", err)
	}
}

func wantCode(t testing.TB, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v (code %q), want code %q", err, got, want)
	}
}
