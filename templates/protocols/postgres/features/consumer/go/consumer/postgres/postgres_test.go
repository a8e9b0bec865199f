package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// world is a server with one user, and a Secrets Manager with its password. A version is the password.
type world struct {
	port int

	mu         sync.Mutex
	current    string
	inForce    string
	code       string // of a rejected log-in
	logins     []string
	statements []string
}

const passwordSentinel = "-sentinel-77c1"

func newWorld(t *testing.T) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &world{port: listener.Addr().(*net.TCPAddr).Port, current: "v1", inForce: "v1", code: "28P01"}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				w.serve(pgproto3.NewBackend(conn, conn))
			}()
		}
	}()
	return w
}

func (w *world) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	value := fmt.Sprintf(`{"username": "orders", "password": "%s%s", "host": "127.0.0.1", "port": %d, "dbname": "it's \\ ours"}`, w.current, passwordSentinel, w.port)
	return &secretsmanager.GetSecretValueOutput{VersionId: aws.String(w.current), SecretString: &value}, nil
}

// serve asks for the password in clear text, and answers statements of the simple protocol.
func (w *world) serve(b *pgproto3.Backend) {
	startup, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	say := func(messages ...pgproto3.BackendMessage) bool {
		for _, m := range messages {
			b.Send(m)
		}
		return b.Flush() == nil
	}
	if !say(&pgproto3.AuthenticationCleartextPassword{}) || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
		return
	}
	m, err := b.Receive()
	if err != nil {
		return
	}
	password, _ := m.(*pgproto3.PasswordMessage)
	w.mu.Lock()
	parameters := startup.(*pgproto3.StartupMessage).Parameters
	w.logins = append(w.logins, parameters["user"]+"@"+parameters["database"])
	inForce, code := w.inForce+passwordSentinel, w.code
	w.mu.Unlock()
	if password == nil || password.Password != inForce {
		say(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "password authentication failed"})
		return
	}
	if !say(&pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
		&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"}, &pgproto3.ReadyForQuery{TxStatus: 'I'}) {
		return
	}
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		query, ok := m.(*pgproto3.Query)
		if !ok {
			return
		}
		w.mu.Lock()
		w.statements = append(w.statements, query.String)
		w.mu.Unlock()
		answer := []pgproto3.BackendMessage{&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")}}
		switch {
		case strings.Contains(query.String, "row"):
			answer = []pgproto3.BackendMessage{
				&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("n"), DataTypeOID: 25}}},
				&pgproto3.DataRow{Values: [][]byte{[]byte("7")}}, &pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")},
			}
		case strings.Contains(query.String, "fail"):
			answer = []pgproto3.BackendMessage{&pgproto3.ErrorResponse{Severity: "ERROR", Code: "28P01", Message: "of dblink"}}
		}
		if !say(append(answer, &pgproto3.ReadyForQuery{TxStatus: 'I'})...) {
			return
		}
	}
}

// rotate lets the server take another password, and Secrets Manager show it after a gap.
func (w *world) rotate(to string, gap time.Duration) {
	w.mu.Lock()
	w.inForce = to
	w.mu.Unlock()
	time.AfterFunc(gap, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.current = to
	})
}

const settings = "sslmode=disable default_query_exec_mode=simple_protocol"

// methods are what an application calls of a pool.
var methods = map[string]func(context.Context, *Pool) error{
	"Acquire": func(ctx context.Context, p *Pool) error {
		c, err := p.Acquire(ctx)
		if err == nil {
			c.Release()
		}
		return err
	},
	"Begin": func(ctx context.Context, p *Pool) error {
		tx, err := p.Begin(ctx)
		if err != nil {
			return err
		}
		return tx.Rollback(ctx)
	},
	"Exec": func(ctx context.Context, p *Pool) error {
		_, err := p.Exec(ctx, "update")
		return err
	},
	"Query": func(ctx context.Context, p *Pool) error {
		rows, err := p.Query(ctx, "one row")
		if err != nil {
			return err
		}
		_, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
		return err
	},
	"QueryRow": func(ctx context.Context, p *Pool) error {
		var n string
		err := p.QueryRow(ctx, "one row").Scan(&n)
		if err == nil && n != "7" {
			err = fmt.Errorf("it scans %q", n)
		}
		return err
	},
	"Ping": func(ctx context.Context, p *Pool) error { return p.Ping(ctx) },
}

// (R3, R8) Each method of a pool, and a connection of database/sql, bridges the gap of a rotation, and says its statement once.
func TestBridgesTheGap(t *testing.T) {
	for _, code := range []string{"28P01", "28000"} {
		for name, method := range methods {
			t.Run(name+" "+code, func(t *testing.T) {
				w := newWorld(t)
				w.code = code
				p, err := NewPool(t.Context(), consumer.New(w, "orders", consumer.Options{}), settings)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				w.bridges(t, func() error { return method(t.Context(), p) })
			})
		}
		t.Run("database/sql "+code, func(t *testing.T) {
			w := newWorld(t)
			w.code = code
			db := sql.OpenDB(Connector(consumer.New(w, "orders", consumer.Options{}), settings))
			defer func() { _ = db.Close() }()
			w.bridges(t, func() error {
				_, err := db.ExecContext(t.Context(), "update")
				return err
			})
		})
	}
}

func (w *world) bridges(t *testing.T, request func() error) {
	t.Helper()
	w.rotate("v2", 70*time.Millisecond)
	if err := request(); err != nil {
		t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.logins) < 2 || w.logins[0] != `orders@it's \ ours` {
		t.Errorf("log-ins %q", w.logins)
	}
	if len(w.statements) > 2 { // with the ROLLBACK of a transaction
		t.Errorf("statements %q", w.statements)
	}
}

// (R8) A statement that fails with the code of a rejected log-in is not repeated.
func TestStatementsAreNotRepeated(t *testing.T) {
	w := newWorld(t)
	secret := consumer.New(w, "orders", consumer.Options{})
	p, err := NewPool(t.Context(), secret, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	db := sql.OpenDB(Connector(secret, settings))
	defer func() { _ = db.Close() }()
	_, ofPool := p.Exec(t.Context(), "fail in the pool")
	_, ofDB := db.ExecContext(t.Context(), "fail in database/sql")
	for _, err := range []error{ofPool, ofDB} {
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "28P01" {
			t.Errorf("got %v", err)
		}
	}
	if len(w.statements) != 2 {
		t.Errorf("statements %q", w.statements)
	}
}

// (R5, R9) When waiting is over, the error is the server's, and holds no password.
func TestServersErrorComesBack(t *testing.T) {
	w := newWorld(t)
	w.inForce = "another"
	secret := consumer.New(w, "orders", consumer.Options{Wait: 100 * time.Millisecond})
	p, err := NewPool(t.Context(), secret, settings, func(c *pgxpool.Config) { c.MaxConns = 1 })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	db := sql.OpenDB(Connector(secret, settings))
	defer func() { _ = db.Close() }()
	ofPool := p.Ping(t.Context())
	if e, ok := errors.AsType[*pgconn.PgError](ofPool); !ok || e.Code != "28P01" || !errors.Is(ofPool, consumer.ErrRejected) {
		t.Errorf("got %v", ofPool)
	}
	ofDB := db.PingContext(t.Context())
	if !errors.Is(ofDB, consumer.ErrRejected) {
		t.Errorf("got %v", ofDB)
	}
	if said := fmt.Sprint(ofPool, ofDB); strings.Contains(said, passwordSentinel) {
		t.Errorf("a password is shown: %s", said)
	}
}
