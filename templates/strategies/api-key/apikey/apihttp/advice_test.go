package apihttp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// C6, C25: a proxy that opens TLS answers with a certificate of its own, and no key is
// sent to it. Once it is as RUNBOOK.md says, or the host is exempt from it, the call goes
// through.
func TestAdviceOnCertificates(t *testing.T) {
	trusted, other := newAuthority(t), newAuthority(t)
	valid := time.Now().Add(time.Hour)
	provider := trusted.serve(t, "api.example.com", valid, 0)
	for code, test := range map[rotation.Code]struct{ proxy, cured net.Listener }{
		rotation.CodeCertAuthority: {other.serve(t, "api.example.com", valid, 0), provider}, // the host is exempt from it
		rotation.CodeCertName:      {trusted.serve(t, "proxy.example.com", valid, 0), provider},
		rotation.CodeCertExpired:   {trusted.serve(t, "api.example.com", time.Now().Add(-time.Hour), 0), provider},
		rotation.CodeTLS:           {trusted.serve(t, "api.example.com", valid, tls.VersionTLS11), trusted.serve(t, "api.example.com", valid, tls.VersionTLS12)},
	} {
		a := newAPI(t, nil)
		a.Base = "https://api.example.com"
		through := test.proxy
		a.Transport = &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, through.Addr().String())
			},
			TLSClientConfig:   &tls.Config{RootCAs: trusted.pool, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
		}
		wantCode(t, a.Do(t.Context(), get(), nil), code)
		through = test.cured
		if err := a.Do(t.Context(), get(), nil); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, pool: x509.NewCertPool()}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.certificate)
	return a
}

// serve answers every call, with a certificate for name and TLS up to a version, 0 for
// the newest.
func (a authority) serve(t *testing.T, name string, until time.Time, newest uint16) net.Listener {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}},
		MinVersion:   tls.VersionTLS10, MaxVersion: newest, //nolint:gosec // what is refused
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener
}

// C7, C25: each error of a provider, or of the way to it, has the code by which
// RUNBOOK.md names the cure, and the call goes through after that.
func TestAdvice(t *testing.T) {
	var answer atomic.Pointer[func(http.ResponseWriter)] // a call that was given up may still be served
	a := newAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		if do := answer.Load(); do != nil {
			(*do)(w)
		}
	})
	says := func(do func(http.ResponseWriter)) { answer.Store(&do) }
	status := func(code int) { says(func(w http.ResponseWriter) { w.WriteHeader(code) }) }
	direct := a.Base
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	away := &url.URL{Scheme: "http", Host: nobody.Addr().String()}
	for code, begin := range map[rotation.Code]func(){
		rotation.CodeUnreachable: func() { a.Transport = &http.Transport{Proxy: http.ProxyURL(away)} }, // HTTPS_PROXY is wrong
		rotation.CodeNoAnswer: func() {
			a.Transport = roundTrip(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
		},
		rotation.CodeDisconnected: func() { says(func(http.ResponseWriter) { panic(http.ErrAbortHandler) }) },
		rotation.CodeAuthRejected: func() { status(http.StatusUnauthorized) },
		rotation.CodePermission:   func() { status(http.StatusForbidden) },
		rotation.CodeNotFound:     func() { a.Base += "/elsewhere"; status(http.StatusNotFound) },
		rotation.CodePolicy:       func() { status(http.StatusUnprocessableEntity) },
		rotation.CodeThrottled:    func() { status(http.StatusTooManyRequests) },
		rotation.CodeServer:       func() { status(http.StatusServiceUnavailable) },
		rotation.CodeBadAnswer: func() { // of a portal
			says(func(w http.ResponseWriter) { w.Header().Set("Location", "/portal"); w.WriteHeader(http.StatusFound) })
		},
	} {
		begin()
		wantCode(t, a.Do(t.Context(), get(), nil), code)
		answer.Store(nil)
		a.Base, a.Transport = direct, nil
		if err := a.Do(t.Context(), get(), nil); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}
