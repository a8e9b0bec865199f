//go:build db

package parity

import (
	"fmt"
	"strings"
	"testing"

	"example.com/orders-db/internal/postgres/postgrestest"
	"example.com/orders-db/internal/rotation"
)

// TestSettingsAreCopied as they are, whatever they hold, and none of them is in
// force in the administrator's session. (T4, C24)
func TestSettingsAreCopied(t *testing.T) {
	b := newBench(t)
	b.Role(t, "settled", "first", "LOGIN")
	b.forget("settled_clone")
	t.Cleanup(func() { b.forget("settled_clone") })
	b.run(`ALTER ROLE settled SET search_path = "$user", 'Odd "one", x', pg_temp`,
		"ALTER ROLE settled SET temp_tablespaces = ''",
		"ALTER ROLE settled SET DateStyle = 'SQL, DMY'",
		`ALTER ROLE settled SET application_name = E'it''s "quoted" and \\ back'`,
		fmt.Sprintf(`ALTER ROLE settled IN DATABASE "%s" SET search_path FROM CURRENT`, b.Admin.Database))
	b.rotate("settled", "settled_clone", "Settled")
	settings := func(user string) string {
		return fmt.Sprint(b.run(`SELECT * FROM (SELECT s.setdatabase, unnest(s.setconfig) AS setting FROM pg_db_role_setting s
			WHERE s.setrole = '` + user + `'::regrole) AS all_settings WHERE setting NOT LIKE 'role=%' ORDER BY 1, 2`))
	}
	a, clone := settings("settled"), settings("settled_clone")
	if a != clone || !strings.Contains(clone, `search_path="$user", "Odd ""one"", x", pg_temp`) || !strings.Contains(clone, `it's "quoted" and \ back`) {
		t.Errorf("settings are\n%s\nand of the clone\n%s", a, clone)
	}
}

// TestCustomSettings: a setting that only an application knows is copied, or
// named with what helps. (T4)
func TestCustomSettings(t *testing.T) {
	b := newBench(t)
	if b.run("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0][0] != "t" {
		t.Skip("a superuser alone can set what no library has defined")
	}
	b.Role(t, "tenant", "first", "LOGIN")
	b.forget("tenant_clone")
	t.Cleanup(func() { b.forget("tenant_clone") })
	b.run("ALTER ROLE tenant SET my.tenant = 'sentinel-setting'")
	weak := b.Role(t, "tenant_admin", "first", "LOGIN CREATEROLE")
	if b.Version >= 16 {
		b.run("GRANT tenant TO tenant_admin WITH ADMIN TRUE")
	}
	rehearse := func() error { return b.login(weak).Rehearse(t.Context(), "tenant", "tenant_clone") }
	err := rehearse()
	wantCode(t, err, rotation.CodePermission)
	if err == nil || !strings.Contains(err.Error(), `the setting "my.tenant"`) || strings.Contains(err.Error(), "sentinel") {
		t.Errorf("got %v", err)
	}
	if b.Version >= 15 { // what the error says is done
		b.run("GRANT SET ON PARAMETER my.tenant TO tenant_admin")
		t.Cleanup(func() {
			_, _ = postgrestest.Run(b.Connect(t, b.Admin), "REVOKE SET ON PARAMETER my.tenant FROM tenant_admin")
		})
		if err := rehearse(); err != nil {
			t.Error(err)
		}
	}
	b.rotate("tenant", "tenant_clone", "Tenant")
}
