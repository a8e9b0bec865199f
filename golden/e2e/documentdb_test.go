package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// TestEndToEndOnFerretDB walks every scenario of the DocumentDB engine on the
// server that stands in for it. That one has no roles, so what is seen here is
// who can log in; roles are for the engine's own scripted server. A process that
// stands still is left out: the server has no lock and ends no silent session.
func TestEndToEndOnFerretDB(t *testing.T) {
	server := servers.FerretDB(t)
	t.Cleanup(func() { server.Reset(t) })
	var table strings.Builder
	fmt.Fprintf(&table, "%-28s %-7s %-11s %12s %10s %12s %s\n", "case", "state", "recovery", "kill points", "dead ends", "dead points", "gap (ms)")
	for _, s := range documentDBScenarios(server) {
		t.Run(s.name, func(t *testing.T) {
			b := newBench(t, s)
			t.Run("rotates ten times", b.rotatesTenTimes)
			gap := b.gap()
			for _, steady := range []bool{false, true} {
				for _, anew := range []bool{false, true} {
					state, recovery := pick(steady, "steady", "first"), pick(anew, "new token", "same token")
					t.Run(state+"/"+recovery, func(t *testing.T) {
						points, dead, ends := b.killed(t, steady, anew)
						fmt.Fprintf(&table, "%-28s %-7s %-11s %12d %10d %12d %s\n", s.name, state, recovery, points, ends, dead, gap)
					})
				}
			}
			t.Run("label lost", b.labelLost)
			t.Run("two deliveries at once", b.twoAtOnce)
			t.Run("only asks", b.onlyAsks)
			b.silent()
		})
	}
	t.Logf("\n%s", &table)
}

// gapOnMongo is how many kills may leave AWSCURRENT dead in a single user's
// rotation: after the change, and after each of the three messages that the
// log-in with the new password takes.
const gapOnMongo = 4

func documentDBScenarios(server *servers.FerretDBServer) []scenario {
	do := func(t *testing.T, commands ...bson.D) {
		t.Helper()
		if err := server.Run(context.Background(), server.Admin, server.AdminPassword, commands...); err != nil {
			t.Fatal(err)
		}
	}
	create := func(user, password string) bson.D {
		return bson.D{{Key: "createUser", Value: user}, {Key: "pwd", Value: password}, {Key: "roles", Value: bson.A{}}}
	}
	ferret := &engine{
		name: "documentdb",
		open: func(t *testing.T) *servers.PostgresServer {
			return &servers.PostgresServer{
				Host: server.Host, Port: server.Port, CA: server.CA, CAFile: server.CAFile,
				Admin: server.Admin, AdminPassword: server.AdminPassword, LogFile: server.LogFile,
			}
		},
		listen: listenForMongo,
		works: func(value rotation.Value) error {
			user, _ := value.Get("username")
			password, _ := value.Get("password")
			return server.Run(context.Background(), user.Reveal(), password.Reveal(),
				bson.D{{Key: "insert", Value: "orders"}, {Key: "documents", Value: bson.A{bson.D{{Key: "note", Value: user.Reveal()}}}}},
				bson.D{{Key: "find", Value: "orders"}})
		},
	}
	reset := func(t *testing.T, also ...bson.D) {
		t.Helper()
		server.Reset(t)
		do(t, also...)
	}
	return []scenario{
		{
			name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: gapOnMongo, other: ferret,
			reset: func(t *testing.T, _ *database) map[string]any {
				reset(t, create(userOrders, first))
				return map[string]any{"username": userOrders, "password": first}
			},
		},
		{
			name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"}, gapPoints: gapOnMongo, other: ferret,
			env: []string{"CHANGE_AS=admin"},
			reset: func(t *testing.T, _ *database) map[string]any {
				reset(t, create(userOrders, first))
				return map[string]any{"username": userOrders, "password": first}
			},
		},
		{
			name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"}, other: ferret,
			env: []string{`USER_PAIRS=[["` + userA + `","` + userB + `"]]`},
			reset: func(t *testing.T, _ *database) map[string]any {
				reset(t, create(userA, first), create(userB, "not-in-the-secret-yet"))
				return map[string]any{"username": userA, "password": first, "alternate_username": userB}
			},
		},
		{
			name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"}, other: ferret,
			env: []string{`USER_PAIRS=[["` + userA + `","` + userA + `_clone"]]`, "USERS=clone"},
			reset: func(t *testing.T, _ *database) map[string]any {
				reset(t, create(userA, first))
				return map[string]any{"username": userA, "password": first}
			},
		},
	}
}

// listenForMongo stands between a rotator and a server that speaks MongoDB's
// protocol, as newProxy does for PostgreSQL: it calls its hooks around every
// message of a log-in and every command. What drivers say to keep in touch is
// let through uncounted.
func listenForMongo(t *testing.T, server *servers.PostgresServer, before, after func(string) error) *proxy {
	t.Helper()
	dir := filepath.Dir(server.CAFile)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{Addr: listener.Addr(), before: before, after: after, tls: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	upstream := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	go accept(listener, func(conn net.Conn) {
		client := tls.Server(conn, p.tls)
		defer func() { _ = conn.Close() }()
		to, err := tls.Dial("tcp", upstream, &tls.Config{RootCAs: server.CA, ServerName: server.Host})
		if err != nil {
			return
		}
		defer func() { _ = to.Close() }()
		p.relay(client, to)
	})
	return p
}

// relay passes requests on one by one, each with its answer.
func (p *proxy) relay(client, server net.Conn) {
	for {
		request, err := readMongo(client)
		if err != nil {
			return
		}
		op := mongoOp(request)
		if op != "" && p.before(op) != nil {
			return
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		answer, err := readMongo(server)
		if op != "" && p.after(op) != nil || err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// readMongo reads one message with its header.
// https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
func readMongo(r io.Reader) ([]byte, error) {
	length := make([]byte, 4)
	if _, err := io.ReadFull(r, length); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(length)
	if n < 16 || n > 1<<24 {
		return nil, errors.New("not a message of the protocol")
	}
	message := make([]byte, n)
	copy(message, length)
	_, err := io.ReadFull(r, message[4:])
	return message, err
}

// mongoOp names a command and whom it is about, "" if it is none that counts.
func mongoOp(message []byte) string {
	const msg, document = 2013, 16 + 4 + 1
	if binary.LittleEndian.Uint32(message[12:]) != msg || len(message) <= document {
		return ""
	}
	first, err := bson.Raw(message[document:]).IndexErr(0)
	if err != nil || first.Key() == "hello" {
		return ""
	}
	about, _ := first.Value().StringValueOK()
	return strings.TrimSpace(first.Key() + " " + about)
}
