//go:build db

package mysqlconn

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
)

func newTarget(t testing.TB, server *mysqltest.Server) *Target {
	t.Helper()
	target, err := New(server.Roots, 32, 32)
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

// TestLogin has what can be wrong with an account, each with its own code, in
// both forms of logging in. Only a session asks who it is and what
// it may do. (C6, C7, T3)
func TestLogin(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	right := server.User(t, "login", "%", "the-password", "")
	server.User(t, "locked", "%", "the-password", "IDENTIFIED BY 'the-password' ACCOUNT LOCK")
	server.User(t, "expired", "%", "the-password", "IDENTIFIED BY 'the-password' PASSWORD EXPIRE")
	server.User(t, "tls", "%", "the-password", "IDENTIFIED BY 'the-password' REQUIRE SSL")
	server.User(t, "", "%", "the-password", "")

	with := func(edit func(*database.Account)) database.Account {
		account := right
		edit(&account)
		return account
	}
	user := func(name string) database.Account { return server.Account(name, "the-password") }
	for name, test := range map[string]struct {
		account database.Account
		roots   *x509.CertPool
		want    rotation.Code
	}{
		"right":              {account: right},
		"without TLS":        {account: with(func(a *database.Account) { a.Plaintext = true })},
		"wrong password":     {account: with(func(a *database.Account) { a.Password = rotation.NewSensitive("another") }), want: rotation.CodeAuthRejected},
		"locked":             {account: user("locked"), want: rotation.CodeLocked},
		"expired":            {account: user("expired"), want: rotation.CodeExpired},
		"anonymous":          {account: user("nobody"), want: rotation.CodeIdentity},
		"TLS required":       {account: func() database.Account { a := user("tls"); a.Plaintext = true; return a }(), want: rotation.CodeAuthRejected},
		"no database":        {account: with(func(a *database.Account) { a.Database = "nowhere" }), want: rotation.CodePermission},
		"no database, admin": {account: with(func(a *database.Account) { a.Database, a.Admin = "nowhere", true })},
		"no such database":   {account: func() database.Account { a := server.Admin; a.Database = "nowhere"; return a }(), want: rotation.CodeServer},
		"wrong name":         {account: with(func(a *database.Account) { a.ServerName = "db.test" }), want: rotation.CodeCertName},
		"wrong authority":    {account: right, roots: x509.NewCertPool(), want: rotation.CodeCertAuthority},
		"no host":            {account: with(func(a *database.Account) { a.Host = "nowhere.invalid" }), want: rotation.CodeUnreachable},
		"no port":            {account: with(func(a *database.Account) { a.Port = 1 }), want: rotation.CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			target := *target
			if test.roots != nil {
				target.roots = test.roots
			}
			session, err := target.Login(t.Context(), test.account)
			wantCode(t, err, test.want)
			if err == nil {
				session.Close()
			}
			// MariaDB lets an expired password in, and then refuses statements.
			if test.want != rotation.CodeIdentity && test.want != rotation.CodeExpired {
				wantCode(t, target.Prove(t.Context(), test.account), test.want)
			}
		})
	}
}

// TestLimits: a server looks at the limits of a user once the password is found
// right. (C20)
func TestLimits(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	open := func(ctx context.Context, account database.Account) (func(), error) {
		session, err := target.Login(ctx, account)
		if err != nil {
			return nil, err
		}
		return session.Close, nil
	}
	account := server.User(t, "limited", "%", "the-password", "")
	databasetest.RulesOfLimits(t, account, func(n int) {
		server.Exec(t, server.Admin, fmt.Sprintf("ALTER USER limited WITH MAX_USER_CONNECTIONS %d", n))
	}, open)
}

// TestServersThatDoNotAnswer: a host that swallows packets, and one that hangs
// up, end in an error of their own in good time. (C8)
func TestServersThatDoNotAnswer(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	for name, test := range map[string]struct {
		serve func(net.Conn)
		want  rotation.Code
	}{
		"never answers":  {func(net.Conn) {}, rotation.CodeNoAnswer},
		"closes at once": {func(c net.Conn) { _ = c.Close() }, rotation.CodeDisconnected},
		"speaks nonsense": {func(c net.Conn) { _, _ = c.Write([]byte("\x05\x00\x00\x00nonsense, and more of it")); _ = c.Close() },
			rotation.CodeServer},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					test.serve(conn)
				}
			}()
			account := server.Admin
			account.Host, account.Port = "127.0.0.1", listener.Addr().(*net.TCPAddr).Port
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			_, err = target.Login(ctx, account)
			wantCode(t, err, test.want)
			if ctx.Err() != nil {
				t.Error("it took all the time that there was")
			}
		})
	}
}

// TestSessionIsItsOwn: neither the server's nor the user's settings reach into
// a session, and it tells which account answered. (T3, T6, C19)
func TestSessionIsItsOwn(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	for _, name := range []string{
		"plain", "Orders", "with space", "double\"quote", "single'quote", "back`tick", `back\slash`, "per%cent", "a@b",
		"semi;colon", "--comment", "übergröße", "日本語", strings.Repeat("x", 32),
	} {
		session := login(t, target, server.User(t, name, "127.0.%", "the-password", ""))
		if got := session.Name(); got != (Name{name, "127.0.%"}) {
			t.Errorf("got %+v", got)
		}
		rows, err := session.Query(t.Context(), "look", "SELECT "+Literal(name)+", @@wait_timeout, @@lock_wait_timeout, NULL")
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[0]; got[0] != name || got[1] != "10" || got[2] != "10" || got[3] != "" {
			t.Errorf("got %q", got)
		}
	}
}

// TestClaim: one session has it, the next one waits for its end, and a server
// ends one that stands idle. (C19)
func TestClaim(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	account := server.User(t, "claim", "%", "the-password", "")
	target.timeouts = timeouts{idle: time.Second, lock: time.Second, claim: 5 * time.Second, statement: 10 * time.Second}

	idle, waiting := login(t, target, account), login(t, target, account)
	if err := idle.Claim(t.Context(), "claim"); err != nil {
		t.Fatal(err)
	}
	if err := waiting.Claim(t.Context(), "claim"); err != nil {
		t.Fatalf("the claim of an idle session: %v", err)
	}
	wantCode(t, idle.Exec(t.Context(), "do it", "DO 1"), rotation.CodeDisconnected)

	target.timeouts.idle, target.timeouts.claim = time.Minute, time.Second
	holder, other := login(t, target, account), login(t, target, account)
	if err := holder.Claim(t.Context(), "busy"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, other.Claim(t.Context(), "busy"), rotation.CodeBusy)
	if err := other.Claim(t.Context(), "another"); err != nil {
		t.Error(err)
	}
}

// TestPooler has the statements answered by another connection than the log-in was,
// as behind ProxySQL or MaxScale: that is found before anything is set. (C19, T9)
func TestPooler(t *testing.T) {
	server := mysqltest.New(t)
	s := login(t, newTarget(t, server), server.Admin)
	if s.greeted == "" {
		t.Fatal("the server's greeting has no id of the connection")
	}
	s.greeted += "0"
	wantCode(t, s.begin(t.Context(), sessionTimeouts), rotation.CodeBadSecret)
}

// TestNothingIsDialledAgain: a session whose connection is gone fails, and goes
// on failing. (C19)
func TestNothingIsDialledAgain(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	session := login(t, target, server.User(t, "pinned", "%", "the-password", ""))
	rows, err := session.Query(t.Context(), "ask", "SELECT CONNECTION_ID()")
	if err != nil {
		t.Fatal(err)
	}
	// A user may end its own sessions.
	_ = login(t, target, server.Account("pinned", "the-password")).Exec(t.Context(), "kill", "KILL "+rows[0][0])
	for range 3 {
		wantCode(t, session.Exec(t.Context(), "do it", "DO 1"), rotation.CodeDisconnected)
	}
	if sessions := server.Exec(t, server.Admin, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'pinned' AND id = "+rows[0][0]); sessions[0][0] != "0" {
		t.Error("it is connected")
	}
}

// TestChangeWaitsForALock no longer than a session may: the server would carry
// it out whenever the lock is gone. (C8, C19)
func TestChangeWaitsForALock(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	account := server.User(t, "waits", "%", "the-password", "")
	target.timeouts.lock = time.Second
	session := login(t, target, server.Admin)

	pool := server.Open(t, server.Admin)
	pool.SetMaxOpenConns(1)
	if _, err := mysqltest.Run(pool, "FLUSH TABLES WITH READ LOCK"); err != nil {
		t.Fatal(err)
	}
	refusal := rotation.CodeBusy
	if server.MariaDB() {
		refusal = rotation.CodeDeadline
	}
	wantCode(t, session.Alter(t.Context(), "change", "ALTER USER 'waits'@'%' IDENTIFIED BY 'another-one'"), refusal)
	if _, err := mysqltest.Run(pool, "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if err := server.Works(t, account); err != nil {
		t.Errorf("the previous password: %v", err)
	}

	// Without time for even that, the caller's own clock ends it.
	if _, err := mysqltest.Run(pool, "FLUSH TABLES WITH READ LOCK"); err != nil {
		t.Fatal(err)
	}
	target.timeouts.lock = time.Minute
	session = login(t, target, server.Admin)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wantCode(t, session.Alter(ctx, "change", "ALTER USER 'waits'@'%' IDENTIFIED BY 'another-one'"), rotation.CodeDeadline)
	wantCode(t, session.Exec(t.Context(), "do it", "DO 1"), rotation.CodeDisconnected)
	if _, err := mysqltest.Run(pool, "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
}
