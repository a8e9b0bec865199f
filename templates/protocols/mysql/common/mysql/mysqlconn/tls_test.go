package mysqlconn

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// hello is a server's first packet: version 8.0.36, able to speak TLS.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
const hello = "\x4a\x00\x00\x00" + "\x0a8.0.36\x00" + "\x01\x00\x00\x00" + "12345678\x00" + "\x00\x8a" + "\x2d" + "\x02\x00" + "\x08\x00" + "\x15" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" + "123456789012\x00" + "mysql_native_password\x00"

// TestOldTLS: a server that knows TLS 1.1 at the most gets no password, and the error
// says that TLS is why. (C6)
func TestOldTLS(t *testing.T) {
	other := httptest.NewTLSServer(nil) // for its certificate
	defer other.Close()
	roots := x509.NewCertPool()
	roots.AddCert(other.Certificate())
	target, err := New(roots, 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	for newest, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true} {
		agreed := make(chan bool, 1)
		port := serveOnce(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, hello)
			_, _ = io.ReadFull(conn, make([]byte, 36))                                                                    // asks for TLS
			config := &tls.Config{Certificates: other.TLS.Certificates, MinVersion: tls.VersionTLS10, MaxVersion: newest} //nolint:gosec // what is refused
			agreed <- tls.Server(conn, config).Handshake() == nil
		})
		_, err := target.Login(t.Context(), database.Account{User: "orders", Password: rotation.NewSensitive("sentinel"), Host: "127.0.0.1", Port: port, ServerName: "example.com"})
		if got := <-agreed; got != want {
			t.Errorf("a server with TLS %x is spoken to: %t", newest, got)
		}
		if code := rotation.CodeOf(err); (code == rotation.CodeTLS) == want {
			t.Errorf("with TLS %x: got %v", newest, err)
		}
	}
}

// serveOnce answers one connection with script and returns the port.
func serveOnce(t *testing.T, script func(net.Conn)) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		if conn, err := listener.Accept(); err == nil {
			script(conn)
			_ = conn.Close()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// TestGreeting reads the connection's id, however the greeting arrives. (T9)
func TestGreeting(t *testing.T) {
	for size := 1; size < len(hello); size += 7 {
		server, client := net.Pipe()
		go func() {
			for part := range slices.Chunk([]byte(hello), size) {
				_, _ = server.Write(part)
			}
			_ = server.Close()
		}()
		g := &greeting{Conn: client}
		if read, err := io.ReadAll(g); err != nil || string(read) != hello || g.connection() != "1" {
			t.Errorf("in parts of %d: %q, %v, connection %q", size, read, err, g.connection())
		}
	}
	for _, short := range []string{"", "\x01\x00", "\x01\x00\x00\x00\x0a", hello[:14]} {
		if got := (&greeting{head: []byte(short)}).connection(); got != "" {
			t.Errorf("%q: connection %q", short, got)
		}
	}
}
