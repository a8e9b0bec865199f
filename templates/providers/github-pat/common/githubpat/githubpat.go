// Package githubpat proves and revokes personal access tokens of GitHub. No API
// makes them: a person does.
//
// A classic token says what it may do, and one with an end says when that is. A
// fine-grained token says nothing of its permissions: what is compared of it is
// whose it is and what of the configured reads it may do. Therefore it is not taken
// in place of a classic one that has scopes.
//
// From GitHub's documentation:
//   - https://docs.github.com/en/rest/users/users#get-the-authenticated-user
//     (the call that every token may make)
//   - https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
//     (X-OAuth-Scopes; a token has no scope that another of its scopes includes)
//   - https://github.blog/changelog/2021-07-26-expiration-options-for-personal-access-tokens/
//     (GitHub-Authentication-Token-Expiration)
//   - https://docs.github.com/en/rest/credentials/revoke
//     (both kinds of token; 202; 403 to a call that is authenticated; 60 calls an
//     hour; the owner is notified)
package githubpat

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
)

// Base is where the API is.
const Base = "https://api.github.com"

// includes are the scopes that a scope includes.
var includes = map[string][]string{
	"repo":             {"repo:status", "repo_deployment", "public_repo", "repo:invite", "security_events", "admin:repo_hook"},
	"admin:repo_hook":  {"write:repo_hook"},
	"write:repo_hook":  {"read:repo_hook"},
	"admin:org":        {"write:org"},
	"write:org":        {"read:org"},
	"admin:public_key": {"write:public_key"},
	"write:public_key": {"read:public_key"},
	"admin:gpg_key":    {"write:gpg_key"},
	"write:gpg_key":    {"read:gpg_key"},
	"user":             {"read:user", "user:email", "user:follow"},
	"project":          {"read:project"},
	"write:packages":   {"read:packages"},
}

// Provider is GitHub.
type Provider struct {
	api   *apihttp.Client
	reads []string
}

// New returns the provider behind a client, whose Base is set if it is not. reads
// are paths that a new token must be able to read if the present one is.
func New(api apihttp.Client, reads []string) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	return &Provider{&api, reads}
}

// FromEnv reads API_BASE_URL and READS.
func FromEnv(env *rotation.Env) *Provider {
	return New(apihttp.Client{Base: env.String("API_BASE_URL", "")}, env.List("READS"))
}

// Credential is the token, the name that a person gave it, and its end.
func (*Provider) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

// Verify asks GitHub whose the token is and what it may do.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	login, header, err := p.user(ctx, value)
	if err != nil {
		return nil, err
	}
	request, err := withToken(value)
	if err != nil {
		return nil, err
	}
	reads, err := assisted.Reads(ctx, p.api, request, p.reads)
	if err != nil {
		return nil, err
	}
	scopes = append(expand(header.Get("X-OAuth-Scopes")), "act as "+login)
	return append(scopes, reads...), nil
}

// expand returns the scopes that a header lists, and those that they include.
func expand(header string) (scopes []string) {
	wanted := strings.Split(strings.ReplaceAll(header, " ", ""), ",")
	for len(wanted) > 0 {
		scope := wanted[0]
		wanted = append(wanted[1:], includes[scope]...)
		if scope != "" && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// Ends asks GitHub when the token ends.
func (p *Provider) Ends(ctx context.Context, value rotation.Value) (end time.Time, err error) {
	_, header, err := p.user(ctx, value)
	if err != nil {
		return end, err
	}
	text := header.Get("GitHub-Authentication-Token-Expiration")
	if text == "" {
		return end, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"} {
		if end, err = time.Parse(layout, text); err == nil {
			return end, nil
		}
	}
	return end, rotation.Errorf(rotation.CodeBadAnswer, "GitHub tells the token's end in a form that is not known here")
}

// Revoke ends the token, of which GitHub notifies its owner.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account) error {
	key, err := apikey.Text(account.Secret, apikey.KeyValue)
	if err != nil {
		return err
	}
	request := plain()
	request.Method, request.Path = http.MethodPost, "/credentials/revoke"
	request.JSON = map[string][]string{"credentials": {key.Reveal()}}
	request.Repeatable = true // the second time there is nothing to revoke
	return p.api.Do(ctx, request, nil)
}

// user is whose the token is, and the header that says more about it.
func (p *Provider) user(ctx context.Context, value rotation.Value) (login string, header http.Header, err error) {
	request, err := withToken(value)
	if err != nil {
		return "", nil, err
	}
	request.Method, request.Path = http.MethodGet, "/user"
	var user struct {
		Login string `json:"login"`
	}
	header, err = p.api.DoHeader(ctx, request, &user)
	if err == nil && user.Login == "" {
		err = rotation.Errorf(rotation.CodeBadAnswer, "GitHub does not say whose the token is")
	}
	return user.Login, header, err
}

func withToken(value rotation.Value) (apihttp.Request, error) {
	key, err := apikey.Text(value, apikey.KeyValue)
	request := plain()
	request.Auth = apihttp.Bearer(key)
	return request, err
}

// plain is a call with what GitHub asks of every one.
// https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api
func plain() apihttp.Request {
	return apihttp.Request{Header: http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"}}}
}
