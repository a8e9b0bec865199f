//go:build db

package dualpassword

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/mysql/common/mysql"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

func newTarget(t testing.TB, server *mysqltest.Server) Target {
	t.Helper()
	engine, err := mysql.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	return New(engine)
}

func login(t testing.TB, target Target, account database.Account) *Session {
	t.Helper()
	session, err := target.Login(t.Context(), account)
	if err != nil {
		t.Fatalf("log in as %q: %v", account.User, err)
	}
	t.Cleanup(session.Close)
	return session.(*Session)
}

// TestOverlap walks through what the model has proven, on the server: a first
// time, a second time for the same password, and after rotations that were given
// up. AWSCURRENT's password works after each of them. (S6)
func TestOverlap(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	for _, plugin := range mysql.Plugins {
		if len(server.Exec(t, server.Admin, "SELECT 1 FROM information_schema.plugins WHERE plugin_status = 'ACTIVE' AND plugin_name = "+mysqltest.Literal(plugin))) == 0 {
			continue // mysql_native_password is gone from newer servers
		}
		for mode, asAdmin := range modes {
			t.Run(mode+", "+plugin, func(t *testing.T) {
				host := map[bool]string{false: "%", true: "127.0.%"}[asAdmin] // an administrator sees whether there are others
				current := server.User(t, "du'al", host, "current", "IDENTIFIED WITH "+plugin+" BY 'current'")
				server.Exec(t, server.Admin, "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO 'du''al'@"+mysqltest.Literal(host))
				var abandoned []rotation.Sensitive
				works := func(password string, want bool) {
					t.Helper()
					if err := server.Works(t, server.Account("du'al", password)); (err == nil) != want {
						t.Errorf("%q: %v", password, err)
					}
				}
				for i := range 3 {
					pending := fmt.Sprintf("pending-%d", i)
					for range 2 {
						own := login(t, target, current)
						changer := own
						if asAdmin {
							changer = login(t, target, server.Admin)
						}
						if err := own.Overlaps(t.Context(), asAdmin); err != nil {
							t.Fatal(err)
						}
						err := own.Overlap(t.Context(), changer, singleuser.Overlap{
							User: "du'al", Current: current.Password, Pending: rotation.NewSensitive(pending),
							InForce: func(ctx context.Context) (bool, error) {
								return target.Prove(ctx, server.Account("du'al", pending)) == nil, nil
							},
							Abandoned: func(context.Context) ([]rotation.Sensitive, error) { return abandoned, nil },
						})
						if err != nil {
							t.Fatal(err)
						}
						works("current", true)
						works(pending, true)
					}
					for _, password := range abandoned {
						works(password.Reveal(), false)
					}
					abandoned = append([]rotation.Sensitive{rotation.NewSensitive(pending)}, abandoned...)
				}
			})
		}
	}
}

// TestOnePassword has what keeps a user from having two passwords. (S6)
func TestOnePassword(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	account := server.User(t, "one", "%", "Current-1", "")
	own := login(t, target, account)
	if code := rotation.CodeOf(own.Overlaps(t.Context(), false)); code != rotation.CodePermission {
		t.Errorf("without the right: got code %q", code)
	}
	if err := own.Overlaps(t.Context(), true); err != nil {
		t.Errorf("the admin needs no right of the user: %v", err)
	}
	for _, rule := range []string{"PASSWORD HISTORY 3", "PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 1 DAY"} {
		server.Exec(t, server.Admin, "ALTER USER 'one'@'%' "+rule)
		if code := rotation.CodeOf(own.Overlaps(t.Context(), true)); code != rotation.CodePolicy {
			t.Errorf("%s: got code %q", rule, code)
		}
	}
	server.Exec(t, server.Admin, "ALTER USER 'one'@'%' PASSWORD REUSE INTERVAL 0 DAY")

	// A rule that the present password does not meet comes before the server's
	// answer about it, and nothing has changed then.
	server.Exec(t, server.Admin, "ALTER USER 'one'@'%' IDENTIFIED BY 'weak'", "INSTALL COMPONENT 'file://component_validate_password'")
	t.Cleanup(func() { server.Exec(t, server.Admin, "UNINSTALL COMPONENT 'file://component_validate_password'") })
	weak := server.Account("one", "weak")
	err := login(t, target, weak).Overlap(t.Context(), login(t, target, server.Admin), singleuser.Overlap{
		User: "one", Current: weak.Password, Pending: rotation.NewSensitive("Pending-1"),
	})
	if !errors.Is(err, singleuser.ErrOnePassword) {
		t.Errorf("got %v", err)
	}
	if err := server.Works(t, weak); err != nil {
		t.Error(err)
	}
}

// TestSurvivesRefusal: a user that its first wrong password locks is told so
// beforehand, and any other is not. (S1)
func TestSurvivesRefusal(t *testing.T) {
	server := mysqltest.New(t)
	target := newTarget(t, server)
	for clause, want := range map[string]rotation.Code{
		"":                        "",
		"FAILED_LOGIN_ATTEMPTS 2": "",
		"FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME UNBOUNDED": rotation.CodeLocked,
		"FAILED_LOGIN_ATTEMPTS 10 PASSWORD_LOCK_TIME 1":        "",
	} {
		account := server.User(t, "counted", "%", "first", "IDENTIFIED BY 'first' "+clause)
		if got := rotation.CodeOf(login(t, target, account).SurvivesRefusal(t.Context())); got != want {
			t.Errorf("%q: got code %q, want %q", clause, got, want)
		}
	}
}
