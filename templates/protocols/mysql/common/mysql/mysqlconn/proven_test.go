package mysqlconn

import (
	"crypto/x509"
	"io"
	"net"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// TestProven: a server that takes the password is believed, and one whose greeting is
// none is no reason to end the process. (C7, C18)
func TestProven(t *testing.T) {
	target, err := New(x509.NewCertPool(), 32, 32)
	if err != nil {
		t.Fatal(err)
	}
	for first, want := range map[string]rotation.Code{hello: "", "\x01\x00\x00\x00\x0a": rotation.CodeServer} {
		port := serveOnce(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, first)
			var header [4]byte
			if _, err := io.ReadFull(conn, header[:]); err != nil {
				return
			}
			_, _ = io.ReadFull(conn, make([]byte, int(header[0])|int(header[1])<<8))
			_, _ = io.WriteString(conn, "\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00") // OK
			_, _ = io.Copy(io.Discard, conn)
		})
		account := database.Account{User: "orders", Password: rotation.NewSensitive("sentinel"), Host: "127.0.0.1", Port: port, Plaintext: true}
		if err := target.Prove(t.Context(), account); rotation.CodeOf(err) != want {
			t.Errorf("after %q: got %v, want %q", first, err, want)
		}
	}
}
