//go:build db

package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
)

// New passwords begin so, and anyone who starts the server greps its log for it.
const sentinel = "Sentinel"

func newTarget(t testing.TB, server *postgrestest.Server) *Target {
	t.Helper()
	target, err := New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func login(t testing.TB, target *Target, account database.Account) *Session {
	t.Helper()
	session, err := target.Login(t.Context(), account)
	if err != nil {
		t.Fatalf("log in as %q: %v", account.User, err)
	}
	t.Cleanup(session.Close)
	return session
}

func wantCode(t testing.TB, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v (code %q), want code %q", err, got, want)
	}
}

// TestChangeUnderEveryName changes passwords of users whose names a careless
// statement would break, or take for another user's. (T6, C9)
func TestChangeUnderEveryName(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	for i, name := range []string{
		"plain", "orders_clone", "Orders", "with space", "tab\tand\nline", `double"quote`, `single'quote`, `back\slash`,
		"semi;colon", "back`tick", "per%cent", "dollar$$name$$", "--comment", "/*comment*/", "public_", "none_", "übergröße", "日本語", "😀",
		strings.Repeat("x", 32), strings.Repeat("x", 63), strings.Repeat("ü", 31) + "x", "current_user", "user",
	} {
		t.Run(name, func(t *testing.T) {
			account := server.Role(t, name, "first", "LOGIN")
			session := login(t, target, account)
			next := account
			next.Password = rotation.NewSensitive(fmt.Sprintf("%s%d", sentinel, i))
			if err := session.Claim(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if err := session.Try(t.Context(), name, next.Password); err != nil {
				t.Fatal(err)
			}
			if _, err := target.Login(t.Context(), next); rotation.CodeOf(err) != rotation.CodeAuthRejected {
				t.Fatalf("after Try the new password gave %v, want it refused", err)
			}
			if err := session.Change(t.Context(), name, next.Password); err != nil {
				t.Fatal(err)
			}
			if got := login(t, target, next).User(); got != name {
				t.Errorf("logged in as %q", got)
			}
			if err := target.Prove(t.Context(), next); err != nil {
				t.Error(err)
			}
			_, err := target.Login(t.Context(), account)
			wantCode(t, err, rotation.CodeAuthRejected)
		})
	}
}

// TestEveryPasswordLength: a password of each permitted length rotates. (C10)
func TestEveryPasswordLength(t *testing.T) {
	server := postgrestest.New(t)
	account := server.Role(t, "lengths", "first", "LOGIN")
	for length := database.MinPasswordLength; length <= maxPasswordLength; length++ {
		target, err := New(server.Roots, length)
		if err != nil {
			t.Fatal(err)
		}
		next := account
		if next.Password, err = target.PasswordPolicy().Generate(); err != nil {
			t.Fatal(err)
		}
		session := login(t, target, account)
		if err := session.Change(t.Context(), account.User, next.Password); err != nil {
			t.Fatalf("length %d: %v", length, err)
		}
		session.Close()
		if err := target.Prove(t.Context(), next); err != nil {
			t.Fatalf("length %d: %v", length, err)
		}
		account = next
	}
}

func TestNameThatTheServerWouldCutOff(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	short := strings.Repeat("x", 63)
	account := server.Role(t, short, "first", "LOGIN")
	session := login(t, target, account)
	wantCode(t, session.Change(t.Context(), short+"y", rotation.NewSensitive(sentinel)), rotation.CodeBadUsers)

	account.User += "y"
	_, err := target.Login(t.Context(), account)
	wantCode(t, err, rotation.CodeBadUsers)
}

// TestVerifierIsOfTheServersKind: the password reaches the server only as a
// verifier, and as the one that the server would have made. (C9, C10)
func TestVerifierIsOfTheServersKind(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	for _, encryption := range []string{"scram-sha-256", "md5"} {
		for _, password := range []string{
			"Letters0nly", `quo'te\ and "more" $1`, "pässwörd", "ﬀ and Ⅸ", "soft\u00adhyphen", "tab\tinside", " blanks ",
		} {
			t.Run(encryption+" "+password, func(t *testing.T) {
				account := server.Role(t, "verifier_user", "first", "LOGIN")
				server.Exec(t, server.Admin, "ALTER ROLE verifier_user SET password_encryption = '"+encryption+"'")
				session := login(t, target, account)
				account.Password = rotation.NewSensitive(sentinel + password)
				if err := session.Change(t.Context(), account.User, account.Password); err != nil {
					t.Fatal(err)
				}
				login(t, target, account)
			})
		}
	}
}

func TestIterationsAreTheServers(t *testing.T) {
	server := postgrestest.New(t)
	if server.Version < 16 {
		t.Skip("scram_iterations is a setting since PostgreSQL 16")
	}
	target := newTarget(t, server)
	account := server.Role(t, "iterations_user", "first", "LOGIN")
	server.Exec(t, server.Admin, "ALTER ROLE iterations_user SET password_encryption = 'scram-sha-256'", // it may be md5
		"ALTER ROLE iterations_user SET scram_iterations = 8192")
	verifier, err := login(t, target, account).Verifier(account.User, rotation.NewSensitive(sentinel))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(verifier.Reveal(), "SCRAM-SHA-256$8192:") {
		t.Error("the verifier does not have the server's number of iterations")
	}
}

// TestAdminChangesAnother runs with an admin that is no superuser. (S7)
func TestAdminChangesAnother(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	account := server.Role(t, "admin_changes", "first", "LOGIN")
	admin := login(t, target, server.Admin)
	account.Password = rotation.NewSensitive(sentinel + "ByAdmin")
	if err := admin.Change(t.Context(), account.User, account.Password); err != nil {
		t.Fatal(err)
	}
	login(t, target, account)

	other := server.Role(t, "admin_other", "first", "LOGIN")
	session := login(t, target, account)
	err := session.Change(t.Context(), other.User, rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodePermission)
	err = session.Try(t.Context(), other.User, rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodePermission)
	// The refused transaction is not left open.
	if err := session.Change(t.Context(), account.User, account.Password); err != nil {
		t.Error(err)
	}
	err = admin.Change(t.Context(), "nobody_has_this_name", rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodeServer)
}

// TestWhyALoginFails tells apart what the server tells apart, and what it does
// not tells an admin. (C7)
func TestWhyALoginFails(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	admin := login(t, target, server.Admin)
	tests := []struct {
		name     string
		clauses  string
		change   func(*database.Account)
		login    rotation.Code
		diagnose rotation.Code
	}{
		{name: "wrong password", clauses: "LOGIN", change: func(a *database.Account) { a.Password = rotation.NewSensitive("wrong") }, login: rotation.CodeAuthRejected},
		{name: "no such user", clauses: "LOGIN", change: func(a *database.Account) { a.User = "nobody_has_this_name" }, login: rotation.CodeAuthRejected},
		{name: "no such database", clauses: "LOGIN", change: func(a *database.Account) { a.Database = "no such database" }, login: rotation.CodeServer},
		{name: "may not log in", clauses: "NOLOGIN", login: rotation.CodeLocked, diagnose: rotation.CodeLocked},
		{name: "may not log in, wrong password", clauses: "NOLOGIN", change: func(a *database.Account) { a.Password = rotation.NewSensitive("wrong") }, login: rotation.CodeAuthRejected, diagnose: rotation.CodeLocked},
		{name: "past its date", clauses: "LOGIN VALID UNTIL '2001-01-01'", login: rotation.CodeAuthRejected, diagnose: rotation.CodeExpired},
		{name: "no connections left to it", clauses: "LOGIN CONNECTION LIMIT 0", login: rotation.CodeUserLimit},
		{name: "no connections left to it, wrong password", clauses: "LOGIN CONNECTION LIMIT 0", change: func(a *database.Account) { a.Password = rotation.NewSensitive("wrong") }, login: rotation.CodeAuthRejected},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			account := server.Role(t, "why_user", "first", test.clauses)
			if test.change != nil {
				test.change(&account)
			}
			session, err := target.Login(t.Context(), account)
			if err == nil {
				session.Close()
			}
			wantCode(t, err, test.login)
			wantCode(t, admin.Diagnose(t.Context(), account.User), test.diagnose)
			if test.diagnose != "" {
				wantCode(t, admin.Try(t.Context(), account.User, rotation.NewSensitive(sentinel)), test.diagnose)
			}
		})
	}
	t.Run("may not connect", func(t *testing.T) {
		account := server.Role(t, "why_user", "first", "LOGIN")
		server.Exec(t, server.Admin, `REVOKE CONNECT ON DATABASE "`+server.Admin.Database+`" FROM PUBLIC`)
		_, err := target.Login(t.Context(), account)
		wantCode(t, err, rotation.CodePermission)
	})
}

// TestLimits: a server counts the connections of a role, of a database and of
// ordinary users once the password is found right. (C20)
func TestLimits(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	open := func(ctx context.Context, account database.Account) (func(), error) {
		session, err := target.Login(ctx, account)
		if err != nil {
			return nil, err
		}
		return session.Close, nil
	}
	account := server.Role(t, "limited", "first", "LOGIN")
	for name, alter := range map[string]string{"role": "ALTER ROLE limited", "database": `ALTER DATABASE "` + account.Database + `"`} {
		t.Run(name, func(t *testing.T) {
			databasetest.RulesOfLimits(t, account, func(n int) {
				server.Exec(t, server.Elsewhere, fmt.Sprintf("%s CONNECTION LIMIT %d", alter, cmp.Or(n, -1)))
			}, open)
		})
	}
	t.Run("all but those kept for superusers", func(t *testing.T) {
		var err error
		for err == nil {
			var session *Session
			if session, err = target.Login(t.Context(), account); err == nil {
				defer session.Close()
			}
		}
		wantCode(t, err, rotation.CodeUserLimit)
		account.Password = rotation.NewSensitive("wrong")
		_, err = target.Login(t.Context(), account)
		wantCode(t, err, rotation.CodeAuthRejected)
	})
}

// TestSessionIsItsOwnUser: a role setting is recorded and then put aside, and
// nothing that is set for the user reaches into the session. (T5, C19)
func TestSessionIsItsOwnUser(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	server.Role(t, "acted_as", "first", "NOLOGIN")
	account := server.Role(t, "acting", "first", "LOGIN")
	server.Exec(t, server.Admin,
		"GRANT acted_as TO acting",
		"ALTER ROLE acting SET role = acted_as",
		"ALTER ROLE acting SET default_transaction_read_only = on",
		"ALTER ROLE acting SET synchronous_commit = off",
		"ALTER ROLE acting SET client_encoding = 'LATIN1'",
		"ALTER ROLE acting SET DateStyle = 'SQL, DMY'",
		"ALTER ROLE acting SET search_path = public, pg_catalog",
		"ALTER ROLE acting SET standard_conforming_strings = off",
		"ALTER ROLE acting SET statement_timeout = '1s'",
	)
	if err := target.Prove(t.Context(), account); err != nil {
		t.Error(err)
	}
	session := login(t, target, account)
	if got := session.ActsAs(); got != "acted_as" {
		t.Errorf("ActsAs() = %q", got)
	}
	results, err := session.Exec(t.Context(), "read settings", `SELECT current_user, current_setting('default_transaction_read_only'),
		current_setting('synchronous_commit'), current_setting('search_path'), current_setting('DateStyle'), current_setting('statement_timeout'), 'ü'`)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(results[0][0], "|")
	if want := "acting|off|on|pg_catalog, pg_temp|ISO, DMY|15s|ü"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	next := account
	next.Password = rotation.NewSensitive(sentinel + "Acting")
	if err := session.Change(t.Context(), account.User, next.Password); err != nil {
		t.Fatal(err)
	}
	login(t, target, next)
}

// TestTimeoutsEndBeforeTheCaller reads the timeouts of a session that had
// little time. (C8, C19)
func TestTimeoutsEndBeforeTheCaller(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	read := func(ctx context.Context) []string {
		session, err := target.Login(ctx, server.Admin)
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		results, err := session.Exec(t.Context(), "read settings", `SELECT setting::int FROM pg_settings
			WHERE name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout') ORDER BY name`)
		if err != nil {
			t.Fatal(err)
		}
		var values []string
		for _, row := range results[0] {
			values = append(values, row[0])
		}
		return values
	}
	want := "10000 10000 12000 15000"
	if server.Version < 14 {
		want = "10000 12000 15000"
	}
	if got := strings.Join(read(t.Context()), " "); got != want {
		t.Errorf("with time enough: got %s, want %s", got, want)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	values := read(ctx)
	for _, value := range values[len(values)-2:] {
		if len(value) != 4 {
			t.Errorf("with 6 seconds left, a timeout of %s ms", value)
		}
	}
}

// TestClaimExcludes: of two rotators one waits and gives up. (C19)
func TestClaimExcludes(t *testing.T) {
	server := postgrestest.New(t)
	target := newTarget(t, server)
	target.timeouts.lock = 100 * time.Millisecond
	first, second := login(t, target, server.Admin), login(t, target, server.Admin)
	if err := first.Claim(t.Context(), "claimed"); err != nil {
		t.Fatal(err)
	}
	if err := second.Claim(t.Context(), "another"); err != nil {
		t.Errorf("the claim of another user: %v", err)
	}
	wantCode(t, second.Claim(t.Context(), "claimed"), rotation.CodeBusy)
	first.Close()
	third := login(t, newTarget(t, server), server.Admin)
	if err := third.Claim(t.Context(), "claimed"); err != nil {
		t.Errorf("after the first was closed: %v", err)
	}
}

// TestFrozenProcessIsShutOut: the server ends a session that says nothing, so
// the next rotator gets the claim and the frozen one's change lands nowhere.
// (C19)
func TestFrozenProcessIsShutOut(t *testing.T) {
	server := postgrestest.New(t)
	if server.Version < 14 {
		t.Skip("idle_session_timeout came with PostgreSQL 14")
	}
	account := server.Role(t, "frozen_user", "first", "LOGIN")
	target := newTarget(t, server)
	target.timeouts.idle = 200 * time.Millisecond
	frozen := login(t, target, account)
	if err := frozen.Claim(t.Context(), account.User); err != nil {
		t.Fatal(err)
	}
	// Waits exactly until the server has ended the other session.
	if err := login(t, newTarget(t, server), account).Claim(t.Context(), account.User); err != nil {
		t.Fatal(err)
	}
	err := frozen.Change(t.Context(), account.User, rotation.NewSensitive(sentinel+"TooLate"))
	wantCode(t, err, rotation.CodeDisconnected)
	login(t, target, account)
}

// TestChangeBehindALock: someone else holds the account's row. (C8)
func TestChangeBehindALock(t *testing.T) {
	server := postgrestest.New(t)
	account := server.Role(t, "locked_row", "first", "LOGIN")
	blocker := server.Connect(t, server.Admin)
	if _, err := postgrestest.Run(blocker, "BEGIN; ALTER ROLE locked_row CONNECTION LIMIT 7"); err != nil {
		t.Fatal(err)
	}
	target := newTarget(t, server)
	target.timeouts.lock = 100 * time.Millisecond
	err := login(t, target, account).Change(t.Context(), account.User, rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodeBusy)

	target.timeouts = timeouts{idle: 10 * time.Second, lock: 10 * time.Second, statement: 100 * time.Millisecond}
	err = login(t, target, account).Change(t.Context(), account.User, rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodeDeadline)

	target.timeouts = sessionTimeouts
	session := login(t, target, account)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = session.Change(ctx, account.User, rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodeDeadline)
	// A session that lost an answer is of no more use.
	err = session.Change(t.Context(), account.User, rotation.NewSensitive(sentinel))
	wantCode(t, err, rotation.CodeDisconnected)
}

// TestReadOnlyServer has no standby to ask, so it sets what makes one: the flag
// that the log-in reads, and the error of a server that became one since. (T8)
func TestReadOnlyServer(t *testing.T) {
	server := postgrestest.New(t)
	account := server.Role(t, "read_only", "first", "LOGIN")
	session := login(t, newTarget(t, server), account)
	if _, err := session.Exec(t.Context(), "make it read-only", "SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, session.Change(t.Context(), account.User, rotation.NewSensitive(sentinel)), rotation.CodeNotWriter)
	session.readOnly = true
	wantCode(t, session.Claim(t.Context(), account.User), rotation.CodeNotWriter)
}

// TestEnvironmentHasNoSay sets everything that the driver would read. (C6)
func TestEnvironmentHasNoSay(t *testing.T) {
	server := postgrestest.New(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	for name, value := range map[string]string{
		"PGHOST": "elsewhere.invalid", "PGPORT": "1", "PGDATABASE": "elsewhere", "PGUSER": "somebody", "PGPASSWORD": "wrong",
		"PGPASSFILE": home + "/absent", "PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "x", "PGSSLMODE": "disable",
		"PGSSLKEY": home + "/absent", "PGSSLCERT": home + "/absent", "PGSSLSNI": "0", "PGSSLROOTCERT": home + "/absent",
		"PGSSLPASSWORD": "x", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGTZ": "Mars/Phobos",
		"PGOPTIONS": "-c statement_timeout=1", "PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "9", "PGCHANNELBINDING": "maybe",
		"PGREQUIREAUTH": "none",
	} {
		t.Setenv(name, value)
	}
	session := login(t, newTarget(t, server), server.Admin)
	if session.User() != server.Admin.User {
		t.Errorf("logged in as %q", session.User())
	}
}

// TestErrorsHoldNoConfiguration: not even the causes of an error, which are
// never printed, lead to the password. (C9)
func TestErrorsHoldNoConfiguration(t *testing.T) {
	server := postgrestest.New(t)
	account := server.Account("nobody_has_this_name", sentinel+"InError")
	_, err := newTarget(t, server).Login(t.Context(), account)
	wantCode(t, err, rotation.CodeAuthRejected)
	for e := err; e != nil; {
		if _, leaks := e.(*pgconn.ConnectError); leaks {
			t.Error("the error's chain holds the driver's configuration, and with it the password")
		}
		if strings.Contains(e.Error(), sentinel) {
			t.Error("the error's chain prints the password")
		}
		unwrap, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = unwrap.Unwrap()
	}
}

// TestPooler has the statements run by another process than answered the log-in,
// as behind a pooler: they set nothing that others would meet. (C19, T9)
func TestPooler(t *testing.T) {
	server := postgrestest.New(t)
	session := login(t, newTarget(t, server), server.Admin)
	if _, err := session.Exec(t.Context(), "begin anew", "RESET ALL"); err != nil {
		t.Fatal(err)
	}
	before, err := session.Exec(t.Context(), "read settings", "SHOW search_path")
	if err != nil {
		t.Fatal(err)
	}
	_, err = session.Exec(t.Context(), "set up the session", setup(session.Version(), session.Backend()+1, sessionTimeouts)...)
	if !postgresconn.DividedByZero(err) {
		t.Errorf("got %v", err)
	}
	if after, err := session.Exec(t.Context(), "read settings", "SHOW search_path"); err != nil || after[0][0][0] != before[0][0][0] {
		t.Errorf("search_path is %v, %v", after, err)
	}
}

// BenchmarkLogin measures what a rotation consists of mostly.
func BenchmarkLogin(b *testing.B) {
	server := postgrestest.New(b)
	target := newTarget(b, server)
	for b.Loop() {
		session, err := target.Login(b.Context(), server.Admin)
		if err != nil {
			b.Fatal(err)
		}
		session.Close()
	}
}
