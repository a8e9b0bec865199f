//go:build db

package main_test

import (
	"regexp"
	"strings"
	"testing"
)

// superuser reports whether the tests' admin is one, and may make what others may
// not.
func (b *bench) superuser() bool {
	return b.Exec(b.t, b.Admin, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")[0][0] == "t"
}

// statements are those of what bootstrap.sql says that are to be run.
func statements(said string) (found []string) {
	for _, line := range regexp.MustCompile(`(?m)^ {4}([A-Z].*;)$`).FindAllStringSubmatch(said, -1) {
		found = append(found, line[1])
	}
	return found
}

// TestBootstrapMovesEverything gives a user one thing of every kind that the
// server keeps as a user's own. bootstrap.sql moves it, or says the statements
// that do. After that the users can do the same. (T5)
func TestBootstrapMovesEverything(t *testing.T) {
	n := names{"every_owner", "every_a", "every_b", "every_rotator"}
	for _, test := range []struct {
		name      string
		superuser bool     // takes one
		admin     []string // run before, and after what the user does
		user      []string
		then      []string // what the user can still do afterwards
		asks      bool     // there are statements to be run
	}{
		{name: "nothing", admin: []string{"REVOKE CREATE ON SCHEMA public FROM PUBLIC"}, then: []string{"CREATE TABLE public.t (n int)"}},
		{
			name: "objects", user: []string{
				"CREATE TABLE public.t (n int)", "CREATE SEQUENCE public.s", "CREATE VIEW public.v AS SELECT 1 AS n", "CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS n",
				"CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE PROCEDURE public.p() LANGUAGE sql AS 'SELECT 1'",
				"CREATE AGGREGATE public.agg (int) (SFUNC = int4pl, STYPE = int)", "CREATE TYPE public.e AS ENUM ('x')", "CREATE DOMAIN public.d AS int",
				"CREATE OPERATOR public.<#> (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)",
				`CREATE COLLATION public.c (LOCALE = 'C')`, "CREATE CONVERSION public.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
				"CREATE TEXT SEARCH DICTIONARY public.dict (TEMPLATE = simple)", "CREATE TEXT SEARCH CONFIGURATION public.conf (COPY = simple)",
				"CREATE TABLE public.t2 (a int, b int)", "CREATE STATISTICS public.st ON a, b FROM public.t2", "SELECT lo_create(4711)",
			},
			then: []string{"DROP TABLE public.t", "DROP TYPE public.e", "SELECT lo_unlink(4711)", "CREATE TABLE public.more (n int)"},
		},
		{
			name: "several schemas", admin: []string{"DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO every_a', current_database()); END $$", "CREATE SCHEMA others", "GRANT USAGE, CREATE ON SCHEMA others TO every_a"},
			user: []string{"CREATE SCHEMA own", "CREATE TABLE own.t (n int)", "CREATE FUNCTION own.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE TABLE others.t (n int)", "CREATE FUNCTION others.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"},
			then: []string{"DROP FUNCTION own.f()", "CREATE TABLE own.u (n int)", "DROP TABLE others.t", "DROP FUNCTION others.f()", "DROP SCHEMA own CASCADE"}, asks: true,
		},
		{
			name: "grants, and nothing owned", admin: []string{
				"CREATE SCHEMA app", `CREATE TABLE app."T t" (n int, "m m" int, k int)`, "CREATE SEQUENCE app.s", "CREATE FUNCTION app.f(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
				"CREATE PROCEDURE app.p() LANGUAGE sql AS 'SELECT 1'", "CREATE TYPE app.e AS ENUM ('x')", "SELECT lo_create(4712)",
				"REVOKE EXECUTE ON FUNCTION app.f(int, text) FROM PUBLIC", "REVOKE EXECUTE ON PROCEDURE app.p() FROM PUBLIC",
				"GRANT USAGE ON SCHEMA app TO every_a", `GRANT SELECT, INSERT ON app."T t" TO every_a WITH GRANT OPTION`, `GRANT UPDATE ("m m", k) ON app."T t" TO every_a`,
				"GRANT USAGE ON SEQUENCE app.s TO every_a", "GRANT EXECUTE ON FUNCTION app.f(int, text) TO every_a", "GRANT EXECUTE ON PROCEDURE app.p() TO every_a",
				"GRANT USAGE ON TYPE app.e TO every_a", "GRANT SELECT ON LARGE OBJECT 4712 TO every_a", "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO every_a', current_database()); END $$",
			},
			then: []string{`INSERT INTO app."T t" VALUES (1)`, `UPDATE app."T t" SET "m m" = 1`, `SELECT n FROM app."T t"`, "SELECT app.f(1, 'x')", "CALL app.p()", "SELECT nextval('app.s')", "SELECT lo_get(4712)", "CREATE SCHEMA mine"},
			asks: true,
		},
		{
			name: "default privileges", admin: []string{"CREATE SCHEMA app", "GRANT USAGE, CREATE ON SCHEMA app TO every_a"},
			user: []string{
				"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO every_reader WITH GRANT OPTION", "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT USAGE ON SEQUENCES TO every_reader",
				"ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC", "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO PUBLIC",
			},
			then: []string{
				"CREATE TABLE app.t (n int)", "CREATE SEQUENCE app.s", "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
				"DO $$ BEGIN ASSERT has_table_privilege('every_reader', 'app.t', 'SELECT WITH GRANT OPTION') AND has_sequence_privilege('every_reader', 'app.s', 'USAGE') AND NOT has_function_privilege('every_reader', 'app.f()', 'EXECUTE'); END $$",
			},
			asks: true,
		},
		{
			name: "somebody's default privileges for the user", admin: []string{"CREATE SCHEMA app", "GRANT USAGE ON SCHEMA app TO PUBLIC", "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO every_a", "ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO every_a"},
			asks: true,
		},
		{
			name: "a policy", user: []string{"CREATE TABLE public.t (n int)", "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", "INSERT INTO public.t SELECT 1 WHERE false", `CREATE POLICY "p p" ON public.t TO every_a, every_reader USING (true) WITH CHECK (true)`},
			then: []string{"INSERT INTO public.t VALUES (1)", "DO $$ BEGIN ASSERT (SELECT count(*) = 1 FROM public.t); END $$"}, asks: true,
		},
		{
			name: "a publication", admin: []string{"DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO every_a', current_database()); END $$"},
			user: []string{"CREATE TABLE public.t (n int)", "CREATE PUBLICATION pub FOR TABLE public.t"}, then: []string{"DROP PUBLICATION pub"}, asks: true,
		},
		{
			name: "foreign data", superuser: true, admin: []string{"CREATE FOREIGN DATA WRAPPER w", "CREATE SERVER srv FOREIGN DATA WRAPPER w", "GRANT USAGE ON FOREIGN DATA WRAPPER w TO every_a", "GRANT USAGE ON FOREIGN SERVER srv TO every_a"},
			user: []string{"CREATE USER MAPPING FOR every_a SERVER srv", "CREATE SERVER own FOREIGN DATA WRAPPER w", "CREATE FOREIGN TABLE public.ft (n int) SERVER srv"},
			then: []string{"DROP FOREIGN TABLE public.ft", "DROP SERVER own", "CREATE FOREIGN TABLE public.ft2 (n int) SERVER srv"}, asks: true,
		},
		{
			name: "what a superuser handed over", superuser: true, admin: []string{"CREATE OPERATOR FAMILY public.fam USING btree", "ALTER OPERATOR FAMILY public.fam USING btree OWNER TO every_a"},
			then: []string{"DROP OPERATOR FAMILY public.fam USING btree"},
		},
		{
			name: "a language", superuser: true, admin: []string{"REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC", "GRANT USAGE ON LANGUAGE plpgsql TO every_a"},
			then: []string{"CREATE FUNCTION public.g() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'"}, asks: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, n)
			if test.superuser && !b.superuser() {
				t.Skip("only a superuser makes that")
			}
			a := b.Role(t, n.userA, "first", "LOGIN")
			b.Role(t, "every_reader", "first", "NOLOGIN")
			b.Exec(t, b.Admin, append([]string{"GRANT CREATE ON SCHEMA public TO PUBLIC"}, test.admin...)...)
			b.Exec(t, a, append(test.user, "SELECT 1")...)

			said, err := b.bootstrap(n.args()...)
			if asked := statements(said); (err != nil) != test.asks || test.asks && len(asked) == 0 {
				t.Fatalf("%v:\n%s", err, said)
			} else if test.asks {
				b.Exec(t, b.Admin, append([]string{"GRANT every_a TO CURRENT_USER"}, append(asked, "REVOKE every_a FROM CURRENT_USER")...)...)
			}
			b.mustBootstrap(n)
			b.wantParity(b.login(b.Admin), n, "")
			b.Exec(t, a, append(test.then, "SELECT 1")...)
			b.wantParity(b.login(b.Admin), n, "")
		})
	}
}

// TestBootstrapStopsBeforeAnythingIsChanged where objects ask who the user is, or
// no owner role could own them. (T5, T10)
func TestBootstrapStopsBeforeAnythingIsChanged(t *testing.T) {
	n := names{"stop_owner", "stop_a", "stop_b", "stop_rotator"}
	for name, test := range map[string]struct {
		make      string
		words     string
		superuser bool
	}{
		"policy":      {make: "CREATE POLICY p ON public.t USING (n = current_user)", words: "policy p on table public.t"},
		"policy, who": {make: "CREATE POLICY p ON public.t FOR INSERT WITH CHECK (n = session_user)", words: "policy p on table public.t"},
		"default":     {make: "ALTER TABLE public.t ALTER COLUMN n SET DEFAULT user", words: "default value for column n of table public.t"},
		"view":        {make: "CREATE VIEW public.v AS SELECT n FROM public.t WHERE n = current_role", words: "on view public.v"},
		"function":    {make: "CREATE FUNCTION public.f() RETURNS name LANGUAGE sql AS 'SELECT current_user'", words: "function public.f()"},
		"publication": {make: "CREATE PUBLICATION everything FOR ALL TABLES; ALTER PUBLICATION everything OWNER TO stop_a", words: "publication everything", superuser: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, n)
			a := b.Role(t, n.userA, "first", "LOGIN")
			if test.superuser {
				if !b.superuser() {
					t.Skip("only a superuser makes that")
				}
				b.Exec(t, b.Admin, "ALTER ROLE stop_a SUPERUSER", test.make, "ALTER ROLE stop_a NOSUPERUSER")
			} else {
				b.Exec(t, b.Admin, "GRANT CREATE ON SCHEMA public TO PUBLIC")
				b.Exec(t, a, "CREATE TABLE public.t (n text)", test.make)
			}
			said, err := b.bootstrap(n.args()...)
			if err == nil || !strings.Contains(said, test.words) || !strings.Contains(said, "nothing was changed") {
				t.Fatalf("got %v:\n%s", err, said)
			}
			if made := b.Exec(t, b.Admin, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'stop%' AND rolname <> 'stop_a'"); len(made) > 0 {
				t.Errorf("it made %v", made)
			}
			if !test.superuser {
				if said, err := b.bootstrap(append(n.args(), "-v", "seen=1")...); err != nil {
					t.Errorf("once they were seen: %v\n%s", err, said)
				}
			}
		})
	}
}
