package overlap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"example.com/keys/apikey"
	"example.com/keys/rotation"
)

// claim is what the secret's rotations have to do with a key.
type claim int

const (
	foreign  claim = iota // nothing: never touched
	recent                // another rotation made it, perhaps a moment ago
	outdated              // another rotation made it, and has ended
	own                   // this rotation made it, or only it can have
)

// everything is no limit to a sweep.
const everything = 0

// sweep revokes keys on which the secret has at least such a claim and that no
// label names, up to a limit, and returns the id of the last one.
func (s *Strategy) sweep(ctx context.Context, r *rotation.Rotation, account apikey.Account, least claim, limit int) (revoked string, err error) {
	claims, err := s.claims(ctx, r, account)
	if err != nil {
		return "", err
	}
	count := 0
	for _, c := range claims {
		if c.claim < least {
			continue
		}
		done, err := s.revoke(ctx, r, account, c.id)
		if err != nil {
			return revoked, err
		}
		if done {
			revoked = c.id
			if count++; count == limit {
				break
			}
		}
	}
	return revoked, nil
}

// revoke ends a key unless a label names it, which is looked up just before. A
// label in except does not count.
func (s *Strategy) revoke(ctx context.Context, r *rotation.Rotation, account apikey.Account, id string, except ...string) (done bool, err error) {
	labelled, err := r.Labelled(ctx)
	if err != nil {
		return false, err
	}
	for label, version := range labelled {
		if apikey.ID(version.Value) == id && !slices.Contains(except, label) {
			return false, nil
		}
	}
	return true, asAdmin(s.provider.Revoke(ctx, account, id))
}

type claimed struct {
	id    string
	claim claim
}

// claims returns the live keys and what the secret's rotations have to do with
// each, foreign ones left out. A provider that lists nothing has those that
// former versions name, alive or not.
func (s *Strategy) claims(ctx context.Context, r *rotation.Rotation, account apikey.Account) ([]claimed, error) {
	versions, err := r.Deprecated(ctx, formerVersions, func(v rotation.Value) bool { return apikey.ID(v) != "" })
	if err != nil {
		return nil, err
	}
	var former []string // the ids that they name, newest first
	for _, version := range versions {
		if id := apikey.ID(version.Value); !slices.Contains(former, id) {
			former = append(former, id)
		}
	}
	keys, err := s.provider.List(ctx, account)
	if errors.Is(err, errors.ErrUnsupported) {
		for _, id := range former {
			keys = append(keys, apikey.Key{ID: id})
		}
	} else if err != nil {
		return nil, asAdmin(err)
	}
	since, err := s.since(ctx, r, keys)
	if err != nil {
		return nil, err
	}
	var claims []claimed
	for _, key := range keys {
		claim := foreign
		switch {
		case key.Label == apikey.Label(r.SecretARN(), r.Token()), !since.IsZero() && key.Created.After(since):
			claim = own
		case slices.Contains(former, key.ID):
			claim = outdated
		case !strings.HasPrefix(key.Label, apikey.Prefix(r.SecretARN())):
		case r.Now().Sub(key.Created) < sweepAge:
			claim = recent
		default:
			claim = outdated
		}
		if claim != foreign {
			claims = append(claims, claimed{key.ID, claim})
		}
	}
	return claims, nil
}

// since is when the oldest key was made that a label names, if keys bear no
// label of ours: whatever is younger than that, a rotation has made. It is zero
// if that cannot be said: an AWSCURRENT that does not name its key may have any.
func (s *Strategy) since(ctx context.Context, r *rotation.Rotation, keys []apikey.Key) (oldest time.Time, err error) {
	if u, ok := s.provider.(Unlabelled); !ok || !u.Unlabelled() {
		return oldest, nil
	}
	labelled, err := r.Labelled(ctx)
	if err != nil {
		return oldest, err
	}
	current := apikey.ID(labelled[rotation.StageCurrent].Value)
	if !slices.ContainsFunc(keys, func(k apikey.Key) bool { return k.ID == current }) {
		return oldest, nil
	}
	for _, version := range labelled {
		for _, key := range keys {
			if key.ID == apikey.ID(version.Value) && (oldest.IsZero() || key.Created.Before(oldest)) {
				oldest = key.Created
			}
		}
	}
	return oldest, nil
}
