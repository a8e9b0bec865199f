package documentdb

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/templates/engines/documentdb/common/documentdb/documentdbtest"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

const (
	orders   = "orders"
	password = "sentinel-password-4711"
	// echo is in everything that a scripted server says. A server's own words
	// can hold commands and values, so no error may repeat them.
	echo = "words-of-the-server"
)

func newTarget(t testing.TB, roots *x509.CertPool) *Target {
	t.Helper()
	target, err := New(roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func wantCode(t testing.TB, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v (code %q), want code %q", err, got, want)
	}
	if err == nil {
		return
	}
	for _, secret := range []string{password, echo} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error says too much: %v", err)
		}
	}
}

// on answers the named command in the server's place.
func on(name string, answer bson.D) func(bson.D) (bson.D, error) {
	return func(command bson.D) (bson.D, error) {
		if command[0].Key == name {
			return answer, nil
		}
		return nil, nil
	}
}

// drop ends the connection at the named command.
func drop(name string) func(bson.D) (bson.D, error) {
	return func(command bson.D) (bson.D, error) {
		if command[0].Key == name {
			return nil, io.EOF
		}
		return nil, nil
	}
}

// TestLogin never forces a mechanism: servers before 5.0.1 know only the older
// one.
func TestLogin(t *testing.T) {
	for name, options := range map[string][]documentdbtest.Option{"SHA-256": nil, "SHA-1": {documentdbtest.SHA1}} {
		t.Run(name, func(t *testing.T) {
			server := documentdbtest.New(t, options...)
			server.AddUser(orders, password)
			target := newTarget(t, server.Roots)
			session, err := target.Login(t.Context(), server.Account(orders, password))
			if err != nil {
				t.Fatal(err)
			}
			session.Close()
			if err := target.Prove(t.Context(), server.Account(orders, password)); err != nil {
				t.Error(err)
			}
			wantCode(t, target.Prove(t.Context(), server.Account(orders, "another")), rotation.CodeAuthRejected)
		})
	}
}

// TestNames: SCRAM has an escape for two characters, which FerretDB does not
// undo, so that this is not in the tests on a server. (T6)
func TestNames(t *testing.T) {
	server := documentdbtest.New(t)
	target := newTarget(t, server.Roots)
	for _, name := range []string{"comma,and=equals", "=2C", `"quoted"`, "a@b", "日本語"} {
		server.AddUser(name, password)
		if err := target.Prove(t.Context(), server.Account(name, password)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLoginFails tells apart all that can be wrong between dialling and the end
// of authentication, and a session that is not the user's. (C6, C7, T3)
func TestLoginFails(t *testing.T) {
	someone := bson.D{{Key: "ok", Value: 1}, {Key: "authInfo", Value: bson.D{{Key: "authenticatedUsers", Value: bson.A{bson.D{{Key: "user", Value: "somebody"}, {Key: "db", Value: users}}}}}}}
	elsewhere := bson.D{{Key: "ok", Value: 1}, {Key: "authInfo", Value: bson.D{{Key: "authenticatedUsers", Value: bson.A{bson.D{{Key: "user", Value: orders}, {Key: "db", Value: "other"}}}}}}}
	later := time.Now().Add(time.Hour)
	tests := []struct {
		name    string
		options []documentdbtest.Option
		answer  func(bson.D) (bson.D, error)
		roots   *x509.CertPool
		want    rotation.Code
	}{
		{name: "unknown authority", roots: x509.NewCertPool(), want: rotation.CodeCertAuthority},
		{name: "certificate of another host", options: []documentdbtest.Option{documentdbtest.Certificate("other.test", later)}, want: rotation.CodeCertName},
		{name: "expired certificate", options: []documentdbtest.Option{documentdbtest.Certificate(documentdbtest.Name, time.Now().Add(-time.Hour))}, want: rotation.CodeCertExpired},
		{name: "closed at the first word", answer: drop("isMaster"), want: rotation.CodeDisconnected},
		{name: "closed at the log-in", answer: drop("saslStart"), want: rotation.CodeDisconnected},
		{name: "closed in the log-in", answer: drop("saslContinue"), want: rotation.CodeDisconnected},
		{name: "closed after the log-in", answer: drop("connectionStatus"), want: rotation.CodeDisconnected},
		{name: "wrong password", answer: on("saslContinue", documentdbtest.Fail(18, echo)), want: rotation.CodeAuthRejected},
		{name: "no such user", answer: on("saslStart", documentdbtest.Fail(18, echo)), want: rotation.CodeAuthRejected},
		{name: "stopping", answer: on("saslStart", documentdbtest.Fail(91, echo)), want: rotation.CodeDisconnected},
		{name: "server that does not know the password", answer: on("saslContinue", bson.D{
			{Key: "ok", Value: 1}, {Key: "conversationId", Value: 1}, {Key: "done", Value: true}, {Key: "payload", Value: []byte("v=" + echo)},
		}), want: rotation.CodeServer},
		{name: "another user's session", answer: on("connectionStatus", someone), want: rotation.CodeIdentity},
		{name: "a user of another database", answer: on("connectionStatus", elsewhere), want: rotation.CodeIdentity},
		{name: "nonsense", answer: on("connectionStatus", bson.D{{Key: "ok", Value: 1}, {Key: "authInfo", Value: echo}}), want: rotation.CodeServer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := documentdbtest.New(t, test.options...)
			server.AddUser(orders, password)
			server.Answer(test.answer)
			if test.roots == nil {
				test.roots = server.Roots
			}
			start := time.Now()
			_, err := newTarget(t, test.roots).Login(t.Context(), server.Account(orders, password))
			wantCode(t, err, test.want)
			if time.Since(start) > 5*time.Second {
				t.Error("the log-in waits for something that will not come")
			}
			if n := server.Dials(); n > connections {
				t.Errorf("dialled %d times", n)
			}
			if n := count(server.Commands(), "saslStart"); n > 1 {
				t.Errorf("the password was tried %d times", n) // servers lock accounts
			}
		})
	}
}

func count(all []string, what string) (n int) {
	for _, one := range all {
		if one == what {
			n++
		}
	}
	return n
}

// TestNoTLS: the driver never speaks to a server that does not prove its name.
// (C6)
func TestNoTLS(t *testing.T) {
	for name, answer := range map[string]string{"closed at once": "", "words in place of a handshake": echo} {
		t.Run(name, func(t *testing.T) {
			account := listen(t, func(conn net.Conn) { _, _ = io.WriteString(conn, answer) })
			want := rotation.CodeDisconnected
			if answer != "" {
				want = rotation.CodeTLS
			}
			_, err := newTarget(t, x509.NewCertPool()).Login(t.Context(), account)
			wantCode(t, err, want)
		})
	}
}

// listen lets do have every connection, until the test ends.
func listen(t testing.TB, do func(net.Conn)) database.Account {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				do(conn)
			}()
		}
	}()
	address := listener.Addr().(*net.TCPAddr)
	return database.Account{User: orders, Password: rotation.NewSensitive(password), Host: address.IP.String(), Port: address.Port, ServerName: documentdbtest.Name}
}

// TestBlackHole: if the server is silent at any point, the log-in is over in a
// third of the time. (C8)
func TestBlackHole(t *testing.T) {
	silent := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	plain := silent
	plain.Plaintext = true
	accounts := map[string]database.Account{"in the handshake": silent, "before the first word": plain}
	roots := x509.NewCertPool()
	for _, command := range []string{"saslStart", "saslContinue", "connectionStatus"} {
		server := documentdbtest.New(t)
		server.AddUser(orders, password)
		server.Answer(func(said bson.D) (bson.D, error) {
			if said[0].Key == command {
				<-t.Context().Done()
			}
			return nil, nil
		})
		roots = server.Roots
		account := server.Account(orders, password)
		t.Run("at "+command, func(t *testing.T) { blackHole(t, roots, account) })
	}
	for name, account := range accounts {
		t.Run(name, func(t *testing.T) { blackHole(t, roots, account) })
	}
}

func blackHole(t *testing.T, roots *x509.CertPool, account database.Account) {
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	_, err := newTarget(t, roots).Login(ctx, account)
	wantCode(t, err, rotation.CodeNoAnswer)
	if ctx.Err() != nil {
		t.Error("nothing is left of the time")
	}
}

func TestNobodyToLogInTo(t *testing.T) {
	account := listen(t, func(net.Conn) {})
	target := newTarget(t, x509.NewCertPool())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := target.Login(ctx, account)
	wantCode(t, err, rotation.CodeDeadline)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	account.Port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	for _, host := range []string{"127.0.0.1", "/tmp/mongodb-27017.sock", "no-such-host.invalid"} {
		account.Host = host
		_, err := target.Login(t.Context(), account)
		wantCode(t, err, rotation.CodeUnreachable)
	}
}

// TestNothingLandsLate: a session whose connection is gone, or that stood
// still, never sends again, on this connection or on another. (C19)
func TestNothingLandsLate(t *testing.T) {
	next := rotation.NewSensitive("another-" + password)
	tests := []struct {
		name string
		harm func(*documentdbtest.Server, *Session)
		want rotation.Code
		sent bool
	}{
		{name: "the connection broke before", harm: func(server *documentdbtest.Server, _ *Session) { server.Cut() }, want: rotation.CodeDisconnected},
		{name: "the connection breaks at the change", harm: func(server *documentdbtest.Server, _ *Session) { server.Answer(drop("updateUser")) }, want: rotation.CodeDisconnected, sent: true},
		{name: "the process stood still", harm: func(_ *documentdbtest.Server, s *Session) { s.heard = s.heard.Add(-2 * idleLimit) }, want: rotation.CodeBusy},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := documentdbtest.New(t)
			server.AddUser(orders, password)
			target := newTarget(t, server.Roots)
			session, err := target.Login(t.Context(), server.Account(orders, password))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(session.Close)
			server.Dials()
			server.Commands()
			test.harm(server, session)
			wantCode(t, session.Change(t.Context(), orders, next), test.want)
			if sent := slices.Contains(server.Commands(), "updateUser"); sent != test.sent {
				t.Errorf("sent: %t", sent)
			}
			server.Answer(nil)
			for range 2 {
				if err := session.Change(t.Context(), orders, next); err == nil {
					t.Error("the session sends again")
				}
			}
			if n := server.Dials(); n != 0 {
				t.Errorf("dialled %d times more", n)
			}
			if n := count(server.Commands(), "updateUser"); n != 0 {
				t.Errorf("the change was sent %d times more", n)
			}
		})
	}
}

// TestCommandErrors has the answers that a server may give on an open session.
// An answer that means a rejected password at the log-in never does here. (C7)
func TestCommandErrors(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(orders, password)
	target := newTarget(t, server.Roots)
	for _, test := range []struct {
		answer int32
		want   rotation.Code
	}{
		{codeUnauthorized, rotation.CodePermission},
		{codeAuthenticationFailed, rotation.CodeServer},
		{codeUserNotFound, rotation.CodeServer},
		{codeBadValue, rotation.CodePolicy},
		{codeNotPrimary, rotation.CodeNotWriter},
		{codeNotPrimaryOrRead, rotation.CodeNotWriter},
		{codeSteppedDown, rotation.CodeDisconnected},
		{codeShutdown, rotation.CodeDisconnected},
		{codeInterruptedShutdown, rotation.CodeDisconnected},
		{codeInterruptedChange, rotation.CodeDisconnected},
		{codeMaxTimeExpired, rotation.CodeDeadline},
		{codeCommandNotFound, rotation.CodeServer},
		{4711, rotation.CodeServer},
	} {
		session, err := target.Login(t.Context(), server.Account(orders, password))
		if err != nil {
			t.Fatal(err)
		}
		server.Answer(on("updateUser", documentdbtest.Fail(test.answer, echo)))
		wantCode(t, session.Change(t.Context(), orders, rotation.NewSensitive("next")), test.want)
		server.Answer(nil)
		session.Close()
	}
}

// TestChangeLeavesRolesAlone: roles that come with a password are all that the
// user is to have. A password that is put back logs in as before. (C21)
func TestChangeLeavesRolesAlone(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(orders, password, documentdbtest.Role{Role: "readWrite", DB: "shop"})
	target := newTarget(t, server.Roots)
	session, err := target.Login(t.Context(), server.Account(orders, password))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := errors.Join(
		session.Claim(t.Context(), orders),
		session.Try(t.Context(), orders, rotation.NewSensitive("next")),
		session.Change(t.Context(), orders, rotation.NewSensitive("next")),
		target.Prove(t.Context(), server.Account(orders, "next")),
	); err != nil {
		t.Error(err)
	}
	wantCode(t, target.Prove(t.Context(), server.Account(orders, password)), rotation.CodeAuthRejected)
	if err := errors.Join(session.Change(t.Context(), orders, rotation.NewSensitive(password)), target.Prove(t.Context(), server.Account(orders, password))); err != nil {
		t.Errorf("put back: %v", err)
	}
	if roles, _ := server.Roles(orders); len(roles) != 1 {
		t.Errorf("the roles are %v", roles)
	}
}

// TestReader: a session on a server that takes no changes says so before
// anything else. (T8)
func TestReader(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(orders, password)
	session, err := newTarget(t, server.Roots).Login(t.Context(), server.Account(orders, password))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	session.writer = false
	wantCode(t, session.Claim(t.Context(), orders), rotation.CodeNotWriter)
}

func TestTry(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(orders, password)
	target := newTarget(t, server.Roots)
	session, err := target.Login(t.Context(), server.Account(orders, password))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	wantCode(t, session.Try(t.Context(), documentdbtest.Admin, rotation.Sensitive{}), rotation.CodePermission)

	admin, err := target.Login(t.Context(), server.Account(documentdbtest.Admin, documentdbtest.AdminPassword))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	wantCode(t, admin.Try(t.Context(), orders, rotation.Sensitive{}), "")
	wantCode(t, admin.Try(t.Context(), "nobody", rotation.Sensitive{}), rotation.CodeServer)
}

func TestPasswordPolicy(t *testing.T) {
	for length, ok := range map[int]bool{15: false, 16: true, 100: true, 101: false} {
		if _, err := New(nil, length); (err == nil) != ok {
			t.Errorf("%d: %v", length, err)
		}
	}
}

// TestUsersOfOthers: a session ignores a user of the same name in an
// application's database. (C24)
func TestUsersOfOthers(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(orders, password)
	session, err := newTarget(t, server.Roots).Login(t.Context(), server.Account(orders, password))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	server.Answer(func(bson.D) (bson.D, error) {
		return bson.D{{Key: "ok", Value: 1}, {Key: "users", Value: bson.A{bson.D{{Key: "user", Value: orders}, {Key: "db", Value: "shop"}}}}}, nil
	})
	wantCode(t, session.Try(t.Context(), orders, rotation.NewSensitive("next")), rotation.CodeServer)
}

// TestSecondConnectionIsSilent: a server that one connection has reached, and that
// takes no other in time, is there and does not answer. (C7)
func TestSecondConnectionIsSilent(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for reached, want := range map[bool]rotation.Code{false: rotation.CodeUnreachable, true: rotation.CodeNoAnswer} {
		l := newLine(ctx, database.Account{Host: "127.0.0.1", Port: 1}, nil)
		l.reached.Store(reached)
		_, err := l.dial()
		wantCode(t, err, want)
	}
}
