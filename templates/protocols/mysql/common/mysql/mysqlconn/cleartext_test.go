package mysqlconn

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// C6 (B2): a server that asks for the password by the plugins for clear text, or by that of MySQL
// 4.0, gets none: neither the user's nor the administrator's.
func TestClearText(t *testing.T) {
	const password = "sentinel-password-4711"
	for _, plugin := range []string{"mysql_clear_password", "dialog", "mysql_old_password"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		said := make(chan []byte, 2)
		go func() {
			for range 2 {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write(authSwitchGreeting())
				packet(conn) // the log-in, in which the plugin of the greeting answers
				_, _ = conn.Write(append([]byte{byte(len(plugin) + 2), 0, 0, 2, 0xfe}, append([]byte(plugin), 0)...))
				rest, _ := io.ReadAll(conn)
				said <- rest
			}
		}()
		target, err := New(nil, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().(*net.TCPAddr)
		for _, admin := range []bool{false, true} {
			_, err = target.Login(t.Context(), database.Account{
				User: "orders", Password: rotation.NewSensitive(password), Host: address.IP.String(), Port: address.Port, Plaintext: true, Admin: admin,
			})
			if rotation.CodeOf(err) != rotation.CodeServer {
				t.Errorf("%s: got %v, want %q", plugin, err, rotation.CodeServer)
			}
			if bytes.Contains(<-said, []byte(password)) {
				t.Errorf("%s: the server got the password", plugin)
			}
		}
		_ = listener.Close()
	}
}

// authSwitchGreeting is a server's first packet.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
func authSwitchGreeting() []byte {
	body := append([]byte{10}, "8.4.0\x00\x01\x00\x00\x00saltsalt\x00"...)
	body = append(body, 0xff, 0xf7, 45, 2, 0, 0xff, 0xdf, 21) // what it can do, character set, state, length of the salt
	body = append(body, make([]byte, 10)...)
	body = append(body, "saltsaltsalt\x00mysql_native_password\x00"...)
	return append([]byte{byte(len(body)), 0, 0, 0}, body...)
}

// packet reads one packet.
func packet(conn net.Conn) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err == nil {
		_, _ = io.CopyN(io.Discard, conn, int64(head[0])|int64(head[1])<<8)
	}
}
