// Package auth0 replaces and proves the client secret of an Auth0 application.
//
// An application has one client secret, and the previous one ends when it is replaced.
// It is made here and not by Auth0 (POST .../rotate-secret), so it can be stored
// before it is in force.
//
// From Auth0's documentation:
//   - https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id
//     (client_secret is updated with the scopes update:clients and
//     update:client_keys; how long it may be is not said. One that Auth0 makes has 64
//     letters, digits, - and _)
//   - https://auth0.com/docs/get-started/applications/rotate-client-secret (up to 30
//     seconds pass until a new one is known)
//   - https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens/get-management-api-access-tokens-for-production
//     (the admin is an application as well, which asks for a token first)
//   - https://auth0.com/docs/api/authentication/client-credentials-flow/get-token
//     (what a client secret is proven with)
package auth0

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyAudience is the secret's key with the identifier of an API that the application
// may ask tokens for.
const KeyAudience = "audience"

// management is the Management API below the tenant's URL. With that before it, it is
// the identifier of that API, too.
const management = "/api/v2/"

// Provider is an Auth0 tenant.
type Provider struct{ api *apihttp.Client }

// New returns the provider behind a client, whose Base is the tenant's URL.
func New(api apihttp.Client) *Provider { return &Provider{&api} }

// Credential is the client secret. The id of the key is the application's, and stays.
func (*Provider) Credential() []string { return []string{apikey.KeyValue} }

// Verify asks for an access token with the client secret, and forgets it.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	audience, err := apikey.Text(value, KeyAudience)
	if err != nil {
		return nil, err
	}
	_, err = p.token(ctx, value, audience.Reveal())
	return nil, err
}

// TryAdmin asks for an access token to the Management API, and forgets it.
func (p *Provider) TryAdmin(ctx context.Context, account apikey.Account) error {
	_, err := p.token(ctx, account.Admin, p.api.Base+management)
	return err
}

// Roll makes a client secret of 260 bits.
func (*Provider) Roll(_ context.Context, account apikey.Account) (rotation.Value, error) {
	return account.Secret.With(apikey.KeyValue, rand.Text()+rand.Text()), nil
}

// Register makes value's client secret the application's.
func (p *Provider) Register(ctx context.Context, account apikey.Account, value rotation.Value) error {
	id, err := apikey.Text(value, apikey.KeyID)
	if err != nil {
		return err
	}
	secret, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return err
	}
	token, err := p.token(ctx, account.Admin, p.api.Base+management)
	if err != nil {
		return err
	}
	var application struct {
		ID string `json:"client_id"`
	}
	err = p.api.Do(ctx, apihttp.Request{
		Method: http.MethodPatch, Path: management + "clients/" + url.PathEscape(id.Reveal()),
		Query:      url.Values{"fields": {"client_id"}},
		Auth:       apihttp.Bearer(token),
		JSON:       map[string]string{"client_secret": secret.Reveal()},
		Repeatable: true, // to the same
	}, &application)
	if err == nil && application.ID != id.Reveal() {
		err = rotation.Errorf(rotation.CodeBadAnswer, "Auth0 does not say that it has updated the application")
	}
	return err
}

// token asks for an access token for an API, with an application's own credential.
func (p *Provider) token(ctx context.Context, application rotation.Value, audience string) (token rotation.Sensitive, err error) {
	id, err := apikey.Text(application, apikey.KeyID)
	if err != nil {
		return token, err
	}
	secret, err := apikey.Text(application, apikey.KeyValue)
	if err != nil {
		return token, err
	}
	var answer struct {
		Token rotation.Sensitive `json:"access_token"`
	}
	err = p.api.Do(ctx, apihttp.Request{Method: http.MethodPost, Path: "/oauth/token", Repeatable: true, Form: url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {id.Reveal()},
		"client_secret": {secret.Reveal()},
		"audience":      {audience},
	}}, &answer)
	if err == nil && answer.Token.IsZero() {
		err = rotation.Errorf(rotation.CodeBadAnswer, "Auth0 answers 200 and gives no access token")
	}
	return answer.Token, err
}
