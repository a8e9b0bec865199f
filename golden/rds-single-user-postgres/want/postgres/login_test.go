package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/database"
	"example.com/orders-db/rotation"
)

const (
	password = "sentinel-password-4711"
	// echo is in everything that a scripted server says. A server's own words
	// can hold statements and values, so no error may repeat them.
	echo = "words-of-the-server"
)

// authority signs certificates for scripted servers.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	a := authority{key: newKey(t)}
	a.certificate = a.sign(t, a.key, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	})
	return a
}

// server returns the TLS configuration of a server with a certificate.
func (a authority) server(t testing.TB, name string, notAfter time.Time) *tls.Config {
	t.Helper()
	key := newKey(t)
	leaf := a.sign(t, key, &x509.Certificate{
		DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotAfter: notAfter,
	})
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
}

func (a authority) sign(t testing.TB, key *ecdsa.PrivateKey, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(1)
	template.NotBefore = time.Now().Add(-2 * time.Hour)
	parent := a.certificate
	if parent == nil {
		template.Subject = pkix.Name{CommonName: "test authority"}
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (a authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// scripted is a server on the loopback that does as it is told.
type scripted struct {
	host  string
	port  int
	dials atomic.Int32
}

// serve answers every connection with script, until the test ends.
func serve(t testing.TB, script func(net.Conn)) *scripted {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var scripts sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		scripts.Wait()
	})
	address := listener.Addr().(*net.TCPAddr)
	s := &scripted{host: address.IP.String(), port: address.Port}
	scripts.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.dials.Add(1)
			scripts.Go(func() {
				defer func() { _ = conn.Close() }()
				script(conn)
			})
		}
	})
	return s
}

func (s *scripted) account() database.Account {
	return database.Account{User: "orders", Password: rotation.NewSensitive(password), Host: s.host, Port: s.port, ServerName: "db.test"}
}

// overTLS agrees to TLS and goes on with script if the client does too.
func overTLS(config *tls.Config, script func(*pgproto3.Backend)) func(net.Conn) {
	return func(conn net.Conn) {
		var request [8]byte
		if _, err := io.ReadFull(conn, request[:]); err != nil || binary.BigEndian.Uint32(request[4:]) != 80877103 {
			return
		}
		_, _ = conn.Write([]byte("S"))
		secure := tls.Server(conn, config)
		if secure.Handshake() != nil {
			return
		}
		plain(script)(secure)
		_ = secure.Close()
	}
}

// plain reads the start-up message and goes on with script.
func plain(script func(*pgproto3.Backend)) func(net.Conn) {
	return func(conn net.Conn) {
		backend := pgproto3.NewBackend(conn, conn)
		if _, err := backend.ReceiveStartupMessage(); err == nil {
			script(backend)
		}
	}
}

func send(backend *pgproto3.Backend, messages ...pgproto3.BackendMessage) {
	for _, message := range messages {
		backend.Send(message)
	}
	_ = backend.Flush()
}

// refuse ends the log-in with an error.
func refuse(state, routine string) func(*pgproto3.Backend) {
	return func(backend *pgproto3.Backend) {
		send(backend, &pgproto3.ErrorResponse{Severity: "FATAL", Code: state, Routine: routine, Message: echo, Detail: echo, Hint: echo, Where: echo})
	}
}

// welcome asks for the password over TLS, lets everybody in, and answers the
// first message of a session.
func welcome(user string) func(*pgproto3.Backend) {
	return func(backend *pgproto3.Backend) {
		_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
		send(backend, &pgproto3.AuthenticationCleartextPassword{})
		if _, err := backend.Receive(); err != nil {
			return
		}
		send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "18.1"}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
		if _, err := backend.Receive(); err != nil {
			return
		}
		fields := make([]pgproto3.FieldDescription, 5)
		for i := range fields {
			fields[i] = pgproto3.FieldDescription{Name: []byte("x"), DataTypeOID: 25}
		}
		send(backend,
			&pgproto3.CommandComplete{CommandTag: []byte("SET")},
			&pgproto3.RowDescription{Fields: fields},
			&pgproto3.DataRow{Values: [][]byte{[]byte(user), []byte(user), []byte("f"), []byte("scram-sha-256"), []byte("4096")}},
			&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
			&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

// closed reports whether the other side hangs up without another word.
func closed(conn net.Conn) bool {
	n, _ := conn.Read(make([]byte, 1))
	return n == 0
}

// TestLoginFails tells apart all that can be wrong between dialling and the end
// of authentication. (C6, C7)
func TestLoginFails(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	good := ours.server(t, "db.test", time.Now().Add(time.Hour))
	oldTLS := good.Clone()
	oldTLS.MaxVersion = tls.VersionTLS11
	answer := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = io.WriteString(conn, text)
			if !closed(conn) {
				t.Error("the client went on without TLS")
			}
		}
	}
	untouched := func(*pgproto3.Backend) { t.Error("the client logs in to a server that it cannot trust") }
	withoutPassword := func(messages ...pgproto3.BackendMessage) func(*pgproto3.Backend) {
		return func(backend *pgproto3.Backend) {
			send(backend, messages...)
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
		{name: "closed at once", script: func(net.Conn) {}, want: rotation.CodeUnreachable},
		{name: "no TLS", script: answer("N"), want: rotation.CodeTLS},
		{name: "an error in clear text", script: answer("E" + echo), want: rotation.CodeTLS},
		{name: "words in place of a handshake", script: func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = io.WriteString(conn, "S"+echo)
			_, _ = io.Copy(io.Discard, conn)
		}, want: rotation.CodeTLS},
		{name: "closed before the handshake", script: func(conn net.Conn) {
			_, _ = io.ReadFull(conn, make([]byte, 8))
			_, _ = io.WriteString(conn, "S")
		}, want: rotation.CodeUnreachable},
		{name: "unknown authority", script: overTLS(foreign.server(t, "db.test", time.Now().Add(time.Hour)), untouched), want: rotation.CodeTLS},
		{name: "certificate of another host", script: overTLS(ours.server(t, "other.test", time.Now().Add(time.Hour)), untouched), want: rotation.CodeTLS},
		{name: "expired certificate", script: overTLS(ours.server(t, "db.test", time.Now().Add(-time.Hour)), untouched), want: rotation.CodeTLS},
		{name: "TLS 1.1", script: overTLS(oldTLS, untouched), want: rotation.CodeTLS},
		{name: "closed after the handshake", script: overTLS(good, func(*pgproto3.Backend) {}), want: rotation.CodeUnreachable},
		{name: "closed after start-up, plain", script: plain(func(*pgproto3.Backend) {}), plaintext: true, want: rotation.CodeUnreachable},
		{name: "no password asked for", script: overTLS(good, withoutPassword(&pgproto3.AuthenticationOk{})), want: rotation.CodeServer},
		{name: "password in clear text without TLS", script: plain(withoutPassword(&pgproto3.AuthenticationCleartextPassword{})), plaintext: true, want: rotation.CodeServer},
		{name: "Kerberos", script: overTLS(good, withoutPassword(&pgproto3.AuthenticationGSS{})), want: rotation.CodeServer},
		{name: "unknown mechanism", script: overTLS(good, withoutPassword(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"PLAIN"}})), want: rotation.CodeServer},
		{name: "server that does not know the password", script: overTLS(good, pretendSCRAM), want: rotation.CodeServer},
		{name: "wrong password", script: overTLS(good, refuse("28P01", "auth_failed")), want: rotation.CodeAuthRejected},
		{name: "PAM", script: overTLS(good, refuse("28000", "auth_failed")), want: rotation.CodeAuthRejected},
		{name: "pg_hba.conf", script: overTLS(good, refuse("28000", "ClientAuthentication")), want: rotation.CodePermission},
		{name: "pg_hba.conf, plain", script: plain(refuse("28000", "ClientAuthentication")), plaintext: true, want: rotation.CodePermission},
		{name: "NOLOGIN", script: overTLS(good, refuse("28000", "InitializeSessionUserId")), want: rotation.CodeLocked},
		{name: "no right to connect", script: overTLS(good, refuse("42501", "CheckMyDatabase")), want: rotation.CodePermission},
		{name: "no such database", script: overTLS(good, refuse("3D000", "InitPostgres")), want: rotation.CodeServer},
		{name: "too many connections", script: overTLS(good, refuse("53300", "InitProcess")), want: rotation.CodeUnreachable},
		{name: "starting", script: overTLS(good, refuse("57P03", "ProcessStartupPacket")), want: rotation.CodeUnreachable},
		{name: "another user's session", script: overTLS(good, welcome("somebody")), want: rotation.CodeIdentity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, test.script)
			target, err := New(ours.roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			account := server.account()
			account.Plaintext = test.plaintext
			_, err = target.Login(t.Context(), account)
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v (code %q), want code %q", err, got, test.want)
			}
			wantSilent(t, err)
			if n := server.dials.Load(); n != 1 {
				t.Errorf("dialled %d times", n)
			}
		})
	}
}

// wantSilent checks that err says neither a secret nor a server's words.
func wantSilent(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{password, echo} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error says too much: %v", err)
		}
	}
}

// pretendSCRAM lets the client in with a proof that cannot be right.
func pretendSCRAM(backend *pgproto3.Backend) {
	_ = backend.SetAuthType(pgproto3.AuthTypeSASL)
	send(backend, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
	message, err := backend.Receive()
	if err != nil {
		return
	}
	first := string(message.(*pgproto3.SASLInitialResponse).Data)
	nonce := first[strings.Index(first, ",r=")+3:]
	_ = backend.SetAuthType(pgproto3.AuthTypeSASLContinue)
	send(backend, &pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "server,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")})
	if _, err := backend.Receive(); err != nil {
		return
	}
	_ = backend.SetAuthType(pgproto3.AuthTypeSASLFinal)
	send(backend, &pgproto3.AuthenticationSASLFinal{Data: []byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")}, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
}

// TestBlackHole: whatever a server does not do, the log-in is over in a third of
// the time. (C8)
func TestBlackHole(t *testing.T) {
	ours := newAuthority(t)
	good := ours.server(t, "db.test", time.Now().Add(time.Hour))
	hangUp := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) } // the client's part
	for name, script := range map[string]func(net.Conn){
		"before TLS":            hangUp,
		"in the handshake":      func(conn net.Conn) { _, _ = io.WriteString(conn, "S"); hangUp(conn) },
		"before authentication": overTLS(good, func(backend *pgproto3.Backend) { _, _ = backend.Receive() }),
		"before the session": overTLS(good, func(backend *pgproto3.Backend) {
			_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
			send(backend, &pgproto3.AuthenticationCleartextPassword{})
			_, _ = backend.Receive()
			send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
			_, _ = backend.Receive()
			_, _ = backend.Receive()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, script)
			target, err := New(ours.roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = target.Login(ctx, server.account())
			if ctx.Err() != nil {
				t.Error("nothing is left of the time")
			}
			if got := rotation.CodeOf(err); got != rotation.CodeUnreachable {
				t.Errorf("got %v, want %q", err, rotation.CodeUnreachable)
			}
			wantSilent(t, err)
		})
	}
}

// TestProve: to have logged in is proof only if the server says that it is the
// user's session, where it says so. (T3)
func TestProve(t *testing.T) {
	ours := newAuthority(t)
	good := ours.server(t, "db.test", time.Now().Add(time.Hour))
	target, err := New(ours.roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	letIn := func(who string) func(*pgproto3.Backend) {
		return func(backend *pgproto3.Backend) {
			_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
			send(backend, &pgproto3.AuthenticationCleartextPassword{})
			_, _ = backend.Receive()
			send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "session_authorization", Value: who}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
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
		{"wrong password", "orders", refuse("28P01", "auth_failed"), rotation.CodeAuthRejected},
		{"a name that would be cut off", strings.Repeat("x", 64), letIn(strings.Repeat("x", 63)), rotation.CodeBadUsers},
	} {
		t.Run(test.name, func(t *testing.T) {
			account := serve(t, overTLS(good, test.script)).account()
			account.User = test.user
			err := target.Prove(t.Context(), account)
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v (code %q), want code %q", err, got, test.want)
			}
		})
	}
}

func TestNoTimeLeft(t *testing.T) {
	server := serve(t, func(net.Conn) {})
	target, err := New(x509.NewCertPool(), 32)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = target.Login(ctx, server.account())
	if got := rotation.CodeOf(err); got != rotation.CodeDeadline {
		t.Errorf("Login: got %v, want %q", err, rotation.CodeDeadline)
	}
	err = target.Prove(ctx, server.account())
	if got := rotation.CodeOf(err); got != rotation.CodeDeadline {
		t.Errorf("Prove: got %v, want %q", err, rotation.CodeDeadline)
	}
	if n := server.dials.Load(); n != 0 {
		t.Errorf("dialled %d times", n)
	}
}

func TestNobodyListens(t *testing.T) {
	server := serve(t, func(net.Conn) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	account := server.account()
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
	ours := newAuthority(t)
	server := serve(t, overTLS(ours.server(t, "db.test", time.Now().Add(time.Hour)), welcome("orders")))
	target, err := New(ours.roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"db.test", "DB.Test", "db.test."} {
		account := server.account()
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
	ours := newAuthority(t)
	for _, test := range []struct {
		name   string
		script func(*pgproto3.Backend)
		want   rotation.Code
	}{
		{"closed", func(*pgproto3.Backend) {}, rotation.CodeUnreachable},
		{"shut down", refuse("57P01", "ProcessInterrupts"), rotation.CodeUnreachable},
		{"idle too long", refuse("57P05", "ProcessInterrupts"), rotation.CodeUnreachable},
		{"silent", func(backend *pgproto3.Backend) { _, _ = backend.Receive() }, rotation.CodeDeadline},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, overTLS(ours.server(t, "db.test", time.Now().Add(time.Hour)), func(backend *pgproto3.Backend) {
				welcome("orders")(backend)
				if _, err := backend.Receive(); err == nil {
					test.script(backend)
				}
			}))
			target, err := New(ours.roots(), 32)
			if err != nil {
				t.Fatal(err)
			}
			session, err := target.Login(t.Context(), server.account())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err = session.Change(ctx, "orders", rotation.NewSensitive(password))
			if got := rotation.CodeOf(err); got != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
			wantSilent(t, err)
			err = session.Change(t.Context(), "orders", rotation.NewSensitive(password))
			if got := rotation.CodeOf(err); got != rotation.CodeUnreachable {
				t.Errorf("afterwards: got %v, want %q", err, rotation.CodeUnreachable)
			}
			if n := server.dials.Load(); n != 1 {
				t.Errorf("dialled %d times", n)
			}
		})
	}
}

// TestEnvironmentIsNotRead sets what the driver reads and looks at what is left
// of it. (C6)
func TestEnvironmentIsNotRead(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "elsewhere.invalid", "PGPORT": "1", "PGDATABASE": "elsewhere", "PGUSER": "somebody", "PGPASSWORD": "wrong",
		"PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "x", "PGSSLMODE": "prefer", "PGSSLKEY": "/absent", "PGSSLCERT": "/absent",
		"PGSSLROOTCERT": "/absent", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGTZ": "Mars/Phobos",
		"PGOPTIONS": "-c statement_timeout=1", "PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "9",
		"PGCHANNELBINDING": "maybe", "PGREQUIREAUTH": "none",
	} {
		t.Setenv(name, value)
	}
	config, err := driverConfig()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Fallbacks) > 0 || len(config.RuntimeParams) > 0 || config.ValidateConnect != nil || config.TLSConfig != nil ||
		config.Password != "unused" || config.ConnectTimeout != 0 || config.SSLNegotiation != "" ||
		config.MinProtocolVersion != "3.0" || config.MaxProtocolVersion != "3.0" || config.ChannelBinding != "prefer" {
		t.Error("the environment has set something")
	}

	t.Setenv("PGSERVICE", "absent")
	_, err = New(x509.NewCertPool(), 32)
	if got := rotation.CodeOf(err); got != rotation.CodeBadConfig {
		t.Errorf("with PGSERVICE: got %v, want %q", err, rotation.CodeBadConfig)
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
