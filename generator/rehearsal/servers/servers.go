// Package servers starts real database servers that are thrown away afterwards:
// with TLS under a certificate authority of their own, on a free port of the
// loopback interface, and gone when the program is that started them, however it
// ends.
//
// It installs nothing. Where a server's programs are not on this machine, [Start]
// returns a [MissingError], which says what cures it.
package servers

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Kind is a server of one release or another.
type Kind string

// The servers. FerretDB stands in for DocumentDB: it speaks MongoDB's protocol and
// knows users and SCRAM, and no roles: every user may do everything.
const (
	Postgres   Kind = "postgres"    // the newest that is installed
	Postgres18 Kind = "postgres 18" // 16 changed what a role with CREATEROLE may do
	MySQL      Kind = "mysql"
	MariaDB    Kind = "mariadb"
	FerretDB   Kind = "ferretdb"
)

// Kinds are all servers that [Start] knows.
var Kinds = []Kind{Postgres, Postgres18, MySQL, MariaDB, FerretDB}

// MissingError says that a server cannot be started because its programs are not
// on this machine.
type MissingError struct {
	Kind Kind
	Cure string // what installs or names them
}

func (e *MissingError) Error() string { return fmt.Sprintf("%s is missing: %s", e.Kind, e.Cure) }

// Server is a running server. It takes connections with and without TLS (FerretDB
// with TLS alone), asks for a password in all of them, and writes every statement
// to its log (FerretDB what it has to say).
type Server struct {
	Kind Kind
	Host string
	Port int
	// CA and CAFile are the authority of the server's certificate.
	CA     *x509.CertPool
	CAFile string
	// CertificateFile and KeyFile are the server's own.
	CertificateFile, KeyFile string
	// Admin is what managed services give: it may create users, roles and
	// databases, and is no superuser. FerretDB has no other user.
	Admin Login
	// Superuser may do everything.
	Superuser Login
	// LogFile is the server's own log.
	LogFile string

	process *process
}

// Login is a user with a password.
type Login struct{ User, Password string }

// launcher is how a server of one kind comes to run.
type launcher struct {
	// find returns where the programs are, "" if they are on this machine.
	find func() (root string, err error)
	// launch starts them for a server whose folder is prepared.
	launch func(ctx context.Context, s *Server, root, dir string) error
}

var launchers = map[Kind]launcher{
	Postgres:   {findPostgres, launchPostgres(postgresBin)},
	Postgres18: {findPostgres18, launchPostgres(postgres18Bin)},
	MySQL:      {findMySQL, launchMySQL},
	MariaDB:    {findMariaDB, launchMariaDB},
	FerretDB:   {findFerretDB, launchFerretDB},
}

// Missing returns the [MissingError] that [Start] would return, or nil.
func Missing(kind Kind) error {
	_, err := launchers[kind].find()
	return err
}

// Start starts a server and returns when it takes connections. All that the server
// writes is in a new folder of dir, or of the system's folder for temporary files if
// dir is "". If ctx ends before, nothing is left of the server; later it may end.
func Start(ctx context.Context, kind Kind, dir string) (_ *Server, err error) {
	how, ok := launchers[kind]
	if !ok {
		return nil, fmt.Errorf("%q is no server, want one of %q", kind, Kinds)
	}
	root, err := how.find()
	if err != nil {
		return nil, err
	}
	if dir == "" && root != "" { // the programs see files of their own system alone
		dir = filepath.Join(root, "tmp")
	}
	s, dir, err := newServer(kind, dir)
	if err != nil {
		return nil, err
	}
	if err := how.launch(ctx, s, root, dir); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// Stop stops the server and removes what it wrote. If ctx ends first, Stop does not
// wait for that.
func (s *Server) Stop(ctx context.Context) error { return s.process.stop(ctx) }

// Halt shuts the server down as a restart does: its data is safe, its clients are
// disconnected. It returns when the server no longer listens. FerretDB cannot be halted.
func (s *Server) Halt(ctx context.Context) error { return s.order(ctx, "halt", false) }

// Resume restarts a halted server with its data, and returns when the server listens.
// It may still refuse log-ins because it is starting up.
func (s *Server) Resume(ctx context.Context) error { return s.order(ctx, "resume", true) }

// order tells the server's script what to do and waits until the server listens, or
// does not.
func (s *Server) order(ctx context.Context, order string, listens bool) error {
	if _, err := fmt.Fprintln(s.process.alive, order); err != nil {
		return err
	}
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
		if err == nil {
			_ = conn.Close()
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case (err == nil) == listens:
			return nil
		}
		<-time.After(10 * time.Millisecond)
	}
}

// URL returns where and as whom to log in, as a connection string that also names
// the certificate authority. database may be "".
func (s *Server) URL(login Login, database string) string {
	u := url.URL{User: url.UserPassword(login.User, login.Password), Host: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), Path: "/" + database}
	switch s.Kind {
	case Postgres, Postgres18:
		u.Scheme, u.RawQuery = "postgres", url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CAFile}}.Encode()
	case MySQL, MariaDB: // as emitted projects' tests on a real server take it
		u.Scheme, u.RawQuery = "mysql", url.Values{"ca": {s.CAFile}}.Encode()
	case FerretDB:
		u.Scheme, u.RawQuery = "mongodb", url.Values{
			"tls": {"true"}, "tlsCAFile": {s.CAFile}, "directConnection": {"true"}, "retryWrites": {"false"},
		}.Encode()
	}
	return u.String()
}

// newServer returns a server that does not run yet, and its folder, with a
// certificate in it.
func newServer(kind Kind, above string) (s *Server, dir string, err error) {
	authority, certificate, err := newCertificates()
	if err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	if dir, err = os.MkdirTemp(above, "rotasmith-server-"); err != nil {
		return nil, "", err
	}
	s = &Server{
		Kind: kind, Host: "localhost", Port: port,
		CA: x509.NewCertPool(), CAFile: filepath.Join(dir, "ca.pem"),
		CertificateFile: filepath.Join(dir, "server.crt"), KeyFile: filepath.Join(dir, "server.key"),
		Admin:   Login{"admin", randomText()},
		LogFile: filepath.Join(dir, "log"),
	}
	s.CA.AppendCertsFromPEM(authority.certificate)
	for path, content := range map[string][]byte{
		s.CAFile: authority.certificate, s.CertificateFile: certificate.certificate, s.KeyFile: certificate.key,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			_ = os.RemoveAll(dir)
			return nil, "", err
		}
	}
	return s, dir, nil
}

// cached returns a path in the folder in which .ci/setup keeps what it fetched
// and built.
func cached(elem ...string) string {
	dir := os.Getenv("XDG_CACHE_HOME")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".cache")
	}
	return filepath.Join(append([]string{dir, "rotasmith"}, elem...)...)
}

// Servers listen below the ports that the system gives to clients, which begin at 32768 on Linux and higher elsewhere: a client could
// otherwise have a server's port while that starts or is halted.
// https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)
const lowestPort, highestPort = 15000, 32767

// freePort returns a port that nothing listened on a moment ago.
func freePort() (port int, err error) {
	for range 100 {
		port = lowestPort + mathrand.IntN(highestPort-lowestPort+1)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}

func randomText() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
