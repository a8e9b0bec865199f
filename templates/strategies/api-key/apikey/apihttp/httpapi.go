// Package apihttp talks to a provider's HTTP API with the manners that a rotator
// needs: every call ends before the invocation does, is repeated only if that
// does no harm, and waits as long as the server asks it to. Redirects are not
// followed, so no credential goes to another host. Of a failure, method, host,
// path and status are told, and never a header or a body.
package apihttp

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

const (
	dialTimeout    = 3 * time.Second
	attemptTimeout = 10 * time.Second
	maxAttempts    = 4
	maxAnswer      = 1 << 20
	firstPause     = 500 * time.Millisecond
	maxPause       = 20 * time.Second // of what a server asks for
)

// Client calls one API. The zero value with a Base is ready.
type Client struct {
	// Base is the URL before every path, such as https://api.example.com/v1.
	Base string
	// Transport carries the calls; nil is the network, through the proxy that
	// the environment names.
	Transport http.RoundTripper
	// Sleep pauses between attempts; nil is the real thing.
	Sleep func(context.Context, time.Duration) error
}

// Request is one call. At most one of JSON and Form is set.
type Request struct {
	Method string
	Path   string // after the client's Base; segments that come from elsewhere escaped
	Query  url.Values
	Header http.Header
	Auth   Auth
	JSON   any
	Form   url.Values
	// Repeatable says that a second arrival does no harm, because the call
	// bears an idempotency key. GET, PUT and DELETE are so anyway.
	Repeatable bool
	// Unrepeated says that even a call that was certainly not carried out is not
	// made again: what its caller has looked at before may have changed meanwhile.
	Unrepeated bool
	// Refusal reads an answer that is no success and returns the code that it
	// means, "" for what its status says. Nothing of the body is printed.
	Refusal func(status int, body []byte) rotation.Code
}

// Auth puts a credential into a call.
type Auth func(http.Header)

// Bearer is an access token.
func Bearer(token rotation.Sensitive) Auth { return Header("Authorization", "Bearer ", token) }

// Header is a credential in a header of the API's own, after a prefix.
func Header(name, prefix string, credential rotation.Sensitive) Auth {
	return func(h http.Header) { h.Set(name, prefix+credential.Reveal()) }
}

// Basic is a user and a password.
func Basic(user string, password rotation.Sensitive) Auth {
	return func(h http.Header) {
		r := http.Request{Header: h}
		r.SetBasicAuth(user, password.Reveal())
	}
}

// Do makes the call and decodes the answer's JSON into answer, unless that is
// nil. A [*string] gets the body as it is.
func (c *Client) Do(ctx context.Context, request Request, answer any) error {
	_, err := c.DoHeader(ctx, request, answer)
	return err
}

// AsAdmin is Do with the key of the account's admin secret, presented in the way that
// auth has it.
func (c *Client) AsAdmin(ctx context.Context, account apikey.Account, auth func(rotation.Sensitive) Auth, request Request, answer any) error {
	key, err := apikey.Text(account.Admin, apikey.KeyValue)
	if err != nil {
		return rotation.Within("admin secret", err)
	}
	request.Auth = auth(key)
	return c.Do(ctx, request, answer)
}

// DoHeader is Do that also returns the header of the answer.
func (c *Client) DoHeader(ctx context.Context, request Request, answer any) (http.Header, error) {
	body, contentType, err := request.body()
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(strings.TrimSuffix(c.Base, "/") + request.Path)
	if err != nil || target.Host == "" || target.User != nil {
		return nil, rotation.Errorf(rotation.CodeBadConfig, "the URL of the API must be absolute and name no user")
	}
	if target.Scheme != "https" && !loopback(target.Hostname()) {
		return nil, rotation.Errorf(rotation.CodeBadConfig, "the URL of the API does not begin with https://: a key would cross the network in the clear")
	}
	target.RawQuery = request.Query.Encode()
	for attempt := 1; ; attempt++ {
		header, err := c.attempt(ctx, &request, target, body, contentType, answer)
		f, ok := errors.AsType[*failure](err)
		if !ok {
			return header, err
		}
		pause := f.pause(attempt)
		if attempt == maxAttempts || !f.mayRepeat(&request) || !fits(ctx, pause) {
			return nil, f.told
		}
		if c.sleep(ctx, pause) != nil {
			return nil, f.told
		}
	}
}

func (r *Request) body() (body []byte, contentType string, err error) {
	switch {
	case r.Form != nil:
		return []byte(r.Form.Encode()), "application/x-www-form-urlencoded", nil
	case r.JSON != nil:
		body, err = json.Marshal(r.JSON)
		if err != nil {
			err = rotation.Errorf(rotation.CodeBadConfig, "the request's body is not JSON").Because(err)
		}
		return body, "application/json", err
	default:
		return nil, "", nil
	}
}

// failure is an attempt that may be worth another.
type failure struct {
	told       error // a [rotation.Error]
	refused    bool  // the server says that it has not carried the call out
	retryAfter time.Duration
}

func (f *failure) Error() string { return f.told.Error() }

// mayRepeat reports whether a second attempt does no harm.
func (f *failure) mayRepeat(r *Request) bool {
	return !r.Unrepeated && (f.refused || r.Repeatable || r.Method != http.MethodPost && r.Method != http.MethodPatch)
}

// pause is what the server asks for, or else a random part of a time that
// doubles, so that many clients do not come back at once.
func (f *failure) pause(attempt int) time.Duration {
	if f.retryAfter > 0 {
		return f.retryAfter
	}
	limit := firstPause << attempt
	return limit/2 + rand.N(limit/2)
}

// fits reports whether a pause ends while there is still time for an attempt.
func fits(ctx context.Context, pause time.Duration) bool {
	end, ok := ctx.Deadline()
	return pause <= maxPause && (!ok || time.Until(end) > pause+time.Second)
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// attempt makes the call once. A failure that a repetition may heal is a
// [*failure].
func (c *Client) attempt(ctx context.Context, request *Request, target *url.URL, body []byte, contentType string, answer any) (http.Header, error) {
	what := fmt.Sprintf("%s %s%s", request.Method, target.Host, target.EscapedPath())
	try, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	call, err := http.NewRequestWithContext(try, request.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, rotation.Errorf(rotation.CodeBadConfig, "the call cannot be made").Because(err)
	}
	call.Header = request.Header.Clone()
	if call.Header == nil {
		call.Header = make(http.Header)
	}
	if contentType != "" {
		call.Header.Set("Content-Type", contentType)
	}
	if call.Header.Get("Accept") == "" {
		call.Header.Set("Accept", "application/json")
	}
	call.Header.Set("User-Agent", "secret-rotation")
	if request.Auth != nil {
		request.Auth(call.Header)
	}
	transport := c.Transport
	if transport == nil {
		transport = network
	}
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(call)
	if err != nil {
		return nil, noAnswer(ctx, what, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, noAnswer(ctx, what, err)
	case len(text) > maxAnswer:
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "%s: an answer of more than %d bytes", what, maxAnswer)
	case response.StatusCode/100 != 2:
		return nil, refused(what, request, response, text)
	}
	return response.Header, decode(what, text, answer)
}

// network is what a client without a transport uses.
var network http.RoundTripper = newTransport()

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     30 * time.Second,
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// noAnswer classifies a call that was not answered, or not to the end.
func noAnswer(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return rotation.Errorf(rotation.CodeDeadline, "%s: time ran out", what).Because(err)
	}
	switch code := rotation.ConnectionCode(err); code {
	case rotation.CodeTLS, rotation.CodeCertAuthority, rotation.CodeCertName, rotation.CodeCertExpired:
		return rotation.Errorf(code, "%s: the server's certificate is refused", what).Because(err)
	case rotation.CodeUnreachable:
		return &failure{told: rotation.Errorf(code, "%s: no connection", what).Because(err)}
	case rotation.CodeNoAnswer:
		return &failure{told: rotation.Errorf(code, "%s: no answer within %s", what, attemptTimeout).Because(err)}
	default:
		return &failure{told: rotation.Errorf(rotation.CodeDisconnected, "%s: the connection broke", what).Because(err)}
	}
}

// refused classifies an answer that is no success.
func refused(what string, request *Request, response *http.Response, body []byte) error {
	status := response.StatusCode
	code := statusCode(status)
	if status == http.StatusForbidden && limited(response.Header) {
		code = rotation.CodeThrottled
	}
	if request.Refusal != nil {
		code = cmp.Or(request.Refusal(status, body), code)
	}
	told := rotation.Errorf(code, "%s: %d %s", what, status, http.StatusText(status))
	if status/100 == 3 {
		told = rotation.Errorf(code, "%s: %d, a redirect, which is not followed", what, status)
	}
	if code != rotation.CodeThrottled && code != rotation.CodeServer {
		return told // a repetition would not change it
	}
	return &failure{told: told, refused: code == rotation.CodeThrottled, retryAfter: retryAfter(response.Header)}
}

// limited reports whether a refusal is one of a caller that was too fast: GitHub
// says so with 403 and these headers.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func limited(h http.Header) bool {
	return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0"
}

func statusCode(status int) rotation.Code {
	switch status {
	case http.StatusUnauthorized:
		return rotation.CodeAuthRejected
	case http.StatusForbidden:
		return rotation.CodePermission
	case http.StatusNotFound, http.StatusGone:
		return rotation.CodeNotFound
	case http.StatusTooManyRequests:
		return rotation.CodeThrottled
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		return rotation.CodePolicy
	default:
		if status/100 == 3 {
			return rotation.CodeBadAnswer
		}
		return rotation.CodeServer
	}
}

// retryAfter reads the header in both of its forms, or else when a provider says that
// its limit begins anew: in seconds, as Datadog, or as a time since 1970, as Okta,
// SendGrid, Auth0 and GitHub. 0 is none.
// https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
// https://docs.datadoghq.com/api/latest/rate-limits/
// https://developer.okta.com/docs/reference/rl-best-practices/
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if reset := cmp.Or(h.Get("X-RateLimit-Reset"), h.Get("X-Rate-Limit-Reset")); text == "" && reset != "" {
		return untilReset(h, reset)
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		if now, err := http.ParseTime(h.Get("Date")); err == nil {
			return at.Sub(now)
		}
		return time.Until(at)
	}
	return 0
}

// untilReset reads a number of seconds, or of those since 1970 if it is that large. A
// reset that is further away is waited for as long as a pause may be.
func untilReset(h http.Header, reset string) time.Duration {
	seconds, err := strconv.ParseInt(reset, 10, 64)
	if err != nil || seconds <= 0 {
		return 0
	}
	const oldest = 1e8 // in 1973
	wait := time.Duration(seconds) * time.Second
	if seconds >= oldest {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = time.Unix(seconds, 0).Sub(now)
	}
	return min(max(wait, 0), maxPause)
}

func decode(what string, text []byte, answer any) error {
	switch answer := answer.(type) {
	case nil:
		return nil
	case *string:
		*answer = string(text)
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return rotation.Errorf(rotation.CodeBadAnswer, "%s: the answer is not the JSON that the API documents", what).Because(err)
	}
	return nil
}

// Found takes "not found" for success: what was to be removed is gone.
func Found(err error) error {
	if rotation.CodeOf(err) == rotation.CodeNotFound {
		return nil
	}
	return err
}
