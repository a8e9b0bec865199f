//go:build db

package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/postgres/common/postgres"
	"github.com/rotasmith/rotasmith/templates/engines/postgres/two-user/postgres/parity"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// New passwords begin so, and anyone who starts the server greps its log for it.
const sentinel = "Sentinel"

// bench is a server with a database on which bootstrap.sql is run.
type bench struct {
	*postgrestest.Server
	t      *testing.T
	target parity.Target
}

// names are the four roles that bootstrap.sql is told.
type names struct{ owner, userA, userB, rotator string }

// newBench forgets what an earlier run left of the roles, and of this one when
// it ends.
func newBench(t *testing.T, n names) *bench {
	t.Helper()
	server := postgrestest.New(t)
	engine, err := postgres.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	forget := func() {
		for _, role := range []string{n.rotator, n.userA, n.userB, n.owner} {
			server.Forget(t, role)
		}
	}
	forget()
	t.Cleanup(forget)
	return &bench{server, t, parity.New(engine)}
}

func (b *bench) login(account database.Account) *parity.Session {
	b.t.Helper()
	session, err := b.target.Login(b.t.Context(), account)
	if err != nil {
		b.t.Fatalf("log in as %q: %v", account.User, err)
	}
	b.t.Cleanup(session.Close)
	return session.(*parity.Session)
}

// try runs a statement as account on a connection of its own.
func (b *bench) try(account database.Account, statement string) error {
	b.t.Helper()
	_, err := postgrestest.Run(b.Connect(b.t, account), statement)
	return err
}

func (b *bench) wantParity(session *parity.Session, n names, want rotation.Code) {
	b.t.Helper()
	err := session.Parity(b.t.Context(), n.userA, n.userB)
	if got := rotation.CodeOf(err); got != want {
		b.t.Errorf("got %v (code %q), want code %q", err, got, want)
	}
}

// bootstrap runs bootstrap.sql in the test's database with psql's arguments and
// returns what it says.
func (b *bench) bootstrap(args ...string) (string, error) {
	b.t.Helper()
	psql, err := exec.LookPath("psql")
	if err != nil {
		b.t.Skip("psql is not installed")
	}
	cmd := exec.CommandContext(b.t.Context(), psql, append([]string{"-X", "-d", "host=" + b.Admin.Host + " port=" + strconv.Itoa(b.Admin.Port) +
		" user=" + b.Admin.User + " dbname=" + b.Admin.Database + " sslmode=verify-full sslrootcert=" + b.CAFile, "-f", "bootstrap.sql"}, args...)...)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+b.Admin.Password.Reveal())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Run()
	return said.String(), err
}

func (n names) args() []string {
	return []string{"-v", "owner=" + n.owner, "-v", "user_a=" + n.userA, "-v", "user_b=" + n.userB, "-v", "rotator=" + n.rotator}
}

func (b *bench) mustBootstrap(n names) {
	b.t.Helper()
	said, err := b.bootstrap(n.args()...)
	if err != nil || b.Version >= 15 && said != "" { // before, the schema public is not the admin's to grant
		b.t.Fatalf("bootstrap.sql: %v\n%s", err, said)
	}
}

// TestBootstrap takes a user who has worked for a while and gives it a partner.
// (T5)
func TestBootstrap(t *testing.T) {
	for _, n := range []names{
		{"boot_owner", "boot_a", "boot_b", "boot_rotator"},
		{`Own"er `, `A's\user`, "b_übergröße", "Rota tor"},
	} {
		t.Run(n.owner, func(t *testing.T) {
			b := newBench(t, n)
			a := b.Role(t, n.userA, "first", "LOGIN")
			b.Exec(t, b.Admin, "GRANT CREATE ON SCHEMA public TO PUBLIC", "GRANT CREATE ON DATABASE "+postgresconn.Identifier(b.Admin.Database)+" TO PUBLIC")
			b.Exec(t, a, "CREATE TABLE public.old (n int)", "CREATE SCHEMA made_by_a", "CREATE FUNCTION made_by_a.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")

			b.mustBootstrap(n)
			b.mustBootstrap(n) // and again

			second := rotation.NewSensitive(sentinel + "B")
			rotator := b.Account(n.rotator, sentinel+"Rotator")
			if err := b.login(b.Admin).Change(t.Context(), n.rotator, rotator.Password); err != nil {
				t.Fatal(err)
			}
			admin := b.login(rotator)
			if err := admin.Claim(t.Context(), n.userB); err != nil {
				t.Fatal(err)
			}
			b.wantParity(admin, n, "")
			if err := admin.Try(t.Context(), n.userB, second); err != nil {
				t.Fatal(err)
			}
			if err := admin.Change(t.Context(), n.userB, second); err != nil {
				t.Fatal(err)
			}
			partner := b.Account(n.userB, second.Reveal())
			session := b.login(partner)
			if session.User() != n.userB || session.ActsAs() != n.owner {
				t.Errorf("logged in as %q acting as %q", session.User(), session.ActsAs())
			}
			b.wantParity(session, n, "")
			b.wantParity(b.login(a), n, "")

			// Each can do everything with what the other made.
			b.Exec(t, partner, "ALTER TABLE public.old ADD COLUMN by_b int", "DROP FUNCTION made_by_a.f()", "CREATE TABLE made_by_a.new (n int)")
			b.Exec(t, a, "ALTER TABLE made_by_a.new ADD COLUMN by_a int", "INSERT INTO public.old (by_b) VALUES (1)", "DROP TABLE public.old")
			b.wantParity(admin, n, "")

			if b.Version >= 16 {
				for _, other := range []string{n.owner, b.Admin.User} {
					if err := admin.Change(t.Context(), other, second); rotation.CodeOf(err) != rotation.CodePermission {
						t.Errorf("the rotator changes %q: %v", other, err)
					}
				}
				if err := b.try(rotator, "SET ROLE "+postgresconn.Identifier(n.userA)); err == nil {
					t.Error("the rotator can act as a user")
				}
			}
			if err := b.try(rotator, "SELECT FROM made_by_a.new"); err == nil {
				t.Error("the rotator can read the users' tables")
			}
		})
	}
}

// TestBootstrapRefusesLeftovers: a privilege that one user holds by itself is
// listed, and the users do not act as the owner before it is gone. (T5)
func TestBootstrapRefusesLeftovers(t *testing.T) {
	n := names{"left_owner", "left_a", "left_b", "left_rotator"}
	b := newBench(t, n)
	a := b.Role(t, n.userA, "first", "LOGIN")
	b.Exec(t, b.Admin, "CREATE TABLE public.admins_table (n int)", "GRANT SELECT ON public.admins_table TO left_a",
		"GRANT CREATE ON SCHEMA public TO PUBLIC")
	b.Exec(t, a, "CREATE TABLE public.users_table (n int)")

	said, err := b.bootstrap(n.args()...)
	if err == nil || !strings.Contains(said, "left_a holds privileges on table public.admins_table") {
		t.Fatalf("got %v:\n%s", err, said)
	}
	// A refusal hurts no one: the user still reaches both tables.
	b.Exec(t, a, "SELECT FROM public.admins_table", "ALTER TABLE public.users_table ADD COLUMN m int")
	b.wantParity(b.login(b.Admin), n, rotation.CodeParity)

	b.Exec(t, b.Admin, "GRANT SELECT ON public.admins_table TO left_owner", "REVOKE ALL ON public.admins_table FROM left_a")
	b.mustBootstrap(n)
	b.Exec(t, a, "SELECT FROM public.admins_table", "ALTER TABLE public.users_table ADD COLUMN k int")
	b.wantParity(b.login(b.Admin), n, "")
}

// TestBootstrapWithoutNames says how to run it, and makes nothing.
func TestBootstrapWithoutNames(t *testing.T) {
	n := names{"unnamed_owner", "unnamed_a", "unnamed_b", "unnamed_rotator"}
	b := newBench(t, n)
	for name, args := range map[string][]string{"none": nil, "no rotator": n.args()[:6]} {
		t.Run(name, func(t *testing.T) {
			said, err := b.bootstrap(args...)
			if err == nil || !strings.Contains(said, "usage: psql") {
				t.Errorf("got %v:\n%s", err, said)
			}
			if rows := b.Exec(t, b.Admin, "SELECT rolname FROM pg_roles WHERE rolname LIKE 'unnamed%'"); len(rows) > 0 {
				t.Errorf("it has made %v", rows)
			}
		})
	}
}

// TestBootstrapAgainstAHostileApplication: the user that is given a partner has
// shadows of all that the script names. (C24)
func TestBootstrapAgainstAHostileApplication(t *testing.T) {
	n := names{"hostile_owner", "hostile_a", "hostile_b", "hostile_rotator"}
	b := newBench(t, n)
	a := b.Role(t, n.userA, "first", "LOGIN")
	struck := b.Hostile(t, a)
	user, own := postgresconn.Identifier(n.userA), postgresconn.Identifier(b.Admin.Database)
	b.Exec(t, b.Admin, "GRANT "+user+" TO CURRENT_USER", "ALTER DATABASE "+own+" OWNER TO CURRENT_USER", "REVOKE "+user+" FROM CURRENT_USER",
		"ALTER ROLE "+user+" RESET search_path") // else its partner differs
	struck() // what the test itself stepped into
	b.mustBootstrap(n)
	b.mustBootstrap(n)
	if struck() {
		t.Error("the application's code ran with the administrator's rights")
	}
	b.wantParity(b.login(b.Admin), n, "")
	if struck() {
		t.Error("the application's code ran in the comparison")
	}
}
