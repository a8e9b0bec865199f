// Package assisted rotates an API key that no API makes. A person makes it at the
// provider and supplies it first: as a version of the secret with a label of its
// own, which moves nothing. The rotation then takes it over, proves it, makes it
// AWSCURRENT and, where the provider lets it, revokes the key of two generations
// ago.
//
// A rotation that finds no supply fails with [rotation.CodeAwaitingOperator] and
// leaves nothing behind: its alarm is the reminder.
package assisted

import (
	"context"
	"slices"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// LabelSupplied is on the version that holds the supplied key.
const LabelSupplied = "ROTATOR_SUPPLIED"

// Provider is a service whose keys are made by hand.
type Provider interface{ apikey.Verifier }

// A Revoker is a [Provider] that lets a key be revoked.
type Revoker interface {
	// Revoke ends the key of account's secret. One that has ended already is
	// no error.
	Revoke(ctx context.Context, account apikey.Account) error
}

// formerKeys is how many former keys are revoked: if it failed once, the next
// rotation has another try.
const formerKeys = 3

// Strategy is a [rotation.Strategy].
type Strategy struct{ provider Provider }

var (
	_ rotation.Strategy = (*Strategy)(nil)
	_ rotation.Cleaner  = (*Strategy)(nil)
)

// New returns the strategy for a provider.
func New(provider Provider) *Strategy { return &Strategy{provider} }

// Credential is the provider's.
func (s *Strategy) Credential() []string { return s.provider.Credential() }

// Overlaps is true: the former key lives on until the next rotation.
func (*Strategy) Overlaps() bool { return true }

// Next takes the supplied key over. Nothing else of the supplied version counts,
// and a key that will not do is refused before it is anybody's pending one.
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	next, err := s.supplied(ctx, r, current)
	if err != nil {
		return rotation.Value{}, s.refuse(ctx, r, err)
	}
	return next, nil
}

// supplied returns current with the supplied key, after it has been proven.
func (s *Strategy) supplied(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	labelled, err := r.Labelled(ctx)
	if err != nil {
		return rotation.Value{}, err
	}
	supply, ok := labelled[LabelSupplied]
	if !ok {
		return rotation.Value{}, rotation.Errorf(rotation.CodeAwaitingOperator, "no version holds %s: make a key at the provider and supply it with ./supply.sh", LabelSupplied)
	}
	for label, version := range labelled {
		if label != LabelSupplied && version.ID != supply.ID && s.sameKey(version.Value, supply.Value) {
			return rotation.Value{}, rotation.Errorf(rotation.CodeSameValue, "the supplied key is %s's own: make a new one", label)
		}
	}
	next := current
	for _, key := range s.Credential() {
		text, ok := supply.Value.Get(key)
		if _, had := current.Get(key); ok || had {
			next = next.With(key, text.Reveal())
		}
	}
	return next, apikey.Prove(ctx, r, s.provider, current, next)
}

// refuse gives up a rotation whose key will never do. What may pass is tried again.
func (s *Strategy) refuse(ctx context.Context, r *rotation.Rotation, err error) error {
	final := []rotation.Code{
		rotation.CodeAwaitingOperator, rotation.CodeSameValue, rotation.CodeBadSecret,
		rotation.CodeAuthRejected, rotation.CodeScopes, rotation.CodeExpired, rotation.CodeIdentity,
	}
	if !slices.Contains(final, rotation.CodeOf(err)) {
		return err
	}
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	return r.GiveUp(ctx, err)
}

// sameKey reports whether two values hold the same key.
func (s *Strategy) sameKey(a, b rotation.Value) bool {
	x, _ := a.Get(apikey.KeyValue)
	y, _ := b.Get(apikey.KeyValue)
	return x == y
}

// Set proves the pending key, and gives it up if it has ended meanwhile.
func (s *Strategy) Set(ctx context.Context, r *rotation.Rotation) error {
	if err := s.Test(ctx, r); err != nil {
		return s.refuse(ctx, r, err)
	}
	return nil
}

// Test proves the pending key.
func (s *Strategy) Test(ctx context.Context, r *rotation.Rotation) error {
	current, err := r.Current(ctx)
	if err != nil {
		return err
	}
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	return apikey.Prove(ctx, r, s.provider, current.Value, pending.Value)
}

// Finish proves the pending key once more and promotes it.
func (s *Strategy) Finish(ctx context.Context, r *rotation.Rotation) error {
	if err := s.Test(ctx, r); err != nil {
		return err
	}
	r.Report.Candidate = rotation.StagePending
	return r.Promote(ctx)
}

// Works makes an authenticated call with value's key.
func (s *Strategy) Works(ctx context.Context, _ *rotation.Rotation, value rotation.Value) error {
	_, err := s.provider.Verify(ctx, value)
	return err
}

// CleanUp takes the label off a supply that is AWSCURRENT now, and revokes the
// newest keys that no label names.
func (s *Strategy) CleanUp(ctx context.Context, r *rotation.Rotation) error {
	labelled, err := r.Labelled(ctx)
	if err != nil {
		return err
	}
	supply, ok := labelled[LabelSupplied]
	if ok && s.sameKey(supply.Value, labelled[rotation.StageCurrent].Value) {
		if err := r.Unlabel(ctx, LabelSupplied, supply.ID); err != nil {
			return err
		}
	}
	revoker, ok := s.provider.(Revoker)
	if !ok {
		return nil
	}
	if err := s.retire(ctx, r, revoker, labelled); err != nil {
		return rotation.Errorf(rotation.CodeUnrevoked, "a former key is not revoked: %s", rotation.Within("revoking", err)).Because(err)
	}
	return nil
}

// retire revokes the newest keys that no label names. The labels are read again
// just before each.
func (s *Strategy) retire(ctx context.Context, r *rotation.Rotation, revoker Revoker, labelled map[string]rotation.Version) error {
	named := func(versions map[string]rotation.Version, v rotation.Value) bool {
		for _, version := range versions {
			if s.sameKey(v, version.Value) {
				return true
			}
		}
		return false
	}
	var seen []rotation.Value
	former, err := r.Deprecated(ctx, formerKeys, func(v rotation.Value) bool {
		if named(labelled, v) || slices.ContainsFunc(seen, func(w rotation.Value) bool { return s.sameKey(v, w) }) {
			return false
		}
		seen = append(seen, v)
		return true
	})
	if err != nil {
		return err
	}
	for _, version := range former {
		now, err := r.Labelled(ctx)
		if err != nil {
			return err
		}
		if named(now, version.Value) {
			continue
		}
		account, err := apikey.Open(ctx, r, version.Value)
		if err != nil {
			return err
		}
		if err := revoker.Revoke(ctx, account); err != nil {
			return err
		}
	}
	return nil
}

// Preflight looks whether AWSCURRENT's key works, and whether the supplied one, if
// there is one, would be taken.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	checks := []rotation.Check{rotation.NewCheck("AWSCURRENT's key works", s.Works(ctx, r, current))}
	_, err := s.supplied(ctx, r, current)
	if rotation.CodeOf(err) == rotation.CodeAwaitingOperator {
		return checks
	}
	return append(checks, rotation.NewCheck("the supplied key is new, works and may do what the present one may", err))
}
