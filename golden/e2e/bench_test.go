package e2e

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/cmd"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
	"github.com/rotasmith/rotasmith/golden/function"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// scenario is one kind of project on one kind of database.
type scenario struct {
	name   string
	engine engine
	// on is the server, where the engine's name does not say it.
	on string
	// args are those of rotasmith.
	args []string
	// own is a server that is prepared for the test, if it is not nil.
	own *serverstest.Server
	// env are the settings that are the scenario's own.
	env []string
	// gapPoints is after how many calls a kill may leave AWSCURRENT unable to
	// log in until the next delivery.
	gapPoints int
	// neverFrozen leaves out the processes that stand still: the server knows no
	// lock, or another scenario shows the same.
	neverFrozen bool
	// twin is true if the same scenario is walked on another release of the server.
	// Then a first rotation is recovered with the same token and a steady one with a
	// new one, and the other two are left to the twin: what a token means is decided
	// by the core, which no server sees, so each state and each recovery is met here.
	twin bool
	// degraded is true if the rotation must say that it does less than it
	// should, and preflight with it.
	degraded bool
	// prepare makes the database, once.
	prepare func(testing.TB, *database)
	// reset puts its users back to how they were at first, and returns the
	// secret without host and port.
	reset func(testing.TB, *database) map[string]any
	// admin is whom the admin secret names, nil for the database's admin.
	admin func(*database) (user, password string)
}

func (s scenario) server() string { return cmp.Or(s.on, s.engine.name()) }

// engine is a kind of server.
type engine interface {
	// name is that of --engine and of the secret's key.
	name() string
	// kind is that of the server.
	kind() servers.Kind
	// start empties the server but for a database that belongs to its admin.
	start(t testing.TB, server serverstest.Server) *database
	// try runs statements one by one on a connection of their own.
	try(d *database, user, password string, statements ...string) error
	// work is what an application does: it reads and writes what the other
	// user may have made, and changes what only its owner may change.
	work() []string
	// users describes all users of the server: what it keeps of their
	// passwords, their memberships and their settings.
	users(d *database) (string, error)
	// lockUsers keeps every change of a user waiting until it is released.
	lockUsers(d *database) (release func(), err error)
	// waiting returns how many sessions wait for a lock.
	waiting(d *database) (int, error)
	// relay is of the server's protocol.
	relay() wire.Relay
	// loginCalls are the calls that user's log-in consists of.
	loginCalls(user string) []string
	// isChange reports whether op changes a password for good.
	isChange(op string) bool
}

// database is a database on the real server, and the people who run it.
type database struct {
	engine
	serverstest.Server

	name string
	dir  string // of the emitted project
}

const databaseName = "orders"

// superuser runs statements that only the server's owner may run.
func (d *database) superuser(t testing.TB, statements ...string) {
	t.Helper()
	d.run(t, d.Superuser.User, d.Superuser.Password, statements...)
}

// admin runs statements as the non-superuser that managed services give.
func (d *database) admin(t testing.TB, statements ...string) {
	t.Helper()
	d.run(t, d.Admin.User, d.Admin.Password, statements...)
}

func (d *database) run(t testing.TB, user, password string, statements ...string) {
	t.Helper()
	if err := d.try(d, user, password, statements...); err != nil {
		t.Fatal(err)
	}
}

// catalogue is what the server knows of its users.
func (d *database) catalogue(t testing.TB) string {
	t.Helper()
	users, err := d.users(d)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// errLostRights is of a user who logs in and cannot do what it could before.
var errLostRights = errors.New("rights are lost")

// works returns nil if an application with value can do its work.
func (d *database) works(value rotation.Value) error {
	user, _ := value.Get("username")
	password, _ := value.Get("password")
	err := d.try(d, user.Reveal(), password.Reveal(), d.work()...)
	if err != nil && d.logsIn(value) == nil {
		err = fmt.Errorf("%w: %w", errLostRights, err)
	}
	return err
}

// logsIn returns nil if an application with value can log in.
func (d *database) logsIn(value rotation.Value) error {
	user, _ := value.Get("username")
	password, _ := value.Get("password")
	return d.try(d, user.Reveal(), password.Reveal())
}

// awaitWaiting returns when at least so many sessions wait for a lock.
func (d *database) awaitWaiting(t testing.TB, sessions int) {
	t.Helper()
	for n := 0; n < sessions; {
		var err error
		if n, err = d.waiting(d); err != nil {
			t.Error(err)
			return
		}
	}
}

// bench is a Secrets Manager, a Lambda and a database joined by wires at which
// every call is counted and can end the process that makes it.
type bench struct {
	t        testing.TB
	scenario scenario
	db       *database
	front    *httptest.Server
	proxy    *wire.Proxy
	port     int // which the secret names: the proxy's
	function *rehearsal.Function

	logged  int64 // how long the server's log was before the bench
	mu      sync.Mutex
	store   *rotationtest.SecretsManager
	calls   []string
	onCall  func(n int, op string, done bool) error
	values  []string // every password that was ever stored
	tokens  int
	secret  string
	fronted *rehearsal.Front
	refuse  atomic.Pointer[error] // what Secrets Manager answers at present
}

const secretName = "orders-db"

func newBench(t testing.TB, s scenario) *bench {
	t.Helper()
	server := s.own
	if server == nil {
		server = new(serverstest.Start(t, s.engine.kind()))
	}
	b := &bench{t: t, scenario: s, db: s.engine.start(t, *server)}
	b.db.dir = emit(t, append(s.args, "--engine", s.engine.name()))
	s.prepare(t, b.db)
	if log, err := os.Stat(b.db.LogFile); err == nil {
		b.logged = log.Size()
	}

	b.fronted = &rehearsal.Front{
		Before: func(c rehearsal.Call) error { return b.call(c.Op, false) },
		After: func(c rehearsal.Call) error {
			if put, ok := c.Input.(*secretsmanager.PutSecretValueInput); ok {
				b.keep(aws.ToString(put.SecretString))
			}
			return b.call(c.Op, true)
		},
	}
	b.fresh()
	b.front = httptest.NewServer(b.fronted)
	t.Cleanup(b.front.Close)
	b.proxy = b.newProxy()
	b.port = b.proxy.Port()
	b.function = b.newFunction(b.db.dir)
	b.fresh()
	return b
}

// newProxy listens until the test ends, and shows clients the server's own certificate.
func (b *bench) newProxy() *wire.Proxy {
	b.t.Helper()
	certificate, err := tls.LoadX509KeyPair(b.db.CertificateFile, b.db.KeyFile)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &wire.Proxy{
		Upstream: net.JoinHostPort("127.0.0.1", strconv.Itoa(b.db.Port)), Relay: b.db.relay(),
		Clients: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Before:  func(op string) error { return b.call(op, false) },
		After:   func(op string) error { return b.call(op, true) },
	}
	if b.db.kind() != servers.Postgres && b.db.kind() != servers.Postgres18 {
		p.Server = &tls.Config{RootCAs: b.db.CA, ServerName: b.db.Host}
	}
	if err := p.Listen(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = p.Close() })
	return p
}

// newFunction returns another execution environment of what was built into dir.
func (b *bench) newFunction(dir string) *rehearsal.Function {
	f := &rehearsal.Function{Path: filepath.Join(dir, "bootstrap"), Env: append([]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + b.front.URL,
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=rehearsal", "AWS_SECRET_ACCESS_KEY=rehearsal",
		"ALLOWED_SECRETS=arn:aws:secretsmanager:*:*:secret:*",
		"MIN_ROTATION_AGE=0",
		"DB_CA_FILE=" + b.db.CAFile,
		`SECRETS={"*":{"*":[]}}`, // two users have one of their own
	}, b.scenario.env...)}
	b.t.Cleanup(f.Close)
	return f
}

// emit writes a project as a user would and builds its function.
func emit(t testing.TB, args []string) string {
	t.Helper()
	dir := write(t, args)
	if err := function.Build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// write writes a project as a user would.
func write(t testing.TB, args []string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	var said strings.Builder
	args = append(append([]string{"new", secretName}, args...), "--no-input", "--dir", dir)
	if code := cmd.Main(args, cmd.System{In: strings.NewReader(""), Out: &said, Err: &said, Getenv: func(string) string { return "" }}); code != 0 {
		t.Fatalf("rotasmith %s: exit %d\n%s", strings.Join(args, " "), code, said.String())
	}
	return dir
}

// fresh begins anew: a Secrets Manager with nothing but the first version, and
// the users as they were at first.
func (b *bench) fresh() {
	b.t.Helper()
	store := new(rotationtest.SecretsManager)
	user, password := b.db.Admin.User, b.db.Admin.Password
	if b.scenario.admin != nil {
		user, password = b.scenario.admin(b.db)
	}
	admin := seed(b.t, store, "admin", map[string]any{"username": user, "password": password})
	value := b.scenario.reset(b.t, b.db)
	value["engine"], value["dbname"], value["masterarn"] = b.db.engine.name(), databaseName, admin
	value["host"], value["port"] = "localhost", b.port
	secret := seed(b.t, store, secretName, value)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.store, b.secret, b.fronted.SecretsManager, b.fronted.Lagging = store, secret, store, nil
	b.values = append(b.values, fmt.Sprint(value["password"]), password)
}

func seed(t testing.TB, store *rotationtest.SecretsManager, name string, value map[string]any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := store.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.ARN)
}

// call is where every wire ends. done is false before a call has its effect and
// true after; the number counts from 1.
func (b *bench) call(op string, done bool) error {
	b.mu.Lock()
	if !done {
		b.calls = append(b.calls, op)
	}
	n, do := len(b.calls), b.onCall
	b.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(n, op, done)
}

// watch counts calls from 1 again and lets do see each.
func (b *bench) watch(do func(n int, op string, done bool) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls, b.onCall = nil, do
}

// once returns a hook for watch that does something before the first call for
// which is is true, and lets it through after that.
func (b *bench) once(is func(op string) bool, do func()) func(int, string, bool) error {
	var first sync.Once
	return func(_ int, op string, done bool) error {
		if !done && is(op) {
			mine := false
			first.Do(func() { mine = true })
			if mine {
				do()
			}
		}
		return nil
	}
}

func (b *bench) counted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

func (b *bench) keep(value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v, err := rotation.ParseValue(rotation.NewSensitive(value)); err == nil {
		password, _ := v.Get("password")
		b.values = append(b.values, password.Reveal())
	}
}

func (b *bench) token() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens++
	return fmt.Sprintf("%08d-0000-4000-8000-000000000000", b.tokens)
}

// service plays Secrets Manager over a function.
func (b *bench) service(f *rehearsal.Function, attempts int) *rehearsal.Service {
	return &rehearsal.Service{SecretsManager: b.store, Function: f, Attempts: attempts}
}

func (b *bench) rotate() error {
	_, err := b.service(b.function, 1).Rotate(b.t.Context(), b.secret, b.token())
	return err
}

// current returns the value of AWSCURRENT and the version that holds it.
func (b *bench) current() (rotation.Value, string, error) { return b.value(rotation.StageCurrent) }

func (b *bench) value(stage string) (rotation.Value, string, error) {
	out, err := b.store.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &b.secret, VersionStage: &stage})
	if err != nil {
		return rotation.Value{}, "", err
	}
	v, err := rotation.ParseValue(rotation.NewSensitive(aws.ToString(out.SecretString)))
	return v, aws.ToString(out.VersionId), err
}

// works returns nil if an application with AWSCURRENT can do its work.
func (b *bench) works() error {
	value, _, err := b.current()
	if err != nil {
		return err
	}
	return b.db.works(value)
}

// settled returns nil if token's rotation ended as it should.
func (b *bench) settled(token string) error {
	if err := b.works(); err != nil {
		return err
	}
	out, err := b.store.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: &b.secret})
	if err != nil {
		return err
	}
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, rotation.StageCurrent) && version != token {
			return fmt.Errorf("AWSCURRENT is on %s and not on %s", version, token)
		}
		if slices.Contains(stages, rotation.StagePending) {
			return errors.New("AWSPENDING is left behind")
		}
	}
	return nil
}

// giveUp takes AWSPENDING off, as a person does who wants to begin anew.
func (b *bench) giveUp(token string) error {
	_, err := b.store.UpdateSecretVersionStage(context.Background(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &b.secret, VersionStage: aws.String(rotation.StagePending), RemoveFromVersionId: &token,
	})
	return err
}

// recoverWith lets the service go on after a fault, with the same token or, after
// an administrator gave the first up, with another. It returns the token that
// should now be AWSCURRENT.
func (b *bench) recoverWith(f *rehearsal.Function, token string, anew bool) (string, error) {
	service := b.service(f, 3)
	if _, holder, _ := b.current(); !anew || holder == token {
		_, err := service.Retry(b.t.Context(), b.secret, token)
		return token, err
	}
	if err := b.giveUp(token); err != nil {
		return token, err
	}
	token = b.token()
	_, err := service.Rotate(b.t.Context(), b.secret, token)
	return token, err
}

// silent fails the test if a password stands in what functions said or in what
// the server logged, which is every statement.
func (b *bench) silent(outputs ...string) {
	b.t.Helper()
	log, err := os.ReadFile(b.db.LogFile)
	if err != nil {
		b.t.Fatal(err)
	}
	all := strings.Join(append(outputs, string(log[b.logged:]), b.function.Output()), "\n")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, value := range b.values {
		if strings.Contains(all, value) {
			b.t.Error("a password stands in a log")
			return
		}
	}
}

func rotateInput(secret, token string) *secretsmanager.RotateSecretInput {
	return &secretsmanager.RotateSecretInput{
		SecretId: &secret, ClientRequestToken: &token,
		RotationLambdaARN: aws.String(rehearsal.FunctionARN),
	}
}
