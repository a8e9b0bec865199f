package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

const sentinel = "-sentinel-41ab"

// world is an API that takes one key, and a Secrets Manager that has one. A version is the key.
type world struct {
	server *httptest.Server

	mu      sync.Mutex
	current string
	inForce string
	status  int      // of a rejected request
	done    []string // bodies of requests that were carried out
	asked   int
	headers http.Header // of the last request
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{current: "v1", inForce: "v1", status: http.StatusUnauthorized}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked++
		w.headers = r.Header
		if r.Header.Get("Authorization") != "Bearer "+w.inForce+sentinel {
			rw.WriteHeader(w.status)
			_, _ = io.WriteString(rw, "the key is not known")
			return
		}
		w.done = append(w.done, string(body))
	}))
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &secretsmanager.GetSecretValueOutput{
		VersionId: &w.current, SecretString: aws.String(fmt.Sprintf(`{"key_id": "id", "api_key": "%s%s"}`, w.current, sentinel)),
	}, nil
}

func (w *world) client(options consumer.Options) *http.Client {
	host := strings.TrimPrefix(w.server.URL, "http://")
	return &http.Client{Transport: Transport(consumer.New(w, "keys", options), nil, host, Bearer("api_key"))}
}

// opaque hides what kind of reader it is, so that a request has no GetBody.
type opaque struct{ io.Reader }

// (R3, R8) A request that is answered by 401 while the key changes is sent again, with its body, and carried out once.
func TestBridgesTheGap(t *testing.T) {
	for name, body := range map[string]func() (io.Reader, int64){
		"no body":            func() (io.Reader, int64) { return nil, 0 },
		"bytes":              func() (io.Reader, int64) { return bytes.NewReader([]byte("order 7")), -1 },
		"a reader of length": func() (io.Reader, int64) { return opaque{strings.NewReader("order 7")}, 7 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.inForce = "v2"
			time.AfterFunc(70*time.Millisecond, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.current = "v2"
			})
			content, length := body()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL, content)
			if err != nil {
				t.Fatal(err)
			}
			if length > 0 {
				r.ContentLength = length
			}
			answer, err := w.client(consumer.Options{}).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			want := ""
			if content != nil {
				want = "order 7"
			}
			if answer.StatusCode != http.StatusOK || len(w.done) != 1 || w.done[0] != want {
				t.Errorf("status %d, done %q", answer.StatusCode, w.done)
			}
		})
	}
}

// (R8) A body that can be read once is sent once, and so is a request that is answered by 403: it may have been carried out in part.
func TestSentOnce(t *testing.T) {
	for name, status := range map[string]int{"stream": http.StatusUnauthorized, "forbidden": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.inForce, w.status = "another", status
			content := io.Reader(strings.NewReader("order 7"))
			if name == "stream" {
				content = opaque{content}
			}
			answer, err := w.client(consumer.Options{Wait: 100 * time.Millisecond}).Post(w.server.URL, "text/plain", content)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(answer.Body)
			if err := answer.Body.Close(); err != nil || answer.StatusCode != status || w.asked != 1 || string(text) != "the key is not known" {
				t.Errorf("status %d after %d requests: %q, %v", answer.StatusCode, w.asked, text, err)
			}
		})
	}
}

// (R5) When time is over the answer is the caller's, 401 with its body.
func TestAnswerComesBack(t *testing.T) {
	w := newWorld(t)
	w.inForce = "another"
	answer, err := w.client(consumer.Options{Wait: 200 * time.Millisecond}).Get(w.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusUnauthorized || string(text) != "the key is not known" {
		t.Errorf("status %d: %q, %v", answer.StatusCode, text, err)
	}
}

// (R9) Another host gets no key, also by a redirect, and an error shows none.
func TestOtherHostsGetNoKey(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	redirects := httptest.NewServer(http.RedirectHandler(other.server.URL, http.StatusTemporaryRedirect))
	t.Cleanup(redirects.Close)
	client := &http.Client{Transport: Transport(consumer.New(w, "keys", consumer.Options{}), nil, strings.TrimPrefix(redirects.URL, "http://"), Bearer("api_key"))}
	answer, err := client.Get(redirects.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if other.asked != 1 || other.headers.Get("Authorization") != "" {
		t.Errorf("after %d requests the header is %q", other.asked, other.headers)
	}
	client = &http.Client{Transport: Transport(consumer.New(w, "keys", consumer.Options{}), nil, "127.0.0.1:1", Bearer("api_key"))}
	_, err = client.Get("http://127.0.0.1:1/") //nolint:bodyclose // there is no answer
	if err == nil || strings.Contains(err.Error(), sentinel) {
		t.Errorf("got %v", err)
	}
}

func TestSigns(t *testing.T) {
	w := newWorld(t)
	v, err := consumer.New(w, "keys", consumer.Options{}).Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	if err := errors.Join(Header("X-Key", "api_key")(r, v), Basic("key_id", "api_key")(r, v)); err != nil {
		t.Fatal(err)
	}
	if user, password, _ := r.BasicAuth(); r.Header.Get("X-Key") != "v1"+sentinel || user != "id" || password != "v1"+sentinel {
		t.Errorf("header %q, user %q", r.Header.Get("X-Key"), user)
	}
	for name, sign := range map[string]Sign{"bearer": Bearer("nope"), "header": Header("X-Key", "nope"), "basic": Basic("key_id", "nope")} {
		if sign(r, v) == nil {
			t.Errorf("%s: no error without the field", name)
		}
	}
}
