package keys

import (
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
)

// wires count the calls that cross them.
type wires struct {
	mu     sync.Mutex
	calls  []string
	onCall func(n int, done bool) error
}

// call is where every wire ends. done is false before a call has its effect and true
// after; the number counts from 1.
func (w *wires) call(op string, done bool) error {
	w.mu.Lock()
	if !done {
		w.calls = append(w.calls, op)
	}
	n, do := len(w.calls), w.onCall
	w.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(n, done)
}

// watch counts calls from 1 again and lets do see each.
func (w *wires) watch(do func(n int, done bool) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls, w.onCall = nil, do
}

func (w *wires) counted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// provider is the scripted server at the end of the proxy, whatever host is asked for.
type provider struct {
	server http.Handler
	around func(op string, done bool) error
}

// listen returns the environment in which a function reaches the provider and no
// other host by HTTPS: the proxy, and the one authority that is trusted.
func (p *provider) listen(t *testing.T) []string {
	t.Helper()
	authority := postgrestest.NewAuthority(t)
	trusted := filepath.Join(t.TempDir(), "trusted.pem")
	if err := os.WriteFile(trusted, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(p)
	server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		return authority.Server(t, hello.ServerName, time.Now().Add(time.Hour)), nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	return []string{
		"HTTPS_PROXY=" + serve(t, http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) { tunnel(w, call, address) })),
		"SSL_CERT_FILE=" + trusted, "SSL_CERT_DIR=" + filepath.Dir(trusted),
	}
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// tunnel joins a proxy's client to an address.
func tunnel(w http.ResponseWriter, call *http.Request, address string) {
	if call.Method != http.MethodConnect {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	far, err := (&net.Dialer{}).DialContext(call.Context(), "tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = far.Close() }()
	near, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = near.Close() }()
	if _, err := io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		defer func() { _ = near.Close() }()
		_, _ = io.Copy(near, far)
	}()
	_, _ = io.Copy(far, near)
}

// ServeHTTP answers a call that is counted before and after it has its effect.
func (p *provider) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	op := call.Method + " " + call.Host + call.URL.Path
	if p.around(op, false) != nil {
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	p.server.ServeHTTP(answer, call)
	if p.around(op, true) != nil {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}
