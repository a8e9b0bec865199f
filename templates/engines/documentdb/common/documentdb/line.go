package documentdb

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// connections is how many a line carries: the driver learns on the first who
// answers, and logs in on the second.
const connections = 2

var errSpent = errors.New("the line has no further connection")

// line is the driver's way to one server.
type line struct {
	login context.Context // bounds dialling

	// gone ends when a connection is not to be had: the driver would go on
	// trying.
	gone   context.Context
	giveUp context.CancelFunc

	address, serverName string
	roots               *x509.CertPool // nil without TLS

	reached atomic.Bool // the driver makes several connections

	mu     sync.Mutex
	dialed int
	open   []net.Conn
	err    error // why no connection was to be had
}

func newLine(ctx context.Context, account database.Account, roots *x509.CertPool) *line {
	l := &line{login: ctx, address: database.Address(account, defaultPort), serverName: account.ServerName, roots: roots}
	if account.Plaintext {
		l.roots = nil
	}
	l.gone, l.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	return l
}

// DialContext implements [options.ContextDialer]. It dials for as long as the
// log-in lasts, whatever the driver thinks of it, and never after it.
func (l *line) DialContext(context.Context, string, string) (net.Conn, error) {
	l.mu.Lock()
	if l.dialed == connections && l.err == nil {
		l.err = errSpent
	}
	err := l.err
	l.dialed++
	l.mu.Unlock()

	var conn net.Conn
	if err == nil {
		conn, err = l.dial()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if l.err == nil {
			l.err = err
		}
		l.giveUp()
		return nil, err
	}
	l.open = append(l.open, conn)
	return conn, nil
}

func (l *line) dial() (net.Conn, error) {
	conn, err := database.Dial(l.login, l.address)
	switch {
	case err != nil && l.reached.Load() && mongo.IsTimeout(err): // another connection was made, and is silent
		return nil, database.Silent(err, l.address)
	case err != nil:
		return nil, err
	}
	l.reached.Store(true)
	if l.roots == nil {
		return conn, nil
	}
	secure, err := database.Handshake(l.login, conn, l.roots, l.serverName)
	if err != nil {
		_ = conn.Close()
		return nil, database.TLSError(err, l.address, l.serverName)
	}
	return secure, nil
}

// why returns why no connection was to be had, nil if there was one.
func (l *line) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// cut closes every connection, and there will be no other.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = errSpent
	}
	l.giveUp()
	for _, conn := range l.open {
		_ = conn.Close()
	}
	l.open = nil
}
