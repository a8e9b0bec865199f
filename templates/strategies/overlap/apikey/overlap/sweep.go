package overlap

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// claim is what the secret's rotations have to do with a key.
type claim int

const (
	foreign  claim = iota // nothing: never touched
	recent                // another rotation made it, perhaps a moment ago
	outdated              // another rotation made or replaced it, and has ended
	own                   // this rotation made it, or only it can have
)

// claimed is a key and what gives the secret's rotations a claim on it.
type claimed struct {
	apikey.Key
	claim  claim
	reason string
}

// everything is no limit to how many keys are revoked.
const everything = 0

// sweep revokes keys on which the secret has at least such a claim and that no
// label names, up to a limit, and returns the id of the last one.
func (s *Strategy) sweep(ctx context.Context, r *rotation.Rotation, account apikey.Account, least claim, limit int) (revoked string, err error) {
	keys, _, err := s.claims(ctx, r, account, least)
	if err != nil {
		return "", err
	}
	return s.revoke(ctx, r, account, atLeast(least, keys), limit)
}

func atLeast(least claim, keys []claimed) []claimed {
	return slices.DeleteFunc(slices.Clone(keys), func(c claimed) bool { return c.claim < least })
}

// revoke ends those of keys that no label names, up to a limit, and returns the id of
// the last one. A label in except does not count. The labels are looked up twice, so
// far apart that no stale answer is the same both times, and the second time just
// before each call.
func (s *Strategy) revoke(ctx context.Context, r *rotation.Rotation, account apikey.Account, keys []claimed, limit int, except ...string) (revoked string, err error) {
	keys, err = unnamed(ctx, r, keys, except)
	if err != nil || len(keys) == 0 {
		return "", err
	}
	if err := r.Wait(ctx, rotation.ReadsLag); err != nil {
		return "", err
	}
	count := 0
	for _, key := range keys {
		still, err := unnamed(ctx, r, []claimed{key}, except)
		if err != nil {
			return revoked, err
		}
		if len(still) == 0 {
			continue
		}
		r.Log.InfoContext(ctx, "revoking a key", "key", key.ID, "label", key.Label, "reason", key.reason)
		if err := asAdmin(s.provider.Revoke(ctx, account, key.ID)); err != nil {
			return revoked, err
		}
		revoked = key.ID
		if count++; count == limit {
			break
		}
	}
	return revoked, nil
}

// tellOthers says which keys live on that previous versions name and that are none of the
// secret's as far as its rotations know.
func tellOthers(ctx context.Context, r *rotation.Rotation, keys []claimed, labelled map[string]rotation.Version) {
	for _, key := range keys {
		held := slices.ContainsFunc(slices.Collect(maps.Values(labelled)), func(v rotation.Version) bool { return apikey.ID(v.Value) == key.ID })
		if key.claim == foreign && !held {
			r.Log.WarnContext(ctx, "a key that a previous version names is left alone: no rotation of this secret made or replaced it", "key", key.ID, "label", key.Label)
		}
	}
}

// unnamed returns those of keys that no label names but one in except.
func unnamed(ctx context.Context, r *rotation.Rotation, keys []claimed, except []string) ([]claimed, error) {
	labelled, err := r.Labelled(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(labelled, func(label string, _ rotation.Version) bool { return slices.Contains(except, label) })
	return slices.DeleteFunc(slices.Clone(keys), func(c claimed) bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(labelled)), func(v rotation.Version) bool { return apikey.ID(v.Value) == c.ID })
	}), nil
}

// claims returns the live keys on which the secret's rotations have a claim or that a
// version names, and whether the provider's list lacks AWSCURRENT's. One that lists nothing has those that
// rotations have recorded, alive or not. Where keys bear labels, those alone say which
// are this rotation's own, and the versions are not asked for more than is wanted.
func (s *Strategy) claims(ctx context.Context, r *rotation.Rotation, account apikey.Account, least claim) (claims []claimed, lacks bool, err error) {
	var h history
	if least < own || s.unlabelled() {
		if h, err = s.history(ctx, r); err != nil {
			return nil, false, err
		}
	}
	keys, err := s.provider.List(ctx, account)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		for _, id := range h.ours {
			keys = append(keys, apikey.Key{ID: id})
		}
	case err != nil:
		return nil, false, asAdmin(err)
	default:
		current := apikey.ID(account.Secret)
		lacks = current != "" && !slices.ContainsFunc(keys, func(k apikey.Key) bool { return k.ID == current })
	}
	since := s.since(h, keys)
	for _, key := range keys {
		c := claimed{Key: key}
		switch {
		case key.Label == apikey.Label(r.SecretARN(), r.Token()):
			c.claim, c.reason = own, "this rotation made it and has stored another"
		case strings.HasPrefix(key.Label, apikey.Prefix(r.SecretARN())):
			c.claim, c.reason = outdated, "a rotation of this secret made it, and no label names it"
			if r.Now().Sub(key.Created) < sweepAge && !slices.Contains(h.named, key.ID) { // it may yet be stored
				c.claim = recent
			}
		case apikey.Labelled(key.Label): // another secret's rotation made it
		case slices.Contains(h.ours, key.ID):
			c.claim, c.reason = outdated, "a rotation of this secret made or replaced it, and no label names it"
		case slices.Contains(h.named, key.ID): // by a person
		case !since.IsZero() && key.Created.After(since):
			c.claim, c.reason = own, "keys of this account have no name, and no version has this one"
		}
		if c.claim != foreign || slices.Contains(h.named, key.ID) {
			claims = append(claims, c)
		}
	}
	return claims, lacks, nil
}

// history is which keys the secret's versions name.
type history struct {
	labelled map[string]rotation.Version
	named    []string // by any version
	ours     []string // that a rotation made or replaced
}

func (s *Strategy) history(ctx context.Context, r *rotation.Rotation) (h history, err error) {
	if h.labelled, err = r.Labelled(ctx); err != nil {
		return h, err
	}
	versions, err := r.Deprecated(ctx, previousVersions, func(v rotation.Value) bool { return apikey.ID(v) != "" })
	if err != nil {
		return h, err
	}
	versions = append(slices.Collect(maps.Values(h.labelled)), versions...)
	for _, v := range versions {
		id := apikey.ID(v.Value)
		h.named = append(h.named, id)
		if apikey.Replaced(v) != "" {
			h.ours = append(h.ours, id)
		}
	}
	for _, v := range apikey.Succession(h.labelled[rotation.StageCurrent], versions) {
		h.ours = append(h.ours, apikey.ID(v.Value))
	}
	h.ours = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(h.ours))), func(id string) bool { return id == "" })
	return h, nil
}

func (s *Strategy) unlabelled() bool {
	u, ok := s.provider.(Unlabelled)
	return ok && u.Unlabelled()
}

// since is when the oldest key was made that a label names, if keys bear no
// label of ours: whatever is younger than that and stands in no version, a rotation
// has made and not stored. It is zero if that cannot be said: an AWSCURRENT that does
// not name its key may have any.
func (s *Strategy) since(h history, keys []apikey.Key) (oldest time.Time) {
	if !s.unlabelled() {
		return oldest
	}
	current := apikey.ID(h.labelled[rotation.StageCurrent].Value)
	if !slices.ContainsFunc(keys, func(k apikey.Key) bool { return k.ID == current }) {
		return oldest
	}
	for _, version := range h.labelled {
		for _, key := range keys {
			if key.ID == apikey.ID(version.Value) && (oldest.IsZero() || key.Created.Before(oldest)) {
				oldest = key.Created
			}
		}
	}
	return oldest
}
