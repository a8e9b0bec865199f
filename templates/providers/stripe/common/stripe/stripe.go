// Package stripe proves secret and restricted keys of Stripe's API. A person makes
// and expires them in the Dashboard: the API that does is a private preview for
// Stripe Apps.
//
// Stripe does not tell what a key may do. Compared are the mode and the kind, which
// a key's beginning says, the account, if the key may read it, and the configured
// reads that it may do. A permission to write shows in none of them.
//
// From Stripe's documentation:
//   - https://docs.stripe.com/keys
//     (kinds of keys; restricted ones and live mode; expiring them)
//   - https://docs.stripe.com/api/accounts/retrieve
//     (the account of a key; its id)
//   - https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
//     (401 to a key that is unknown, api_key_expired to one that has ended)
//   - https://docs.stripe.com/changelog/2016-10-19/insufficient-permissions-throw-403-error
//     (403 to a key that works and may not do this)
package stripe

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
)

// Base is where the API is.
const Base = "https://api.stripe.com"

// version is the API's, so that answers stay what they are.
// https://docs.stripe.com/api/versioning
const version = "2024-06-20"

// kinds are what a key may do by its beginning.
var kinds = map[string][]string{
	"sk_live_": {"live mode", "everything"},
	"rk_live_": {"live mode"},
	"sk_test_": {"test mode", "everything"},
	"rk_test_": {"test mode"},
}

// Provider is Stripe.
type Provider struct {
	api   *apihttp.Client
	reads []string
}

// New returns the provider behind a client, whose Base is set if it is not. reads
// are paths that a new key must be able to read if the present one is.
func New(api apihttp.Client, reads []string) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	return &Provider{&api, reads}
}

// FromEnv reads API_BASE_URL and READS.
func FromEnv(env *rotation.Env) *Provider {
	return New(apihttp.Client{Base: env.String("API_BASE_URL", "")}, env.List("READS"))
}

// Credential is the key and the name that a person gave it.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify asks Stripe for the key's account and makes the reads.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	key, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	scopes, err = kind(key)
	if err != nil {
		return nil, err
	}
	request := apihttp.Request{
		Method: http.MethodGet, Path: "/v1/account", Auth: apihttp.Bearer(key), Refusal: refusal,
		Header: http.Header{"Stripe-Version": {version}},
	}
	var account struct {
		ID string `json:"id"`
	}
	switch err := p.api.Do(ctx, request, &account); rotation.CodeOf(err) {
	case "":
		if account.ID == "" {
			return nil, rotation.Errorf(rotation.CodeBadAnswer, "Stripe does not say whose the key is")
		}
		scopes = append(scopes, "account "+account.ID)
	case rotation.CodePermission: // the key works
	default:
		return nil, err
	}
	request.Query = url.Values{"limit": {"1"}}
	reads, err := assisted.Reads(ctx, p.api, request, p.reads)
	return append(scopes, reads...), err
}

// kind reads what a key's beginning says.
func kind(key rotation.Sensitive) ([]string, error) {
	for prefix, scopes := range kinds {
		if strings.HasPrefix(key.Reveal(), prefix) {
			return append([]string(nil), scopes...), nil
		}
	}
	return nil, rotation.Errorf(rotation.CodeBadSecret, "the key begins like no secret and no restricted key of Stripe")
}

// refusal tells a key that has ended from one that was never one.
func refusal(_ int, body []byte) rotation.Code {
	var answer struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.Error.Code == "api_key_expired" {
		return rotation.CodeExpired
	}
	return ""
}
