package parity

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// newUser returns a user as the catalogues have one who was just created.
func newUser(name string) *user {
	return &user{
		name: name, replication: "f", connLimit: "-1", validUntil: "infinity",
		settings: map[setting]string{}, reach: map[string]reach{},
	}
}

// in makes u a member of a role in every way.
func (u *user) in(role string) *user {
	u.members = append(u.members, membership{role: role, grantor: "postgres", admin: "f", inherit: "t", set: "t"})
	u.reach[role] = reach{set: true, usage: true}
	return u
}

func (u *user) as(role string) *user {
	u.role = role
	return u
}

func (u *user) with(change func(*user)) *user {
	change(u)
	return u
}

// TestStatements reads what would be run for each kind of difference.
func TestStatements(t *testing.T) {
	tests := []struct {
		name    string
		version int
		a, b    *user
		revoke  bool
		want    []string
		extra   []string
	}{
		{name: "a pair", version: 18, a: newUser("a").in("owner").as("owner"), b: newUser("b").in("owner").as("owner")},
		{
			name: "a new user beside an owner role", version: 18, a: newUser("a").in("owner").as("owner"), b: newUser("b"),
			want: []string{`GRANT "owner" TO "b" WITH ADMIN FALSE, INHERIT TRUE, SET TRUE`, `ALTER ROLE "b" SET role = E'owner'`},
		},
		{
			name: "the same before 16", version: 15, a: newUser("a").in("owner").as("owner"), b: newUser("b"),
			want: []string{`ALTER ROLE "b" INHERIT`, `GRANT "owner" TO "b"`, `ALTER ROLE "b" SET role = E'owner'`},
		},
		{
			name: "a new clone", version: 18, a: newUser("a"), b: newUser("b"),
			want: []string{`GRANT "a" TO "b" WITH ADMIN FALSE, INHERIT TRUE, SET TRUE`, `ALTER ROLE "b" SET role = E'a'`},
		},
		{name: "the clone's turn to be active", version: 18, a: newUser("a").in("b").as("b"), b: newUser("b")},
		{name: "a clone made by others, active", version: 18, a: newUser("a").in("b"), b: newUser("b")},
		{
			name: "the original has a role setting", version: 18, a: newUser("a").in("b").as("b"), b: newUser("b").as("elsewhere"),
			want: []string{`ALTER ROLE "b" RESET role`},
		},
		{
			name: "memberships", version: 18,
			a: newUser("a").in("owner").as("owner").in("g").with(func(u *user) {
				u.members[1] = membership{role: "g", grantor: "postgres", admin: "t", inherit: "f", set: "t"}
			}),
			b:    newUser("b").in("owner").as("owner"),
			want: []string{`GRANT "g" TO "b" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE`},
		},
		{
			name: "membership with admin option before 16", version: 15,
			a:    newUser("a").in("owner").as("owner").in("g").with(func(u *user) { u.members[1].admin = "t" }),
			b:    newUser("b").in("owner").as("owner"),
			want: []string{`GRANT "g" TO "b" WITH ADMIN OPTION`},
		},
		{name: "memberships of the original come with it", version: 18, a: newUser("a").in("g"), b: newUser("b").in("a").as("a")},
		{
			name: "limits", version: 18,
			a: newUser("a").in("owner").as("owner").with(func(u *user) {
				u.connLimit, u.validUntil, u.replication = "5", "2999-01-01 00:00:00+00", "t"
			}),
			b: newUser("b").in("owner").as("owner"),
			want: []string{
				`ALTER ROLE "b" CONNECTION LIMIT 5`, `ALTER ROLE "b" VALID UNTIL E'2999-01-01 00:00:00+00'`, `ALTER ROLE "b" REPLICATION`,
			},
		},
		{
			name: "settings", version: 18,
			a: newUser("a").in("owner").as("owner").with(func(u *user) {
				u.settings = map[setting]string{{"", "my.app.x"}: `it's`, {"d b", "search_path"}: `"$user", x`, {"", "same"}: "1"}
			}),
			b: newUser("b").in("owner").as("owner").with(func(u *user) {
				u.settings = map[setting]string{{"d b", "role"}: "b", {"", "same"}: "1"}
			}),
			want: []string{
				`ALTER ROLE "b" SET "my"."app"."x" = E'it''s'`,
				`ALTER ROLE "b" IN DATABASE "d b" RESET "role"`,
				`ALTER ROLE "b" IN DATABASE "d b" SET "search_path" = E'$user', E'x'`,
			},
		},
		{
			name: "extra membership", version: 18, a: newUser("a").in("owner").as("owner"), b: newUser("b").in("owner").as("owner").in("g"),
			extra: []string{`membership in "g"`},
		},
		{
			name: "extra membership, revoked", version: 18, revoke: true, a: newUser("a").in("owner").as("owner"), b: newUser("b").in("owner").as("owner").in("g").in("g"),
			extra: []string{`membership in "g"`}, want: []string{`REVOKE "g" FROM "b" GRANTED BY "postgres"`, `REVOKE "g" FROM "b" GRANTED BY "postgres"`},
		},
		{
			name: "extra membership, revoked before 16", version: 15, revoke: true, a: newUser("a").in("owner").as("owner"), b: newUser("b").in("owner").as("owner").in("g"),
			extra: []string{`membership in "g"`}, want: []string{`REVOKE "g" FROM "b"`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := facts{users: map[string]*user{"a": test.a, "b": test.b}}
			m, extra, err := f.reconcile(test.a, test.b, test.version, test.revoke)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, m.statements); diff != "" {
				t.Errorf("statements (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.extra, extra); diff != "" {
				t.Errorf("extra rights (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStatementsNameTheInactiveUserOnly makes users at random, and whatever they
// are, no statement changes another than the inactive one. (T1)
func TestStatementsNameTheInactiveUserOnly(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	roles := []string{"a", "b", "owner", "g", `odd "name" TO a`}
	some := func(name string) *user {
		u := newUser(name)
		u.role = pick("", "owner", "a", "b")
		u.connLimit, u.replication, u.validUntil = pick("-1", "5"), pick("t", "f"), pick("infinity", "2999-01-01 00:00:00+00")
		for range random.IntN(4) {
			if role := pick(roles...); role != name {
				u.members = append(u.members, membership{role, pick(roles...), pick("t", "f"), pick("t", "f"), pick("t", "f")})
				u.reach[role] = reach{pick("t", "f") == "t", pick("t", "f") == "t", pick("t", "f") == "t"}
			}
		}
		for range random.IntN(3) {
			u.settings[setting{pick("", "db"), pick("role", "search_path", "work_mem")}] = pick("x", `'; ALTER ROLE "a" SUPERUSER; --`)
		}
		return u
	}
	run := 0
	for range 5000 {
		a, b := some("a"), some("b")
		f := facts{users: map[string]*user{"a": a, "b": b}, attributes: map[string]attributes{
			"a": {"NOCREATEDB": pick("t", "f") == "t"}, "b": {"NOCREATEDB": pick("t", "f") == "t"},
		}}
		m, _, err := f.reconcile(a, b, 14+random.IntN(5), pick("t", "f") == "t")
		if err != nil {
			continue
		}
		for _, statement := range m.statements {
			run++
			switch {
			case strings.HasPrefix(statement, `ALTER ROLE "b" `):
			case strings.HasPrefix(statement, "GRANT ") && target(statement, " TO ") == `"b"`:
			case strings.HasPrefix(statement, "REVOKE ") && target(statement, " FROM ") == `"b"`:
			default:
				t.Fatalf("with %+v active and %+v inactive: %s", a, b, statement)
			}
		}
	}
	if run == 0 {
		t.Error("no statement was made")
	}
}

// target returns the word after the first separator that is not in quotes.
func target(statement, separator string) string {
	quoted := false
	for i := range statement {
		if statement[i] == '"' {
			quoted = !quoted
		}
		if !quoted && strings.HasPrefix(statement[i:], separator) {
			word, _, _ := strings.Cut(statement[i+len(separator):], " ")
			return word
		}
	}
	return ""
}

// TestDifferencesKeepSecrets: values of settings do not get into errors. (C9)
func TestDifferencesKeepSecrets(t *testing.T) {
	a := newUser("a").in("owner").as("owner").with(func(u *user) { u.settings[setting{"", "app.key"}] = "sentinel-setting" })
	b := newUser("b").in("owner").as("owner")
	text := strings.Join(facts{}.differences(a, b), "; ")
	if text != `the setting "app.key" differs` {
		t.Errorf("got %s", text)
	}
}

// TestCanonical: the value of a list is the same, however its names are written,
// and is copied name by name. (T4, C24)
func TestCanonical(t *testing.T) {
	for _, test := range []struct{ name, value, canonical, literals string }{
		{"search_path", `"$user", public`, `"$user", "public"`, `E'$user', E'public'`},
		{"search_path", `Shop,"a ""b"", c" , pg_temp`, `"shop", "a ""b"", c", "pg_temp"`, `E'shop', E'a "b", c', E'pg_temp'`},
		{"search_path", ``, `""`, `E''`},
		{"search_path", `""`, `""`, `E''`},
		{"search_path", `"', x; --"`, `"', x; --"`, `E''', x; --'`},
		{"DateStyle", `ISO, DMY`, `ISO, DMY`, `E'ISO, DMY'`},
	} {
		if got := canonical(test.name, test.value); got != test.canonical {
			t.Errorf("canonical(%s) = %s, want %s", test.value, got, test.canonical)
		}
		if got := literals(test.name, canonical(test.name, test.value)); got != test.literals {
			t.Errorf("literals(%s) = %s, want %s", test.value, got, test.literals)
		}
	}
}

// TestDifferences: each difference of two users, one at a time, and changes that
// are none. (T3, T5, T10)
func TestDifferences(t *testing.T) {
	pair := func(name string) *user { return newUser(name).in("owner").as("owner") }
	for _, test := range []struct {
		name  string
		a, b  *user
		facts facts
		want  string
	}{
		{name: "a pair", a: pair("a"), b: pair("b")},
		{name: "a clone", a: newUser("a"), b: newUser("b").in("a").as("a")},
		{name: "a clone, active", a: newUser("a").in("b").as("b"), b: newUser("b")},
		{name: "a superuser", a: pair("a"), b: pair("b"), facts: facts{attributes: map[string]attributes{"a": {"NOSUPERUSER": true}}}, want: `"a" is a superuser`},
		{name: "acts as itself", a: pair("a"), b: newUser("b").in("owner"), want: `"b" acts as "b" and not as "owner"`},
		{name: "acts as another", a: pair("a"), b: newUser("b").in("owner").in("g").as("g"), want: `"b" acts as "g" and not as "owner"`},
		{name: "no member", a: pair("a"), b: newUser("b").as("owner"), want: `"b" is no member of "owner"`},
		{name: "no member itself", a: newUser("a").as("owner"), b: pair("b"), want: `"a" is no member of "owner"`},
		{name: "member that does not inherit", a: pair("a"), b: pair("b").with(func(u *user) { u.reach["owner"] = reach{set: true} }), want: `"b" is no member`},
		{name: "owns something", a: pair("a").with(func(u *user) { u.own = []string{"owns 3 objects"} }), b: pair("b"), want: `"a" itself owns 3 objects`},
		{name: "the clone owns something", a: newUser("a"), b: newUser("b").in("a").as("a").with(func(u *user) { u.own = []string{"owns 3 objects"} }), want: `"b" itself owns 3 objects`},
		{name: "the original owns everything", a: newUser("a").with(func(u *user) { u.own = []string{"owns 3 objects"} }), b: newUser("b").in("a").as("a")},
		{name: "more memberships", a: pair("a").in("g"), b: pair("b"), want: `"a" is a member of "g" in a way that "b" is not`},
		{name: "fewer memberships", a: pair("a"), b: pair("b").in("g")},
		{name: "passes on", a: pair("a").with(func(u *user) { u.reach["owner"] = reach{true, true, true} }), b: pair("b"), want: `"a" is a member of "owner" in a way`},
		{name: "replication", a: pair("a").with(func(u *user) { u.replication = "t" }), b: pair("b"), want: "REPLICATION differs"},
		{name: "connections", a: pair("a"), b: pair("b").with(func(u *user) { u.connLimit = "5" }), want: "CONNECTION LIMIT differs"},
		{name: "a date", a: pair("a"), b: pair("b").with(func(u *user) { u.validUntil = "2999-01-01" }), want: "VALID UNTIL differs"},
		{name: "a setting", a: pair("a"), b: pair("b").with(func(u *user) { u.settings[setting{"d", "x"}] = "y" }), want: `the setting "x" in database "d" differs`},
		{name: "creates databases", a: pair("a"), b: pair("b"), facts: facts{attributes: map[string]attributes{"a": {"NOCREATEDB": true}}}, want: `"a" is CREATEDB and "b" is not`},
		{name: "both do", a: pair("a"), b: pair("b"), facts: facts{attributes: map[string]attributes{"a": {"NOCREATEDB": true}, "owner": {"NOCREATEDB": true}}}},
		{name: "the second does", a: pair("a"), b: pair("b"), facts: facts{attributes: map[string]attributes{"b": {"NOBYPASSRLS": true}}}},
		{name: "session_user", a: pair("a"), b: pair("b"), facts: facts{byUser: []byUser{{"policy p on table t", true}}}, want: "policy p on table t names session_user"},
		{name: "current_user", a: pair("a"), b: pair("b"), facts: facts{byUser: []byUser{{"policy p on table t", false}}}},
		{name: "current_user, of a clone that does not act as its original", a: newUser("a").in("b"), b: newUser("b"), facts: facts{byUser: []byUser{{"policy p on table t", false}}}, want: "policy p on table t names current_user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := strings.Join(test.facts.differences(test.a, test.b), "; ")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestNothingIsGivenThatTheActiveUserLacks: a user may set its role to one that it
// is no member of, and the other user is not made a member on its word. (T4, T7)
func TestNothingIsGivenThatTheActiveUserLacks(t *testing.T) {
	for name, a := range map[string]*user{
		"no member":        newUser("a").as("boss"),
		"does not act":     newUser("a").as("boss").with(func(u *user) { u.reach["boss"] = reach{usage: true} }),
		"does not inherit": newUser("a").as("boss").with(func(u *user) { u.reach["boss"] = reach{set: true} }),
	} {
		m, _, err := facts{}.reconcile(a, newUser("b"), 18, false)
		if rotation.CodeOf(err) != rotation.CodeParity || len(m.statements) > 0 {
			t.Errorf("%s: got %q, %v", name, m.statements, err)
		}
	}
}
