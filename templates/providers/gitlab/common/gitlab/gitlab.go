// Package gitlab makes, proves and revokes access tokens of a GitLab group, project
// or user.
//
// A token is made with the scopes, the role and the description of the one before,
// so anyone who changes what it may do makes a token at GitLab and puts it into the
// secret. Tokens are not rotated (POST .../rotate): that ends the previous one at once,
// and when it is tried again with that one, the new one as well.
//
// From GitLab's documentation:
//   - https://docs.gitlab.com/api/group_access_tokens/ and
//     https://docs.gitlab.com/api/project_access_tokens/ (list, get, create, revoke;
//     the answer to create has the token, no other does)
//   - https://docs.gitlab.com/api/personal_access_tokens/ (list, get, revoke, and
//     self, with which a token asks about itself)
//   - https://docs.gitlab.com/api/user_tokens/#create-a-personal-access-token-for-a-user
//     (for administrators, and not on GitLab.com)
//   - https://docs.gitlab.com/api/service_accounts/ (tokens of a group's service
//     account: list, create, revoke, and no call that gets one)
//   - https://docs.gitlab.com/user/project/settings/project_access_tokens/ (a trial on
//     GitLab.com is limited to one)
//   - https://docs.gitlab.com/api/rest/#pagination
//
// Not documented: whether tokens of groups and projects may ask about themselves, and
// tokens without the scope api. In GitLab's source (self_information.rb) all may. Nor
// how a limit and a missing right are refused: with 400, and these words
// (app/services/resource_access_tokens/create_service.rb).
package gitlab

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyOwner is the secret's key that says whose the token is:
// groups/ID/service_accounts/ID, groups/ID, projects/ID or users/ID.
const KeyOwner = "owner"

// Base is where the API of GitLab.com is.
const Base = "https://gitlab.com/api/v4"

// personal is where a token asks about itself, and where the tokens of users are.
const personal = "/personal_access_tokens"

// serviceAccounts stands between the ids of a group and of its service account.
const serviceAccounts = "/service_accounts/"

// pageSize is the most that a page of tokens may have.
const pageSize = 100

// Config is what the provider is told by the function's environment.
type Config struct {
	Lifetime time.Duration // of a token; GitLab sets a limit, 365 days by default
	Now      func() time.Time
}

// Provider is a GitLab.
type Provider struct {
	api    *apihttp.Client
	config Config
}

// New returns the provider behind a client, whose Base is set if it is not.
func New(api apihttp.Client, config Config) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	return &Provider{&api, config}
}

// token is a token as GitLab writes it.
type token struct {
	ID      id                 `json:"id,omitempty"`
	Created time.Time          `json:"created_at,omitzero"`
	Active  bool               `json:"active,omitempty"`
	Token   rotation.Sensitive `json:"token,omitzero"`

	// Set by the request that makes it.
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Scopes      []string `json:"scopes"`
	Role        int      `json:"access_level,omitempty"` // not of a user's
	Expires     string   `json:"expires_at"`             // a day, at whose beginning it ends
}

// id is a number on the wire and a text in the secret.
type id string

func (i *id) UnmarshalJSON(text []byte) error {
	*i = id(strings.Trim(string(text), `"`))
	return nil
}

// Credential is the token, its id and its end.
func (*Provider) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

// Verify asks GitLab about the token, with the token itself, and returns its scopes.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	own, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	var found token
	err = p.api.Do(ctx, apihttp.Request{Method: http.MethodGet, Path: personal + "/self", Auth: apihttp.Bearer(own)}, &found)
	switch {
	case err != nil:
		return nil, err
	case found.ID == "":
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "GitLab does not say which token it is asked with")
	case apikey.ID(value) != "" && apikey.ID(value) != string(found.ID):
		return nil, rotation.Errorf(rotation.CodeIdentity, "the token is not the one that %q names", apikey.KeyID)
	}
	return found.Scopes, nil
}

// List returns the owner's tokens that are neither revoked nor past their end.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	o, err := ownerOf(account)
	if err != nil {
		return nil, err
	}
	tokens, err := p.list(ctx, account, o)
	for _, t := range tokens {
		if t.Active { // GitLab before 17.2 does not know the state
			keys = append(keys, apikey.Key{ID: string(t.ID), Label: t.Name, Created: t.Created})
		}
	}
	return keys, err
}

// list returns all pages of an owner's tokens.
func (p *Provider) list(ctx context.Context, account apikey.Account, o owner) (all []token, err error) {
	for page := 1; ; page++ {
		query := url.Values{"state": {"active"}, "page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(pageSize)}}
		if o.user != "" {
			query.Set("user_id", o.user)
		}
		var tokens []token
		if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet, Path: o.tokens, Query: query}, &tokens); err != nil {
			return nil, err
		}
		all = append(all, tokens...)
		if len(tokens) < pageSize {
			return all, nil
		}
	}
}

// Create makes a token that may do what the secret's present one may.
func (p *Provider) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	o, err := ownerOf(account)
	if err != nil {
		return rotation.Value{}, err
	}
	previous, err := apikey.Text(account.Secret, apikey.KeyID)
	if err != nil {
		return rotation.Value{}, err
	}
	present, err := p.get(ctx, account, o, previous.Reveal())
	if err != nil {
		return rotation.Value{}, err
	}
	var made token
	if err := p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, Path: o.create, JSON: token{
		Name:        name.Label,
		Description: present.Description,
		Scopes:      present.Scopes,
		Role:        present.Role,
		Expires:     p.config.Now().Add(p.config.Lifetime).UTC().Format(time.DateOnly),
	}}, &made); err != nil {
		return rotation.Value{}, err
	}
	ends, err := time.Parse(time.DateOnly, made.Expires)
	if made.ID == "" || made.Token.IsZero() || err != nil {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "GitLab has made a token and not said what it is, or when it ends")
	}
	return account.Secret.
		With(apikey.KeyID, string(made.ID)).
		With(apikey.KeyValue, made.Token.Reveal()).
		With(apikey.KeyExpiry, ends.Format(time.RFC3339)), nil
}

// get returns a token of an owner's.
func (p *Provider) get(ctx context.Context, account apikey.Account, o owner, id string) (found token, err error) {
	if !o.listed {
		return found, p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodGet, Path: o.token(id)}, &found)
	}
	all, err := p.list(ctx, account, o)
	if err != nil {
		return found, err
	}
	for _, t := range all {
		if string(t.ID) == id {
			return t, nil
		}
	}
	return found, rotation.Errorf(rotation.CodeNotFound, "GitLab lists no token with the id that %q names", apikey.KeyID)
}

// Revoke revokes a token.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	o, err := ownerOf(account)
	if err != nil {
		return err
	}
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: o.token(id)}, nil)) // 204
}

// asAdmin makes a call with the admin's token.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	admin, err := apikey.Text(account.Admin, apikey.KeyValue)
	if err != nil {
		return rotation.Within("admin secret", err)
	}
	request.Auth, request.Refusal = apihttp.Bearer(admin), refusal
	return p.api.Do(ctx, request, answer)
}

// refusal tells a limit and a missing right from a request that is wrong: all are 400.
func refusal(status int, body []byte) rotation.Code {
	says := func(words string) bool {
		return status == http.StatusBadRequest && strings.Contains(string(body), words)
	}
	switch {
	case says("limit reached"):
		return rotation.CodeQuota
	case says("does not have permission"), says("not held by the creating user"):
		return rotation.CodePermission
	default:
		return ""
	}
}

// owner is where the calls for an owner's tokens go.
type owner struct {
	create, tokens string // paths
	user           string // whose tokens are listed, if it is a user
	listed         bool   // a token is found in the list alone
}

func (o owner) token(id string) string { return o.tokens + "/" + url.PathEscape(id) }

func ownerOf(account apikey.Account) (owner, error) {
	text, err := apikey.Text(account.Secret, KeyOwner)
	if err != nil {
		return owner{}, err
	}
	kind, id, _ := strings.Cut(text.Reveal(), "/")
	path := "/" + kind + "/" + url.PathEscape(id)
	switch {
	case id == "":
	case kind == "users":
		return owner{create: path + personal, tokens: personal, user: id}, nil
	case kind == "groups" && strings.Contains(id, serviceAccounts):
		group, account, _ := strings.Cut(id, serviceAccounts)
		tokens := "/groups/" + url.PathEscape(group) + serviceAccounts + url.PathEscape(account) + personal
		return owner{create: tokens, tokens: tokens, listed: true}, nil
	case kind == "groups", kind == "projects":
		return owner{create: path + "/access_tokens", tokens: path + "/access_tokens"}, nil
	}
	return owner{}, rotation.Errorf(rotation.CodeBadSecret, "key %q is none of groups/ID/service_accounts/ID, groups/ID, projects/ID and users/ID", KeyOwner)
}
