package apihttp_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

const sentinel = "sentinel-4d4d"

// api is a client of a scripted server, which counts calls and pauses.
type api struct {
	apihttp.Client
	calls  atomic.Int32
	paused []time.Duration
}

func newAPI(t *testing.T, serve http.HandlerFunc) *api {
	t.Helper()
	a := new(api)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		a.calls.Add(1)
		serve(w, call)
	}))
	t.Cleanup(server.Close)
	a.Base = server.URL + "/v1"
	a.Sleep = func(_ context.Context, d time.Duration) error {
		a.paused = append(a.paused, d)
		return nil
	}
	return a
}

func get() apihttp.Request { return apihttp.Request{Method: http.MethodGet, Path: "/keys"} }

func wantCode(t *testing.T, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v, want the code %q", err, want)
	}
}

// C8: a server that hangs is given up before the invocation's time is.
func TestHang(t *testing.T) {
	block := make(chan struct{})
	a := newAPI(t, func(http.ResponseWriter, *http.Request) { <-block })
	defer close(block)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	wantCode(t, a.Do(ctx, get(), nil), rotation.CodeDeadline)
}

// C7: an address at which no one listens, and a server that is no server.
func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, nil)
	a.Base = "http://" + listener.Addr().String()
	listener.Close()
	wantCode(t, a.Do(t.Context(), get(), nil), rotation.CodeUnreachable)
	if len(a.paused) != 3 {
		t.Errorf("tried again %d times, want 3", len(a.paused))
	}
}

// C6: a server whose authority is not known gets no key, and neither does one
// without TLS.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the call was made") }))
	defer server.Close()
	server.Config.ErrorLog = nil
	a := newAPI(t, nil)
	a.Base = server.URL
	wantCode(t, a.Do(t.Context(), get(), nil), rotation.CodeCertAuthority)
	a.Base = "http://api.example.com"
	wantCode(t, a.Do(t.Context(), get(), nil), rotation.CodeBadConfig)
}

// C6: a server that knows TLS 1.1 at the most is refused for that, before its
// certificate is looked at.
func TestOldTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the call was made") }))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // what is refused
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	a := newAPI(t, nil)
	a.Base = server.URL
	wantCode(t, a.Do(t.Context(), get(), nil), rotation.CodeTLS)
}

// C8: an answer without end is read to a limit and no further, however well it begins.
func TestAnswerWithoutEnd(t *testing.T) {
	read := 0
	body := io.MultiReader(strings.NewReader(`{"id":"`), counting{&read}, strings.NewReader(`"}`))
	a := newAPI(t, nil)
	a.Transport = roundTrip(func(call *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Request: call, Body: io.NopCloser(body)}, nil
	})
	var answer struct{ ID string }
	wantCode(t, a.Do(t.Context(), get(), &answer), rotation.CodeBadAnswer)
	if most := 2 << 20; read > most {
		t.Errorf("%d bytes were read, want %d at the most", read, most)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(call *http.Request) (*http.Response, error) { return f(call) }

// counting yields 8 MiB of x.
type counting struct{ read *int }

func (c counting) Read(p []byte) (int, error) {
	if *c.read >= 8<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = 'x'
	}
	*c.read += len(p)
	return len(p), nil
}

// K7: a provider may say when its limit begins anew instead of how long to wait: that
// is waited for as well, as long as a pause may be.
func TestReset(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		header, value string
		want          time.Duration
	}{
		"Datadog's seconds":    {"X-Ratelimit-Reset", "12", 12 * time.Second},
		"Okta's time":          {"X-Rate-Limit-Reset", fmt.Sprint(now.Add(15 * time.Second).Unix()), 15 * time.Second},
		"GitHub's, in an hour": {"X-Ratelimit-Reset", fmt.Sprint(now.Add(time.Hour).Unix()), 20 * time.Second},
		"a time that is past":  {"X-Ratelimit-Reset", fmt.Sprint(now.Add(-time.Hour).Unix()), 0},
		"something else":       {"X-Ratelimit-Reset", "soon", 0},
	} {
		a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", now.Format(http.TimeFormat))
			w.Header().Set(test.header, test.value)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		wantCode(t, a.Do(t.Context(), get(), nil), rotation.CodeThrottled)
		if len(a.paused) != 3 || test.want > 0 && a.paused[0] != test.want || test.want == 0 && a.paused[0] > time.Second {
			t.Errorf("%s: paused for %v, want %s", name, a.paused, test.want)
		}
	}
}

// C6: a redirect is not followed, within the host or to another.
func TestRedirect(t *testing.T) {
	elsewhere := newAPI(t, func(http.ResponseWriter, *http.Request) {})
	a := newAPI(t, func(w http.ResponseWriter, call *http.Request) {
		http.Redirect(w, call, elsewhere.Base, http.StatusTemporaryRedirect)
	})
	request := get()
	request.Auth = apihttp.Bearer(rotation.NewSensitive(sentinel))
	wantCode(t, a.Do(t.Context(), request, nil), rotation.CodeBadAnswer)
	if elsewhere.calls.Load() != 0 || a.calls.Load() != 1 {
		t.Errorf("%d calls here and %d elsewhere, want one here", a.calls.Load(), elsewhere.calls.Load())
	}
}

// K7: a call is repeated if that does no harm, as late as the server asks.
func TestRepeat(t *testing.T) {
	for name, test := range map[string]struct {
		method     string
		repeatable bool
		status     int
		header     string
		calls      int
		code       rotation.Code
	}{
		"a read":                        {http.MethodGet, false, 503, "", 4, rotation.CodeServer},
		"a removal":                     {http.MethodDelete, false, 500, "", 4, rotation.CodeServer},
		"a creation":                    {http.MethodPost, false, 503, "", 1, rotation.CodeServer},
		"a creation with a key":         {http.MethodPost, true, 503, "", 4, rotation.CodeServer},
		"a creation that came too soon": {http.MethodPost, false, 429, "", 4, rotation.CodeThrottled},
		"asked to wait":                 {http.MethodGet, false, 429, "7", 4, rotation.CodeThrottled},
		"asked to wait in GitHub's way": {http.MethodPost, false, 403, "7", 4, rotation.CodeThrottled},
		"asked to wait for too long":    {http.MethodGet, false, 429, "3600", 1, rotation.CodeThrottled},
		"refused":                       {http.MethodGet, false, 403, "", 1, rotation.CodePermission},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
				if test.header != "" {
					w.Header().Set("Retry-After", test.header)
				}
				w.WriteHeader(test.status)
			})
			err := a.Do(t.Context(), apihttp.Request{Method: test.method, Path: "/keys", Repeatable: test.repeatable}, nil)
			wantCode(t, err, test.code)
			if int(a.calls.Load()) != test.calls {
				t.Errorf("%d calls, want %d", int(a.calls.Load()), test.calls)
			}
			for _, pause := range a.paused {
				if test.header == "7" && pause != 7*time.Second {
					t.Errorf("paused for %s, want 7s", pause)
				}
			}
		})
	}
}

// C19: a call that must not come late is made once, whatever the answer.
func TestUnrepeated(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		err := a.Do(t.Context(), apihttp.Request{Method: http.MethodPut, Path: "/key", Unrepeated: true, Repeatable: true}, nil)
		if err == nil || a.calls.Load() != 1 {
			t.Errorf("%d: %d calls and %v, want one call and an error", status, a.calls.Load(), err)
		}
	}
}

// K7: a date says when to come back as well as a number of seconds does.
func TestRetryAfterDate(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.Header().Set("Retry-After", now.Add(5*time.Second).Format(http.TimeFormat))
		w.WriteHeader(http.StatusTooManyRequests)
	})
	wantCode(t, a.Do(t.Context(), get(), nil), rotation.CodeThrottled)
	if len(a.paused) == 0 || a.paused[0] != 5*time.Second {
		t.Errorf("paused for %v, want 5s", a.paused)
	}
}

// C8: there is no attempt for which the time would not suffice.
func TestNoTimeForAnotherAttempt(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "10")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	wantCode(t, a.Do(ctx, get(), nil), rotation.CodeThrottled)
	if a.calls.Load() != 1 || len(a.paused) != 0 {
		t.Errorf("%d calls, %d pauses, want one and none", a.calls.Load(), len(a.paused))
	}
}

// C9: of a failure method, host, path and status are told, and neither a header nor
// a body nor a query.
func TestTellsNothing(t *testing.T) {
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Echo", sentinel)
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"error":"`+sentinel+`"}`)
	})
	request := apihttp.Request{
		Method: http.MethodPost, Path: "/keys", Query: map[string][]string{"q": {sentinel}},
		Auth: apihttp.Bearer(rotation.NewSensitive(sentinel)), JSON: map[string]string{"key": sentinel},
	}
	for _, answer := range []any{nil, new(struct{})} {
		err := a.Do(t.Context(), request, answer)
		said := fmt.Sprintf("%v %+v %#v", err, err, err)
		if strings.Contains(said, sentinel) || !strings.Contains(said, "POST 127.0.0.1") || !strings.Contains(said, "/v1/keys: 422") {
			t.Errorf("got %s", said)
		}
	}
	a.Base = "https://user:" + sentinel + "@api.example.com"
	if err := a.Do(t.Context(), request, nil); strings.Contains(err.Error(), sentinel) {
		t.Errorf("got %v", err)
	}
}

// The request is sent as asked for, in each form of body and of credential.
func TestRequest(t *testing.T) {
	key := rotation.NewSensitive("k")
	for want, request := range map[string]apihttp.Request{
		`GET /v1/keys?a=1 "" "Bearer k" ""`:                                    {Method: http.MethodGet, Query: map[string][]string{"a": {"1"}}, Auth: apihttp.Bearer(key)},
		`POST /v1/keys "application/json" "" "{\"a\":\"1\"}"`:                  {Method: http.MethodPost, JSON: map[string]string{"a": "1"}},
		`POST /v1/keys "application/x-www-form-urlencoded" "Basic dTpr" "a=1"`: {Method: http.MethodPost, Form: map[string][]string{"a": {"1"}}, Auth: apihttp.Basic("u", key)},
		`DELETE /v1/keys "" "Token k" ""`:                                      {Method: http.MethodDelete, Auth: apihttp.Header("Authorization", "Token ", key)},
	} {
		var got string
		a := newAPI(t, func(_ http.ResponseWriter, call *http.Request) {
			body, _ := io.ReadAll(call.Body)
			got = fmt.Sprintf("%s %s %q %q %q", call.Method, call.RequestURI, call.Header.Get("Content-Type"), call.Header.Get("Authorization"), body)
		})
		request.Path = "/keys"
		if err := a.Do(t.Context(), request, nil); err != nil {
			t.Error(err)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Providers answer in JSON where they are asked for it, unless a call asks for something
// else.
func TestAsksForJSON(t *testing.T) {
	var got string
	a := newAPI(t, func(_ http.ResponseWriter, call *http.Request) { got = call.Header.Get("Accept") })
	for want, header := range map[string]http.Header{
		"application/json":            nil,
		"application/vnd.github+json": {"Accept": {"application/vnd.github+json"}},
	} {
		request := get()
		request.Header = header
		if err := a.Do(t.Context(), request, nil); err != nil || got != want {
			t.Errorf("asked for %q, want %q (%v)", got, want, err)
		}
	}
}
