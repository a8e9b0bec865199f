package apikeytest

import (
	"context"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// Provider is a provider in memory, as a process sees it.
type Provider struct {
	Ledger  *Ledger
	Process *rotationtest.Process
}

func (p Provider) call(op string, do func() error) error {
	return p.Process.Send(op, rotation.Errorf(rotation.CodeDisconnected, "%s: the connection broke", op), do)
}

// Credential is the key and its id.
func (Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Replays says whether it does.
func (p Provider) Replays() bool { return p.Ledger.Replays }

// Verify presents value's key.
func (p Provider) Verify(_ context.Context, value rotation.Value) (scopes []string, err error) {
	return nil, p.call("Verify", func() error {
		if p.Ledger.works(value) != nil {
			return rotation.Errorf(rotation.CodeAuthRejected, "the key is refused")
		}
		return nil
	})
}

// List returns all live keys.
func (p Provider) List(_ context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	return keys, p.asAdmin("List", account, func() error {
		for _, key := range p.Ledger.Listed() {
			keys = append(keys, apikey.Key{ID: key.ID, Label: key.Label, Created: key.Created})
		}
		return nil
	})
}

// Create makes a key.
func (p Provider) Create(_ context.Context, account apikey.Account, name apikey.Name) (value rotation.Value, err error) {
	return value, p.asAdmin("Create", account, func() error {
		key, ok := p.Ledger.Create(name.Label, name.Once)
		if !ok {
			return rotation.Errorf(rotation.CodeQuota, "there is no room for another key")
		}
		value = account.Secret.With(apikey.KeyID, key.ID).With(apikey.KeyValue, key.Secret)
		return nil
	})
}

// Revoke ends a key.
func (p Provider) Revoke(_ context.Context, account apikey.Account, id string) error {
	return p.asAdmin("Revoke", account, func() error {
		p.Ledger.Revoke(id)
		return nil
	})
}

// TryAdmin presents the admin's key.
func (p Provider) TryAdmin(_ context.Context, account apikey.Account) error {
	return p.asAdmin("TryAdmin", account, func() error { return nil })
}

func (p Provider) asAdmin(op string, account apikey.Account, do func() error) error {
	return p.call(op, func() error {
		if key, ok := account.Admin.Get(apikey.KeyValue); !ok || key.Reveal() != AdminKey {
			return rotation.Errorf(rotation.CodeAuthRejected, "the admin's key is refused")
		}
		return do()
	})
}

// Roll replaces the key.
func (p Provider) Roll(_ context.Context, account apikey.Account) (value rotation.Value, err error) {
	return value, p.asAdmin("Roll", account, func() error {
		key, ok := p.Ledger.Roll(apikey.ID(account.Secret))
		if !ok {
			return rotation.Errorf(rotation.CodeNotFound, "there is no such key")
		}
		value = account.Secret.With(apikey.KeyValue, key.Secret)
		return nil
	})
}
