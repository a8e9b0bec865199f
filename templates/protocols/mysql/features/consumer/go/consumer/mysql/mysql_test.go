package mysql

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

const sentinel = "-sentinel-90fd"

// world is a server with one user, and a Secrets Manager with its password. A version is the password.
type world struct {
	port int

	mu      sync.Mutex
	current string
	inForce string
	refusal uint16 // of a rejected log-in
	logins  []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &world{port: listener.Addr().(*net.TCPAddr).Port, current: "v1", inForce: "v1", refusal: accessDenied}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				w.serve(conn)
			}()
		}
	}()
	return w
}

func (w *world) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	value := fmt.Sprintf(`{"username": "orders", "password": "%s%s", "host": "127.0.0.1", "port": %d, "dbname": "shop"}`, w.current, sentinel, w.port)
	return &secretsmanager.GetSecretValueOutput{VersionId: aws.String(w.current), SecretString: &value}, nil
}

// serve greets, takes the password in clear text, and answers each command with OK, or those of a statement that says so with the error of a
// rejected log-in.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
func (w *world) serve(conn net.Conn) {
	const capabilities = 1<<0 | 1<<3 | 1<<9 | 1<<15 | 1<<19 // long password, database, protocol 4.1, secure connection, plugins
	greeting := append([]byte{10}, "8.4.0\x00"...)
	greeting = binary.LittleEndian.AppendUint32(greeting, 1)
	greeting = append(greeting, "12345678\x00"...)
	greeting = binary.LittleEndian.AppendUint16(greeting, capabilities&0xffff)
	greeting = append(greeting, 45, 2, 0)
	greeting = binary.LittleEndian.AppendUint16(greeting, capabilities>>16)
	greeting = append(greeting, 21)
	greeting = append(greeting, make([]byte, 10)...)
	greeting = append(greeting, "123456789012\x00mysql_clear_password\x00"...)
	if send(conn, 0, greeting) != nil {
		return
	}
	response, _, err := receive(conn)
	if err != nil || len(response) < 32 {
		return
	}
	user, rest, _ := strings.Cut(string(response[32:]), "\x00")
	password := rest[1 : 1+int(rest[0])]
	database, _, _ := strings.Cut(rest[1+int(rest[0]):], "\x00")
	w.mu.Lock()
	w.logins = append(w.logins, user+"@"+database)
	rejected := strings.TrimRight(password, "\x00") != w.inForce+sentinel
	refusal := refuse(w.refusal)
	w.mu.Unlock()
	if rejected {
		_ = send(conn, 2, refusal)
		return
	}
	ok := []byte{0, 0, 0, 2, 0, 0, 0}
	for sequence := byte(2); ; sequence = 1 {
		if send(conn, sequence, ok) != nil {
			return
		}
		command, _, err := receive(conn)
		if err != nil {
			return
		}
		for strings.Contains(string(command), "fail") {
			_ = send(conn, 1, refuse(accessDenied))
			if command, _, err = receive(conn); err != nil {
				return
			}
		}
	}
}

func refuse(number uint16) []byte {
	return append(binary.LittleEndian.AppendUint16([]byte{0xff}, number), "#28000Access denied"...)
}

func send(conn net.Conn, sequence byte, payload []byte) error {
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	head[3] = sequence
	_, err := conn.Write(append(head, payload...))
	return err
}

func receive(conn net.Conn) (payload []byte, sequence byte, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, 0, err
	}
	payload = make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	_, err = io.ReadFull(conn, payload)
	return payload, head[3], err
}

func (w *world) open(options consumer.Options) *sql.DB {
	config := mysql.NewConfig()
	config.AllowCleartextPasswords = true
	return sql.OpenDB(Connector(consumer.New(w, "orders", options), config))
}

// (R3, R8) A connection bridges the gap of a rotation, at the place that the secret names.
func TestBridgesTheGap(t *testing.T) {
	for _, refusal := range []uint16{accessDenied, noPasswordLogin} {
		t.Run(fmt.Sprint(refusal), func(t *testing.T) {
			w := newWorld(t)
			w.inForce, w.refusal = "v2", refusal
			time.AfterFunc(70*time.Millisecond, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.current = "v2"
			})
			db := w.open(consumer.Options{})
			defer func() { _ = db.Close() }()
			if err := db.PingContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.logins) < 2 || w.logins[0] != "orders@shop" {
				t.Errorf("log-ins %q", w.logins)
			}
		})
	}
}

// (R5, R8, R9) When waiting is over, the error is the server's and holds no password. Neither another error nor a statement is repeated.
func TestOtherErrorsComeBack(t *testing.T) {
	w := newWorld(t)
	db := w.open(consumer.Options{Wait: 100 * time.Millisecond})
	defer func() { _ = db.Close() }()
	_, err := db.ExecContext(t.Context(), "fail")
	if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != accessDenied || errors.Is(err, consumer.ErrRejected) {
		t.Errorf("a statement: %v", err)
	}
	w.mu.Lock()
	w.inForce, w.logins = "another", nil
	w.mu.Unlock()
	for number, want := range map[uint16]bool{accessDenied: true, 1040: false} {
		w.mu.Lock()
		w.refusal = number
		w.mu.Unlock()
		conn := w.open(consumer.Options{Wait: 100 * time.Millisecond})
		err := conn.PingContext(t.Context())
		if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != number || errors.Is(err, consumer.ErrRejected) != want {
			t.Errorf("%d: %v", number, err)
		}
		if err := conn.Close(); err != nil || strings.Contains(fmt.Sprint(err), sentinel) {
			t.Error("the error shows a password, or the database does not close")
		}
	}
}
