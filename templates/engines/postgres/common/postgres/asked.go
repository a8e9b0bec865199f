package postgres

import (
	"encoding/binary"
	"net"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// A server's first message, an AuthenticationRequest, asks for one of these.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	askedMD5  = 5
	askedSASL = 10
)

// asked is what the server wanted of a password at a log-in: the form in which
// it can keep one so that the same log-in works again. SASL goes with SCRAM
// alone. MD5 is asked where the password is kept so, and pg_hba.conf then takes
// both forms.
type asked struct {
	request  uint32
	password rotation.Sensitive // that was asked for
}

// attend lets the target know what the server asks account for, unless that is
// an administrator: it sets the passwords that others log in with.
func (t *Target) attend(conn net.Conn, account database.Account) net.Conn {
	if account.Admin {
		return conn
	}
	return &attendant{Conn: conn, learn: func(request uint32) { t.asked.Store(&asked{request, account.Password}) }}
}

// attendant reads along in the server's first message.
type attendant struct {
	net.Conn
	head  []byte // kind, length, and what is asked for
	learn func(request uint32)
}

const headSize = 9

func (a *attendant) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if missing := headSize - len(a.head); missing > 0 {
		a.head = append(a.head, p[:min(n, missing)]...)
		if len(a.head) == headSize && a.head[0] == 'R' {
			a.learn(binary.BigEndian.Uint32(a.head[5:]))
		}
	}
	return n, err
}
