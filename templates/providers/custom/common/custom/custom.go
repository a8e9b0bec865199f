// Package custom makes, proves and revokes the keys of a provider that is yours to
// add: write Verify, List, Create and Revoke, and name here what the provider
// documents of them. README.md has a worked example.
//
// Until then the tests fail with the name of what is missing. From then on they
// rotate with it, kill it at every call and answer it wrongly.
package custom

import (
	"cmp"
	"context"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// Base is where the API is.
const Base = "https://api.example.com/v1"

// Provider is yours.
type Provider struct{ api *apihttp.Client }

// New returns the provider behind a client, whose Base is set if it is not.
func New(api apihttp.Client) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	return &Provider{&api}
}

// Credential are the keys of the secret that change with the key.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify makes a call with value's own key, one that every key may make. It returns
// what the key may do, nil if the provider does not tell. A key that is unknown is
// [rotation.CodeAuthRejected], as 401 is anyway.
func (p *Provider) Verify(context.Context, rotation.Value) (scopes []string, err error) {
	return nil, unwritten("Verify")
}

// List returns all live keys among which ours are, page by page, with the name and
// the time of each.
func (p *Provider) List(context.Context, apikey.Account) ([]apikey.Key, error) {
	return nil, unwritten("List")
}

// Create makes a key that is called name.Label, and returns account.Secret with its
// id and itself. Where the provider knows idempotency keys, name.Once is it. Where
// there is no room for another key, the error is [rotation.CodeQuota].
func (p *Provider) Create(context.Context, apikey.Account, apikey.Name) (rotation.Value, error) {
	return rotation.Value{}, unwritten("Create")
}

// Revoke ends the key with an id. One that is gone is no error: [apihttp.Found].
func (p *Provider) Revoke(context.Context, apikey.Account, string) error {
	return unwritten("Revoke")
}

func unwritten(name string) error {
	return rotation.Errorf(rotation.CodeBadConfig, "custom/custom.go: %s is to be written", name)
}
