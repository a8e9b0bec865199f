// Package apikey sends an application's requests with the key of a secret that is rotated.
package apikey

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// Sign adds the credential of a version to a request, a copy that it may change.
type Sign func(*http.Request, consumer.Version) error

// Bearer signs with "Authorization: Bearer KEY". field is the key's in the secret, api_key where rotasmith has stored it.
func Bearer(field string) Sign {
	return func(r *http.Request, v consumer.Version) error {
		key, err := v.Field(field)
		r.Header.Set("Authorization", "Bearer "+key)
		return err
	}
}

// Header signs with the key as the value of a header.
func Header(name, field string) Sign {
	return func(r *http.Request, v consumer.Version) error {
		key, err := v.Field(field)
		r.Header.Set(name, key)
		return err
	}
}

// Basic signs with two fields as user and password of "Authorization: Basic".
func Basic(userField, passwordField string) Sign {
	return func(r *http.Request, v consumer.Version) error {
		user, err1 := v.Field(userField)
		password, err2 := v.Field(passwordField)
		r.SetBasicAuth(user, password)
		return errors.Join(err1, err2)
	}
}

// Transport returns a transport for an [http.Client] that signs the requests to host, such as api.example.com or one with a port, and sends
// those to other hosts, as a redirect may be, without the key. base is the transport below, [http.DefaultTransport] if it is nil.
//
// A request that is answered by 401 is sent again with another version, if its body can be: http.NewRequest sees to it for buffers and
// readers of bytes and strings, and a body of a known length is kept up to 1 MiB. Else, and when time is over, the answer is the caller's.
func Transport(secret *consumer.Secret, base http.RoundTripper, host string, sign Sign) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{secret, base, host, sign}
}

type transport struct {
	secret *consumer.Secret
	base   http.RoundTripper
	host   string
	sign   Sign
}

var errUnauthorized = errors.New("401 Unauthorized")

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.host {
		return t.base.RoundTrip(r)
	}
	body, again, err := bodies(r)
	if err != nil {
		return nil, err
	}
	rejected := func(err error) bool { return again && errors.Is(err, errUnauthorized) }
	var answer *http.Response // the last one
	_, err = consumer.Do(r.Context(), t.secret, rejected, func(ctx context.Context) (struct{}, error) {
		v, err := t.secret.Get(ctx)
		if err != nil {
			return struct{}{}, err
		}
		if answer != nil {
			_ = answer.Body.Close()
		}
		answer, err = t.send(r, body, v)
		if err == nil && answer.StatusCode == http.StatusUnauthorized {
			err = errUnauthorized
		}
		return struct{}{}, err
	})
	if errors.Is(err, errUnauthorized) {
		return answer, nil
	}
	if err != nil && r.Body != nil {
		_ = r.Body.Close() // nothing may have been sent
	}
	return answer, err
}

// send sends a signed copy of r with another body.
func (t *transport) send(r *http.Request, body func() (io.ReadCloser, error), v consumer.Version) (*http.Response, error) {
	signed := r.Clone(r.Context())
	if err := t.sign(signed, v); err != nil {
		return nil, err
	}
	var err error
	if signed.Body, err = body(); err != nil {
		return nil, err
	}
	return t.base.RoundTrip(signed)
}

// bodies returns what makes a body for each copy of r, and whether it can do so more than once. It takes r's own body over.
func bodies(r *http.Request) (body func() (io.ReadCloser, error), again bool, err error) {
	const most = 1 << 20
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return func() (io.ReadCloser, error) { return r.Body, nil }, true, nil
	case r.GetBody != nil:
		return r.GetBody, true, r.Body.Close()
	case r.ContentLength <= 0 || r.ContentLength > most: // not known, or too long to keep
		return func() (io.ReadCloser, error) { return r.Body, nil }, false, nil
	}
	text, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		return nil, false, err
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }, true, nil
}
