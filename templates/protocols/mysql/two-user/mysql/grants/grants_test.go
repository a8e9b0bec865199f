package grants

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// parsed returns the rights that lines describe.
func parsed(t *testing.T, lines ...string) rights {
	t.Helper()
	r, err := parse(lines, Rules{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// words is a [Server] that is asked for words only.
type words struct{ Server }

func (words) Identified(plugin string, _ rotation.Sensitive) string {
	return "IDENTIFIED WITH '" + plugin + "' BY 'nobodys'"
}

func (words) SetDefaultRoles(account mysqlconn.Name, roles string) string {
	return fmt.Sprintf("SET DEFAULT ROLE %s TO %s", roles, account)
}

// TestStatements reads what would be run for each kind of difference, out of
// what servers print. No hash gets from one user to the other. (T4, C9)
func TestStatements(t *testing.T) {
	for _, test := range []struct {
		name        string
		a, b        []string
		revoke      bool
		want, extra []string
	}{
		{name: "the same", a: []string{"GRANT SELECT, INSERT ON *.* TO `a`@`%`"}, b: []string{"GRANT INSERT, SELECT ON *.* TO `b`@`%`"}},
		{
			name: "MariaDB's way", a: []string{"GRANT SELECT ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*5AFE' REQUIRE SSL WITH GRANT OPTION MAX_QUERIES_PER_HOUR 5", "SET DEFAULT ROLE `r` FOR `a`@`%`"},
			b:    []string{"GRANT USAGE ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD '*FADE'"},
			want: []string{"GRANT SELECT ON *.* TO 'b'@'%' WITH GRANT OPTION"},
		},
		{
			name: "columns", a: []string{"GRANT SELECT (`a`, `x, y`), INSERT ON `d``b`.`t (o)` TO `a`@`%` WITH GRANT OPTION"},
			want: []string{
				"GRANT INSERT ON `d``b`.`t (o)` TO 'b'@'%' WITH GRANT OPTION", "GRANT SELECT (`a`) ON `d``b`.`t (o)` TO 'b'@'%' WITH GRANT OPTION",
				"GRANT SELECT (`x, y`) ON `d``b`.`t (o)` TO 'b'@'%' WITH GRANT OPTION",
			},
		},
		{
			name: "roles and routines", a: []string{"GRANT `r`@`%`,`r,2`@`%` TO `a`@`%`", "GRANT `boss`@`%` TO `a`@`%` WITH ADMIN OPTION", "GRANT EXECUTE ON PROCEDURE `db`.`p` TO `a`@`%`"},
			want: []string{"GRANT `boss`@`%` TO 'b'@'%' WITH ADMIN OPTION", "GRANT `r,2`@`%` TO 'b'@'%'", "GRANT `r`@`%` TO 'b'@'%'", "GRANT EXECUTE ON PROCEDURE `db`.`p` TO 'b'@'%'"},
		},
		{name: "names of MySQL 5.7", a: []string{"GRANT PROXY ON 'z'@'%' TO 'a'@'%' WITH GRANT OPTION"}, want: []string{"GRANT PROXY ON 'z'@'%' TO 'b'@'%' WITH GRANT OPTION"}},
		{name: "words in names", a: []string{"GRANT SELECT ON ` TO x WITH GRANT OPTION`.* TO ` TO y`@`%`"}, want: []string{"GRANT SELECT ON ` TO x WITH GRANT OPTION`.* TO 'b'@'%'"}},
		{
			name: "the database covers it", a: []string{"GRANT EXECUTE ON PROCEDURE `my_db`.`p` TO `a`@`%`", "GRANT SELECT (`a`), INSERT ON `my_db`.`t` TO `a`@`%`"},
			b: []string{`GRANT SELECT, EXECUTE ON ` + "`my\\_db`" + `.* TO b`, "GRANT INSERT ON *.* TO b"}, extra: []string{"INSERT ON *.*", "EXECUTE ON `my\\_db`.*", "SELECT ON `my\\_db`.*"},
		},
		{
			name: "ALL covers it, but not passing it on", a: []string{"GRANT SELECT ON `db`.* TO `a`@`%` WITH GRANT OPTION"},
			b: []string{"GRANT ALL PRIVILEGES ON `db`.* TO b"}, extra: []string{"ALL PRIVILEGES ON `db`.*"},
			want: []string{"GRANT SELECT ON `db`.* TO 'b'@'%' WITH GRANT OPTION"},
		},
		{name: "only passing on", a: []string{"GRANT USAGE ON `db`.`t` TO `a`@`%` WITH GRANT OPTION"}, want: []string{"GRANT USAGE ON `db`.`t` TO 'b'@'%' WITH GRANT OPTION"}},
		{
			name: "each dynamic privilege is passed on or not", a: []string{"GRANT X_ADMIN,Y_ADMIN ON *.* TO `a`@`%` WITH GRANT OPTION"}, b: []string{"GRANT X_ADMIN ON *.* TO b", "GRANT Y_ADMIN ON *.* TO b WITH GRANT OPTION"},
			want: []string{"GRANT X_ADMIN ON *.* TO 'b'@'%' WITH GRANT OPTION"},
		},
		{
			name: "partial revokes", a: []string{"GRANT INSERT ON *.* TO `a`@`%`", "REVOKE INSERT ON `mysql`.* FROM `a`@`%`"}, b: []string{"GRANT INSERT ON *.* TO `b`@`%`", "REVOKE INSERT ON `shop`.* FROM `b`@`%`"},
			want: []string{"GRANT INSERT ON `shop`.* TO 'b'@'%'", "REVOKE INSERT ON `mysql`.* FROM 'b'@'%'"},
		},
		{
			name: "a partial revoke keeps it from covering", a: []string{"GRANT INSERT ON `shop`.* TO `a`@`%`"}, b: []string{"GRANT INSERT ON *.* TO `b`@`%`", "REVOKE INSERT ON `shop`.* FROM `b`@`%`"},
			extra: []string{"INSERT ON *.*"}, want: []string{"GRANT INSERT ON `shop`.* TO 'b'@'%'"},
		},
		{name: "extra", b: []string{"GRANT DELETE ON `db`.* TO b", "GRANT `r` TO b"}, extra: []string{"`r`", "DELETE ON `db`.*"}},
		{
			name: "extra, revoked", revoke: true, a: []string{"GRANT `same` TO a"}, b: []string{"GRANT DELETE ON `db`.* TO b", "GRANT `r` TO b", "GRANT `same` TO b WITH ADMIN OPTION"},
			extra: []string{"`r`", "`same` with the right to pass it on", "DELETE ON `db`.*"},
			want:  []string{"REVOKE `r` FROM 'b'@'%'", "REVOKE `same` FROM 'b'@'%'", "REVOKE DELETE ON `db`.* FROM 'b'@'%'", "GRANT `same` TO 'b'@'%'", "SET DEFAULT ROLE NONE TO 'b'@'%'"},
		},
		{
			name: "ALL is too much", revoke: true, a: []string{"GRANT SELECT ON `db`.* TO a"}, b: []string{"GRANT ALL PRIVILEGES ON `db`.* TO b"},
			extra: []string{"ALL PRIVILEGES ON `db`.*"}, want: []string{"REVOKE ALL PRIVILEGES ON `db`.* FROM 'b'@'%'", "GRANT SELECT ON `db`.* TO 'b'@'%'"},
		},
		{
			name: "passing on is too much", revoke: true, a: []string{"GRANT SELECT ON `db`.* TO a"}, b: []string{"GRANT SELECT ON `db`.* TO b WITH GRANT OPTION"},
			extra: []string{"SELECT ON `db`.* with the right to pass it on"}, want: []string{"REVOKE GRANT OPTION ON `db`.* FROM 'b'@'%'"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := mending{account: mysqlconn.Name{User: "b", Host: "%"}}
			extra := m.rights(parsed(t, test.a...), parsed(t, test.b...), test.revoke)
			m.traits(words{}, Traits{DefaultRoles: "NONE"}, Traits{DefaultRoles: "NONE"})
			if diff := cmp.Diff(test.want, m.statements); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.extra, extra); diff != "" {
				t.Errorf("extra rights (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTraits reads the one statement for each clause that is another.
func TestTraits(t *testing.T) {
	a := Traits{
		Plugin: "p", Require: Require("SPECIFIED", "", "/CN=it's", ""), DefaultRoles: "'r'@'%'",
		Limits: []Option{{"MAX_X", "1"}, {"MAX_Y", "0"}, {"MAX_Z", "3"}}, Passwords: []Option{{"PASSWORD EXPIRE", "DEFAULT"}, {"PASSWORD REQUIRE CURRENT", ""}},
	}
	b := Traits{
		Plugin: "q", Require: Require("", "", "", ""), DefaultRoles: "NONE",
		Limits: []Option{{"MAX_X", "1"}, {"MAX_Y", "2"}, {"MAX_Z", "0"}}, Passwords: []Option{{"PASSWORD EXPIRE", "NEVER"}, {"PASSWORD REQUIRE CURRENT", "DEFAULT"}},
	}
	m := mending{account: mysqlconn.Name{User: "b", Host: "%"}}
	m.traits(words{}, a, b)
	want := []string{
		"ALTER USER 'b'@'%' IDENTIFIED WITH 'p' BY 'nobodys'",
		"ALTER USER 'b'@'%' REQUIRE ISSUER '/CN=it''s' WITH MAX_Y 0 MAX_Z 3 PASSWORD EXPIRE DEFAULT PASSWORD REQUIRE CURRENT",
		"SET DEFAULT ROLE 'r'@'%' TO 'b'@'%'",
	}
	if diff := cmp.Diff(want, m.statements); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if got := Require("ANY", "", "", "") + Require("X509", "", "", ""); got != "SSLX509" {
		t.Errorf("got %s", got)
	}
}

// TestStatementsNameTheInactiveUserOnly makes users at random, and whatever they
// have, no statement changes another than the inactive one. (T1)
func TestStatementsNameTheInactiveUserOnly(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	some := func(name string) (lines []string) {
		for range random.IntN(6) {
			option := pick("", " WITH GRANT OPTION")
			switch random.IntN(4) {
			case 0:
				lines = append(lines, "GRANT "+pick("`a`@`%`", "`r`@`%`", "`odd TO 'a'@'%'`@`%`")+" TO "+name+strings.Replace(option, "GRANT", "ADMIN", 1))
			case 1:
				lines = append(lines, "GRANT "+pick("X_ADMIN", "X_ADMIN,Y_ADMIN")+" ON *.* TO "+name+option)
			case 2:
				lines = append(lines, "REVOKE "+pick("SELECT", "INSERT")+" ON `db`.* FROM "+name)
			default:
				lines = append(lines, "GRANT "+pick("SELECT", "INSERT (`c`), SELECT", "ALL PRIVILEGES", "USAGE")+" ON "+pick("*.*", "`db`.*", "`db`.`t TO ``a``@``%``")+"` TO "+name+option)
			}
		}
		for i := range lines {
			lines[i] = strings.Replace(strings.Replace(lines[i], "*.*`", "*.*", 1), "`db`.*`", "`db`.*", 1)
		}
		return lines
	}
	run := 0
	for range 5000 {
		a, b := parsed(t, some("`a`@`%`")...), parsed(t, some("`b`@`%`")...)
		m := mending{account: mysqlconn.Name{User: "b", Host: "%"}}
		m.rights(a, b, random.IntN(2) == 0)
		for _, statement := range m.statements {
			run++
			_, to, granted := cut(statement, " TO ")
			_, from, _ := cut(statement, " FROM ")
			to = strings.TrimSuffix(strings.TrimSuffix(to, " WITH GRANT OPTION"), " WITH ADMIN OPTION")
			if granted && to != "'b'@'%'" || !granted && from != "'b'@'%'" {
				t.Fatal(statement)
			}
		}
	}
	if run == 0 {
		t.Error("no statement was made")
	}
}

// TestUnknownLine: a line that no one here understands may be a right, or hold
// a hash. (T3, C9)
func TestUnknownLine(t *testing.T) {
	_, err := parse([]string{"PERMIT sentinel"}, Rules{})
	if rotation.CodeOf(err) != rotation.CodeServer || strings.Contains(err.Error(), "sentinel") {
		t.Errorf("got %v", err)
	}
}

// TestRows: of the names that fit a database, the server goes by one, and a user
// has what is granted on that. (T10)
func TestRows(t *testing.T) {
	mysql, mariadb := Rules{FirstWildcard: true, RolesMerge: true}, Rules{}
	on := func(name string, privileges string) string {
		return "GRANT " + privileges + " ON `" + name + "`.* TO x"
	}
	for _, test := range []struct {
		name  string
		rules []Rules
		a, b  []string
		lacks string
	}{
		{name: "the same", a: []string{on("sh%", "SELECT"), on("s%1", "INSERT"), on("shop1", "DELETE")}, b: []string{on("sh%", "SELECT"), on("s%1", "INSERT"), on("shop1", "DELETE")}, rules: []Rules{mysql}},
		{name: "a narrower row", a: []string{on("shop%", "SELECT, INSERT")}, b: []string{on("shop%", "SELECT, INSERT"), on("shop1", "SELECT")}, lacks: "INSERT ON `shop1`.*"},
		{name: "a narrower pattern", a: []string{on("sh%", "SELECT")}, b: []string{on("sh%", "SELECT"), on("shop%", "INSERT")}, lacks: "SELECT ON `shop%`.*"},
		{name: "a wider row", a: []string{on("shop1", "SELECT")}, b: []string{on("sh%", "SELECT")}},
		{name: "a wider row with less", a: []string{on("shop1", "SELECT, INSERT")}, b: []string{on("sh%", "SELECT")}, lacks: "INSERT ON `shop1`.*"},
		{name: "an escape", a: []string{on("my_db", "SELECT")}, b: []string{on(`my\_db`, "SELECT")}, lacks: "SELECT ON `my_db`.*"},
		{name: "the other way", a: []string{on(`my\_db`, "SELECT")}, b: []string{on("my_db", "SELECT")}},
		{name: "no escape, with partial revokes", a: []string{on("my_db", "SELECT")}, b: []string{on("my%", "SELECT")}, rules: []Rules{{Literal: true}}, lacks: "SELECT ON `my_db`.*"},
		{name: "everything", a: []string{on("shop1", "SELECT")}, b: []string{"GRANT SELECT ON *.* TO x", on("shop1", "INSERT")}},
		{name: "everything but", a: []string{on("shop%", "SELECT")}, b: []string{"GRANT SELECT ON *.* TO x", "REVOKE SELECT ON `shop1`.* FROM x"}, lacks: "SELECT ON `shop%`.*"},
		{name: "a table", a: []string{"GRANT SELECT ON `shop1`.`t` TO x"}, b: []string{on("shop%", "SELECT")}},
		{name: "a table in a narrower row", a: []string{"GRANT SELECT ON `shop1`.`t` TO x"}, b: []string{on("shop%", "SELECT"), on("shop1", "INSERT")}, lacks: "SELECT ON `shop1`.`t`"},
		{name: "patterns of one rank", a: []string{on("sh%", "SELECT"), on("sh_p", "INSERT")}, b: []string{on("sh%", "SELECT"), on("sh_p", "INSERT")}, rules: []Rules{mysql}, lacks: "ON `sh_p`.*"},
		{name: "patterns that cross", a: []string{on("sh%", "SELECT")}, b: []string{on("sh%", "SELECT"), on("s%1", "INSERT")}, rules: []Rules{mariadb}, lacks: "SELECT ON `sh%`.*"},
		{name: "patterns that cross, by the first wildcard", a: []string{on("sh%", "SELECT")}, b: []string{on("sh%", "SELECT"), on("s%1", "INSERT")}, rules: []Rules{mysql}},
		{name: "passing on", a: []string{on("shop%", "SELECT") + " WITH GRANT OPTION"}, b: []string{on("shop%", "SELECT") + " WITH GRANT OPTION", on("shop1", "SELECT")}, lacks: "SELECT ON `shop1`.* with the right"},
		{name: "a table, and a role", a: []string{"GRANT `r` TO x", "GRANT SELECT ON `shop1`.`t` TO x"}, b: []string{"GRANT `r` TO x", "GRANT SELECT ON `shop1`.* TO x"}, rules: []Rules{mysql}, lacks: "may hide"},
		{name: "a table behind a pattern, and a role", a: []string{"GRANT `r` TO x", on("shop%", "SELECT"), "GRANT SELECT ON `shop1`.`t` TO x"}, b: []string{"GRANT `r` TO x", on("shop%", "SELECT")}, rules: []Rules{mysql}, lacks: "SELECT ON `shop1`.`t`"},
		{name: "a table in a database, and a role", a: []string{"GRANT `r` TO x", on("shop", "SELECT"), "GRANT SELECT ON `shop`.`t` TO x"}, b: []string{"GRANT `r` TO x", on("shop", "SELECT")}, rules: []Rules{mysql}},
		{name: "a role's row", a: []string{"GRANT `r` TO x"}, b: []string{"GRANT `r` TO x", on("shop1", "SELECT")}, rules: []Rules{mysql}, lacks: "may hide a role's"},
	} {
		for _, rules := range append(test.rules, map[bool][]Rules{true: {mysql, mariadb}}[len(test.rules) == 0]...) {
			t.Run(fmt.Sprintf("%s, %v", test.name, rules), func(t *testing.T) {
				a, _ := parse(test.a, rules)
				b, _ := parse(test.b, rules)
				got := strings.Join(differences(user{rights: a}, user{rights: b}), "; ")
				if (got == "") != (test.lacks == "") || !strings.Contains(got, test.lacks) {
					t.Errorf("got %q, want %q", got, test.lacks)
				}
			})
		}
	}
}

// TestPatterns: patterns that include each other, as the servers read wildcards.
// (T10)
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		p, q          string
		within, meets bool
	}{
		{"shop", "shop", true, true},
		{"shop", "sh%", true, true},
		{"shop%", "sh%", true, true},
		{"sh%", "shop%", false, true},
		{"s%1", "sh%", false, true},
		{"shop_", "shop%", true, true},
		{`shop\_`, "shop_", true, true},
		{"shop_", `shop\_`, false, true},
		{`a\_`, "ab", false, false},
		{"a%b%c", "%b%", true, true},
		{"%a", "%b", false, false},
		{"shop", "shops", false, false},
		{"", "%", true, true},
	} {
		p, q := parsePattern("`"+test.p+"`", false), parsePattern("`"+test.q+"`", false)
		if p.within(q) != test.within || p.meets(q) != test.meets || q.meets(p) != test.meets {
			t.Errorf("%s within %s: %t, meets: %t and %t", test.p, test.q, p.within(q), p.meets(q), q.meets(p))
		}
	}
}
