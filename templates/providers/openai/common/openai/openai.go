// Package openai makes, proves and deletes API keys of a service account in an OpenAI
// project.
//
// All keys are the same service account's, so its roles and groups hold for each. No call
// tells a key's own scopes: a new one gets those of the function's configuration, or
// all that its service account has.
//
// From OpenAI's documentation:
//   - https://developers.openai.com/api/reference/resources/admin/subresources/organization/subresources/projects/subresources/service_accounts/subresources/api_keys/methods/create
//     (the answer has the key, no other does; scopes, expires_in_seconds)
//   - .../projects/subresources/api_keys/methods/list (with owner.service_account.id and
//     owner_project_access) and .../methods/delete ("also keys that a service account
//     owns", in the copy of 2026-11-17; the specification of 2026-08-21 had an error for
//     them. A refusal leaves the key alive and is reported)
//   - https://developers.openai.com/api/docs/guides/api-keys (issue, switch, verify,
//     revoke; the service account stays)
//   - https://platform.openai.com/docs/api-reference/models/list (what a key is proven
//     with)
//   - https://developers.openai.com/api/docs/guides/data-residency (regional hosts, for
//     the keys of projects there; the administration is at the one for all)
//
// Not documented, but on record: 401 with "Missing scopes" to a key that works and may
// not do this (https://github.com/microsoft/PowerToys/issues/32989), and 401 with
// incorrect_hostname to a key of a project in a region
// (https://github.com/agent-ecosystem/skill-validator/issues/70). How many keys a
// service account can have is not documented.
package openai

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// The secret's keys with the ids of the project and of the service account in it.
const (
	KeyProject        = "project_id"
	KeyServiceAccount = "service_account_id"
)

// Base is where the administration is, and the API for projects in no region.
const Base = "https://api.openai.com/v1"

// pageSize is the most that a page of keys may have.
const pageSize = "100"

// Config is what the provider is told by the function's environment.
type Config struct {
	Lifetime time.Duration // of a key; 0 is for ever
	Scopes   []string      // of a key; none are all that its service account has
}

// Provider is OpenAI, whose keys are made at one host and may be used at another.
type Provider struct {
	admin, api *apihttp.Client
	config     Config
}

// New returns the provider behind a client, whose Base is where keys are used.
func New(api apihttp.Client, config Config) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	admin := api
	admin.Base = Base
	return &Provider{&admin, &api, config}
}

// key is a key as OpenAI writes it.
type key struct {
	ID      string             `json:"id"`
	Name    string             `json:"name"`
	Created int64              `json:"created_at"`
	Expires int64              `json:"expires_at"`
	Value   rotation.Sensitive `json:"value"`
	Owner   struct {
		ServiceAccount struct {
			ID string `json:"id"`
		} `json:"service_account"`
	} `json:"owner"`
}

// Credential is the key, its end and its id.
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
	err = p.api.Do(ctx, apihttp.Request{Method: http.MethodGet, Path: "/models", Auth: apihttp.Bearer(own), Refusal: refusal}, &models)
	switch {
	case rotation.CodeOf(err) == rotation.CodeBadConfig:
		return nil, rotation.Errorf(rotation.CodeBadConfig, "the key is of a project with data residency, which has a host of its own: set openai_url").Because(err)
	case err != nil:
		return nil, err
	case models.Object != "list":
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "OpenAI lists no models for the key")
	}
	return nil, nil
}

// List returns the service account's keys.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	owner, err := apikey.Text(account.Secret, KeyServiceAccount)
	if err != nil {
		return nil, err
	}
	query := url.Values{"limit": {pageSize}, "owner_project_access": {"any"}}
	for {
		var page struct {
			Data []key `json:"data"`
			More bool  `json:"has_more"`
		}
		if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet, Path: "/api_keys", Query: query}, &page); err != nil {
			return nil, err
		}
		for _, k := range page.Data {
			if k.Owner.ServiceAccount.ID == owner.Reveal() {
				keys = append(keys, apikey.Key{ID: k.ID, Label: k.Name, Created: time.Unix(k.Created, 0)})
			}
			query.Set("after", k.ID)
		}
		if !page.More || len(page.Data) == 0 {
			return keys, nil
		}
	}
}

// Create makes a key of the service account.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	owner, err := apikey.Text(account.Secret, KeyServiceAccount)
	if err != nil {
		return rotation.Value{}, err
	}
	var made key
	err = p.asAdmin(ctx, account, apihttp.Request{
		Method: http.MethodPost, Path: "/service_accounts/" + url.PathEscape(owner.Reveal()) + "/api_keys",
		JSON: struct {
			Name    string   `json:"name"`
			Scopes  []string `json:"scopes,omitempty"`
			Seconds int64    `json:"expires_in_seconds,omitempty"`
		}{name.Label, p.config.Scopes, int64(p.config.Lifetime.Seconds())},
	}, &made)
	if err != nil {
		return rotation.Value{}, err
	}
	if made.ID == "" || made.Value.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "OpenAI has made a key and not said what it is")
	}
	var end time.Time
	switch {
	case made.Expires > 0:
		end = time.Unix(made.Expires, 0)
	case p.config.Lifetime > 0: // OpenAI's SDKs do not know the end in the answer
		end = time.Unix(made.Created, 0).Add(p.config.Lifetime)
	}
	return apikey.WithExpiry(account.Secret.With(apikey.KeyID, made.ID).With(apikey.KeyValue, made.Value.Reveal()), end), nil
}

// Revoke deletes a key.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: "/api_keys/" + url.PathEscape(id)}, nil))
}

// asAdmin makes a call below the project with an Admin API key.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	project, err := apikey.Text(account.Secret, KeyProject)
	if err != nil {
		return err
	}
	request.Path = "/organization/projects/" + url.PathEscape(project.Reveal()) + request.Path
	request.Refusal = refusal
	return p.admin.AsAdmin(ctx, account, apihttp.Bearer, request, answer)
}

// refusal tells what else 401 means than a key that OpenAI does not know.
func refusal(status int, body []byte) rotation.Code {
	switch {
	case status != http.StatusUnauthorized:
		return ""
	case strings.Contains(string(body), "incorrect_hostname"):
		return rotation.CodeBadConfig
	case strings.Contains(string(body), "Missing scopes"):
		return rotation.CodePermission
	}
	return ""
}
