// Package openai makes, proves and revokes API keys of an OpenAI project.
//
// There is no call that makes a key of a person. A service account comes with a key,
// which is not deleted but with it: so each key has a service account of its own, and
// the secret's key_id is the service account's. It is made as a member of the project
// with all that members may do; what the present one was granted or denied by hand is
// not taken over.
//
// What OpenAI documents of it:
//   - https://platform.openai.com/docs/api-reference/project-service-accounts (create,
//     list, delete; the answer to create has the key, no other does)
//   - https://platform.openai.com/docs/api-reference/project-api-keys/delete (a service
//     account's key is not deleted but with the service account)
//   - https://platform.openai.com/docs/api-reference/models/list (what a key is proven
//     with)
//
// Whether names must differ, how many service accounts a project can have, and how soon
// a key ends with its service account is not documented.
package openai

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"example.com/keys/apikey"
	"example.com/keys/httpapi"
	"example.com/keys/rotation"
)

// KeyProject is the secret's key with the project's id.
const KeyProject = "project_id"

// Base is where the API is.
const Base = "https://api.openai.com/v1"

// pageSize is the most that a page of service accounts may have.
const pageSize = "100"

// Provider is OpenAI.
type Provider struct {
	api      *httpapi.Client
	lifetime time.Duration
}

// New returns the provider behind a client, whose Base is set if it is not. Keys live
// for a while, or for ever if that is 0.
func New(api httpapi.Client, lifetime time.Duration) *Provider {
	if api.Base == "" {
		api.Base = Base
	}
	return &Provider{&api, lifetime}
}

// serviceAccount is a service account as OpenAI writes it.
type serviceAccount struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Created int64  `json:"created_at"`
	Key     struct {
		Value   rotation.Sensitive `json:"value"`
		Expires int64              `json:"expires_at"`
	} `json:"api_key"`
}

// Credential is the key, its end and the service account's id.
func (*Provider) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

// Verify lists the models that the key may use.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	own, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	var models struct {
		Object string `json:"object"`
	}
	if err := p.api.Do(ctx, httpapi.Request{Method: http.MethodGet, Path: "/models", Auth: httpapi.Bearer(own)}, &models); err != nil {
		return nil, err
	}
	if models.Object != "list" {
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "OpenAI lists no models for the key")
	}
	return nil, nil
}

// List returns the project's service accounts.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	query := url.Values{"limit": {pageSize}}
	for {
		var page struct {
			Data []serviceAccount `json:"data"`
			More bool             `json:"has_more"`
		}
		if err := p.asAdmin(ctx, account, httpapi.Request{Method: http.MethodGet, Query: query}, &page); err != nil {
			return nil, err
		}
		for _, a := range page.Data {
			keys = append(keys, apikey.Key{ID: a.ID, Label: a.Name, Created: time.Unix(a.Created, 0)})
			query.Set("after", a.ID)
		}
		if !page.More || len(page.Data) == 0 {
			return keys, nil
		}
	}
}

// Create makes a service account, and with it a key.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	var made serviceAccount
	err := p.asAdmin(ctx, account, httpapi.Request{Method: http.MethodPost, JSON: struct {
		Name    string `json:"name"`
		Seconds int64  `json:"expires_in_seconds,omitempty"`
	}{name.Label, int64(p.lifetime.Seconds())}}, &made)
	if err != nil {
		return rotation.Value{}, err
	}
	if made.ID == "" || made.Key.Value.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "OpenAI has made a service account and not said its key")
	}
	next := account.Secret.With(apikey.KeyID, made.ID).With(apikey.KeyValue, made.Key.Value.Reveal())
	var end time.Time
	if made.Key.Expires > 0 {
		end = time.Unix(made.Key.Expires, 0)
	}
	return apikey.WithExpiry(next, end), nil
}

// Revoke deletes a service account, and with it its key.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	return httpapi.Found(p.asAdmin(ctx, account, httpapi.Request{Method: http.MethodDelete, Path: "/" + url.PathEscape(id)}, nil))
}

// asAdmin makes a call below the project's service accounts with an Admin API key.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request httpapi.Request, answer any) error {
	project, err := apikey.Text(account.Secret, KeyProject)
	if err != nil {
		return err
	}
	request.Path = "/organization/projects/" + url.PathEscape(project.Reveal()) + "/service_accounts" + request.Path
	return p.api.AsAdmin(ctx, account, httpapi.Bearer, request, answer)
}
