//go:build db

package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// New passwords begin so, and must not stand in the server's log.
const sentinel = "Sentinel-1"

func newTarget(t testing.TB, server *mysqltest.Server) *Target {
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
// statement would break, or take for another user's: as the user, and as the
// admin. A try changes nothing, a change not the authentication plugin, and no
// log holds the password. (C9, C21, T6)
func TestChangeUnderEveryName(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	for i, name := range []string{
		"plain", "orders_clone", "Orders", "with space", "tab\tand\nline", `double"quote`, `single'quote`, "back`tick", `back\slash`,
		"per%cent", "a@b", "semi;colon", "--comment", "/*comment*/", "übergröße", "日本語", strings.Repeat("x", 32), "user()", "root%",
	} {
		for _, host := range []string{"%", "127.0.0.1"} {
			t.Run(name+"@"+host, func(t *testing.T) {
				account := server.User(t, name, host, "first", "IDENTIFIED WITH sha256_password BY 'first'")
				for by, session := range map[string]*Session{"user": login(t, target, account), "admin": login(t, target, server.Admin)} {
					next := account
					next.Password = rotation.NewSensitive(fmt.Sprintf("%s%d%s", sentinel, i, by))
					if err := session.Claim(t.Context(), name); err != nil {
						t.Fatal(err)
					}
					err := session.Try(t.Context(), name, next.Password)
					if by == "user" && host != "%" {
						wantCode(t, err, rotation.CodeBadUsers) // it may have others
					} else if err != nil {
						t.Fatal(err)
					}
					wantCode(t, target.Prove(t.Context(), next), rotation.CodeAuthRejected)
					if err := session.Change(t.Context(), name, next.Password); err != nil {
						t.Fatal(err)
					}
					if err := target.Prove(t.Context(), next); err != nil {
						t.Error(err)
					}
					wantCode(t, target.Prove(t.Context(), account), rotation.CodeAuthRejected)
					account = next
					session.Close()
				}
				created := server.Exec(t, account, "SHOW CREATE USER CURRENT_USER()")[0][0]
				if !strings.Contains(created, "'sha256_password'") {
					t.Errorf("the plugin is another: %s", created)
				}
			})
		}
	}
	if log := server.Log(t); strings.Contains(log, sentinel) || !strings.Contains(log, "ALTER USER") {
		t.Error("a password stands in the general log, or nothing does")
	}
}

// TestRequireCurrent: a server may ask a user for the password that is to be
// replaced, and gets the one in force.
func TestRequireCurrent(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	account := server.User(t, "required", "%", "first", "IDENTIFIED BY 'first' PASSWORD REQUIRE CURRENT")
	session := login(t, target, account)
	for _, password := range []string{"second", "third", "first"} {
		if err := session.Change(t.Context(), "required", rotation.NewSensitive(password)); err != nil {
			t.Fatal(err)
		}
		if err := server.Works(t, server.Account("required", password)); err != nil {
			t.Error(err)
		}
	}
}

// TestRefusals has what stands in the way of a change. Nothing has changed
// after any of them. (C7, C17)
func TestRefusals(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	account := server.User(t, "refused", "%", "First-password1", "")
	powerless := server.User(t, "powerless", "%", "Power-less1", "")
	server.User(t, "several", "%", "one", "")
	server.User(t, "several", "127.0.0.1", "two", "")
	server.User(t, "certified", "%", "one", "IDENTIFIED BY 'one' REQUIRE X509")
	server.User(t, "locked", "%", "one", "IDENTIFIED BY 'one' ACCOUNT LOCK")
	server.User(t, "expired", "%", "one", "IDENTIFIED BY 'one' PASSWORD EXPIRE")
	server.Exec(t, server.Admin, "INSTALL COMPONENT 'file://component_validate_password'")
	t.Cleanup(func() { server.Exec(t, server.Admin, "UNINSTALL COMPONENT 'file://component_validate_password'") })

	good := rotation.NewSensitive(sentinel)
	for name, test := range map[string]struct {
		by       database.Account
		user     string
		password rotation.Sensitive
		want     rotation.Code
	}{
		"weak, self":     {by: account, user: "refused", password: rotation.NewSensitive("weak"), want: rotation.CodePolicy},
		"weak, admin":    {by: server.Admin, user: "refused", password: rotation.NewSensitive("weak"), want: rotation.CodePolicy},
		"no right":       {by: powerless, user: "refused", password: good, want: rotation.CodePermission},
		"no user":        {by: server.Admin, user: "nobody", password: good, want: rotation.CodePermission},
		"two accounts":   {by: server.Admin, user: "several", password: good, want: rotation.CodeBadUsers},
		"locked":         {by: server.Admin, user: "locked", password: good, want: rotation.CodeLocked},
		"a certificate":  {by: server.Admin, user: "certified", password: good, want: rotation.CodePermission},
		"expired":        {by: server.Admin, user: "expired", password: good, want: rotation.CodeExpired},
		"another's case": {by: server.Admin, user: "Refused", password: good, want: rotation.CodePermission},
	} {
		t.Run(name, func(t *testing.T) {
			session := login(t, target, test.by)
			wantCode(t, session.Try(t.Context(), test.user, test.password), test.want)
			if test.want == rotation.CodePolicy {
				wantCode(t, session.Change(t.Context(), test.user, test.password), test.want)
			}
			if err := server.Works(t, account); err != nil {
				t.Error(err)
			}
		})
	}

	// Passwords that the engine makes by itself meet the rules as installed. (C10)
	for range 50 {
		password, err := target.PasswordPolicy().Generate()
		if err == nil {
			err = login(t, target, account).Try(t.Context(), "refused", password)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryLength rotates users whose names and passwords have each length that
// there may be, and refuses the next one. (C10, T6)
func TestEveryLength(t *testing.T) {
	server := mysqltest.New(t)
	admin := login(t, newTarget(t, server), server.Admin)
	for characters := 1; characters <= int(MaxName); characters++ {
		length := 16 + characters%26 // to 41
		target, err := New(server.Roots, length)
		if err != nil {
			t.Fatal(err)
		}
		account := server.User(t, strings.Repeat("n", characters), "%", "First-password1", "")
		for by, session := range map[string]*Session{"user": login(t, target, account), "admin": admin} {
			account.Password, err = target.PasswordPolicy().Generate()
			if err == nil {
				err = session.Change(t.Context(), account.User, account.Password)
			}
			if err == nil {
				err = target.Prove(t.Context(), account)
			}
			if err != nil {
				t.Errorf("%d characters, a password of %d, by the %s: %v", characters, length, by, err)
			}
		}
	}
	for _, length := range []int{15, 42} {
		_, err := New(server.Roots, length)
		wantCode(t, err, rotation.CodeBadConfig)
	}
	longest := server.User(t, strings.Repeat("ü", int(MaxName)), "%", "First-password1", "")
	login(t, newTarget(t, server), longest)
	longest.User += "ü" // some servers take it for the same
	_, err := newTarget(t, server).Login(t.Context(), longest)
	wantCode(t, err, rotation.CodeBadUsers)
	wantCode(t, newTarget(t, server).Prove(t.Context(), longest), rotation.CodeBadUsers)
}
