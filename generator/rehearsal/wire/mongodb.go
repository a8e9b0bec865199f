package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
)

// MongoDB relays MongoDB's protocol, requests one by one, each with its answer.
// The messages by which drivers keep in touch are let through without a hook. ErrRefused closes the
// connection, and LoggedIn is not told anything.
func MongoDB(p *Proxy, conn net.Conn) {
	defer func() { _ = conn.Close() }()
	client := tls.Server(conn, p.Clients)
	server, err := (&tls.Dialer{Config: p.Server}).DialContext(context.Background(), "tcp", p.Upstream)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	for {
		request, err := readMongo(client)
		if err != nil {
			return
		}
		op := mongoOp(request)
		if op != "" && p.Before(op) != nil {
			return
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		answer, err := readMongo(server)
		if op != "" && p.After(op) != nil || err != nil {
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
	name, about, ok := firstElement(message[document:])
	if !ok || name == "hello" {
		return ""
	}
	return strings.TrimSpace(name + " " + about)
}

// firstElement returns the name of a document's first element, and its text if it is one.
// https://bsonspec.org/spec.html
func firstElement(document []byte) (name, text string, ok bool) {
	const head, isText = 4, 2 // the document's length; the kind of element
	if len(document) <= head {
		return "", "", false
	}
	kind := document[head]
	key, rest, ok := bytes.Cut(document[head+1:], []byte{0})
	if kind == isText && len(rest) > 4 {
		value, _, _ := bytes.Cut(rest[4:], []byte{0})
		text = string(value)
	}
	return string(key), text, ok
}
