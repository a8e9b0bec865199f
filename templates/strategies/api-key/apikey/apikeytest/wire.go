package apikeytest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// Wire is a provider's own client before a scripted server.
type Wire struct {
	// Initial is the secret's first value but for the key, its id and the
	// admin's ARN. "" is {}.
	Initial string
	// Admin is the admin secret's value; "" is the admin's key alone.
	Admin string
	// Server answers as the provider documents it, out of the book.
	Server func(*Ledger) http.Handler
	// Strategy is the strategy over the provider's client, and with the test's
	// clock.
	Strategy func(client apihttp.Client, now func() time.Time) rotation.Strategy
	// Ledger sets what is special about the provider's book, if anything is.
	Ledger func(*Ledger)
	// Single says that the provider has one key, and replaces it.
	Single bool
	// Before is what a person does before each rotation, if anything.
	Before func(*rotationtest.World, *Ledger) error
	// After is what a person does once a rotation has come to its end, if
	// anything.
	After func(*rotationtest.World, *Ledger)
	// Codes are the codes that the provider gives a status instead of the usual,
	// "" where it is no failure.
	Codes map[int]rotation.Code
}

// Subject returns the rotation over the wire. broken, if it is not nil, may answer
// in the server's place.
func (wire Wire) Subject(w *rotationtest.World, broken *Broken) (rotationtest.Subject, *Ledger) {
	ledger := NewLedger(w)
	if wire.Ledger != nil {
		wire.Ledger(ledger)
	}
	admin := w.Seed("admin", cmp.Or(wire.Admin, `{"api_key":"`+AdminKey+`"}`))
	value, err := rotation.ParseValue(rotation.NewSensitive(cmp.Or(wire.Initial, "{}")))
	if err != nil {
		panic(err) // of the test that wrote it
	}
	for key, text := range map[string]string{apikey.KeyID: "first", apikey.KeyValue: ledger.first(), apikey.KeyAdmin: admin} {
		if _, ok := value.Get(key); !ok {
			value = value.With(key, text)
		}
	}
	server := wire.Server(ledger)
	subject := ledger.Subject(value.Text().Reveal(), func(p *rotationtest.Process) (rotation.Strategy, error) {
		var transport http.RoundTripper = through{p, server}
		if broken != nil {
			broken.next = transport
			transport = broken
		}
		return wire.Strategy(apihttp.Client{Transport: transport, Sleep: w.Pause}, w.Now), nil
	})
	if wire.Single {
		subject = Single(subject)
	}
	if wire.Before != nil {
		subject.Before = func() error { return wire.Before(w, ledger) }
	}
	if wire.After != nil {
		subject.Tidy = func() error { return wire.tidy(w, ledger) }
	}
	return subject, ledger
}

// tidy returns nil if a rotation has left everything as it should be.
func (wire Wire) tidy(w *rotationtest.World, ledger *Ledger) error {
	if wire.After != nil {
		wire.After(w, ledger)
	}
	if wire.Single {
		return errors.Join(w.CurrentWorks(), ledger.recovered())
	}
	return ledger.tidy()
}

// Prove kills, freezes and disturbs rotations at every call over the wire.
func (wire Wire) Prove(t *testing.T) {
	t.Helper()
	rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := wire.Subject(w, nil)
		return s
	})
}

// Rotate rotates n times, undisturbed, a day apart.
func (wire Wire) Rotate(t *testing.T, n int) {
	t.Helper()
	var ledger *Ledger
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, ledger = wire.Subject(w, nil)
		return s
	})
	for range n {
		w.Pass(24 * time.Hour)
		rotate(t, w, 1)
		if err := wire.tidy(w, ledger); err != nil {
			t.Error(err)
		}
	}
}

// Full rotates with room for two keys: the previous one makes room for the next .
func (wire Wire) Full(t *testing.T) {
	t.Helper()
	wire.Ledger = func(l *Ledger) { l.Room = 2 }
	wire.Rotate(t, 10)
}

// KnownLate rotates at a provider that lets a key in only after a while (K7).
func (wire Wire) KnownLate(t *testing.T) {
	t.Helper()
	wire.Ledger = func(l *Ledger) { l.Lag = 20 * time.Second }
	wire.Rotate(t, 3)
}

// Answers holds the provider to K7 and C7: whatever is answered to one of its
// calls, the step fails with the code that it means, or the call does not matter;
// nothing of the answer is told; and the next try gets everything right.
func (wire Wire) Answers(t *testing.T) {
	t.Helper()
	calls := wire.calls(t)
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		answer := answers[name]
		t.Run(name, func(t *testing.T) {
			want, special := wire.Codes[answer.status]
			if !special {
				want = answer.code
			}
			seen := 0
			for _, call := range calls {
				broken := &Broken{t: t, call: call, answer: answer}
				var ledger *Ledger
				w := rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
					s, ledger = wire.Subject(w, broken)
					return s
				})
				rotate(t, w, 1) // so that there is a previous key as well
				broken.on = true
				err := attempt(t, w, 1)
				if err != nil {
					seen++
					if got := rotation.CodeOf(err); got != want {
						t.Errorf("answered to %s: %v, want the code %s", call, err, want)
					}
				}
				broken.on = false
				if err := w.Silent(err); err != nil || strings.Contains(w.Output(), sentinel) || strings.Contains(fmt.Sprint(err), sentinel) {
					t.Errorf("answered to %s: the rotator tells what was answered", call)
				}
				w.Pass(24 * time.Hour)
				rotate(t, w, 3)
				w.Pass(24 * time.Hour)
				rotate(t, w, 1)
				if err := wire.tidy(w, ledger); err != nil {
					t.Errorf("answered to %s, then as it should be: %v", call, err)
				}
			}
			if seen == 0 && want != "" {
				t.Errorf("no call minds the answer")
			}
		})
	}
}

// calls returns the calls of a rotation over the wire that are not the first.
func (wire Wire) calls(t *testing.T) []string {
	t.Helper()
	listen := &Broken{t: t}
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := wire.Subject(w, listen)
		return s
	})
	rotate(t, w, 1)
	rotate(t, w, 1)
	var calls []string
	for _, call := range listen.seen {
		if !slices.Contains(calls, call) {
			calls = append(calls, call)
		}
	}
	return calls
}

// rotate lets the service rotate, and go on with a rotation that is under way, which
// has to succeed.
func rotate(t *testing.T, w *rotationtest.World, tries int) {
	t.Helper()
	if err := attempt(t, w, tries); err != nil {
		t.Errorf("no recovery: %v", err)
	}
}

// attempt is rotate that may fail.
func attempt(t *testing.T, w *rotationtest.World, tries int) error {
	t.Helper()
	token := w.Store.InFlight(w.Secret)
	if token == "" {
		token = w.Token()
		if err := w.Request(token); err != nil {
			t.Fatal(err)
		}
	}
	return w.Rotate(token, tries)
}

const sentinel = "answer-sentinel-3e3e"

// answer is what comes instead of the server's.
type answer struct {
	status int
	header http.Header
	body   string
	cut    error // what ends the body
	err    error // instead of an answer
	code   rotation.Code
}

var answers = map[string]answer{
	"400":                     {status: 400, code: rotation.CodePolicy},
	"401":                     {status: 401, code: rotation.CodeAuthRejected},
	"403":                     {status: 403, code: rotation.CodePermission},
	"404":                     {status: 404, code: rotation.CodeNotFound},
	"409":                     {status: 409, code: rotation.CodePolicy},
	"422":                     {status: 422, code: rotation.CodePolicy},
	"429":                     {status: 429, code: rotation.CodeThrottled},
	"429 with Retry-After":    {status: 429, header: http.Header{"Retry-After": {"7"}}, code: rotation.CodeThrottled},
	"500":                     {status: 500, code: rotation.CodeServer},
	"503":                     {status: 503, code: rotation.CodeServer},
	"a redirect":              {status: 302, header: http.Header{"Location": {"https://elsewhere.example/" + sentinel}}, code: rotation.CodeBadAnswer},
	"HTML":                    {status: 200, header: http.Header{"Content-Type": {"text/html"}}, body: "<html>" + sentinel, code: rotation.CodeBadAnswer},
	"nothing":                 {status: 200, body: " ", code: rotation.CodeBadAnswer},
	"an answer that is cut":   {status: 200, body: `{"a`, cut: io.ErrUnexpectedEOF, code: rotation.CodeDisconnected},
	"an answer without limit": {status: 200, body: `"` + strings.Repeat("x", 1<<20), code: rotation.CodeBadAnswer},
	"a hang":                  {err: context.DeadlineExceeded, code: rotation.CodeNoAnswer},
}

// Broken answers one kind of call wrongly while it is on, and remembers all.
type Broken struct {
	t      *testing.T
	next   http.RoundTripper
	seen   []string
	call   string
	on     bool
	answer answer
}

// RoundTrip is the transport's.
func (b *Broken) RoundTrip(call *http.Request) (*http.Response, error) {
	if call.URL.Host == "elsewhere.example" {
		b.t.Error("a redirect was followed to another host")
	}
	kind := kindOf(call)
	b.seen = append(b.seen, kind)
	if !b.on || kind != b.call {
		return b.next.RoundTrip(call)
	}
	if b.answer.err != nil {
		return nil, b.answer.err
	}
	header := b.answer.header
	if header == nil {
		header = make(http.Header)
	}
	body := cmp.Or(b.answer.body, `{"error":"`+sentinel+`"}`)
	return &http.Response{
		StatusCode: b.answer.status, Header: header, Request: call,
		Body: io.NopCloser(io.MultiReader(strings.NewReader(body), cut{b.answer.cut})),
	}, nil
}

type cut struct{ err error }

func (c cut) Read([]byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	return 0, io.EOF
}

// kindOf names a call without what differs from rotation to rotation.
func kindOf(call *http.Request) string {
	path := call.URL.EscapedPath()
	if cutAt := strings.LastIndex(path, "/key"); cutAt >= 0 && strings.Trim(path[cutAt+4:], "0123456789") == "" {
		path = path[:cutAt] + "/KEY"
	}
	return call.Method + " " + path
}

var errBroken = errors.New("the connection broke")

// through carries a client's calls to a scripted server, as calls of a process to
// the outside: each may meet a fault. There is no socket in between.
type through struct {
	process *rotationtest.Process
	server  http.Handler
}

func (t through) RoundTrip(call *http.Request) (answer *http.Response, err error) {
	var body []byte
	if call.Body != nil {
		if body, err = io.ReadAll(call.Body); err != nil {
			return nil, err
		}
	}
	err = t.process.Send(call.Method+" "+call.URL.Path, errBroken, func() error {
		// A call that arrives late has outlived its caller.
		arrived := call.Clone(context.WithoutCancel(call.Context()))
		arrived.Body, arrived.RequestURI = io.NopCloser(bytes.NewReader(body)), call.URL.RequestURI()
		recorder := httptest.NewRecorder()
		t.server.ServeHTTP(recorder, arrived)
		answer = recorder.Result()
		return nil
	})
	if err != nil {
		return nil, err // and not the answer that was lost
	}
	return answer, nil
}

// Direct carries calls to a scripted server, with no fault in between.
func Direct(server http.Handler) http.RoundTripper {
	return through{new(rotationtest.Outside).Process(), server}
}

// Presented returns what a call presents as its Bearer.
func Presented(call *http.Request) string {
	token, _ := strings.CutPrefix(call.Header.Get("Authorization"), "Bearer ")
	return token
}

// Form returns the form that a call has in its body.
func Form(call *http.Request) url.Values {
	if err := call.ParseForm(); err != nil {
		return nil
	}
	return call.PostForm
}
