// Package githubdeploykey makes, registers, proves and removes deploy keys of a GitHub
// repository.
//
// The key is made here, so it can be stored before GitHub knows it. GitHub gets the
// public half, and knows it by a number that is of no use before it does: the secret
// names a key by its fingerprint.
//
// From GitHub's documentation:
//   - https://docs.github.com/en/rest/deploy-keys/deploy-keys (list, create, delete;
//     a key that a personal access token has registered goes when that is deleted)
//   - https://docs.github.com/en/authentication/connecting-to-github-with-ssh/managing-deploy-keys#deploy-keys
//     (one repository each, read-only or not; no key is used twice, so 422 is
//     answered to one that is registered already)
//   - https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
//
// A limit to how many deploy keys a repository has is not documented.
package githubdeploykey

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// The keys of the secret that say where a key belongs, and what it may do.
const (
	KeyRepository = "repository" // OWNER/NAME
	KeyReadOnly   = "read_only"  // "false" for a key that may write
)

// Base is where the API is, but for GitHub Enterprise Server.
const Base = "https://api.github.com"

// pageSize is the most that a page of keys may have.
const pageSize = 100

// Knock has a private key read a repository, over SSH.
type Knock func(ctx context.Context, key ssh.Signer, repository string) error

// Provider is GitHub.
type Provider struct {
	api   *apihttp.Client
	knock Knock
}

// New returns the provider behind a client, whose Base is set if it is not, and behind
// an SSH server.
func New(api apihttp.Client, knock Knock) *Provider {
	api.Base = cmp.Or(api.Base, Base)
	return &Provider{&api, knock}
}

// deployKey is a key as GitHub writes it.
type deployKey struct {
	ID      int64     `json:"id"`
	Title   string    `json:"title"`
	Key     string    `json:"key"`
	Created time.Time `json:"created_at"`
}

// Credential is the private key and its fingerprint.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Verify reads the repository with the private key.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	key, err := signer(value)
	if err != nil {
		return nil, err
	}
	repository, err := repositoryOf(value)
	if err != nil {
		return nil, err
	}
	if id := apikey.ID(value); id != "" && id != ssh.FingerprintSHA256(key.PublicKey()) {
		return nil, rotation.Errorf(rotation.CodeIdentity, "the private key is not the one that %q names", apikey.KeyID)
	}
	return nil, p.knock(ctx, key, repository)
}

// List returns the repository's deploy keys.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	return keys, p.each(ctx, account, func(k deployKey, fingerprint string) {
		keys = append(keys, apikey.Key{ID: fingerprint, Label: k.Title, Created: k.Created})
	})
}

// Create makes a pair of keys, of which no one hears yet.
func (*Provider) Create(_ context.Context, account apikey.Account, _ apikey.Name) (rotation.Value, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return rotation.Value{}, err
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return rotation.Value{}, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return rotation.Value{}, err
	}
	return account.Secret.
		With(apikey.KeyID, ssh.FingerprintSHA256(key.PublicKey())).
		With(apikey.KeyValue, string(pem.EncodeToMemory(block))), nil
}

// Register makes GitHub accept value's key, unless it does.
func (p *Provider) Register(ctx context.Context, account apikey.Account, value rotation.Value, label string) error {
	key, err := signer(value)
	if err != nil {
		return err
	}
	readOnly, _ := value.Get(KeyReadOnly)
	number, err := p.number(ctx, account, ssh.FingerprintSHA256(key.PublicKey()))
	if err != nil || number != 0 {
		return err
	}
	var registered deployKey
	err = p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodPost, JSON: struct {
		Title    string `json:"title"`
		Key      string `json:"key"`
		ReadOnly bool   `json:"read_only"`
	}{label, authorized(key), readOnly.Reveal() != "false"}}, &registered)
	if err == nil && registered.ID == 0 {
		err = rotation.Errorf(rotation.CodeBadAnswer, "GitHub does not say that it has registered the key")
	}
	return err
}

// Revoke removes the key with a fingerprint.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	number, err := p.number(ctx, account, id)
	if err != nil || number == 0 {
		return err
	}
	return apihttp.Found(p.asAdmin(ctx, account, apihttp.Request{Method: http.MethodDelete, Path: fmt.Sprintf("/%d", number)}, nil)) // 204
}

// number returns by what GitHub knows the key with a fingerprint, 0 if it does not.
func (p *Provider) number(ctx context.Context, account apikey.Account, id string) (number int64, err error) {
	return number, p.each(ctx, account, func(k deployKey, fingerprint string) {
		if fingerprint == id {
			number = k.ID
		}
	})
}

// each yields the repository's deploy keys with their fingerprints.
func (p *Provider) each(ctx context.Context, account apikey.Account, yield func(k deployKey, fingerprint string)) error {
	for page := 1; ; page++ {
		var keys []deployKey
		err := p.asAdmin(ctx, account, apihttp.Request{
			Method: http.MethodGet,
			Query:  url.Values{"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(pageSize)}},
		}, &keys)
		if err != nil {
			return err
		}
		for _, k := range keys {
			public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k.Key))
			if err != nil {
				continue // of a kind that we do not make
			}
			yield(k, ssh.FingerprintSHA256(public))
		}
		if len(keys) < pageSize {
			return nil
		}
	}
}

// asAdmin makes a call below the repository's keys with the admin's token, which has
// "Administration: write" for it.
func (p *Provider) asAdmin(ctx context.Context, account apikey.Account, request apihttp.Request, answer any) error {
	admin, err := apikey.Text(account.Admin, apikey.KeyValue)
	if err != nil {
		return rotation.Within("admin secret", err)
	}
	repository, err := repositoryOf(account.Secret)
	if err != nil {
		return err
	}
	request.Path = "/repos/" + repository + "/keys" + request.Path
	request.Auth = apihttp.Bearer(admin)
	request.Header = http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"}}
	return p.api.Do(ctx, request, answer)
}

// repositoryPattern leaves nothing to quote in a path or in a command.
var repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-]$`)

func repositoryOf(value rotation.Value) (string, error) {
	text, err := apikey.Text(value, KeyRepository)
	if err == nil && !repositoryPattern.MatchString(text.Reveal()) {
		err = rotation.Errorf(rotation.CodeBadSecret, "key %q is no OWNER/NAME", KeyRepository)
	}
	return text.Reveal(), err
}

// The lines around a private key in OpenSSH's form.
const (
	pemBegin = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
	pemEnd   = "\n-----END OPENSSH PRIVATE KEY-----\n"
)

// signer reads value's private key. The first one may stand there without its first
// and last line, as a single one: a prompt takes no more.
func signer(value rotation.Value) (ssh.Signer, error) {
	text, err := apikey.Lines(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	private := text.Reveal()
	if !strings.HasPrefix(private, "-") {
		private = pemBegin + private + pemEnd
	}
	key, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil { // which may quote the key
		return nil, rotation.Errorf(rotation.CodeBadSecret, "key %q is no private key in OpenSSH's form without a passphrase", apikey.KeyValue)
	}
	return key, nil
}

// authorized is a public key in the form of authorized_keys.
func authorized(key ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}
