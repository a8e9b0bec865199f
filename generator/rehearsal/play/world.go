// Package play lets one thing at a time go wrong in the rotations of a project: the
// project's own binary runs behind the Lambda runtime API, against the wire protocol of
// Secrets Manager and a real database server, and every call that it makes passes a wire
// at which it can be killed, frozen, cut off or refused. A [World] is all of that, and a
// [Fault] is what goes wrong.
package play

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// A Project is what is rehearsed, as its answers say.
type Project struct {
	Name     string
	Dir      string
	Binary   string // the function that was built of it
	Engine   string // such as postgres
	TwoUsers bool
	ByAdmin  bool // change_as=admin
	Clone    bool // users=clone
}

// A World is a project at work on one database. It is used by one fault at a time.
type World struct {
	Project  Project
	Database Database

	server   *http.Server // answers as the Front of the present run
	url      string
	front    atomic.Pointer[rehearsal.Front]
	proxy    *wire.Proxy
	function *rehearsal.Function
	others   []*rehearsal.Function // of this run

	mu       sync.Mutex
	store    *rotationtest.SecretsManager
	secret   string // ARN
	calls    []string
	onCall   func(n int, op string, done bool) error
	recorder *recorder
	words    []string // every password that the function must not tell
	made     []string // those that it made itself, which no server may log either
	tokens   int
	heard    int         // of what the function wrote: where this run's begins
	read     int         // of what the server logged
	refusing atomic.Bool // whether the users of the application are refused, as by a reader that lags behind
}

// Open makes a world. The database is prepared; [World.Close] does not close it.
func Open(project Project, database Database) (w *World, err error) {
	w = &World{Project: project, Database: database}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.url = "http://" + listener.Addr().String()
	w.server = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.front.Load().ServeHTTP(rw, r) })}
	go func() { _ = w.server.Serve(listener) }() // ends with an error always: the one of being closed
	if w.proxy, err = database.Proxy(); err != nil {
		return nil, errors.Join(err, w.server.Close())
	}
	w.proxy.Before, w.proxy.After = w.beforeStatement, func(op string) error { return w.call(op, true) }
	if err := w.proxy.Listen(); err != nil {
		return nil, errors.Join(err, w.server.Close())
	}
	w.function = w.newFunction()
	return w, nil
}

// Close ends all that the world has started.
func (w *World) Close() error {
	w.closeOthers()
	w.function.Close()
	return errors.Join(w.server.Close(), w.proxy.Close())
}

func (w *World) closeOthers() {
	for _, f := range w.others {
		f.Close()
	}
	w.others = nil
}

// newFunction returns another execution environment of the project's function.
func (w *World) newFunction() *rehearsal.Function {
	env := []string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + w.url,
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=rehearsal", "AWS_SECRET_ACCESS_KEY=rehearsal",
		"ALLOWED_SECRETS=arn:aws:secretsmanager:*:*:secret:*", "MIN_ROTATION_AGE=0",
	}
	if file := w.Database.CAFile(); file != "" {
		env = append(env, "DB_CA_FILE="+file)
	}
	users := []string{} // two users have one of their own
	if w.Project.TwoUsers {
		users = []string{userA, userB}
	}
	if w.Project.Clone {
		users[1] = userA + "_clone"
		env = append(env, "USERS=clone")
	}
	if w.Project.ByAdmin {
		env = append(env, "CHANGE_AS=admin")
	}
	allowed, _ := json.Marshal(map[string]map[string][]string{"*": {"*": users}}) // only texts
	return &rehearsal.Function{Path: w.Project.Binary, Env: append(env, "SECRETS="+string(allowed))}
}

// another returns a second execution environment, which ends with the run.
func (w *World) another() *rehearsal.Function {
	f := w.newFunction()
	w.others = append(w.others, f)
	return f
}

// fresh begins anew: a Secrets Manager with nothing but the first version, and the
// users as they were at first.
func (w *World) fresh(ctx context.Context) error {
	value, admin, err := w.Database.Fresh(ctx)
	if err != nil {
		return err
	}
	store := new(rotationtest.SecretsManager)
	adminARN, err := seed(ctx, store, w.Project.Name+"-admin", admin)
	if err != nil {
		return err
	}
	value["engine"], value["masterarn"], value["host"], value["port"] = w.Project.Engine, adminARN, "localhost", w.proxy.Port()
	secret, err := seed(ctx, store, w.Project.Name, value)
	if err != nil {
		return err
	}
	w.front.Store(&rehearsal.Front{SecretsManager: store, Before: w.beforeRequest, After: w.afterRequest})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.store, w.secret, w.calls, w.onCall = store, secret, nil, nil
	w.words = append(w.words, fmt.Sprint(value["password"]), fmt.Sprint(admin["password"]))
	return nil
}

func seed(ctx context.Context, store *rotationtest.SecretsManager, name string, value map[string]any) (arn string, err error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	out, err := store.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(string(text))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ARN), nil
}

func (w *World) beforeRequest(c rehearsal.Call) error { return w.call(c.Op, false) }

func (w *World) afterRequest(c rehearsal.Call) error {
	if put, ok := c.Input.(*secretsmanager.PutSecretValueInput); ok {
		w.keep(aws.ToString(put.SecretString))
	}
	w.look()
	return w.call(c.Op, true)
}

func (w *World) beforeStatement(op string) error {
	if err := w.call(op, false); err != nil {
		return err
	}
	if user, _ := strings.CutPrefix(op, login); w.refusing.Load() && (strings.HasPrefix(user, userA) || user == userB) {
		return wire.ErrRefused
	}
	return nil
}

// login begins what the wire calls a log-in.
const login = "log in as "

func isLogin(op string) bool { return strings.HasPrefix(op, login) }

// call is where every wire ends. done is false before a call has its effect and true
// after; the number counts from 1.
func (w *World) call(op string, done bool) error {
	w.mu.Lock()
	if !done {
		w.calls = append(w.calls, op)
	}
	n, do, rec := len(w.calls), w.onCall, w.recorder
	w.mu.Unlock()
	if rec != nil {
		rec.call(n, op, done)
	}
	if do == nil {
		return nil
	}
	return do(n, op, done)
}

// watch counts calls from 1 again and lets do see each; nil ends that.
func (w *World) watch(do func(n int, op string, done bool) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onCall = do
	if do != nil {
		w.calls = nil
	}
}

// counted returns the calls since the last watch.
func (w *World) counted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// mark notes in the record that something was done.
func (w *World) mark(text string) {
	w.mu.Lock()
	rec := w.recorder
	w.mu.Unlock()
	if rec != nil {
		rec.mark(text)
	}
}

// look records the labels as they are.
func (w *World) look() {
	w.mu.Lock()
	store, secret, rec := w.store, w.secret, w.recorder
	w.mu.Unlock()
	if rec == nil {
		return
	}
	if out, err := store.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: &secret}); err == nil {
		rec.stages(out.VersionIdsToStages)
	}
}

// keep remembers a password that the function has made.
func (w *World) keep(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if value, err := rotation.ParseValue(rotation.NewSensitive(text)); err == nil {
		password, _ := value.Get("password")
		w.words, w.made = append(w.words, password.Reveal()), append(w.made, password.Reveal())
	}
}

func (w *World) token() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens++
	return fmt.Sprintf("%08d-0000-4000-8000-000000000000", w.tokens)
}

// service plays Secrets Manager over a function.
func (w *World) service(f *rehearsal.Function, attempts int) *rehearsal.Service {
	return &rehearsal.Service{SecretsManager: w.store, Function: f, Attempts: attempts, AfterStep: func(s rehearsal.Step) {
		w.look()
		w.mu.Lock()
		rec := w.recorder
		w.mu.Unlock()
		if rec != nil {
			rec.step(s)
		}
	}}
}

// rotate begins a rotation, which fails at its first failure.
func (w *World) rotate(ctx context.Context) (token string, err error) {
	token = w.token()
	_, err = w.service(w.function, 1).Rotate(ctx, w.secret, token)
	return token, err
}

// value returns what a label is on.
func (w *World) value(ctx context.Context, stage string) (value rotation.Value, version string, err error) {
	out, err := w.store.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &w.secret, VersionStage: &stage})
	if err != nil {
		return rotation.Value{}, "", err
	}
	value, err = rotation.ParseValue(rotation.NewSensitive(aws.ToString(out.SecretString)))
	return value, aws.ToString(out.VersionId), err
}

// works returns nil if an application with AWSCURRENT can do its work.
func (w *World) works(ctx context.Context) error {
	value, _, err := w.value(ctx, rotation.StageCurrent)
	if err != nil {
		return err
	}
	if err := w.Database.LogIn(ctx, loginOf(value)); err != nil {
		return broken("AWSCURRENT logs in", err)
	}
	if err := w.Database.Work(ctx, loginOf(value)); err != nil {
		return broken("AWSCURRENT has all its rights", err)
	}
	return nil
}

// settled returns nil if the rotation with token ended as it should.
func (w *World) settled(ctx context.Context, token string) error {
	if err := w.works(ctx); err != nil {
		return err
	}
	out, err := w.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &w.secret})
	if err != nil {
		return err
	}
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, rotation.StageCurrent) && version != token {
			return broken("the rotation ends on its own version", fmt.Errorf("AWSCURRENT is on %s and not on %s", version, token))
		}
		if slices.Contains(stages, rotation.StagePending) {
			return broken("no AWSPENDING is left behind", errors.New("AWSPENDING is on "+version))
		}
	}
	return nil
}

// giveUp takes AWSPENDING off, as a person does who wants to begin anew.
func (w *World) giveUp(ctx context.Context, token string) error {
	_, err := w.store.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &w.secret, VersionStage: aws.String(rotation.StagePending), RemoveFromVersionId: &token,
	})
	w.look()
	return err
}

// recoverWith lets the service go on after a fault, with the same token or, after the
// first was given up, with another. It returns the token that should now be AWSCURRENT.
func (w *World) recoverWith(ctx context.Context, f *rehearsal.Function, token string, anew bool) (string, error) {
	service := w.service(f, 3)
	if _, holder, _ := w.value(ctx, rotation.StageCurrent); !anew || holder == token {
		_, err := service.Retry(ctx, w.secret, token)
		return token, err
	}
	if err := w.giveUp(ctx, token); err != nil {
		return token, err
	}
	token = w.token()
	_, err := service.Rotate(ctx, w.secret, token)
	return token, err
}

// listen lets what follows be that of the present run.
func (w *World) listen() error {
	logged, err := w.Database.Log()
	w.heard, w.read = len(w.function.Output()), len(logged)
	return err
}

// silent returns an error if a password stands in what the functions wrote, or one of
// theirs in the server's log.
func (w *World) silent() error {
	outputs := []string{w.function.Output()[w.heard:]}
	for _, f := range w.others {
		outputs = append(outputs, f.Output())
	}
	said := strings.Join(outputs, "\n")
	logged, err := w.Database.Log()
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, word := range w.words {
		if strings.Contains(said, word) {
			return broken("no password appears in the function's log", errors.New("one does"))
		}
	}
	for _, word := range w.made {
		if strings.Contains(logged[w.read:], word) {
			return broken("no password appears in the server's log", errors.New("one does"))
		}
	}
	return nil
}

// probe logs in all the time, past the proxy, with the versions that have a label to be
// used by, until ctx ends.
func (w *World) probe(ctx context.Context, rec *recorder) {
	for ctx.Err() == nil {
		for _, stage := range []string{rotation.StageCurrent, rotation.StagePending} {
			value, version, err := w.value(ctx, stage)
			if err != nil {
				continue // no such label, or no value yet
			}
			refused := w.Database.LogIn(ctx, loginOf(value))
			if ctx.Err() == nil {
				rec.login(version, refused == nil)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(probePause):
		}
	}
}

// probePause is the time between two rounds of log-ins: a gap is known to about as much.
const probePause = 5 * time.Millisecond

// Login is a user with a password.
type Login struct{ User, Password string }

func loginOf(value rotation.Value) Login {
	user, _ := value.Get("username")
	password, _ := value.Get("password")
	return Login{user.Reveal(), password.Reveal()}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// readLog returns what a server has written to its log since an offset; nothing if the
// server is elsewhere and file is "".
func readLog(file string, since int64) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return string(text[min(since, int64(len(text))):]), nil
}
