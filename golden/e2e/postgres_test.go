package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
)

// quietly keeps the statements that follow out of the server's log: they set
// passwords in clear text, which no rotator does.
const quietly = "SET log_statement = 'none'"

var postgresScenarios = []scenario{
	{
		engine: postgres{servers.Postgres}, name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: 2,
		prepare: prepareSingle, reset: resetSingle,
	},
	{
		engine: postgres{servers.Postgres}, name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"}, gapPoints: 2,
		env: []string{"CHANGE_AS=admin"}, prepare: prepareSingle, reset: resetSingle,
	},
	{
		engine: postgres{servers.Postgres}, name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userB + `"]}}`},
		prepare: prepareBootstrapped, reset: resetBootstrapped,
		admin: func(*database) (string, string) { return rotator, rotators },
	},
	{
		engine: postgres{servers.Postgres}, name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userA + `_clone"]}}`, "USERS=clone"},
		prepare: prepareClone, reset: resetClone,
	},
}

func prepareSingle(t testing.TB, db *database) {
	db.admin(t,
		"CREATE ROLE "+userOrders+" LOGIN",
		"GRANT CREATE, USAGE ON SCHEMA public TO "+userOrders,
		"CREATE TABLE orders (note text)")
	db.superuser(t, "ALTER TABLE orders OWNER TO "+userOrders)
	db.superuser(t, readers(userOrders)...)
}

func resetSingle(t testing.TB, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userOrders+" PASSWORD '"+first+"'")
	return map[string]any{"username": userOrders, "password": first}
}

// prepareBootstrapped runs the emitted bootstrap.sql, twice, as a non-superuser
// admin, on a database whose first user owns a table.
func prepareBootstrapped(t testing.TB, db *database) {
	db.admin(t, "CREATE ROLE "+userA+" LOGIN")
	db.superuser(t, "CREATE TABLE orders (note text)", "ALTER TABLE orders OWNER TO "+userA)
	for range 2 {
		psql := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
			"-v", "owner="+owner, "-v", "user_a="+userA, "-v", "user_b="+userB, "-v", "rotator="+rotator,
			"-f", db.dir+"/bootstrap.sql", db.URL(db.Admin, db.name))
		psql.Env = append(os.Environ(), "LC_ALL=C")
		if out, err := psql.CombinedOutput(); err != nil {
			t.Fatalf("bootstrap.sql: %v\n%s", err, out)
		}
	}
	db.superuser(t, readers(owner)...)
	db.superuser(t, quietly, "ALTER ROLE "+rotator+" PASSWORD '"+rotators+"'")
}

func resetBootstrapped(t testing.TB, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userA+" PASSWORD '"+first+"'", "ALTER ROLE "+userB+" PASSWORD NULL")
	return map[string]any{"username": userA, "password": first, "alternate_username": userB}
}

func prepareClone(t testing.TB, db *database) {
	db.admin(t, "CREATE ROLE "+userA+" LOGIN")
	db.superuser(t, "GRANT CREATE, USAGE ON SCHEMA public TO "+userA, "CREATE TABLE orders (note text)", "ALTER TABLE orders OWNER TO "+userA)
	db.superuser(t, readers(userA)...)
}

func resetClone(t testing.TB, db *database) map[string]any {
	db.superuser(t, quietly, "ALTER ROLE "+userA+" PASSWORD '"+first+"'", "DROP ROLE IF EXISTS "+userA+"_clone")
	return map[string]any{"username": userA, "password": first}
}

// postgres is an [engine] on one of the servers of its kind.
type postgres struct{ release servers.Kind }

func (postgres) name() string { return "postgres" }

func (e postgres) kind() servers.Kind { return e.release }

func (e postgres) start(t testing.TB, server serverstest.Server) *database {
	d := &database{engine: e, Server: server, name: "postgres"}
	d.Reset(t)
	d.superuser(t, "CREATE DATABASE "+databaseName+" OWNER "+d.Admin.User)
	d.name = databaseName
	return d
}

func (postgres) connect(d *database, user, password string) (*pgx.Conn, error) {
	return pgx.Connect(context.Background(), d.URL(servers.Login{User: user, Password: password}, d.name))
}

func (e postgres) try(d *database, user, password string, statements ...string) error {
	ctx := context.Background()
	conn, err := e.connect(d, user, password)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.PgConn().Exec(ctx, statement).ReadAll(); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}

// scan reads the one value of a query as the superuser.
func (e postgres) scan(d *database, into any, query string) error {
	ctx := context.Background()
	conn, err := e.connect(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return err
	}
	return errors.Join(conn.QueryRow(ctx, query).Scan(into), conn.Close(ctx))
}

// work reads a table and calls a routine by a role's right, and changes what
// whichever user came first has made.
func (postgres) work() []string {
	return []string{
		"INSERT INTO orders (note) VALUES ('made by '||session_user)",
		"SELECT count(*) FROM orders",
		"ALTER TABLE orders ALTER COLUMN note SET STATISTICS 100",
		"SELECT note FROM prices",
		"SELECT count_prices()",
		"CREATE TABLE IF NOT EXISTS made_later (id int)",
		"INSERT INTO made_later VALUES (1)",
		"ALTER TABLE made_later ALTER COLUMN id SET STATISTICS 100",
	}
}

// readers makes what only the role readers may use, and user a member of it.
func readers(user string) []string {
	return []string{
		"CREATE ROLE readers",
		"CREATE TABLE prices (note text)",
		"GRANT SELECT ON prices TO readers",
		"CREATE FUNCTION count_prices() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM prices'",
		"REVOKE EXECUTE ON FUNCTION count_prices() FROM PUBLIC",
		"GRANT EXECUTE ON FUNCTION count_prices() TO readers",
		"GRANT readers TO " + user,
	}
}

func (e postgres) users(d *database) (users string, err error) {
	err = e.scan(d, &users, `SELECT string_agg(u, E'\n' ORDER BY u) FROM (
		SELECT a::text FROM pg_authid a UNION ALL SELECT m::text FROM pg_auth_members m UNION ALL SELECT s::text FROM pg_db_role_setting s) AS all_of (u)`)
	return users, err
}

func (e postgres) lockUsers(d *database) (release func(), err error) {
	ctx := context.Background()
	conn, err := e.connect(d, d.Superuser.User, d.Superuser.Password)
	if err != nil {
		return nil, err
	}
	_, err = conn.PgConn().Exec(ctx, "BEGIN; LOCK TABLE pg_authid IN EXCLUSIVE MODE").ReadAll()
	return sync.OnceFunc(func() { _ = conn.Close(ctx) }), err
}

func (e postgres) waiting(d *database) (n int, err error) {
	err = e.scan(d, &n, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
	return n, err
}

func (postgres) loginCalls(user string) []string { return []string{"log in as " + user} }

func (postgres) isChange(op string) bool { return strings.HasPrefix(op, "ALTER ROLE ") }

// The messages of the protocol that matter here.
// https://www.postgresql.org/docs/15/protocol-message-formats.html
const (
	sslRequest     = 80877103
	authentication = 'R'
	readyForQuery  = 'Z'
	errorResponse  = 'E'
	simpleQuery    = 'Q'
	syncPoint      = 'S'
	terminate      = 'X'
)

// message is one framed message; a start-up message has kind 0.
type message struct {
	kind byte
	body []byte
}

func readMessage(r io.Reader, startup bool) (message, error) {
	head := make([]byte, 5)
	if startup {
		head = head[1:]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return message{}, err
	}
	m := message{}
	if !startup {
		m.kind = head[0]
	}
	length := binary.BigEndian.Uint32(head[len(head)-4:])
	if length < 4 || length > 1<<24 {
		return message{}, errors.New("not a message of the protocol")
	}
	m.body = make([]byte, length-4)
	_, err := io.ReadFull(r, m.body)
	return m, err
}

func (m message) bytes() []byte {
	var out []byte
	if m.kind != 0 {
		out = append(out, m.kind)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(m.body)+4))
	return append(out, m.body...)
}

// relay ends with the first error on either side, and closes both.
func (postgres) relay(p *proxy, client net.Conn) {
	defer func() { _ = client.Close() }()
	startup, err := readMessage(client, true)
	if err != nil {
		return
	}
	if binary.BigEndian.Uint32(startup.body) == sslRequest {
		if _, err := client.Write([]byte("S")); err != nil {
			return
		}
		client = tls.Server(client, p.tls)
		if startup, err = readMessage(client, true); err != nil {
			return
		}
	}
	op := "log in as " + user(startup)
	if p.before(op) != nil {
		return
	}
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	from, to := bufio.NewReader(client), bufio.NewReader(server)
	if _, err := server.Write(startup.bytes()); err != nil {
		return
	}
	if !logIn(p, op, client, server, from, to) {
		return
	}
	// A client that is gone takes its connection to the server with it, even
	// while a statement runs.
	requests := make(chan message)
	go func() {
		defer func() { _ = server.Close() }()
		defer close(requests)
		for {
			m, err := readMessage(from, false)
			if err != nil {
				return
			}
			requests <- m
		}
	}()
	for m := range requests {
		if m.kind == terminate {
			return
		}
		op := "extended query"
		if m.kind == simpleQuery {
			op = statement(m)
			if p.before(op) != nil {
				return
			}
		}
		if _, err := server.Write(m.bytes()); err != nil {
			return
		}
		if m.kind != simpleQuery && m.kind != syncPoint {
			continue
		}
		answer, err := untilReady(to)
		if p.after(op) != nil || err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// logIn relays the exchange up to the server's last word on it.
func logIn(p *proxy, op string, client, server net.Conn, from, to io.Reader) bool {
	for {
		m, err := readMessage(to, false)
		if err != nil {
			return false
		}
		if m.kind == errorResponse || m.kind == authentication && binary.BigEndian.Uint32(m.body) == 0 {
			answer, refused := m.bytes(), error(nil)
			if m.kind != errorResponse {
				var rest []byte
				rest, refused = untilReady(to) // a right password may still not open a session
				answer = append(answer, rest...)
			}
			if p.after(op) != nil {
				return false
			}
			_, err := client.Write(answer)
			return err == nil && refused == nil && m.kind != errorResponse
		}
		if _, err := client.Write(m.bytes()); err != nil {
			return false
		}
		// The server waits for an answer to a challenge.
		if m.kind == authentication && slices.Contains([]uint32{3, 5, 10, 11}, binary.BigEndian.Uint32(m.body)) {
			reply, err := readMessage(from, false)
			if err != nil {
				return false
			}
			if _, err := server.Write(reply.bytes()); err != nil {
				return false
			}
		}
	}
}

func untilReady(r io.Reader) ([]byte, error) {
	var all []byte
	for {
		m, err := readMessage(r, false)
		if err != nil {
			return all, err
		}
		all = append(all, m.bytes()...)
		if m.kind == readyForQuery {
			return all, nil
		}
	}
}

func user(startup message) string {
	fields := strings.Split(string(startup.body[4:]), "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "user" {
			return fields[i+1]
		}
	}
	return "?"
}

// statement names a statement by its first words: the rest may be a verifier.
func statement(m message) string {
	words := strings.Fields(strings.TrimRight(string(m.body), "\x00"))
	return strings.Join(words[:min(3, len(words))], " ")
}
