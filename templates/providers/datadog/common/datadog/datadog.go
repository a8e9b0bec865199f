// Package datadog makes, proves and revokes API keys of a Datadog organization.
//
// An API key has no rights of its own: it says which organization data belong to.
// Its category, and whether agents may be configured with it, go over to the next
// one.
//
// From Datadog's documentation:
//   - https://docs.datadoghq.com/api/latest/key-management/ (create, list, get,
//     delete; api_keys_read, api_keys_write and api_keys_delete)
//   - https://docs.datadoghq.com/api/latest/authentication/#validate-api-key (asked
//     with a key that is none, it answers 403)
//   - https://docs.datadoghq.com/account_management/api-app-keys/ (50 keys an
//     organization unless Datadog has raised it, each with a name of its own, so each
//     attempt adds to the name)
//   - https://github.com/DataDog/datadog-api-client-go/blob/master/tests/scenarios/cassettes/TestScenarios/v2/Feature_Key_Management/Scenario_Get_all_API_keys_returns_%22OK%22_response.yaml
//     (a recorded list, whose meta.max_allowed is that limit)
//
// Not documented: what is answered at the limit, so the list tells, and how an unknown admin's key is
// told from one that lacks a permission, both of which are 403. So that is
// auth-rejected, whosever key it is.
package datadog

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyApplication is the admin secret's key with the application key, without which an
// API key manages nothing.
const KeyApplication = "application_key"

// Base is where the API is for organizations of the site US1.
const Base = "https://api.datadoghq.com"

// pageSize is the most that a page of keys may have.
const pageSize = 100

// Provider is Datadog.
type Provider struct{ api *apihttp.Client }

// New returns the provider behind a client, whose Base is set if it is not.
func New(api apihttp.Client) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	return &Provider{&api}
}

// key is a key as Datadog writes it.
type key struct {
	ID         string     `json:"id,omitempty"`
	Type       string     `json:"type"`
	Attributes attributes `json:"attributes"`
}

type attributes struct {
	Name         string             `json:"name"`
	Category     string             `json:"category,omitempty"`
	RemoteConfig *bool              `json:"remote_config_read_enabled,omitempty"`
	Created      time.Time          `json:"created_at,omitzero"`
	Key          rotation.Sensitive `json:"key,omitzero"`
}

// Credential is the key and its id.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify asks Datadog whether the key is valid.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	own, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Valid bool `json:"valid"`
	}
	err = p.api.Do(ctx, apihttp.Request{
		Method: http.MethodGet, Path: "/api/v1/validate", Auth: apihttp.Header("DD-API-KEY", "", own), Refusal: refusal,
	}, &answer)
	if err == nil && !answer.Valid {
		err = rotation.Errorf(rotation.CodeBadAnswer, "Datadog answers 200 and does not say that the key is valid")
	}
	return nil, err
}

// List returns the organization's keys.
func (p *Provider) List(ctx context.Context, account apikey.Account) ([]apikey.Key, error) {
	keys, _, err := p.list(ctx, account)
	return keys, err
}

// list is List that also returns how many keys there can be, 0 if that is not said.
func (p *Provider) list(ctx context.Context, account apikey.Account) (keys []apikey.Key, room int, err error) {
	for page := 0; ; page++ {
		found, room, err := asAdmin[[]key](ctx, p, account, apihttp.Request{
			Method: http.MethodGet,
			Query:  url.Values{"page[number]": {strconv.Itoa(page)}, "page[size]": {strconv.Itoa(pageSize)}},
		})
		if err != nil {
			return nil, 0, err
		}
		for _, k := range found {
			label, _, _ := strings.Cut(k.Attributes.Name, " ")
			keys = append(keys, apikey.Key{ID: k.ID, Label: label, Created: k.Attributes.Created})
		}
		if len(found) < pageSize {
			return keys, room, nil
		}
	}
}

// Create makes a key like the secret's present one.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	id, err := apikey.Text(account.Secret, apikey.KeyID)
	if err != nil {
		return rotation.Value{}, err
	}
	present, _, err := asAdmin[key](ctx, p, account, apihttp.Request{Method: http.MethodGet, Path: "/" + url.PathEscape(id.Reveal())})
	if err != nil {
		return rotation.Value{}, err
	}
	made, _, err := asAdmin[key](ctx, p, account, apihttp.Request{Method: http.MethodPost, JSON: object{key{
		Type: "api_keys",
		Attributes: attributes{
			Name:         name.Label + " " + rand.Text(),
			Category:     present.Attributes.Category,
			RemoteConfig: present.Attributes.RemoteConfig,
		},
	}}})
	if err != nil {
		return rotation.Value{}, p.orFull(ctx, account, err)
	}
	if made.ID == "" || made.Attributes.Key.IsZero() {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "Datadog has made a key and not said what it is")
	}
	return account.Secret.With(apikey.KeyID, made.ID).With(apikey.KeyValue, made.Attributes.Key.Reveal()), nil
}

// orFull returns why no key was made: if the organization has as many as it can have,
// that is the reason, whatever Datadog says.
func (p *Provider) orFull(ctx context.Context, account apikey.Account, refusal error) error {
	switch rotation.CodeOf(refusal) {
	case rotation.CodePolicy, rotation.CodeAuthRejected, rotation.CodePermission:
	default:
		return refusal
	}
	if keys, room, err := p.list(ctx, account); err != nil || room == 0 || len(keys) < room {
		return refusal
	}
	return rotation.Errorf(rotation.CodeQuota, "the organization has as many API keys as it can have").Because(refusal)
}

// object is what a call's body has its one thing in.
type object struct {
	Data key `json:"data"`
}

// Revoke deletes a key.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	request, err := admin(account, apihttp.Request{Method: http.MethodDelete, Path: "/" + url.PathEscape(id)})
	if err != nil {
		return err
	}
	return apihttp.Found(p.api.Do(ctx, request, nil)) // 204
}

// asAdmin makes a call with the admin's keys and takes the answer out of its
// envelope, and what that says of how many keys there can be.
func asAdmin[T any](ctx context.Context, p *Provider, account apikey.Account, request apihttp.Request) (data T, room int, err error) {
	request, err = admin(account, request)
	if err != nil {
		return data, 0, err
	}
	var envelope struct {
		Data *T `json:"data"`
		Meta struct {
			Room int `json:"max_allowed"`
		} `json:"meta"`
	}
	if err := p.api.Do(ctx, request, &envelope); err != nil {
		return data, 0, err
	}
	if envelope.Data == nil {
		return data, 0, rotation.Errorf(rotation.CodeBadAnswer, "Datadog's answer has no data")
	}
	return *envelope.Data, envelope.Meta.Room, nil
}

// admin puts a call below the keys, and the admin's two keys into it.
func admin(account apikey.Account, request apihttp.Request) (apihttp.Request, error) {
	own, err := apikey.Text(account.Admin, apikey.KeyValue)
	if err != nil {
		return request, rotation.Within("admin secret", err)
	}
	application, err := apikey.Text(account.Admin, KeyApplication)
	if err != nil {
		return request, rotation.Within("admin secret", err)
	}
	request.Path = "/api/v2/api_keys" + request.Path
	request.Refusal = refusal
	request.Auth = func(h http.Header) {
		apihttp.Header("DD-API-KEY", "", own)(h)
		apihttp.Header("DD-APPLICATION-KEY", "", application)(h)
	}
	return request, nil
}

// refusal takes 403 for a key that Datadog does not know.
func refusal(status int, _ []byte) rotation.Code {
	if status == http.StatusForbidden {
		return rotation.CodeAuthRejected
	}
	return ""
}
