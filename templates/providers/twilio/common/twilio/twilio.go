// Package twilio makes, proves and revokes API keys of a Twilio account.
//
// A key is Standard or Restricted as the one before is, with the same policy, so
// anyone who changes what it may do does so at Twilio, and the next rotation follows. A
// Main key cannot be made by an API.
//
// From Twilio's documentation:
//   - https://www.twilio.com/docs/iam/api-keys/key-resource-v1 (create, list, fetch,
//     delete; the answer to create has the secret, no other does; the admin needs
//     the account's SID and Auth Token, a Main key, or a Restricted key that may)
//   - https://www.twilio.com/docs/usage/requests-to-twilio (a key's SID and secret
//     are user and password)
//   - https://www.twilio.com/docs/usage/api/usage-record (what a key is proven with,
//     unless the function is told of another list)
//   - https://www.twilio.com/docs/api/errors/70051 (one error for a key that does not
//     exist and for one that lacks a permission, so a key is proven only by a call
//     that it may make)
//
// A limit to how many keys an account has is not documented.
package twilio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyAccount is the secret's key with the account's SID.
const KeyAccount = "account_sid"

// VerifyPath is the list that a key is proven with, if nothing else is said. It tells
// sums, and nothing of any message or call.
const VerifyPath = "/2010-04-01/Accounts/{" + KeyAccount + "}/Usage/Records.json"

// Provider is Twilio, whose keys are made at one host and used at others.
type Provider struct {
	iam, api   *apihttp.Client
	verifyPath string
}

// New returns the provider behind a client. Keys are proven at a path, in which
// {account_sid} stands for the account's.
func New(client apihttp.Client, verifyPath string) *Provider {
	iam, api := client, client
	iam.Base, api.Base = "https://iam.twilio.com/v1/Keys", "https://api.twilio.com"
	return &Provider{&iam, &api, verifyPath}
}

// key is a key as Twilio writes it.
type key struct {
	SID     string             `json:"sid"`
	Name    string             `json:"friendly_name"`
	Created string             `json:"date_created"`
	Secret  rotation.Sensitive `json:"secret"`
	Policy  json.RawMessage    `json:"policy"`
}

// Credential is the key's secret and its SID.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify reads a list with the key.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	auth, err := basic(value)
	if err != nil {
		return nil, err
	}
	account, err := apikey.Text(value, KeyAccount)
	if err != nil {
		return nil, err
	}
	var list struct{}
	return nil, p.api.Do(ctx, apihttp.Request{
		Method: http.MethodGet, Path: strings.ReplaceAll(p.verifyPath, "{"+KeyAccount+"}", url.PathEscape(account.Reveal())),
		Query: url.Values{"PageSize": {"1"}}, Auth: auth,
	}, &list)
}

// List returns the account's keys.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	sid, err := apikey.Text(account.Secret, KeyAccount)
	if err != nil {
		return nil, err
	}
	query := url.Values{"AccountSid": {sid.Reveal()}, "PageSize": {"1000"}}
	for query != nil {
		var page struct {
			Keys []key `json:"keys"`
			Meta struct {
				Next string `json:"next_page_url"`
			} `json:"meta"`
		}
		if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet, Query: query}, &page); err != nil {
			return nil, err
		}
		for _, k := range page.Keys {
			created, err := time.Parse(time.RFC1123Z, k.Created)
			if err != nil && apikey.Labelled(k.Name) { // the specification lets the date be null
				return nil, rotation.Errorf(rotation.CodeBadAnswer, "Twilio does not say when a key was made").Because(err)
			}
			keys = append(keys, apikey.Key{ID: k.SID, Label: k.Name, Created: created})
		}
		if query, err = following(page.Meta.Next); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// following returns the query of the next page, nil if there is none. The host that
// an answer names is not called.
func following(next string) (url.Values, error) {
	if next == "" {
		return nil, nil
	}
	target, err := url.Parse(next)
	if err != nil {
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "Twilio does not say where the next page is").Because(err)
	}
	return target.Query(), nil
}

// Create makes a key that may do what the secret's present one may.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	id, err := apikey.Text(account.Secret, apikey.KeyID)
	if err != nil {
		return rotation.Value{}, err
	}
	sid, err := apikey.Text(account.Secret, KeyAccount)
	if err != nil {
		return rotation.Value{}, err
	}
	var present, made key
	if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet, Path: "/" + url.PathEscape(id.Reveal())}, &present); err != nil {
		return rotation.Value{}, err
	}
	form := url.Values{"AccountSid": {sid.Reveal()}, "FriendlyName": {name.Label}}
	if policy := string(present.Policy); policy != "" && policy != "null" {
		form["KeyType"], form["Policy"] = []string{"restricted"}, []string{policy}
	}
	if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, Form: form}, &made); err != nil {
		return rotation.Value{}, err
	}
	if made.SID == "" || made.Secret.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "Twilio has made a key and not said its secret")
	}
	return account.Secret.With(apikey.KeyID, made.SID).With(apikey.KeyValue, made.Secret.Reveal()), nil
}

// Revoke deletes a key, and with it every Access Token that was made with it.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: "/" + url.PathEscape(id)}, nil))
}

// asAdmin makes a call to the keys with the admin's, or with the account's SID and
// Auth Token.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	auth, err := basic(account.Admin)
	if err != nil {
		return rotation.Within("admin secret", err)
	}
	request.Auth = auth
	return p.iam.Do(ctx, request, answer)
}

// basic is what a secret logs in with.
func basic(value rotation.Value) (apihttp.Auth, error) {
	sid, err := apikey.Text(value, apikey.KeyID)
	if err != nil {
		return nil, err
	}
	secret, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	return apihttp.Basic(sid.Reveal(), secret), nil
}
