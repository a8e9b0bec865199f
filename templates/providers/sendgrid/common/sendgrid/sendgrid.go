// Package sendgrid makes, proves and revokes API keys of a Twilio SendGrid
// account.
//
// A key is made with the scopes of the one before, so anyone who changes what it may
// do does so at SendGrid, and the next rotation follows.
//
// From SendGrid's documentation:
//   - https://www.twilio.com/docs/sendgrid/api-reference/api-keys (create, list, get,
//     delete; the answer to create has the key, no other does; names need not be
//     unique; 100 keys an account, then 403)
//   - https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions/retrieve-a-list-of-scopes-for-which-this-user-has-access
//     (the scopes of the key that asks)
//
// Some scopes SendGrid gives by itself and, on some accounts, refuses with 500 when
// they are asked for: https://github.com/kenzo0107/terraform-provider-sendgrid/pull/118
// and https://github.com/trois-six/terraform-provider-sendgrid/pull/6. They are the
// account's and not the key's.
//
// Nothing tells when a key was made, so one that a rotation of this secret has left
// is revoked by the next, however young it is. It is not documented how the 403 at
// the limit differs from that of an admin who lacks a right: the list tells.
package sendgrid

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// Base is where the API is, but for subusers in the EU.
const Base = "https://api.sendgrid.com"

// room is how many keys an account can have.
const room = 100

// automatic are the scopes that SendGrid gives by itself.
var automatic = []string{"2fa_exempt", "2fa_required", "sender_verification_eligible", "sender_verification_exempt", "sender_verification_legacy"}

// asked returns the scopes that can be asked for.
func asked(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return slices.Contains(automatic, scope) })
}

// Provider is SendGrid.
type Provider struct{ api *apihttp.Client }

// New returns the provider behind a client, whose Base is set if it is not.
func New(api apihttp.Client) *Provider {
	if api.Base == "" {
		api.Base = Base
	}
	return &Provider{&api}
}

// key is a key as SendGrid writes it.
type key struct {
	ID     string             `json:"api_key_id"`
	Name   string             `json:"name"`
	Scopes []string           `json:"scopes"`
	Value  rotation.Sensitive `json:"api_key"`
}

// Credential is the key and its id.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify asks SendGrid for the scopes of the key, with the key itself.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	own, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	var granted struct {
		Scopes []string `json:"scopes"`
	}
	if err := p.api.Do(ctx, apihttp.Request{Method: http.MethodGet, Path: "/v3/scopes", Auth: apihttp.Bearer(own)}, &granted); err != nil {
		return nil, err
	}
	if len(granted.Scopes) == 0 {
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "SendGrid names no scope of the key")
	}
	return asked(granted.Scopes), nil
}

// List returns the account's keys, which are no more than fit on a page.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	var page struct {
		Result []key `json:"result"`
	}
	err = p.asAdmin(ctx, account, apihttp.Request{
		Method: http.MethodGet, Path: "/v3/api_keys", Query: url.Values{"limit": {strconv.Itoa(room)}},
	}, &page)
	for _, k := range page.Result {
		keys = append(keys, apikey.Key{ID: k.ID, Label: k.Name})
	}
	return keys, err
}

// Create makes a key that may do what the secret's present one may.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	id, err := apikey.Text(account.Secret, apikey.KeyID)
	if err != nil {
		return rotation.Value{}, err
	}
	var present struct {
		key
		Result []key `json:"result"` // as the specification has it, and clients do not
	}
	if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet, Path: pathOf(id.Reveal())}, &present); err != nil {
		return rotation.Value{}, err
	}
	scopes := asked(present.Scopes)
	for _, k := range present.Result {
		scopes = asked(k.Scopes)
	}
	if len(scopes) == 0 { // what a key without any may do is not documented
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "SendGrid names no scope of the present key that can be asked for")
	}
	var made key
	err = p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, Path: "/v3/api_keys", JSON: struct {
		Name   string   `json:"name"`
		Scopes []string `json:"scopes"`
	}{name.Label, scopes}}, &made)
	if err != nil {
		return rotation.Value{}, p.orFull(ctx, account, err)
	}
	if made.ID == "" || made.Value.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "SendGrid has made a key and not said its value")
	}
	return account.Secret.With(apikey.KeyID, made.ID).With(apikey.KeyValue, made.Value.Reveal()), nil
}

// orFull returns why no key was made: if SendGrid forbids it and the account has as
// many as it can have, that is the reason.
func (p *Provider) orFull(ctx context.Context, account apikey.Account, refusal error) error {
	if rotation.CodeOf(refusal) != rotation.CodePermission {
		return refusal
	}
	if keys, err := p.List(ctx, account); err != nil || len(keys) < room {
		return refusal
	}
	return rotation.Errorf(rotation.CodeQuota, "the account has %d keys, and can have no more", room).Because(refusal)
}

// Revoke deletes a key.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: pathOf(id)}, nil))
}

func pathOf(id string) string { return "/v3/api_keys/" + url.PathEscape(id) }

// asAdmin makes a call with the admin's key, which has the scopes of api_keys and
// those that it is to grant.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	return p.api.AsAdmin(ctx, account, apihttp.Bearer, request, answer)
}
