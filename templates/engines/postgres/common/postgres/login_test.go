package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
)

// welcome asks for the password over TLS, lets everybody in, and answers the
// first message of a session.
func welcome(user string) func(*pgproto3.Backend) {
	return func(backend *pgproto3.Backend) {
		_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
		postgrestest.Send(backend, &pgproto3.AuthenticationCleartextPassword{})
		if _, err := backend.Receive(); err != nil {
			return
		}
		postgrestest.Send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "18.1"}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
		if _, err := backend.Receive(); err != nil {
			return
		}
		fields := make([]pgproto3.FieldDescription, 6)
		for i := range fields {
			fields[i] = pgproto3.FieldDescription{Name: []byte("x"), DataTypeOID: 25}
		}
		if state := unwelcome[user]; state != "" {
			postgrestest.Send(backend, &pgproto3.ErrorResponse{Severity: "ERROR", Code: state, Message: postgrestest.Echo}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
			return
		}
		postgrestest.Send(backend,
			&pgproto3.CommandComplete{CommandTag: []byte("SET")},
			&pgproto3.RowDescription{Fields: fields},
			&pgproto3.DataRow{Values: [][]byte{[]byte(user), []byte(user), []byte("f"), []byte("scram-sha-256"), []byte("4096"), []byte("1")}},
			&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
			&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// pooled is who is welcome behind a pooler: another process answers. hurried has a
// statement_timeout shorter than the first message takes.
const pooled, hurried = "pooled", "hurried"

// unwelcome has who is let in and refused the first message, and the SQLSTATE.
var unwelcome = map[string]string{pooled: "22012", hurried: "57014"}

// TestLoginFails tells apart all that can be wrong between dialling and the end
// of authentication. (C6, C7)
func TestLoginFails(t *testing.T) {
	ours, foreign := postgrestest.NewAuthority(t), postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	oldTLS := good.Clone()
	oldTLS.MaxVersion = tls.VersionTLS11
	answer := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = io.WriteString(conn, text)
			if !postgrestest.Closed(conn) {
				t.Error("the client went on without TLS")
			}
		}
	}
	untouched := func(*pgproto3.Backend) { t.Error("the client logs in to a server that it cannot trust") }
	withoutPassword := func(messages ...pgproto3.BackendMessage) func(*pgproto3.Backend) {
		return func(backend *pgproto3.Backend) {
			postgrestest.Send(backend, messages...)
			if message, err := backend.Receive(); err == nil {
				t.Errorf("the client answered with a %T", message)
			}
		}
	}
	tests := []struct {
		name      string
		script    func(net.Conn)
		plaintext bool
		want      rotation.Code
	}{
		{name: "closed at once", script: func(net.Conn) {}, want: rotation.CodeDisconnected},
		{name: "no TLS", script: answer("N"), want: rotation.CodeTLS},
		{name: "an error in clear text", script: answer("E" + postgrestest.Echo), want: rotation.CodeTLS},
		{name: "words in place of a handshake", script: func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = io.WriteString(conn, "S"+postgrestest.Echo)
			_, _ = io.Copy(io.Discard, conn)
		}, want: rotation.CodeTLS},
		{name: "closed before the handshake", script: func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = io.WriteString(conn, "S")
		}, want: rotation.CodeDisconnected},
		{name: "unknown authority", script: postgrestest.OverTLS(foreign.Server(t, "db.test", time.Now().Add(time.Hour)), untouched), want: rotation.CodeCertAuthority},
		{name: "certificate of another host", script: postgrestest.OverTLS(ours.Server(t, "other.test", time.Now().Add(time.Hour)), untouched), want: rotation.CodeCertName},
		{name: "expired certificate", script: postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(-time.Hour)), untouched), want: rotation.CodeCertExpired},
		{name: "TLS 1.1", script: postgrestest.OverTLS(oldTLS, untouched), want: rotation.CodeTLS},
		{name: "closed after the handshake", script: postgrestest.OverTLS(good, func(*pgproto3.Backend) {}), want: rotation.CodeDisconnected},
		{name: "closed after start-up, plain", script: postgrestest.Plain(func(*pgproto3.Backend) {}), plaintext: true, want: rotation.CodeDisconnected},
		{name: "no password asked for", script: postgrestest.OverTLS(good, withoutPassword(&pgproto3.AuthenticationOk{})), want: rotation.CodeServer},
		{name: "password in clear text without TLS", script: postgrestest.Plain(withoutPassword(&pgproto3.AuthenticationCleartextPassword{})), plaintext: true, want: rotation.CodeServer},
		{name: "Kerberos", script: postgrestest.OverTLS(good, withoutPassword(&pgproto3.AuthenticationGSS{})), want: rotation.CodeServer},
		{name: "unknown mechanism", script: postgrestest.OverTLS(good, withoutPassword(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"PLAIN"}})), want: rotation.CodeServer},
		{name: "server that does not know the password", script: postgrestest.OverTLS(good, pretendSCRAM), want: rotation.CodeServer},
		{name: "wrong password", script: postgrestest.OverTLS(good, postgrestest.Refuse("28P01", "auth_failed")), want: rotation.CodeAuthRejected},
		{name: "PAM", script: postgrestest.OverTLS(good, postgrestest.Refuse("28000", "auth_failed")), want: rotation.CodeAuthRejected},
		{name: "pg_hba.conf", script: postgrestest.OverTLS(good, postgrestest.Refuse("28000", "ClientAuthentication")), want: rotation.CodePermission},
		{name: "pg_hba.conf, plain", script: postgrestest.Plain(postgrestest.Refuse("28000", "ClientAuthentication")), plaintext: true, want: rotation.CodePermission},
		{name: "NOLOGIN", script: postgrestest.OverTLS(good, postgrestest.Refuse("28000", "InitializeSessionUserId")), want: rotation.CodeLocked},
		{name: "no right to connect", script: postgrestest.OverTLS(good, postgrestest.Refuse("42501", "CheckMyDatabase")), want: rotation.CodePermission},
		{name: "no such database", script: postgrestest.OverTLS(good, postgrestest.Refuse("3D000", "InitPostgres")), want: rotation.CodeServer},
		{name: "the server is full", script: postgrestest.OverTLS(good, postgrestest.Refuse("53300", "InitProcess")), want: rotation.CodeServerFull},
		{name: "the user's limit", script: postgrestest.OverTLS(good, postgrestest.Refuse("53300", "InitializeSessionUserId")), want: rotation.CodeUserLimit},
		{name: "starting", script: postgrestest.OverTLS(good, postgrestest.Refuse("57P03", "ProcessStartupPacket")), want: rotation.CodeUnreachable},
		{name: "a pooler", script: postgrestest.OverTLS(good, welcome(pooled)), want: rotation.CodeBadSecret},
		{name: "the user's statement_timeout", script: postgrestest.OverTLS(good, welcome(hurried)), want: rotation.CodeServer},
		{name: "another user's session", script: postgrestest.OverTLS(good, welcome("somebody")), want: rotation.CodeIdentity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := postgrestest.Serve(t, test.script)
			target, err := New(ours.Roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			account := server.Account()
			account.Plaintext = test.plaintext
			_, err = target.Login(t.Context(), account)
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v (code %q), want code %q", err, got, test.want)
			}
			postgrestest.WantSilent(t, err)
			if n := server.Dials.Load(); n != 1 {
				t.Errorf("dialled %d times", n)
			}
		})
	}
}

// pretendSCRAM lets the client in with a proof that cannot be right.
func pretendSCRAM(backend *pgproto3.Backend) {
	_ = backend.SetAuthType(pgproto3.AuthTypeSASL)
	postgrestest.Send(backend, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
	message, err := backend.Receive()
	if err != nil {
		return
	}
	first := string(message.(*pgproto3.SASLInitialResponse).Data)
	nonce := first[strings.Index(first, ",r=")+3:]
	_ = backend.SetAuthType(pgproto3.AuthTypeSASLContinue)
	postgrestest.Send(backend, &pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "server,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")})
	if _, err := backend.Receive(); err != nil {
		return
	}
	_ = backend.SetAuthType(pgproto3.AuthTypeSASLFinal)
	postgrestest.Send(backend, &pgproto3.AuthenticationSASLFinal{Data: []byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")}, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
}

// TestBlackHole: if the server is silent at any point, the log-in is over in a
// third of the time. (C8)
func TestBlackHole(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	hangUp := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) } // the client's part
	for name, script := range map[string]func(net.Conn){
		"before TLS":            hangUp,
		"in the handshake":      func(conn net.Conn) { _, _ = io.WriteString(conn, "S"); hangUp(conn) },
		"before authentication": postgrestest.OverTLS(good, func(backend *pgproto3.Backend) { _, _ = backend.Receive() }),
		"before the session": postgrestest.OverTLS(good, func(backend *pgproto3.Backend) {
			_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
			postgrestest.Send(backend, &pgproto3.AuthenticationCleartextPassword{})
			_, _ = backend.Receive()
			postgrestest.Send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
			_, _ = backend.Receive()
			_, _ = backend.Receive()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			server := postgrestest.Serve(t, script)
			target, err := New(ours.Roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = target.Login(ctx, server.Account())
			if ctx.Err() != nil {
				t.Error("nothing is left of the time")
			}
			if got := rotation.CodeOf(err); got != rotation.CodeNoAnswer {
				t.Errorf("got %v, want %q", err, rotation.CodeNoAnswer)
			}
			postgrestest.WantSilent(t, err)
		})
	}
}

// TestProve: to have logged in is proof only if the server says that it is the
// user's session, where it says so. (T3)
func TestProve(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	letIn := func(who string) func(*pgproto3.Backend) {
		return func(backend *pgproto3.Backend) {
			_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
			postgrestest.Send(backend, &pgproto3.AuthenticationCleartextPassword{})
			_, _ = backend.Receive()
			postgrestest.Send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "session_authorization", Value: who}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
			if message, err := backend.Receive(); err == nil {
				if _, bye := message.(*pgproto3.Terminate); !bye {
					t.Errorf("the client sends a %T", message)
				}
			}
		}
	}
	for _, test := range []struct {
		name   string
		user   string
		script func(*pgproto3.Backend)
		want   rotation.Code
	}{
		{"the user's session", "orders", letIn("orders"), ""},
		{"somebody's session", "orders", letIn("somebody"), rotation.CodeIdentity},
		{"a name in another encoding", "bestellungen_ü", letIn("bestellungen_\xfc"), ""},
		{"wrong password", "orders", postgrestest.Refuse("28P01", "auth_failed"), rotation.CodeAuthRejected},
		{"a name that would be cut off", strings.Repeat("x", 64), letIn(strings.Repeat("x", 63)), rotation.CodeBadUsers},
	} {
		t.Run(test.name, func(t *testing.T) {
			account := postgrestest.Serve(t, postgrestest.OverTLS(good, test.script)).Account()
			account.User = test.user
			err := target.Prove(t.Context(), account)
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v (code %q), want code %q", err, got, test.want)
			}
		})
	}
}

func TestNoTimeLeft(t *testing.T) {
	server := postgrestest.Serve(t, func(net.Conn) {})
	target, err := New(x509.NewCertPool(), 32)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = target.Login(ctx, server.Account())
	if got := rotation.CodeOf(err); got != rotation.CodeDeadline {
		t.Errorf("Login: got %v, want %q", err, rotation.CodeDeadline)
	}
	err = target.Prove(ctx, server.Account())
	if got := rotation.CodeOf(err); got != rotation.CodeDeadline {
		t.Errorf("Prove: got %v, want %q", err, rotation.CodeDeadline)
	}
	if n := server.Dials.Load(); n != 0 {
		t.Errorf("dialled %d times", n)
	}
}

func TestNobodyListens(t *testing.T) {
	server := postgrestest.Serve(t, func(net.Conn) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	account := server.Account()
	account.Port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	target, err := New(x509.NewCertPool(), 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "/var/run/postgresql", "127.0.0.1:5432"} {
		account.Host = host
		_, err := target.Login(t.Context(), account)
		if got := rotation.CodeOf(err); got != rotation.CodeUnreachable {
			t.Errorf("host %q: got %v, want %q", host, err, rotation.CodeUnreachable)
		}
	}
}

// TestServerNameOfAnAlias: the certificate is checked for the name that the
// secret gives, in whatever case and with or without the dot at the end. (C6)
func TestServerNameOfAnAlias(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	server := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), welcome("orders")))
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"db.test", "DB.Test", "db.test."} {
		account := server.Account()
		account.ServerName = name
		session, err := target.Login(t.Context(), account)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if session.User() != "orders" || session.ActsAs() != "orders" || session.Version() != 18 {
			t.Errorf("session of %q as %q on %d", session.User(), session.ActsAs(), session.Version())
		}
		session.Close()
	}
}

// TestConnectionBreaks: a statement that got no answer may have happened, the
// session is over, and nothing dials again. (C7, C19)
func TestConnectionBreaks(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	for _, test := range []struct {
		name   string
		script func(*pgproto3.Backend)
		want   rotation.Code
	}{
		{"closed", func(*pgproto3.Backend) {}, rotation.CodeDisconnected},
		{"shut down", postgrestest.Refuse("57P01", "ProcessInterrupts"), rotation.CodeDisconnected},
		{"idle too long", postgrestest.Refuse("57P05", "ProcessInterrupts"), rotation.CodeDisconnected},
		{"silent", func(backend *pgproto3.Backend) { _, _ = backend.Receive() }, rotation.CodeDeadline},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), func(backend *pgproto3.Backend) {
				welcome("orders")(backend)
				if _, err := backend.Receive(); err == nil {
					test.script(backend)
				}
			}))
			target, err := New(ours.Roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			session, err := target.Login(t.Context(), server.Account())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err = session.Change(ctx, "orders", rotation.NewSensitive(postgrestest.Password))
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
			postgrestest.WantSilent(t, err)
			err = session.Change(t.Context(), "orders", rotation.NewSensitive(postgrestest.Password))
			if got := rotation.CodeOf(err); got != rotation.CodeDisconnected {
				t.Errorf("afterwards: got %v, want %q", err, rotation.CodeDisconnected)
			}
			if n := server.Dials.Load(); n != 1 {
				t.Errorf("dialled %d times", n)
			}
		})
	}
}

func TestPasswordLength(t *testing.T) {
	for length, want := range map[int]rotation.Code{15: rotation.CodeBadConfig, 16: "", 32: "", 128: "", 129: rotation.CodeBadConfig} {
		target, err := New(x509.NewCertPool(), length)
		if got := rotation.CodeOf(err); got != want {
			t.Errorf("length %d: got %v, want code %q", length, err, want)
		}
		if err == nil && target.PasswordPolicy().Length != length {
			t.Errorf("length %d: the policy says %d", length, target.PasswordPolicy().Length)
		}
	}
}
