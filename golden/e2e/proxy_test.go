package e2e

import (
	"crypto/tls"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// proxy stands between a rotator and the server, ends TLS with the server's own
// key, and calls its hooks around every log-in and every statement, as
// rehearsal.Front does around every request.
type proxy struct {
	Addr          net.Addr
	upstream      string
	tls           *tls.Config
	before, after func(op string) error
	// instead takes connections in the relay's place, if it is set.
	instead atomic.Pointer[func(net.Conn)]
}

// newProxy listens until the test ends.
func newProxy(t testing.TB, d *database, before, after func(string) error) *proxy {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(d.CertificateFile, d.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	upstream := net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port))
	p := &proxy{Addr: listener.Addr(), upstream: upstream, tls: &tls.Config{Certificates: []tls.Certificate{certificate}}, before: before, after: after}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if instead := p.instead.Load(); instead != nil {
				go (*instead)(client)
				continue
			}
			go d.relay(p, client)
		}
	}()
	return p
}
