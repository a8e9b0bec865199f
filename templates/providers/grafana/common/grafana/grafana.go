// Package grafana makes, proves and revokes tokens of a Grafana service account.
//
// A token has the service account's role and permissions, so all its tokens may do
// the same.
//
// From Grafana's documentation:
//   - https://grafana.com/docs/grafana/latest/developers/http_api/serviceaccount/#get-service-account-tokens
//     (list, create, delete; the answer to create has the token, no other does)
//   - https://grafana.com/docs/grafana/latest/developers/http_api/user/#actual-user
//     (GET /api/user, what a token is proven with)
//
// Not documented, but in Grafana's source (pkg/api/api.go, login.go): GET /api/user is
// for those who are signed in and not anonymous, so 401 refuses a token and any other
// answer, by what the token may do 200, 403 or 404, knows it. GET /api/login/ping would
// take an anonymous visitor for logged in. A name can be taken once in an
// organization (409), so each attempt adds to it; a token that does not exist is 404;
// and where token_expiration_day_limit or its like is set, a token without an end, or
// with a later one, is 400. A limit to how many tokens there are is known neither to
// the documentation nor to the source.
package grafana

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyServiceAccount is the secret's key with the service account's id.
const KeyServiceAccount = "service_account_id"

// Config is what the provider is told by the function's environment.
type Config struct {
	Lifetime time.Duration // of a token; 0 is for ever
	Now      func() time.Time
}

// Provider is a Grafana.
type Provider struct {
	api    *apihttp.Client
	config Config
}

// New returns the provider behind a client, whose Base is where Grafana is.
func New(api apihttp.Client, config Config) *Provider { return &Provider{&api, config} }

// token is a token as Grafana writes it.
type token struct {
	ID      id                 `json:"id"`
	Name    string             `json:"name"`
	Created time.Time          `json:"created"`
	Key     rotation.Sensitive `json:"key"`
}

// id is a number on the wire and a text in the secret.
type id string

func (i *id) UnmarshalJSON(text []byte) error {
	*i = id(strings.Trim(string(text), `"`))
	return nil
}

// Credential is the token, its id and its end.
func (*Provider) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

// Verify asks Grafana who the token is. An answer that a token without the right to ask
// gets as well proves it only if a call without one is refused.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	own, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	who := apihttp.Request{Method: http.MethodGet, Path: "/api/user", Auth: apihttp.Bearer(own)}
	var user struct{}
	err = p.api.Do(ctx, who, &user)
	switch rotation.CodeOf(err) {
	case rotation.CodePermission, rotation.CodeNotFound:
		who.Auth = nil
		if nobody := p.api.Do(ctx, who, &user); rotation.CodeOf(nobody) == rotation.CodeAuthRejected {
			return nil, nil
		}
	default:
	}
	return nil, err
}

// List returns the service account's tokens, which are not paged.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	var tokens []token
	err = p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet}, &tokens)
	for _, t := range tokens {
		label, _, _ := strings.Cut(t.Name, " ")
		keys = append(keys, apikey.Key{ID: string(t.ID), Label: label, Created: t.Created})
	}
	return keys, err
}

// Create makes a token.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	var made token
	var end time.Time
	if p.config.Lifetime > 0 {
		end = p.config.Now().Add(p.config.Lifetime)
	}
	err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, JSON: struct {
		Name    string `json:"name"`
		Seconds int64  `json:"secondsToLive"`
	}{name.Label + " " + rand.Text(), int64(p.config.Lifetime.Seconds())}}, &made)
	if err != nil {
		return rotation.Value{}, err
	}
	if made.ID == "" || made.Key.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "Grafana has made a token and not said what it is")
	}
	next := account.Secret.With(apikey.KeyID, string(made.ID)).With(apikey.KeyValue, made.Key.Reveal())
	return apikey.WithExpiry(next, end), nil
}

// Revoke deletes a token.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: "/" + url.PathEscape(id)}, nil))
}

// asAdmin makes a call below the service account's tokens with the admin's, which has
// serviceaccounts:read and serviceaccounts:write for the service account.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	id, err := apikey.Text(account.Secret, KeyServiceAccount)
	if err != nil {
		return err
	}
	request.Path = "/api/serviceaccounts/" + url.PathEscape(id.Reveal()) + "/tokens" + request.Path
	return p.api.AsAdmin(ctx, account, apihttp.Bearer, request, answer)
}
