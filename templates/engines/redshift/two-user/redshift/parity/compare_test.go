package parity

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
)

// someone returns a user as the server describes it, in one group and with two
// roles, one of which it may pass on.
func someone(name string, change func(*user)) *user {
	users := parse([]postgresconn.Rows{
		{{name, "f", "f", "infinity", ""}},
		{{name, "UNLIMITED", "0", "RESTRICTED"}},
		{{name, "writers"}},
		{{name, "loader", "f"}, {name, "reader", "t"}},
		{},
	})
	if change != nil {
		change(users[name])
	}
	return users[name]
}

// TestReconcile: the clone gets the rights that it lacks, and then the two are
// equal, unless they are rights that cannot be granted. Only this test sees
// Redshift's roles: no other server has them. Everything that a user holds by
// itself is a difference, policies too. (T1, T4, T10)
func TestReconcile(t *testing.T) {
	for name, test := range map[string]struct {
		active, clone     func(*user)
		statements, extra []string
		lacks             string // in words, what stays apart
	}{
		"equal": {},
		"a new clone": {
			clone: func(u *user) { u.groups, u.roles = nil, map[string]bool{} },
			statements: []string{
				`ALTER GROUP "writers" ADD USER "b"`, `GRANT ROLE "loader" TO "b"`, `GRANT ROLE "reader" TO "b" WITH ADMIN OPTION`,
			},
		},
		"a role that may not be passed on": {
			clone:      func(u *user) { u.roles["reader"] = false },
			statements: []string{`GRANT ROLE "reader" TO "b" WITH ADMIN OPTION`},
		},
		"limits": {
			active: func(u *user) {
				u.traits[createdb], u.traits[connectionLimit], u.traits[sessionTimeout], u.traits[syslogAccess] = "t", "7", "120", "UNRESTRICTED"
			},
			statements: []string{
				`ALTER USER "b" CREATEDB`, `ALTER USER "b" CONNECTION LIMIT 7`, `ALTER USER "b" SESSION TIMEOUT 120`, `ALTER USER "b" SYSLOG ACCESS UNRESTRICTED`,
			},
		},
		"no limits any more": {
			clone: func(u *user) {
				u.traits[createdb], u.traits[connectionLimit], u.traits[sessionTimeout], u.traits[syslogAccess] = "t", "7", "120", "UNRESTRICTED"
			},
			statements: []string{
				`ALTER USER "b" NOCREATEDB`, `ALTER USER "b" CONNECTION LIMIT UNLIMITED`, `ALTER USER "b" RESET SESSION TIMEOUT`, `ALTER USER "b" SYSLOG ACCESS RESTRICTED`,
			},
		},
		"too much": {
			clone:      func(u *user) { u.groups, u.roles["owner"] = append(u.groups, `od"d`), false },
			statements: []string{`ALTER GROUP "od""d" DROP USER "b"`, `REVOKE ROLE "owner" FROM "b"`},
			extra:      []string{`group "od\"d"`, `role "owner"`},
		},
		"a superuser":       {active: func(u *user) { u.superuser = true }, lacks: "is a superuser"},
		"privileges":        {active: func(u *user) { u.own = []string{"holds privileges on relations (3)"} }, lacks: "holds privileges on relations (3)"},
		"policies":          {active: func(u *user) { u.own = []string{"is named by policies for rows (RLS) (1)"} }, lacks: "policies for rows"},
		"the clone's own":   {clone: func(u *user) { u.own = []string{"owns relations (1)"} }, lacks: "owns relations (1)"},
		"a date":            {active: func(u *user) { u.traits["VALID UNTIL"] = "2199-01-01" }, lacks: "VALID UNTIL differs"},
		"settings, unnamed": {active: func(u *user) { u.traits["SET"] = "{secret=sentinel}" }, lacks: "SET differs"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := someone("a", test.active), someone("b", test.clone)
			statements, extra := reconcile(a, b, true)
			if diff := cmp.Diff(test.statements, statements); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.extra, extra); diff != "" {
				t.Errorf("extra rights (-want +got):\n%s", diff)
			}
			if kept, _ := reconcile(a, b, false); slices.ContainsFunc(kept, func(s string) bool { return strings.Contains(s, "DROP") || strings.HasPrefix(s, "REVOKE") }) {
				t.Errorf("it takes away: %q", kept)
			}
			err := parity(a, b)
			if apart := len(statements) > len(extra) || test.lacks != ""; (rotation.CodeOf(err) == rotation.CodeParity) != apart {
				t.Errorf("parity says %v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.lacks) || strings.Contains(err.Error(), "sentinel")) {
				t.Errorf("parity says %v", err)
			}
		})
	}
}

// TestParseIgnoresStrangers: a user who came between two statements is left to
// the next look.
func TestParseIgnoresStrangers(t *testing.T) {
	users := parse([]postgresconn.Rows{{}, {{"b", "UNLIMITED", "0", "RESTRICTED"}}, {{"b", "writers"}}, {{"b", "reader", "f"}}, {{"b", "owns relations", "1"}}})
	if len(users) != 0 {
		t.Errorf("got %v", users)
	}
}
