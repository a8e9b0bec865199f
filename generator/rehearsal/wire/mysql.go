package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
)

// The parts of the protocol that matter here.
// https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
const (
	capabilitySSL          = 1 << 11
	capabilityDeprecateEOF = 1 << 24

	commandQuit  = 1
	commandQuery = 3

	packetOK         = 0x00
	packetMoreAuth   = 0x01
	packetEOF        = 0xfe
	packetError      = 0xff
	fullAuthRequired = 0x04
)

// packet is one framed packet, with its four bytes of header.
type packet []byte

func readPacket(r io.Reader) (packet, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	p := append(packet(head), make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)...)
	_, err := io.ReadFull(r, p[4:])
	return p, err
}

// kind is the first byte of what the packet holds.
func (p packet) kind() byte {
	if len(p) < 5 {
		return packetOK
	}
	return p[4]
}

// MySQL relays the protocol of MySQL and MariaDB.
func MySQL(p *Proxy, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.Upstream)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	greeting, err := readPacket(server)
	if err != nil {
		return
	}
	if _, err := client.Write(greeting); err != nil {
		return
	}
	response, err := readPacket(client)
	if err != nil {
		return
	}
	capabilities := binary.LittleEndian.Uint32(response[4:])
	if capabilities&capabilitySSL != 0 && len(response) == 36 { // asks for TLS, on both sides
		if _, err := server.Write(response); err != nil {
			return
		}
		client = tls.Server(client, p.Clients)
		server = tls.Client(server, p.Server)
		if response, err = readPacket(client); err != nil {
			return
		}
	}
	name, _, _ := strings.Cut(string(response[36:]), "\x00")
	op := "log in as " + name
	if err := p.Before(op); err != nil {
		if errors.Is(err, ErrRefused) {
			_, _ = client.Write(mysqlRefusal(response[3]+1, name))
			p.verdict(name, false)
		}
		return
	}
	from, to := bufio.NewReader(client), bufio.NewReader(server)
	if _, err := server.Write(response); err != nil {
		return
	}
	if !p.authenticate(name, client, server, from, to) {
		return
	}
	if p.LogInsOnly {
		pipe(client, server, from, to)
		return
	}
	p.commands(client, server, from, to, capabilities&capabilityDeprecateEOF != 0)
}

// commands relays what follows a log-in.
func (p *Proxy) commands(client, server net.Conn, from, to io.Reader, deprecateEOF bool) {
	// A client that is gone takes its connection to the server with it, even
	// while a statement runs.
	requests := make(chan packet)
	go func() {
		defer func() { _ = server.Close() }()
		defer close(requests)
		for {
			m, err := readPacket(from)
			if err != nil {
				return
			}
			requests <- m
		}
	}()
	for m := range requests {
		if m.kind() == commandQuit {
			return
		}
		op := "command " + strconv.Itoa(int(m.kind()))
		if m.kind() == commandQuery {
			words := strings.Fields(string(m[5:]))
			op = strings.Join(words[:min(4, len(words))], " ")
		}
		if p.Before(op) != nil {
			return
		}
		if _, err := server.Write(m); err != nil {
			return
		}
		answer, err := wholeAnswer(to, deprecateEOF)
		if p.After(op) != nil || err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// mysqlRefusal is the server's answer to a wrong password.
func mysqlRefusal(sequence byte, user string) packet {
	const accessDenied = 1045
	body := binary.LittleEndian.AppendUint16([]byte{packetError}, accessDenied)
	body = append(body, "#28000Access denied for user '"+user+"'@'%' (using password: YES)"...)
	return append(packet{byte(len(body)), byte(len(body) >> 8), 0, sequence}, body...)
}

// authenticate relays the exchange up to the server's last word on it.
func (p *Proxy) authenticate(user string, client, server net.Conn, from, to io.Reader) bool {
	for {
		m, err := readPacket(to)
		if err != nil {
			return false
		}
		if m.kind() == packetOK || m.kind() == packetError {
			if p.After("log in as "+user) != nil {
				return false
			}
			p.verdict(user, m.kind() == packetOK)
			_, err := client.Write(m)
			return err == nil && m.kind() == packetOK
		}
		if _, err := client.Write(m); err != nil {
			return false
		}
		if m.kind() == packetMoreAuth && (len(m) < 6 || m[5] != fullAuthRequired) {
			continue // the server goes on by itself
		}
		reply, err := readPacket(from)
		if err != nil {
			return false
		}
		if _, err := server.Write(reply); err != nil {
			return false
		}
	}
}

// wholeAnswer reads what a server answers to one command: a verdict, or columns
// and rows.
func wholeAnswer(r io.Reader, deprecateEOF bool) ([]byte, error) {
	head, err := readPacket(r)
	if err != nil || head.kind() == packetOK || head.kind() == packetError || head.kind() == packetEOF {
		return head, err
	}
	all := []byte(head)
	ends := 2 // of the columns and of the rows
	if deprecateEOF {
		ends = 1
		for range int(head[4]) { // a column each
			column, err := readPacket(r)
			if err != nil {
				return all, err
			}
			all = append(all, column...)
		}
	}
	for ends > 0 {
		m, err := readPacket(r)
		if err != nil {
			return all, err
		}
		all = append(all, m...)
		switch m.kind() {
		case packetError:
			return all, nil
		case packetEOF:
			ends--
		}
	}
	return all, nil
}
