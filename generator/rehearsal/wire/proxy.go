// Package wire puts a proxy between clients and a database server that knows the
// server's protocol: it calls its hooks around every log-in and every statement, as
// rehearsal.Front does around every request to Secrets Manager.
package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// A Proxy takes connections for a server. Set the fields before Listen.
type Proxy struct {
	// Upstream is the server's host and port.
	Upstream string
	// Relay speaks the server's protocol: [Postgres], [MySQL] or [MongoDB].
	Relay Relay
	// Clients is what clients see of TLS, nil if the proxy offers them none.
	Clients *tls.Config
	// Server is how the proxy itself speaks TLS to the server. Without it [Postgres]
	// speaks clear text, and the other relays cannot use TLS.
	Server *tls.Config
	// Before is called before a log-in or a statement reaches the server, and After
	// when it has had its effect and before the client knows. An error closes the
	// connection; for ErrRefused of Before the client is told that its log-in is
	// refused. They run on the connection's goroutine and may block.
	Before, After func(op string) error
	// LogInsOnly leaves statements without hooks and passes on whatever client and
	// server say after a log-in, also what the relay does not know.
	LogInsOnly bool
	// LoggedIn, if not nil, is told what the server said to a log-in.
	LoggedIn func(user string, ok bool)

	listener net.Listener
	instead  atomic.Pointer[func(net.Conn)]
}

// A Relay takes one connection of a client to the server and returns when it has closed both.
type Relay func(p *Proxy, client net.Conn)

// ErrRefused lets a proxy refuse a log-in as the server refuses a wrong password.
var ErrRefused = errors.New("log-in refused")

// Listen begins to take connections on a free port of the loopback interface, until Close.
func (p *Proxy) Listen() (err error) {
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	go func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			if instead := p.instead.Load(); instead != nil {
				go (*instead)(client)
				continue
			}
			go p.Relay(p, client)
		}
	}()
	return nil
}

// Port is where the proxy listens.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// Close ends listening. Connections stay until one of their ends closes them.
func (p *Proxy) Close() error { return p.listener.Close() }

// Instead hands connections to do from now on, or to the relay again if do is nil.
func (p *Proxy) Instead(do func(client net.Conn)) {
	if do == nil {
		p.instead.Store(nil)
		return
	}
	p.instead.Store(&do)
}

// pipe passes on all that the two ends say until one of them is done. from and to
// hold what was read of client and server.
func pipe(client, server net.Conn, from, to io.Reader) {
	go func() {
		_, _ = io.Copy(server, from)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, to)
}

// verdict tells LoggedIn.
func (p *Proxy) verdict(user string, ok bool) {
	if p.LoggedIn != nil {
		p.LoggedIn(user, ok)
	}
}
