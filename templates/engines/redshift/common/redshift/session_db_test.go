//go:build db

package redshift_test

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift"
	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift/redshifttest"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// New passwords begin so, and anyone who starts the server greps its log for it.
const sentinel = "Sentinel"

func newTarget(t testing.TB, server *postgrestest.Server) *redshift.Target {
	t.Helper()
	target, err := redshift.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func login(t testing.TB, target *redshift.Target, account database.Account) *redshift.Session {
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
	server, superuser := redshifttest.New(t)
	target := newTarget(t, server)
	for _, name := range []string{
		"plain", "orders_clone", "Orders", "with space", `double"quote`, `single'quote`, "back`tick", "per%cent", "semi;colon",
		"--comment", "übergröße", "日本語", strings.Repeat("x", 32), strings.Repeat("x", 63), "current_user",
	} {
		t.Run(name, func(t *testing.T) {
			account := server.Role(t, name, "first", "LOGIN")
			session := login(t, target, account)
			next := account
			next.Password = rotation.NewSensitive(sentinel + "Itself")
			if err := session.Try(t.Context(), name, next.Password); err != nil {
				t.Fatal(err)
			}
			login(t, target, account) // nothing has changed
			if err := session.Change(t.Context(), name, next.Password); err != nil {
				t.Fatal(err)
			}
			if err := target.Prove(t.Context(), next); err != nil {
				t.Error(err)
			}
			_, err := target.Login(t.Context(), account)
			wantCode(t, err, rotation.CodeAuthRejected)
			admin := login(t, target, superuser)
			next.Password = rotation.NewSensitive(sentinel + "ByAdmin")
			if err := admin.Try(t.Context(), name, next.Password); err != nil {
				t.Fatal(err)
			}
			if err := admin.Change(t.Context(), name, next.Password); err != nil {
				t.Fatal(err)
			}
			login(t, target, next)
		})
	}
}

// TestEveryPasswordLength: a password of each permitted length rotates. (C10)
func TestEveryPasswordLength(t *testing.T) {
	server, _ := redshifttest.New(t)
	account := server.Role(t, "lengths", "first", "LOGIN")
	for length := database.MinPasswordLength; length <= 64; length++ {
		target, err := redshift.New(server.Roots, length)
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

// C7: errors that the server tells, and those that it tells an admin only.
func TestWhyAChangeFails(t *testing.T) {
	server, superuser := redshifttest.New(t)
	target := newTarget(t, server)
	password := rotation.NewSensitive(sentinel)
	one, other := server.Role(t, "why_one", "first", "LOGIN"), server.Role(t, "why_other", "first", "LOGIN")
	past := server.Role(t, "why_past", "first", "LOGIN VALID UNTIL '2001-01-01'")

	wantCode(t, login(t, target, one).Change(t.Context(), other.User, password), rotation.CodePermission)
	wantCode(t, login(t, target, one).Try(t.Context(), other.User, password), rotation.CodePermission)
	admin := login(t, target, superuser)
	wantCode(t, admin.Change(t.Context(), "nobody_has_this_name", password), rotation.CodeServer)
	wantCode(t, admin.Change(t.Context(), `back\slash`, password), rotation.CodeBadUsers)
	wantCode(t, admin.Try(t.Context(), past.User, password), rotation.CodeExpired)
	login(t, target, other)
}
