//go:build db

package dualpassword

import (
	"fmt"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

func login(t testing.TB, target Target, account database.Account) *Session {
	t.Helper()
	session, err := target.Login(t.Context(), account)
	if err != nil {
		t.Fatalf("log in as %q: %v", account.User, err)
	}
	t.Cleanup(session.Close)
	return session.(*Session)
}

// TestOverlap: AWSCURRENT's password works whatever was given up before, and
// only the two that are named do. (S6)
func TestOverlap(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mariadb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	target := New(engine)
	current := server.User(t, "du'al", "127.0.%", "current", "IDENTIFIED BY 'current' REQUIRE SSL")
	for i := range 3 {
		pending := fmt.Sprintf("pending-%d", i)
		for range 2 {
			own := login(t, target, current)
			if err := own.Overlaps(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if err := own.Overlap(t.Context(), login(t, target, server.Admin), singleuser.Overlap{
				User: "du'al", Current: current.Password, Pending: rotation.NewSensitive(pending),
			}); err != nil {
				t.Fatal(err)
			}
			for _, password := range []string{"current", pending} {
				if err := server.Works(t, server.Account("du'al", password)); err != nil {
					t.Errorf("%q: %v", password, err)
				}
			}
		}
		if i > 0 && server.Works(t, server.Account("du'al", fmt.Sprintf("pending-%d", i-1))) == nil {
			t.Error("what was given up still works")
		}
	}
}

// TestOnePassword: a user alone is told that it has one. (S6)
func TestOnePassword(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mariadb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	own := login(t, New(engine), server.User(t, "one", "%", "current", ""))
	if code := rotation.CodeOf(own.Overlaps(t.Context(), false)); code != rotation.CodePermission {
		t.Errorf("got code %q", code)
	}
}

// TestSurvivesRefusal: the user itself may read what the server says of wrong
// passwords. (S1)
func TestSurvivesRefusal(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mariadb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	session := login(t, New(engine), server.User(t, "counted", "%", "first", ""))
	want := rotation.Code("")
	if server.Exec(t, server.Admin, "SELECT @@global.max_password_errors")[0][0] == "1" {
		want = rotation.CodeLocked
	}
	if got := rotation.CodeOf(session.SurvivesRefusal(t.Context())); got != want {
		t.Errorf("got code %q, want %q", got, want)
	}
}
