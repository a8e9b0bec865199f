package wire_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

// client logs in through a proxy and runs a statement there.
type client struct {
	kind    servers.Kind
	relay   wire.Relay
	connect func(server serverstest.Server, port int, password, statement string) error
	refused func(error) bool
}

var clients = []client{
	{servers.Postgres, wire.Postgres, viaPostgres, func(err error) bool {
		e, ok := errors.AsType[*pgconn.PgError](err)
		return ok && e.Code == "28P01"
	}},
	{servers.MySQL, wire.MySQL, viaMySQL, func(err error) bool {
		e, ok := errors.AsType[*mysql.MySQLError](err)
		return ok && e.Number == 1045
	}},
}

func viaPostgres(server serverstest.Server, port int, password, statement string) error {
	conn, err := pgconn.Connect(context.Background(), fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/postgres?sslmode=disable", server.Admin.User, password, port))
	if err != nil {
		return err
	}
	_, err = conn.Exec(context.Background(), statement).ReadAll()
	return errors.Join(err, conn.Close(context.Background()))
}

func viaMySQL(server serverstest.Server, port int, password, statement string) error {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = server.Admin.User, password, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	config.TLS = &tls.Config{RootCAs: server.CA, ServerName: server.Host}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(connector)
	_, err = pool.ExecContext(context.Background(), statement)
	return errors.Join(err, pool.Close())
}

// TestRelays lets clients of each protocol log in, be refused by the server and by the
// proxy, and run a statement with hooks and without.
func TestRelays(t *testing.T) {
	t.Parallel()
	for _, c := range clients {
		t.Run(string(c.kind), func(t *testing.T) {
			t.Parallel()
			server := serverstest.Start(t, c.kind)
			certificate, err := tls.LoadX509KeyPair(server.CertificateFile, server.KeyFile)
			if err != nil {
				t.Fatal(err)
			}
			for _, logInsOnly := range []bool{false, true} {
				var mu sync.Mutex
				var seen []string
				refuse := false
				note := func(text string) error {
					mu.Lock()
					defer mu.Unlock()
					seen = append(seen, text)
					return nil
				}
				proxy := &wire.Proxy{
					Upstream: net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)), Relay: c.relay, LogInsOnly: logInsOnly,
					Before: func(op string) error {
						if refuse {
							return wire.ErrRefused
						}
						return note("before " + op)
					},
					After:    func(op string) error { return note("after " + op) },
					LoggedIn: func(user string, ok bool) { _ = note(fmt.Sprint(user, " ", ok)) },
				}
				if c.kind == servers.MySQL {
					proxy.Clients = &tls.Config{Certificates: []tls.Certificate{certificate}}
				}
				proxy.Server = &tls.Config{RootCAs: server.CA, ServerName: server.Host}
				if err := proxy.Listen(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = proxy.Close() })
				if err := c.connect(server, proxy.Port(), server.Admin.Password, "SELECT 1"); err != nil {
					t.Error(err)
				}
				if err := c.connect(server, proxy.Port(), "wrong", "SELECT 1"); !c.refused(err) {
					t.Errorf("the server refuses with %v", err)
				}
				refuse = true
				if err := c.connect(server, proxy.Port(), server.Admin.Password, "SELECT 1"); !c.refused(err) {
					t.Errorf("the proxy refuses with %v", err)
				}
				want := []string{
					"before log in as admin", "after log in as admin", "admin true", "before SELECT 1", "after SELECT 1",
					"before log in as admin", "after log in as admin", "admin false", "admin false",
				}
				if logInsOnly {
					want = slices.Delete(want, 3, 5)
				}
				mu.Lock()
				if !slices.Equal(seen, want) {
					t.Errorf("log-ins only %t: got %q, want %q", logInsOnly, seen, want)
				}
				mu.Unlock()
			}
		})
	}
}
