//go:build db

package documentdb

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// variableURL names the server that may be played with, as mongodb://admin:password@host:port/?tlsCAFile=ca.pem: an
// administrator that may create users.
const variableURL = "ROTATION_TEST_DOCUMENTDB_URL"

// realServer returns the server's administrator and a target for it. Without
// one the test fails: anyone who asks for these tests wants them run.
func realServer(t testing.TB) (*Target, database.Account) {
	t.Helper()
	u, err := url.Parse(os.Getenv(variableURL))
	if err != nil || u.Host == "" {
		t.Fatalf("%s is no URL of a server that these tests can run on", variableURL)
	}
	pem, err := os.ReadFile(u.Query().Get("tlsCAFile"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	password, _ := u.User.Password()
	port, _ := strconv.Atoi(u.Port())
	return newTarget(t, roots), database.Account{
		User: u.User.Username(), Password: rotation.NewSensitive(password), Host: u.Hostname(), Port: port, ServerName: u.Hostname(),
	}
}

func realLogin(t testing.TB, target *Target, account database.Account) *Session {
	t.Helper()
	session, err := target.Login(t.Context(), account)
	if err != nil {
		t.Fatalf("log in as %q: %v", account.User, err)
	}
	t.Cleanup(session.Close)
	return session
}

// realUser creates a user that is gone when the test ends.
func realUser(t testing.TB, target *Target, admin database.Account, name string) database.Account {
	t.Helper()
	drop := func(session *Session) error {
		return session.Run(t.Context(), "drop", nil, bson.D{{Key: "dropUser", Value: name}})
	}
	session := realLogin(t, target, admin)
	_ = drop(session)
	if err := session.Run(t.Context(), "create", nil, bson.D{{Key: "createUser", Value: name}, {Key: "pwd", Value: "first"}, {Key: "roles", Value: bson.A{}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = drop(session) })
	account := admin
	account.User, account.Password = name, rotation.NewSensitive("first")
	return account
}

// TestChangeUnderEveryName changes passwords of users whose names a careless
// command would break, or take for another user's. (T6)
func TestChangeUnderEveryName(t *testing.T) {
	target, admin := realServer(t)
	for i, name := range []string{
		"plain", "orders_clone", "Orders", "with space", `double"quote`, `single'quote`, `back\slash`, "$dollar", "a.b", "per%cent",
		"übergröße", "日本語", "😀", strings.Repeat("x", 63), "a@b",
	} {
		t.Run(name, func(t *testing.T) {
			account := realUser(t, target, admin, name)
			session := realLogin(t, target, account)
			next := account
			next.Password = rotation.NewSensitive(fmt.Sprintf("Sentinel%d", i))
			if err := session.Claim(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if err := session.Try(t.Context(), name, next.Password); err != nil {
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
			// The connection that made the change puts it back.
			if err := session.Change(t.Context(), name, account.Password); err != nil {
				t.Error(err)
			}
			if err := target.Prove(t.Context(), account); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPasswordsOfEveryLength: each generated password can be set and logs in. (C10)
func TestPasswordsOfEveryLength(t *testing.T) {
	real, admin := realServer(t)
	account := realUser(t, real, admin, "lengths")
	session := realLogin(t, real, admin)
	for length := database.MinPasswordLength; length <= maxPasswordLength; length += 7 {
		target, err := New(real.roots, length)
		if err != nil {
			t.Fatal(err)
		}
		if account.Password, err = target.PasswordPolicy().Generate(); err != nil {
			t.Fatal(err)
		}
		if err := session.Change(t.Context(), account.User, account.Password); err != nil {
			t.Fatal(err)
		}
		if err := target.Prove(t.Context(), account); err != nil {
			t.Errorf("%d characters: %v", length, err)
		}
	}
}

func TestWhatAServerSays(t *testing.T) {
	target, admin := realServer(t)
	session := realLogin(t, target, admin)
	nobody := admin
	nobody.User = "nobody"
	wantCode(t, target.Prove(t.Context(), nobody), rotation.CodeAuthRejected)
	wantCode(t, session.Change(t.Context(), "nobody", rotation.NewSensitive("Sentinel")), rotation.CodeServer)
	wantCode(t, session.Try(t.Context(), "nobody", rotation.NewSensitive("Sentinel")), rotation.CodeServer)

	untrusting, err := New(x509.NewCertPool(), 32)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, untrusting.Prove(t.Context(), admin), rotation.CodeCertAuthority)
	other := admin
	other.ServerName = "other.test"
	wantCode(t, target.Prove(t.Context(), other), rotation.CodeCertName)
}
