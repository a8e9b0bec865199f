package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// proxy stands between a rotator and PostgreSQL, ends TLS with the server's own
// key, and calls its hooks around every log-in and every statement, as
// rehearsal.Front does around every request.
type proxy struct {
	Addr          net.Addr
	upstream      string
	tls           *tls.Config
	before, after func(op string) error
}

// newProxy listens until the test ends.
func newProxy(t *testing.T, upstream, certFile, keyFile string, before, after func(string) error) *proxy {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	p := &proxy{Addr: listener.Addr(), upstream: upstream, tls: &tls.Config{Certificates: []tls.Certificate{certificate}}, before: before, after: after}
	go accept(listener, p.serve)
	return p
}

// accept lets serve have every connection.
func accept(listener net.Listener, serve func(net.Conn)) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go serve(client)
	}
}

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

// serve relays one connection. It ends with the first error on either side, and
// closes both.
func (p *proxy) serve(client net.Conn) {
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
	if !p.logIn(op, client, server, from, to) {
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
func (p *proxy) logIn(op string, client, server net.Conn, from, to io.Reader) bool {
	for {
		m, err := readMessage(to, false)
		if err != nil {
			return false
		}
		if m.kind == errorResponse || m.kind == authentication && binary.BigEndian.Uint32(m.body) == 0 {
			answer := m.bytes()
			if m.kind != errorResponse {
				rest, err := untilReady(to)
				if err != nil {
					return false
				}
				answer = append(answer, rest...)
			}
			if p.after(op) != nil {
				return false
			}
			_, err := client.Write(answer)
			return err == nil && m.kind != errorResponse
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
