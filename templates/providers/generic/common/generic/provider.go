// Package generic rotates keys of any HTTP API that creates them with an admin
// credential. provider.json beside this file says how the API does that; the code
// needs no change for another one.
package generic

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// The pattern also takes this file, so that the package builds before there is a
// description.
//
//go:embed provider.*
var files embed.FS

// Provider is the API that a description describes.
type Provider struct {
	api *apihttp.Client
	d   Description
	now func() time.Time
}

// New returns the provider behind a client, whose Base is the description's if it
// has none.
func New(api apihttp.Client, d Description, now func() time.Time) *Provider {
	api.Base = cmp.Or(api.Base, d.Base)
	return &Provider{&api, d, now}
}

// FromEnv returns the provider that provider.json describes, at API_BASE_URL if that
// is set. The URL is no key of the secret: anyone who writes to that could have the
// admin's credential sent to himself.
func FromEnv(env *rotation.Env) (*Provider, error) {
	text, err := files.ReadFile("provider.json")
	if err != nil {
		return nil, rotation.Errorf(rotation.CodeBadConfig, "generic/provider.json is missing").Because(err)
	}
	d, err := Parse(text)
	if err != nil {
		return nil, err
	}
	return New(apihttp.Client{Base: env.String("API_BASE_URL", "")}, d, time.Now), nil
}

// Credential is the key, its id and its end.
func (*Provider) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

// Replays says whether the API knows idempotency keys.
func (p *Provider) Replays() bool { return p.d.Create != nil && p.d.Create.Once != "" }

// Verify makes the described call with value's key.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	var answer document
	header, err := p.call(ctx, p.d.Verify, apikey.Account{Secret: value, Admin: value}, values{id: apikey.ID(value)}, &answer)
	if err != nil {
		return nil, err
	}
	if id := answer.text(p.d.Verify.ID); id != "" && apikey.ID(value) != "" && id != apikey.ID(value) {
		return nil, rotation.Errorf(rotation.CodeIdentity, "the key is not the one that %q names", apikey.KeyID)
	}
	if name := p.d.Verify.ScopesHeader; name != "" {
		for scope := range strings.SplitSeq(header.Get(name), ",") {
			scopes = append(scopes, strings.TrimSpace(scope))
		}
		return scopes, nil
	}
	return answer.texts(p.d.Verify.Scopes), nil
}

// List returns the keys that the API lists, page by page.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	list := p.d.List
	if list == nil {
		return nil, errors.ErrUnsupported
	}
	query := make(url.Values)
	for page := 1; ; page++ {
		var answer document
		header, err := p.call(ctx, &list.Call, account, values{query: query}, &answer)
		if err != nil {
			return nil, err
		}
		items, seen := answer.items(list.Items), len(keys)
		for _, item := range items {
			created, err := item.youngest(list.Created)
			if err != nil {
				return nil, err
			}
			key := apikey.Key{ID: item.text(list.ID), Label: item.text(list.Label), Created: created}
			if !slices.ContainsFunc(keys[:seen], func(k apikey.Key) bool { return k.ID == key.ID }) {
				keys = append(keys, key)
			}
		}
		// An API that does not know the parameter answers with the same page each time.
		if len(keys) == seen || !list.next(query, page, answer, items[len(items)-1], header) {
			return keys, nil
		}
	}
}

// TryAdmin lists keys or, where the API lists none, makes the call that proves a key
// with the admin's.
func (p *Provider) TryAdmin(ctx context.Context, account apikey.Account) error {
	if p.d.List != nil {
		_, err := p.List(ctx, account)
		return err
	}
	var answer document
	_, err := p.call(ctx, p.d.Verify, account, values{id: apikey.ID(account.Secret)}, &answer)
	return err
}

// Create makes a key.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	return p.obtain(ctx, p.d.Create, account, values{label: name.Label, once: name.Once})
}

// Roll replaces the key.
func (p *Provider) Roll(ctx context.Context, account apikey.Account) (rotation.Value, error) {
	return p.obtain(ctx, p.d.Roll, account, values{id: apikey.ID(account.Secret)})
}

// Revoke ends a key.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	_, err := p.call(ctx, p.d.Revoke, account, values{id: id, once: "revoke-" + id}, nil)
	return apihttp.Found(err)
}

// obtain makes a call that answers with a key. With an error it returns what the
// answer had of it.
func (p *Provider) obtain(ctx context.Context, call *Call, account apikey.Account, v values) (rotation.Value, error) {
	if p.d.Lifetime > 0 {
		v.expires = p.now().Add(time.Duration(p.d.Lifetime)).UTC()
	}
	var answer document
	_, failed := p.call(ctx, call, account, v, &answer)
	if failed != nil && answer.root == nil {
		return rotation.Value{}, failed
	}
	next, id, key := account.Secret, answer.text(call.ID), answer.text(call.Key)
	if id != "" {
		next = next.With(apikey.KeyID, id)
	}
	if key != "" {
		next = next.With(apikey.KeyValue, key)
	}
	if failed == nil && (key == "" || id == "" && call.ID != "") {
		failed = rotation.Errorf(rotation.CodeBadAnswer, "the API has made a key and its answer has no %q or no %q", call.ID, call.Key)
	}
	expires, err := answer.time(call.Expires)
	return apikey.WithExpiry(next, expires), cmp.Or(failed, err)
}

// values are what a call's placeholders stand for, beside the secret's own keys.
type values struct {
	id, label, once string
	expires         time.Time
	query           url.Values // beside the described one
}

// call makes a described call with the admin's credential.
func (p *Provider) call(ctx context.Context, call *Call, account apikey.Account, v values, answer *document) (http.Header, error) {
	fill := &filler{values: v, secret: account.Secret}
	request := apihttp.Request{
		Method: call.Method, Path: fill.path(call.Path), Header: make(http.Header), Query: make(url.Values),
		JSON: fill.json(call.JSON), Form: fill.form(call.Form), Repeatable: call.Once != "" && v.once != "", Refusal: call.refusal,
		Unrepeated: call == p.d.Roll,
	}
	for name, text := range p.d.Headers {
		request.Header.Set(name, text)
	}
	if request.Repeatable {
		request.Header.Set(call.Once, v.once)
	}
	for name, text := range call.Query {
		request.Query.Set(name, fill.text(text))
	}
	maps.Copy(request.Query, v.query)
	key, err := apikey.Text(account.Admin, apikey.KeyValue)
	if err != nil {
		return nil, rotation.Within("admin secret", err)
	}
	request.Auth = p.d.Auth.with(key)
	if fill.missing != "" {
		return nil, rotation.Errorf(rotation.CodeBadSecret, "provider.json wants key %q of the secret, which is missing", fill.missing)
	}
	var text string
	header, err := p.api.DoHeader(ctx, request, &text)
	if err != nil {
		return nil, err
	}
	var said document
	if err := json.Unmarshal([]byte(text), &said); err != nil && answer != nil {
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "%s %s: the answer is not JSON", request.Method, request.Path).Because(err)
	}
	if answer != nil {
		*answer = said
	}
	if said.denies() {
		return header, rotation.Errorf(rotation.CodeBadAnswer, "%s %s: the status is good, and the answer says that the call failed", request.Method, request.Path)
	}
	return header, nil
}

// refusal gives a status the code that the description has for it.
func (c *Call) refusal(status int, body []byte) rotation.Code {
	if q := c.Quota; q != nil && q.Status == status && strings.Contains(string(body), q.Contains) {
		return rotation.CodeQuota
	}
	return c.Codes[strconv.Itoa(status)]
}
