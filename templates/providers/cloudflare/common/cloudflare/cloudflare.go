// Package cloudflare makes, proves and revokes API tokens that belong to a
// Cloudflare account.
//
// A token is made with the policies and the condition of the one before, so anyone who
// changes what it may do does so at Cloudflare, and the next rotation follows. Its
// end is not taken over: rotation replaces it. Tokens are not rolled (PUT
// .../value): that ends the previous value at once.
//
// From Cloudflare's documentation:
//   - https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/
//     (create, list, get, delete, verify; the answer to create has the value, no
//     other does)
//   - https://developers.cloudflare.com/fundamentals/api/reference/limits/
//     (500 tokens an account; 1200 calls in five minutes, then 429 with
//     retry-after)
package cloudflare

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyAccount is the secret's key with the account's id.
const KeyAccount = "account_id"

// Base is where the API is.
const Base = "https://api.cloudflare.com/client/v4"

// Cloudflare's codes for a token that it does not know, and for one that is none.
const (
	invalidToken   = 1000
	invalidHeaders = 6003
)

// pageSize is the most that a page of tokens may have.
const pageSize = 50

// Provider is Cloudflare.
type Provider struct{ api *apihttp.Client }

// New returns the provider behind a client, whose Base is set if it is not.
func New(api apihttp.Client) *Provider {
	if api.Base == "" {
		api.Base = Base
	}
	return &Provider{&api}
}

// token is a token as Cloudflare writes it.
type token struct {
	ID        string             `json:"id"`
	Name      string             `json:"name"`
	Status    string             `json:"status"`
	IssuedOn  time.Time          `json:"issued_on"`
	Value     rotation.Sensitive `json:"value"`
	Policies  []policy           `json:"policies"`
	Condition json.RawMessage    `json:"condition"`
}

// policy is what of a policy goes into the next token.
type policy struct {
	Effect           string          `json:"effect"`
	PermissionGroups []group         `json:"permission_groups"`
	Resources        json.RawMessage `json:"resources"`
}

type group struct {
	ID string `json:"id"`
}

// Credential is the token and its id.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify asks Cloudflare about the token, with the token itself.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	key, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	found, err := call[token](ctx, p, apikey.Account{Secret: value}, key, apihttp.Request{Method: http.MethodGet, Path: "/verify"})
	switch {
	case err != nil:
		return nil, err
	case found.Status != "active":
		return nil, rotation.Errorf(rotation.CodeExpired, "Cloudflare calls the token %q", found.Status)
	case apikey.ID(value) != "" && apikey.ID(value) != found.ID:
		return nil, rotation.Errorf(rotation.CodeIdentity, "the token is not the one that %q names", apikey.KeyID)
	}
	return nil, nil
}

// List returns the account's tokens.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	for page := 1; ; page++ {
		tokens, err := asAdmin[[]token](ctx, p, account, apihttp.Request{
			Method: http.MethodGet,
			Query:  url.Values{"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(pageSize)}},
		})
		if err != nil {
			return nil, err
		}
		for _, t := range tokens {
			keys = append(keys, apikey.Key{ID: t.ID, Label: t.Name, Created: t.IssuedOn})
		}
		if len(tokens) < pageSize {
			return keys, nil
		}
	}
}

// Create makes a token that may do what the secret's present one may.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	id, err := apikey.Text(account.Secret, apikey.KeyID)
	if err != nil {
		return rotation.Value{}, err
	}
	present, err := asAdmin[token](ctx, p, account, apihttp.Request{Method: http.MethodGet, Path: "/" + url.PathEscape(id.Reveal())})
	if err != nil {
		return rotation.Value{}, err
	}
	condition := present.Condition
	if string(condition) == "null" { // is no condition, and refused as one
		condition = nil
	}
	made, err := asAdmin[token](ctx, p, account, apihttp.Request{Method: http.MethodPost, JSON: struct {
		Name      string          `json:"name"`
		Policies  []policy        `json:"policies"`
		Condition json.RawMessage `json:"condition,omitempty"`
	}{name.Label, present.Policies, condition}})
	if err != nil {
		return rotation.Value{}, err
	}
	if made.ID == "" || made.Value.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "Cloudflare has made a token and not said its value")
	}
	return account.Secret.With(apikey.KeyID, made.ID).With(apikey.KeyValue, made.Value.Reveal()), nil
}

// Revoke deletes a token.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	_, err := asAdmin[token](ctx, p, account, apihttp.Request{Method: http.MethodDelete, Path: "/" + url.PathEscape(id)})
	return apihttp.Found(err)
}

// asAdmin makes a call with the admin's token, which has "Account API Tokens
// Write".
func asAdmin[T any](ctx context.Context, p *Provider, account apikey.Account, request apihttp.Request) (result T, err error) {
	key, err := apikey.Text(account.Admin, apikey.KeyValue)
	if err != nil {
		return result, rotation.Within("admin secret", err)
	}
	return call[T](ctx, p, account, key, request)
}

// call makes a call below the account's tokens and takes the result out of its
// envelope.
func call[T any](ctx context.Context, p *Provider, account apikey.Account, key rotation.Sensitive, request apihttp.Request) (result T, err error) {
	id, err := apikey.Text(account.Secret, KeyAccount)
	if err != nil {
		return result, err
	}
	request.Path = "/accounts/" + url.PathEscape(id.Reveal()) + "/tokens" + request.Path
	request.Auth, request.Refusal = apihttp.Bearer(key), refusal
	var envelope struct {
		Success bool `json:"success"`
		Result  T    `json:"result"`
	}
	if err := p.api.Do(ctx, request, &envelope); err != nil {
		return result, err
	}
	if !envelope.Success {
		return result, rotation.Errorf(rotation.CodeBadAnswer, "Cloudflare answers 200 and says that the call failed")
	}
	return envelope.Result, nil
}

// refusal reads Cloudflare's own codes where the status says too little. A token
// that it does not know the form of is refused with 400
// (https://github.com/cloudflare/workers-sdk/issues/15616). Its answer at the
// account's limit is not documented: a refusal that speaks of a maximum is taken for
// it.
func refusal(status int, body []byte) rotation.Code {
	var envelope struct {
		Errors []struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &envelope) != nil {
		return ""
	}
	for _, e := range envelope.Errors {
		switch {
		case e.Code == invalidToken, e.Code == invalidHeaders:
			return rotation.CodeAuthRejected
		case status/100 == 4 && status != http.StatusTooManyRequests && strings.Contains(strings.ToLower(e.Message), "maximum"):
			return rotation.CodeQuota
		}
	}
	return ""
}
