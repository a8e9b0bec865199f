package play

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
	"github.com/rotasmith/rotasmith/generator/report"
)

// An App is a program of the user's that reads the secret and uses the database.
type App struct {
	Command string // for the shell
	Check   string // URL that is asked all the time; 2xx is a success
	Ready   string // URL that answers 2xx when the program serves; Check if empty
	Rate    int    // requests a second
	Allowed int    // failed requests that are no fault
}

// How an application is rehearsed. Two rotations in a row come sooner than a cache expires.
const (
	appRotations   = 5
	betweenThem    = time.Second
	secondInARow   = 3 // this rotation follows the one before at once
	killedInTheGap = 1 // this one is killed when it has changed the password
	requestTimeout = 10 * time.Second
	readyTimeout   = time.Minute
	// storeLatency is what a write to Secrets Manager takes, about as much as AWS's.
	storeLatency = 100 * time.Millisecond
)

// Rehearse starts the program, lets it serve while its secret is rotated, and ends it.
// The error is of what kept the rehearsal from being one.
func (a App) Rehearse(ctx context.Context, w *World) (*report.App, error) {
	if err := w.fresh(ctx); err != nil {
		return nil, err
	}
	defer w.watch(nil)
	view, err := openView(w)
	if err != nil {
		return nil, err
	}
	defer view.close()
	program, err := startProgram(a.Command, view.env(w))
	if err != nil {
		return nil, err
	}
	defer program.stop()
	if err := a.await(ctx, program, view); err != nil {
		return nil, err
	}
	load := a.load(ctx)
	result := &report.App{Allowed: a.Allowed}
	for i := range appRotations {
		if i != secondInARow {
			pauseFor(ctx, betweenThem)
		}
		err := w.rotateUnderLoad(ctx, i == killedInTheGap)
		if err != nil && result.FailedRotation == "" {
			result.FailedRotation = fmt.Sprintf("rotation %d: %v", i+1, err)
		}
		result.Rotations++
	}
	pauseFor(ctx, betweenThem)
	load.stop(result)
	result.Refused, result.SMCalls = int(view.refused.Load()), int(view.calls.Load())
	if program.hasEnded() {
		return nil, fmt.Errorf("the program ended meanwhile: %s", program.lastWords())
	}
	return result, ctx.Err()
}

// rotateUnderLoad rotates with a Secrets Manager as slow as AWS's.
func (w *World) rotateUnderLoad(ctx context.Context, kill bool) error {
	w.watch(func(_ int, op string, done bool) error {
		if !done && op == "UpdateSecretVersionStage" {
			<-time.After(storeLatency)
		}
		if done && kill && w.Database.IsChange(op) {
			kill = false // only the first
			w.function.Kill()
			return rehearsal.ErrDrop
		}
		return nil
	})
	token := w.token()
	_, err := w.service(w.function, 3).Rotate(ctx, w.secret, token)
	return errors.Join(err, w.settled(ctx, token))
}

// await returns when the program serves and has read the secret.
func (a App) await(ctx context.Context, program *program, view *view) error {
	url := a.Ready
	if url == "" {
		url = a.Check
	}
	last := errors.New("it was not asked")
	for deadline := time.Now().Add(readyTimeout); time.Now().Before(deadline) && ctx.Err() == nil; pauseFor(ctx, 100*time.Millisecond) {
		if program.hasEnded() {
			return fmt.Errorf("the program ended before it served: %s", program.lastWords())
		}
		if last = get(ctx, url); last == nil {
			last = get(ctx, a.Check)
		}
		if last == nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case view.calls.Load() == 0:
		return &NeverAskedError{}
	case last != nil:
		return fmt.Errorf("the program does not serve: %w", last)
	}
	return nil
}

// NeverAskedError is of a program that serves and has not read the secret here.
type NeverAskedError struct{}

func (*NeverAskedError) Error() string {
	return "your program never asked for the secret: its SDK is older than the setting AWS_ENDPOINT_URL_SECRETS_MANAGER"
}

// get asks for a URL.
func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return nil
}

// load is requests that are under way.
type load struct {
	done    chan struct{}
	clients sync.WaitGroup

	mu      sync.Mutex
	all     int
	failed  int
	longest time.Duration
	first   string
}

// load asks for the URL at the rate, whether or not answers come, until stop.
func (a App) load(ctx context.Context) *load {
	l := &load{done: make(chan struct{})}
	began := time.Now()
	l.clients.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(a.Rate))
		defer tick.Stop()
		for {
			select {
			case <-l.done:
				return
			case <-tick.C:
				l.clients.Go(func() { l.request(ctx, a.Check, began) })
			}
		}
	})
	return l
}

func (l *load) request(ctx context.Context, url string, began time.Time) {
	sent := time.Now()
	err := get(ctx, url)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	l.longest = max(l.longest, time.Since(sent))
	if err != nil {
		l.failed++
		if l.first == "" {
			l.first = fmt.Sprintf("after %.1f s: %v", sent.Sub(began).Seconds(), err)
		}
	}
}

// stop waits for the answers.
func (l *load) stop(result *report.App) {
	close(l.done)
	l.clients.Wait()
	result.Requests, result.Failed, result.FirstFailure = l.all, l.failed, l.first
	result.LongestMS = float64(l.longest.Milliseconds())
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// A view is Secrets Manager and the database as the application sees them: apart from
// the rotator's, so that its calls and its refused log-ins are counted by themselves.
type view struct {
	url     string
	server  *http.Server
	proxy   *wire.Proxy
	calls   atomic.Int64
	refused atomic.Int64
}

func openView(w *World) (*view, error) {
	v := new(view)
	var err error
	if v.proxy, err = w.Database.Proxy(); err != nil {
		return nil, err
	}
	let := func(string) error { return nil }
	v.proxy.Before, v.proxy.After, v.proxy.LogInsOnly = let, let, true
	v.proxy.LoggedIn = func(_ string, ok bool) {
		if !ok {
			v.refused.Add(1)
		}
	}
	if err := v.proxy.Listen(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, v.proxy.Close())
	}
	v.url = "http://" + listener.Addr().String()
	front := &rehearsal.Front{SecretsManager: w.store}
	v.server = &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		v.calls.Add(1)
		answer := &answer{header: http.Header{}, status: http.StatusOK}
		front.ServeHTTP(answer, r)
		maps.Copy(rw.Header(), answer.header)
		rw.WriteHeader(answer.status)
		_, _ = rw.Write(v.throughProxy(answer.body.Bytes()))
	})}
	go func() { _ = v.server.Serve(listener) }()
	return v, nil
}

func (v *view) close() { _, _ = v.server.Close(), v.proxy.Close() }

// throughProxy names the application's proxy in a secret's value.
func (v *view) throughProxy(body []byte) []byte {
	var out map[string]any
	var value map[string]any
	text := ""
	if json.Unmarshal(body, &out) == nil {
		text, _ = out["SecretString"].(string)
	}
	if json.Unmarshal([]byte(text), &value) != nil {
		return body
	}
	value["port"] = v.proxy.Port()
	changed, _ := json.Marshal(value) // it was JSON before
	out["SecretString"] = string(changed)
	body, _ = json.Marshal(out)
	return body
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// env is the program's environment: this one, without anything that leads to an AWS
// account, and with proxies that lead nowhere.
func (v *view) env(w *World) []string {
	var env []string
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(strings.ToUpper(setting), "="); !strings.HasPrefix(name, "AWS_") && !strings.HasSuffix(name, "_PROXY") {
			env = append(env, setting)
		}
	}
	const nowhere = "http://127.0.0.1:9" // the port that discards
	env = append(env,
		"SECRET_ID="+w.secret,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER="+v.url, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=rehearsal", "AWS_SECRET_ACCESS_KEY=rehearsal", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"HTTP_PROXY="+nowhere, "HTTPS_PROXY="+nowhere, "http_proxy="+nowhere, "https_proxy="+nowhere,
		"NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost",
	)
	if file := w.Database.CAFile(); file != "" {
		env = append(env, "ROTASMITH_CA_FILE="+file, "PGSSLROOTCERT="+file, "NODE_EXTRA_CA_CERTS="+file)
	}
	return env
}
