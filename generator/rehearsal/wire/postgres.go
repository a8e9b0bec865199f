package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
)

// The messages of the protocol that matter here.
// https://www.postgresql.org/docs/15/protocol-message-formats.html
const (
	sslRequest     = 80877103
	gssRequest     = 80877104
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

// Postgres relays PostgreSQL's protocol, and Redshift's. A client whose connection the
// proxy takes in clear text must not bind its log-in to a certificate, which it does
// only if it sees one: where [Proxy.Server] is set, [Proxy.Clients] has to be nil.
func Postgres(p *Proxy, client net.Conn) {
	client, startup, err := p.greet(client)
	defer func() { _ = client.Close() }()
	if err != nil {
		return
	}
	op := "log in as " + user(startup)
	if err := p.Before(op); err != nil {
		if errors.Is(err, ErrRefused) {
			_, _ = client.Write(refusal(user(startup)))
			p.verdict(user(startup), false)
		}
		return
	}
	server, err := p.dial()
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	from, to := bufio.NewReader(client), bufio.NewReader(server)
	if _, err := server.Write(startup.bytes()); err != nil {
		return
	}
	if !logIn(p, user(startup), client, server, from, to) {
		return
	}
	if p.LogInsOnly {
		pipe(client, server, from, to)
		return
	}
	p.queries(client, server, from, to)
}

// queries relays what follows a log-in.
func (p *Proxy) queries(client, server net.Conn, from, to io.Reader) {
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
			if p.Before(op) != nil {
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
		if p.After(op) != nil || err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// greet takes a client's first messages and lets it have TLS if it asks for that.
func (p *Proxy) greet(client net.Conn) (_ net.Conn, startup message, err error) {
	for {
		if startup, err = readMessage(client, true); err != nil || len(startup.body) < 4 {
			return client, startup, errors.Join(err, io.ErrUnexpectedEOF)
		}
		switch code := binary.BigEndian.Uint32(startup.body); {
		case code == sslRequest && p.Clients != nil:
			if _, err := client.Write([]byte("S")); err != nil {
				return client, startup, err
			}
			client = tls.Server(client, p.Clients)
		case code == sslRequest, code == gssRequest:
			if _, err := client.Write([]byte("N")); err != nil {
				return client, startup, err
			}
		default:
			return client, startup, nil
		}
	}
}

// dial connects to the server, which may refuse TLS by closing the connection.
func (p *Proxy) dial() (net.Conn, error) {
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.Upstream)
	if err != nil || p.Server == nil {
		return server, err
	}
	request := message{body: binary.BigEndian.AppendUint32(nil, sslRequest)}
	answer := make([]byte, 1)
	if _, err = server.Write(request.bytes()); err == nil {
		_, err = io.ReadFull(server, answer)
	}
	if err != nil || answer[0] != 'S' {
		return nil, errors.Join(err, server.Close(), errors.New("the server speaks no TLS"))
	}
	return tls.Client(server, p.Server), nil
}

// refusal is the server's answer to a wrong password.
func refusal(user string) []byte {
	body := "SFATAL\x00VFATAL\x00C28P01\x00Mpassword authentication failed for user \"" + user + "\"\x00\x00"
	return message{kind: errorResponse, body: []byte(body)}.bytes()
}

// logIn relays the exchange up to the server's last word on it.
func logIn(p *Proxy, user string, client, server net.Conn, from, to io.Reader) bool {
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
			if p.After("log in as "+user) != nil {
				return false
			}
			p.verdict(user, refused == nil && m.kind != errorResponse)
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
