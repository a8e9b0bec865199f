package servers

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// FerretDBServer is a running FerretDB, which stands in for DocumentDB: it
// speaks MongoDB's protocol over TLS and knows users and SCRAM. It knows no
// roles: everybody may do everything.
type FerretDBServer struct {
	Host string
	Port int
	// CA and CAFile are the authority of the server's certificate.
	CA     *x509.CertPool
	CAFile string
	// Admin is the user that the server began with.
	Admin, AdminPassword string
	// LogFile is the server's own log.
	LogFile string

	alive *os.File // closing it stops the server, and so does the end of the process
}

// FerretDBProgram names the environment variable with another program than the
// one that .ci/setup built.
const FerretDBProgram = "ROTASMITH_FERRETDB"

// FerretDB returns the server of this test binary, which the first call starts.
func FerretDB(t testing.TB) *FerretDBServer {
	t.Helper()
	if _, err := exec.LookPath(ferretDBProgram()); err != nil {
		missing(t, "FerretDB is missing: run .ci/setup, or set "+FerretDBProgram)
	}
	server, err := startedFerretDB()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

var startedFerretDB = sync.OnceValues(startFerretDB)

func ferretDBProgram() string {
	if program := os.Getenv(FerretDBProgram); program != "" {
		return program
	}
	return cached("bin", "ferretdb")
}

// ferretDBScript serves until its standard input ends, like postgresScript.
const ferretDBScript = `
trap '' INT
dir=$1
shift
trap 'rm -rf "$dir"' EXIT
exec 3<&0
"$@" 2>&1 </dev/null 3<&- &
cat <&3 >/dev/null
kill "$!"
wait "$!"
`

func startFerretDB() (*FerretDBServer, error) {
	authority, certificate, err := newCertificates()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ferretdb-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &FerretDBServer{
		Host: "localhost", Port: port,
		CA: x509.NewCertPool(), CAFile: filepath.Join(dir, "ca.pem"),
		Admin: "admin", AdminPassword: randomText(),
		LogFile: filepath.Join(dir, "log"),
	}
	s.CA.AppendCertsFromPEM(authority.certificate)
	for name, content := range map[string][]byte{
		"ca.pem":     authority.certificate,
		"server.crt": certificate.certificate,
		"server.key": certificate.key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("sh", "-c", ferretDBScript, "sh", dir, ferretDBProgram(),
		"--handler=sqlite", "--sqlite-url=file:"+dir+"/", "--state-dir="+dir, "--telemetry=disable", "--debug-addr=-",
		"--listen-addr=", "--listen-tls=127.0.0.1:"+strconv.Itoa(port),
		"--listen-tls-cert-file="+dir+"/server.crt", "--listen-tls-key-file="+dir+"/server.key",
		"--test-enable-new-auth", "--setup-database=admin", "--setup-username="+s.Admin, "--setup-password="+s.AdminPassword)
	stdin, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.alive = alive
	cmd.Stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start FerretDB: %w", err)
	}
	_ = stdin.Close()
	log, err := os.Create(s.LogFile)
	if err != nil {
		return nil, err
	}
	var said strings.Builder
	lines := bufio.NewScanner(io.TeeReader(stdout, log))
	for lines.Scan() {
		if strings.Contains(lines.Text(), "Listening on TLS") {
			go func() { _, _ = io.Copy(log, stdout) }()
			return s, nil
		}
		fmt.Fprintln(&said, lines.Text())
	}
	return nil, errors.Join(fmt.Errorf("FerretDB did not start: %s", said.String()), cmd.Wait())
}

// URL returns where and as whom to log in, as a connection string that also
// names the certificate authority.
func (s *FerretDBServer) URL(user, password string) string {
	u := url.URL{
		Scheme: "mongodb",
		User:   url.UserPassword(user, password),
		Host:   net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Path:   "/admin",
		RawQuery: url.Values{
			"tls": {"true"}, "tlsCAFile": {s.CAFile}, "directConnection": {"true"}, "retryWrites": {"false"},
		}.Encode(),
	}
	return u.String()
}

// Run runs commands on the database admin as user.
func (s *FerretDBServer) Run(ctx context.Context, user, password string, commands ...bson.D) (err error) {
	client, err := mongo.Connect(options.Client().ApplyURI(s.URL(user, password)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.Background())) }()
	for _, command := range commands {
		if err := client.Database("admin").RunCommand(ctx, command).Err(); err != nil {
			return fmt.Errorf("%s: %w", command[0].Key, err)
		}
	}
	return nil
}

// Reset drops all users that tests have made.
func (s *FerretDBServer) Reset(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI(s.URL(s.Admin, s.AdminPassword)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(ctx) }()
	var all struct {
		Users []struct{ User, DB string }
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "usersInfo", Value: 1}}).Decode(&all); err != nil {
		t.Fatal(err)
	}
	for _, user := range all.Users {
		if user.User == s.Admin {
			continue
		}
		if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "dropUser", Value: user.User}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
