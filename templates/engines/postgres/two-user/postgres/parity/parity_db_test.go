//go:build db

package parity

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/postgres/common/postgres"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// New passwords begin so, and anyone who starts the server greps its log for it.
const sentinel = "Sentinel"

// bench is a server with a database, and sessions on it.
type bench struct {
	*postgrestest.Server
	t      *testing.T
	target Target
}

func newBench(t *testing.T) *bench {
	t.Helper()
	server := postgrestest.New(t)
	engine, err := postgres.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{server, t, New(engine)}
}

func (b *bench) login(account database.Account) *Session {
	b.t.Helper()
	session, err := b.target.Login(b.t.Context(), account)
	if err != nil {
		b.t.Fatalf("log in as %q: %v", account.User, err)
	}
	b.t.Cleanup(session.Close)
	return session.(*Session)
}

func (b *bench) admin() *Session { return b.login(b.Admin) }

// run runs statements as the admin, or as account.
func (b *bench) run(statements ...string) [][]string {
	b.t.Helper()
	return b.Exec(b.t, b.Admin, statements...)
}

func (b *bench) runAs(account database.Account, statements ...string) [][]string {
	b.t.Helper()
	return b.Exec(b.t, account, statements...)
}

func (b *bench) forget(roles ...string) {
	b.t.Helper()
	for _, role := range roles {
		b.Forget(b.t, role)
	}
}

func wantCode(t testing.TB, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v (code %q), want code %q", err, got, want)
	}
}

// wantParity checks that active can be replaced by inactive, or that the error
// says why not.
func (b *bench) wantParity(session *Session, active, inactive string, words ...string) {
	b.t.Helper()
	err := session.Parity(b.t.Context(), active, inactive)
	if len(words) == 0 {
		if err != nil {
			b.t.Error(err)
		}
		return
	}
	wantCode(b.t, err, rotation.CodeParity)
	for _, word := range words {
		if err != nil && !strings.Contains(err.Error(), word) {
			b.t.Errorf("%q is not in: %v", word, err)
		}
	}
}

// pair makes an owner role and two users that act as it.
func (b *bench) pair(prefix string) (owner string, userA, userB database.Account) {
	b.t.Helper()
	owner = prefix + "_owner"
	b.Role(b.t, owner, "first", "NOLOGIN")
	userA = b.Role(b.t, prefix+"_a", "first", "LOGIN")
	userB = b.Role(b.t, prefix+"_b", "first", "LOGIN")
	for _, user := range []string{userA.User, userB.User} {
		b.run(fmt.Sprintf("GRANT %s TO %s", owner, user), fmt.Sprintf("ALTER ROLE %s SET role = %s", user, owner))
	}
	return owner, userA, userB
}

// TestParityFindsDrift makes each difference that there can be, one at a time.
// (T3)
func TestParityFindsDrift(t *testing.T) {
	b := newBench(t)
	b.Role(t, "drift_group", "first", "NOLOGIN")
	tests := []struct {
		name       string
		statements []string
		words      []string
		since      int
	}{
		{name: "no role setting", statements: []string{"ALTER ROLE drift_b RESET role"}, words: []string{`"drift_b" acts as "drift_b" and not as "drift_owner"`}},
		{name: "other role", statements: []string{"GRANT drift_group TO drift_b", "ALTER ROLE drift_b SET role = drift_group"}, words: []string{`acts as "drift_group"`}},
		{name: "none", statements: []string{"ALTER ROLE drift_b SET role = none"}, words: []string{`acts as "drift_b"`}},
		{name: "no membership", statements: []string{"REVOKE drift_owner FROM drift_b"}, words: []string{`"drift_b" is no member of "drift_owner"`}},
		{name: "no membership of the active", statements: []string{"REVOKE drift_owner FROM drift_a"}, words: []string{`"drift_a" is no member of "drift_owner"`}},
		{name: "membership without INHERIT", since: 16, statements: []string{"GRANT drift_owner TO drift_b WITH INHERIT FALSE"}, words: []string{`"drift_b" is no member`}},
		{name: "membership without SET", since: 16, statements: []string{"GRANT drift_owner TO drift_b WITH SET FALSE"}, words: []string{`"drift_b" is no member`}},
		{name: "role setting in one database", statements: []string{`ALTER ROLE drift_b IN DATABASE postgres SET role = 'drift_b'`}, words: []string{`the setting "role" in database "postgres"`}},
		{name: "privilege of its own", statements: []string{"CREATE TABLE public.t (n int)", "GRANT SELECT ON public.t TO drift_b"}, words: []string{`"drift_b" itself holds privileges on 1 objects in database`}},
		{name: "privilege of the active's own", statements: []string{"CREATE TABLE public.t (n int)", "GRANT SELECT ON public.t TO drift_a"}, words: []string{`"drift_a" itself holds`}},
		{name: "privilege on the database", statements: []string{"DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO drift_b', current_database()); END $$"}, words: []string{`"drift_b" itself holds privileges on 1 objects`}},
		{name: "policy", statements: []string{"CREATE TABLE public.t (n int)", "CREATE POLICY p ON public.t TO drift_b"}, words: []string{"named by 1 policies"}},
		{name: "default privileges", statements: []string{"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO drift_b"}, words: []string{`"drift_b" itself`}},
		{name: "connection limit", statements: []string{"ALTER ROLE drift_b CONNECTION LIMIT 3"}, words: []string{"CONNECTION LIMIT"}},
		{name: "valid until", statements: []string{"ALTER ROLE drift_b VALID UNTIL '2999-01-01'"}, words: []string{"VALID UNTIL"}},
		{name: "setting", statements: []string{"ALTER ROLE drift_b SET search_path = other"}, words: []string{`the setting "search_path" differs`}},
		{name: "setting of the active", statements: []string{"ALTER ROLE drift_a SET work_mem = '8MB'"}, words: []string{`the setting "work_mem" differs`}},
		{name: "setting in one database", statements: []string{"ALTER ROLE drift_b IN DATABASE postgres SET work_mem = '8MB'"}, words: []string{`"work_mem" in database "postgres"`}},
		{name: "membership of the active", statements: []string{"GRANT drift_group TO drift_a"}, words: []string{`"drift_a" is a member of "drift_group"`}},
		{name: "admin option of the active", statements: []string{"GRANT drift_group TO drift_a WITH ADMIN OPTION", "GRANT drift_group TO drift_b"}, words: []string{`"drift_a" is a member of "drift_group"`}},
		{name: "attribute of the active", statements: []string{"ALTER ROLE drift_a CREATEDB"}, words: []string{`"drift_a" is CREATEDB and "drift_b" is not`}},
		{name: "policy by who logged in", statements: []string{"CREATE TABLE public.t (n text)", "CREATE POLICY p ON public.t USING (n = session_user)"}, words: []string{"policy p on table public.t names session_user"}},
		{name: "policy by who it acts as", statements: []string{"CREATE TABLE public.t (n text)", "CREATE POLICY p ON public.t USING (n = current_user)"}},
		{name: "default by who logged in", statements: []string{"CREATE TABLE public.t (n text DEFAULT session_user)"}, words: []string{"default value for column n of table public.t names"}},
		{name: "view by who logged in", statements: []string{"CREATE TABLE public.t (n text)", "CREATE VIEW public.v AS SELECT n FROM public.t WHERE n = session_user"}, words: []string{"on view public.v names"}},
		{name: "more rights than needed", statements: []string{"GRANT drift_group TO drift_b"}},
		{name: "valid until for ever", statements: []string{"ALTER ROLE drift_b VALID UNTIL 'infinity'"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if b.Version < test.since {
				t.Skipf("since PostgreSQL %d", test.since)
			}
			b := &bench{b.Server, t, b.target}
			_, userA, userB := b.pair("drift")
			b.run("DROP TABLE IF EXISTS public.t CASCADE")
			b.wantParity(b.admin(), userA.User, userB.User)
			b.run(test.statements...)
			t.Cleanup(func() { b.run("DROP TABLE IF EXISTS public.t CASCADE") })
			b.wantParity(b.admin(), userA.User, userB.User, test.words...)
		})
	}
}

// TestParityOfObjectsElsewhere: an object in a database that this session is not
// in counts as well. (T3)
func TestParityOfObjectsElsewhere(t *testing.T) {
	b := newBench(t)
	_, userA, userB := b.pair("elsewhere")
	elsewhere := userB
	elsewhere.Database = "postgres"
	b.runAs(elsewhere, "SET ROLE NONE", "SELECT lo_create(0)")
	b.wantParity(b.admin(), userA.User, userB.User, `"elsewhere_b" itself owns 1 objects in database "postgres"`)
	b.runAs(elsewhere, "SET ROLE NONE", "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = 'elsewhere_b'::regrole")
	b.wantParity(b.admin(), userA.User, userB.User)
}

// TestParityAsksHowTheLoginEnded: the server only warns of a role setting that
// it cannot follow. (T5)
func TestParityAsksHowTheLoginEnded(t *testing.T) {
	b := newBench(t)
	owner, userA, userB := b.pair("ended")
	b.run("REVOKE " + owner + " FROM " + userB.User)
	session := b.login(userB)
	b.run("GRANT " + owner + " TO " + userB.User)
	b.wantParity(session, userA.User, userB.User, `"ended_b" logged in as "ended_b" instead`)
	b.wantParity(b.login(userB), userA.User, userB.User)
}

func TestParityOfTwoThatHaveNothingInCommon(t *testing.T) {
	b := newBench(t)
	userA := b.Role(t, "apart_a", "first", "LOGIN")
	userB := b.Role(t, "apart_b", "first", "LOGIN")
	b.wantParity(b.admin(), userA.User, userB.User, "acts as")
	b.wantParity(b.admin(), userA.User, "nobody_has_this_name", "does not exist")
	b.wantParity(b.admin(), "nobody_has_this_name", userB.User, "does not exist")
	if rows := b.run("SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1"); len(rows) > 0 {
		b.wantParity(b.admin(), rows[0][0], userB.User, "superuser")
	}
}

// rotate does what the strategy does with a clone, and returns its login.
func (b *bench) rotate(active, inactive, password string) database.Account {
	b.t.Helper()
	admin := b.admin()
	defer admin.Close()
	if err := admin.Claim(b.t.Context(), inactive); err != nil {
		b.t.Fatal(err)
	}
	if err := admin.Create(b.t.Context(), inactive); err != nil {
		b.t.Fatal(err)
	}
	extra, err := admin.Reconcile(b.t.Context(), active, inactive, false)
	if err != nil || len(extra) > 0 {
		b.t.Fatalf("reconcile: %v, %v", extra, err)
	}
	b.wantParity(admin, active, inactive)
	next := b.Account(inactive, sentinel+password)
	if err := admin.Activate(b.t.Context(), inactive, next.Password); err != nil {
		b.t.Fatal(err)
	}
	b.wantParity(b.login(next), active, inactive)
	return next
}

// TestClone rotates to and fro between a user with a history and its clone. (T2,
// T4, T6)
func TestClone(t *testing.T) {
	for _, names := range [][2]string{{"orders", "orders_clone"}, {"orders_clone", "orders_clone_clone"}, {`o'r"d\ers`, `o'r"d\ers_clone`}} {
		t.Run(names[1], func(t *testing.T) {
			b := newBench(t)
			base := b.Role(t, names[0], "first", "LOGIN CONNECTION LIMIT 20 VALID UNTIL '2999-01-01'")
			b.Role(t, "clone_group", "first", "NOLOGIN")
			b.forget(names[1])
			t.Cleanup(func() { b.forget(names[1]) })
			id := postgresconn.Identifier
			b.run("GRANT clone_group TO "+id(base.User)+" WITH ADMIN OPTION",
				"ALTER ROLE "+id(base.User)+` SET search_path = "$user", public, "odd; name"`,
				"ALTER ROLE "+id(base.User)+` SET application_name = 'it''s \ one'`,
				"ALTER ROLE "+id(base.User)+` IN DATABASE `+id(b.Admin.Database)+` SET work_mem = '8MB'`,
				"ALTER ROLE "+id(base.User)+` SET DateStyle = 'SQL, DMY'`,
				"GRANT CREATE ON SCHEMA public TO PUBLIC",
				"REVOKE CONNECT ON DATABASE "+id(b.Admin.Database)+" FROM PUBLIC",
				"GRANT CONNECT ON DATABASE "+id(b.Admin.Database)+" TO "+id(base.User))
			b.runAs(base, "CREATE TABLE public.old (n int)", "GRANT SELECT ON public.old TO "+id(base.User))

			clone := b.rotate(names[0], names[1], "Clone1")
			b.runAs(clone, "ALTER TABLE public.old ADD COLUMN by_clone int", "CREATE TABLE public.new (n int)")
			settings := b.runAs(clone, `SELECT current_user, current_setting('search_path'), current_setting('application_name'), current_setting('work_mem')`)
			if got, want := strings.Join(settings[0], "|"), names[0]+`|"$user", public, "odd; name"|it's \ one|8MB`; got != want {
				t.Errorf("the clone's session has\n%s\nwant\n%s", got, want)
			}
			limits := b.run("SELECT rolconnlimit, rolvaliduntil = '2999-01-01' FROM pg_roles WHERE rolname = " + postgresconn.Literal(names[1]))
			if got := strings.Join(limits[0], " "); got != "20 t" {
				t.Errorf("the clone's limits are %s", got)
			}
			base = b.rotate(names[1], names[0], "Base2")
			b.runAs(base, "ALTER TABLE public.new ADD COLUMN by_base int")
			b.rotate(names[0], names[1], "Clone3")
		})
	}
}

// TestCloneIsLockedUntilComplete crashes after each step. (T2)
func TestCloneIsLockedUntilComplete(t *testing.T) {
	b := newBench(t)
	base := b.Role(t, "steps", "first", "LOGIN")
	if b.Version >= 16 {
		b.run("ALTER ROLE CURRENT_USER SET createrole_self_grant = 'set, inherit'")
		t.Cleanup(func() { b.run("ALTER ROLE CURRENT_USER RESET createrole_self_grant") })
	}
	b.forget("steps_clone")
	t.Cleanup(func() { b.forget("steps_clone") })
	state := func() string {
		return strings.Join(b.run("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'steps_clone'")[0], "")
	}
	for range 2 { // the second time is the retry
		if err := b.admin().Create(t.Context(), "steps_clone"); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != "f" {
			t.Fatalf("after Create rolcanlogin = %s", got)
		}
	}
	b.wantParity(b.admin(), base.User, "steps_clone", "acts as")
	if b.Version >= 16 {
		rows := b.run("SELECT FROM pg_auth_members WHERE roleid = 'steps_clone'::regrole AND (set_option OR inherit_option)")
		if len(rows) > 0 {
			t.Error("a user may act as the clone")
		}
	}
	for range 2 {
		if _, err := b.admin().Reconcile(t.Context(), base.User, "steps_clone", false); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != "f" {
			t.Fatalf("after Reconcile rolcanlogin = %s", got)
		}
		b.wantParity(b.admin(), base.User, "steps_clone")
	}
	for range 2 {
		if err := b.admin().Activate(t.Context(), "steps_clone", rotation.NewSensitive(sentinel+"Steps")); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != "t" {
			t.Fatalf("after Activate rolcanlogin = %s", got)
		}
	}
	if err := b.admin().Create(t.Context(), "steps_clone"); err != nil {
		t.Fatal(err)
	}
	b.wantParity(b.login(b.Account("steps_clone", sentinel+"Steps")), base.User, "steps_clone")
}

// TestReconcileHealsDrift damages a clone and a user of a pair in each way that
// can be mended. (T4)
func TestReconcileHealsDrift(t *testing.T) {
	b := newBench(t)
	b.Role(t, "heal_group", "first", "NOLOGIN")
	for _, test := range []struct {
		name       string
		statements []string
		since      int
	}{
		{name: "membership", statements: []string{"REVOKE heal_owner FROM heal_b"}},
		{name: "NOINHERIT", statements: []string{"REVOKE heal_owner FROM heal_b", "ALTER ROLE heal_b NOINHERIT", "GRANT heal_owner TO heal_b"}},
		{name: "INHERIT option", since: 16, statements: []string{"GRANT heal_owner TO heal_b WITH INHERIT FALSE, SET FALSE"}},
		{name: "role", statements: []string{"ALTER ROLE heal_b RESET role"}},
		{name: "role in one database", statements: []string{"ALTER ROLE heal_b IN DATABASE postgres SET role = 'heal_b'"}},
		{name: "limits", statements: []string{"ALTER ROLE heal_b CONNECTION LIMIT 3 VALID UNTIL '2001-01-01'"}},
		{name: "setting too many", statements: []string{"ALTER ROLE heal_b SET work_mem = '8MB'", "ALTER ROLE heal_b IN DATABASE postgres SET search_path = x"}},
		{name: "setting too few", statements: []string{"ALTER ROLE heal_a SET work_mem = '8MB'", "ALTER ROLE heal_a IN DATABASE postgres SET search_path = x, y"}},
		{name: "empty list", statements: []string{"ALTER ROLE heal_a SET search_path = ''"}},
		{name: "membership of the active", statements: []string{"GRANT heal_group TO heal_a"}},
		{name: "admin option of the active", statements: []string{"GRANT heal_group TO heal_b", "GRANT heal_group TO heal_a WITH ADMIN OPTION"}},
		{name: "weak membership of the active", since: 16, statements: []string{"GRANT heal_group TO heal_a WITH INHERIT FALSE, SET TRUE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if b.Version < test.since {
				t.Skipf("since PostgreSQL %d", test.since)
			}
			b := &bench{b.Server, t, b.target}
			_, userA, userB := b.pair("heal")
			b.run(test.statements...)
			if err := b.admin().Parity(t.Context(), userA.User, userB.User); rotation.CodeOf(err) != rotation.CodeParity {
				t.Fatalf("the damage is not seen: %v", err)
			}
			if _, err := b.admin().Reconcile(t.Context(), userA.User, userB.User, false); err != nil {
				t.Fatal(err)
			}
			b.wantParity(b.admin(), userA.User, userB.User)
		})
	}
}

// TestExtraRights are reported, and taken away on request only. (T4)
func TestExtraRights(t *testing.T) {
	b := newBench(t)
	b.Role(t, "extra_group", "first", "NOLOGIN")
	_, userA, userB := b.pair("extra")
	b.run("GRANT extra_group TO extra_b", "ALTER ROLE extra_b CREATEDB CREATEROLE")
	want := `membership in "extra_group"|CREATEDB|CREATEROLE`
	for _, revoke := range []bool{false, false, true} {
		extra, err := b.admin().Reconcile(t.Context(), userA.User, userB.User, revoke)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(extra, "|"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	extra, err := b.admin().Reconcile(t.Context(), userA.User, userB.User, true)
	if err != nil || len(extra) > 0 {
		t.Errorf("after revoking: %v, %v", extra, err)
	}
}

// TestRoleThatIsNotTheUsersIsNotGranted: any user may set its role to any name,
// and the server ignores it with a warning. An admin who took it at its word
// would give the role away. (T7)
func TestRoleThatIsNotTheUsersIsNotGranted(t *testing.T) {
	b := newBench(t)
	b.Role(t, "coveted", "first", "NOLOGIN CREATEDB")
	base := b.Role(t, "climber", "first", "LOGIN")
	b.Role(t, "climber_clone", "first", "LOGIN")
	b.runAs(base, "ALTER ROLE climber SET role = 'coveted'")
	_, err := b.admin().Reconcile(t.Context(), "climber", "climber_clone", false)
	wantCode(t, err, rotation.CodeParity)
	if rows := b.run("SELECT FROM pg_auth_members WHERE roleid = 'coveted'::regrole AND member IN ('climber'::regrole, 'climber_clone'::regrole)"); len(rows) > 0 {
		t.Error("the role was granted")
	}
}

// TestSettingIsNoStatement: a value that a user may store as a setting must not
// become part of a statement of the admin's. (T7)
func TestSettingIsNoStatement(t *testing.T) {
	b := newBench(t)
	base := b.Role(t, "injector", "first", "LOGIN")
	b.forget("injector_clone")
	t.Cleanup(func() { b.forget("injector_clone") })
	b.runAs(base,
		"SELECT set_config('search_path', 'x;ALTER/**/ROLE/**/injector/**/CREATEDB', false); ALTER ROLE injector SET search_path FROM CURRENT",
		`ALTER ROLE injector SET application_name = 'x''; ALTER ROLE injector CREATEDB; --\'`)
	b.rotate("injector", "injector_clone", "Injector")
	rows := b.run("SELECT rolcreatedb FROM pg_roles WHERE rolname IN ('injector', 'injector_clone')")
	if fmt.Sprint(rows) != "[[f] [f]]" {
		t.Errorf("rolcreatedb is %v", rows)
	}
}

// TestCloneThatAWSMade is a member of its base and acts as itself. It is
// taken over in both phases of its life. (T4)
func TestCloneThatAWSMade(t *testing.T) {
	t.Run("base active", func(t *testing.T) {
		b := newBench(t)
		b.Role(t, "aws", "first", "LOGIN")
		b.Role(t, "aws_clone", "first", "LOGIN")
		b.run("GRANT aws TO aws_clone")
		b.wantParity(b.admin(), "aws", "aws_clone", `"aws_clone" acts as "aws_clone" and not as "aws"`)
		b.rotate("aws", "aws_clone", "Aws")
	})
	t.Run("clone active", func(t *testing.T) {
		b := newBench(t)
		b.Role(t, "aws", "first", "LOGIN")
		clone := b.Role(t, "aws_clone", "first", "LOGIN")
		b.run("GRANT aws TO aws_clone", "GRANT CREATE ON SCHEMA public TO PUBLIC")
		b.rotate("aws_clone", "aws", "Aws")
		b.rotate("aws", "aws_clone", "AwsClone")

		// Objects that the clone has made as itself are found, and the cure is named.
		b.run("ALTER ROLE aws_clone RESET role")
		clone.Password = rotation.NewSensitive(sentinel + "AwsClone")
		b.runAs(clone, "CREATE TABLE public.clones (n int)")
		b.wantParity(b.admin(), "aws_clone", "aws", `"aws_clone" itself owns 1 objects`, "REASSIGN OWNED")
	})
}

// TestMutualMembershipIsRefused: roles cannot be members of each other.
func TestMutualMembershipIsRefused(t *testing.T) {
	b := newBench(t)
	owner, userA, userB := b.pair("mutual")
	b.run("REVOKE "+owner+" FROM "+userB.User, "GRANT "+userB.User+" TO "+owner)
	_, err := b.admin().Reconcile(t.Context(), userA.User, userB.User, false)
	wantCode(t, err, rotation.CodeParity)
	_, err = b.admin().Reconcile(t.Context(), userA.User, userA.User, false)
	wantCode(t, err, rotation.CodeParity)
}

// TestActiveUserIsNeverTouched reads the server's own record of statements.
// (T1)
func TestActiveUserIsNeverTouched(t *testing.T) {
	b := newBench(t)
	b.Role(t, "recorded", "first", "LOGIN CONNECTION LIMIT 5")
	b.forget("recorded_clone")
	t.Cleanup(func() { b.forget("recorded_clone") })
	b.run("ALTER ROLE recorded SET work_mem = '8MB'")
	for _, turn := range [][2]string{{"recorded", "recorded_clone"}, {"recorded_clone", "recorded"}} {
		from := len(b.Log(t, 0))
		if _, err := b.admin().Reconcile(t.Context(), turn[0], turn[1], true); err != nil && turn[1] == "recorded" {
			t.Fatal(err)
		}
		b.rotate(turn[0], turn[1], "Recorded")
		statements := b.Log(t, from)
		target := regexp.MustCompile(`(?:ALTER ROLE|CREATE ROLE|DROP ROLE|GRANT .* TO|REVOKE .* FROM) "?([a-z_]+)`)
		found := target.FindAllStringSubmatch(statements, -1)
		if len(found) == 0 {
			t.Fatal("the log records no statement")
		}
		for _, match := range found {
			if match[1] != turn[1] {
				t.Errorf("while %q was active: %s", turn[0], match[0])
			}
		}
	}
}

// TestAdminWithoutTheRight is told so, and nothing is half done.
func TestAdminWithoutTheRight(t *testing.T) {
	b := newBench(t)
	_, userA, userB := b.pair("noright")
	b.run("ALTER ROLE noright_a SET work_mem = '8MB'")
	_, err := b.login(userA).Reconcile(t.Context(), userA.User, userB.User, false)
	wantCode(t, err, rotation.CodePermission)
	err = b.login(userA).Create(t.Context(), "noright_clone")
	wantCode(t, err, rotation.CodePermission)
}
