// Package okta makes, proves and revokes client secrets of an OAuth 2.0 app in Okta.
//
// Client secrets bear no name, so those of the app must all belong to this one
// rotation. An app has two at the most, whether they are active or not: at the
// beginning of a rotation the previous one goes.
//
// From Okta's documentation:
//   - https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOCredentialOAuth2ClientAuth/
//     (list, create, deactivate, delete; two at the most, then an error; only an
//     inactive one can be deleted)
//   - https://developer.okta.com/docs/guides/client-secret-rotation-key/main/
//   - https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/OrgAS/#tag/OrgAS/operation/introspect
//     (a client authenticates to ask about a token, whatever its grants: one that is
//     none is not active)
//
// Okta takes a client secret that is made here, too. But of those that an app has it
// documents neither that their values are told nor how they are hashed, so it could
// not be looked up which of them is ours. The error that a third one meets is not
// documented either: with nothing in the request that could be wrong, a failed
// validation (E0000001, https://developer.okta.com/docs/reference/error-codes/) is
// taken for it. Nor is it said how an inactive one answers to being deactivated: that
// it can be deleted decides.
package okta

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// The secret's keys with the ids of the app and of the client that it is.
const (
	KeyApp    = "app_id"
	KeyClient = "client_id"
)

// How a client authenticates (CLIENT_AUTH).
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
)

const (
	invalid  = "E0000001" // Okta's code for a request that fails its validation
	inactive = "INACTIVE" // Okta's status of a client secret that was deactivated
)

// Provider is an Okta organization.
type Provider struct {
	api        *apihttp.Client
	clientAuth string
}

// New returns the provider behind a client, whose Base is where the organization is.
func New(api apihttp.Client, clientAuth string) *Provider { return &Provider{&api, clientAuth} }

// secret is a client secret as Okta writes it.
type secret struct {
	ID      string             `json:"id"`
	Created time.Time          `json:"created"`
	Status  string             `json:"status"`
	Value   rotation.Sensitive `json:"client_secret"`
}

// Credential is the client secret and its id.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Unlabelled is true: the app's secrets are this rotation's alone.
func (*Provider) Unlabelled() bool { return true }

// Verify lets the client ask about a token that is none.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	own, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	client, err := apikey.Text(value, KeyClient)
	if err != nil {
		return nil, err
	}
	request := apihttp.Request{Method: http.MethodPost, Path: "/oauth2/v1/introspect", Form: url.Values{"token": {"none"}}, Repeatable: true}
	if p.clientAuth == AuthPost {
		request.Form["client_id"], request.Form["client_secret"] = []string{client.Reveal()}, []string{own.Reveal()}
	} else {
		request.Auth = apihttp.Basic(client.Reveal(), own)
	}
	var answer struct {
		Active *bool `json:"active"`
	}
	if err := p.api.Do(ctx, request, &answer); err != nil {
		return nil, err
	}
	if answer.Active == nil {
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "Okta does not say whether the token is active")
	}
	return nil, nil
}

// List returns the app's client secrets, inactive ones too: they take up room.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	var secrets []secret
	err = p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet}, &secrets)
	for _, s := range secrets {
		keys = append(keys, apikey.Key{ID: s.ID, Created: s.Created})
	}
	return keys, err
}

// Create makes a client secret.
func (p *Provider) Create(ctx context.Context, account apikey.Account, _ apikey.Name) (rotation.Value, error) {
	var made secret
	if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, JSON: struct{}{}, Refusal: full}, &made); err != nil {
		return rotation.Value{}, err
	}
	if made.ID == "" || made.Value.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "Okta has made a client secret and not said its value")
	}
	return account.Secret.With(apikey.KeyID, made.ID).With(apikey.KeyValue, made.Value.Reveal()), nil
}

// full reads why no client secret was made.
func full(status int, body []byte) rotation.Code {
	var refusal struct {
		Code string `json:"errorCode"`
	}
	if status == http.StatusBadRequest && json.Unmarshal(body, &refusal) == nil && refusal.Code == invalid {
		return rotation.CodeQuota
	}
	return ""
}

// Revoke deactivates a client secret, which ends it, and deletes it.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	path := "/" + url.PathEscape(id)
	var ended secret
	err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, Path: path + "/lifecycle/deactivate", Repeatable: true}, &ended)
	switch {
	case rotation.CodeOf(err) == rotation.CodePolicy: // perhaps it is inactive already
	case err != nil:
		return apihttp.Found(err)
	case ended.Status != inactive:
		return rotation.Errorf(rotation.CodeBadAnswer, "Okta does not say that the client secret is inactive")
	}
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: path}, nil))
}

// asAdmin makes a call below the app's client secrets with the admin's API token, whose
// owner may manage the app.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	app, err := apikey.Text(account.Secret, KeyApp)
	if err != nil {
		return err
	}
	request.Path = "/api/v1/apps/" + url.PathEscape(app.Reveal()) + "/credentials/secrets" + request.Path
	return p.api.AsAdmin(ctx, account, token, request, answer)
}

// token is an API token, which is no Bearer's.
func token(token rotation.Sensitive) apihttp.Auth {
	return apihttp.Header("Authorization", "SSWS ", token)
}
