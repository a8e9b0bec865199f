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
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// LabelSupplied is on the version that holds the supplied key.
const LabelSupplied = "ROTATOR_SUPPLIED"

// KeySupplied marks a version that is a supply and was never anything else.
const KeySupplied = "supplied"

// Provider is a service whose keys are made by hand.
type Provider interface{ apikey.Verifier }

// A Revoker is a [Provider] that lets a key be revoked. Where there is none, a
// person is asked to, as long as a previous key works.
type Revoker interface {
	// Revoke ends the key of account's secret, which has just worked. One that has
	// ended meanwhile is no error.
	Revoke(ctx context.Context, account apikey.Account) error
}

// A Dater is a [Provider] that tells when a key ends.
type Dater interface {
	// Ends is when value's key ends, zero if never.
	Ends(ctx context.Context, value rotation.Value) (time.Time, error)
}

const (
	// previousKeys is how many previous keys are looked after: what failed once, the next
	// rotation tries again.
	previousKeys = 3
	// previousVersions is among how many versions without a label they are looked for.
	previousVersions = 10
)

// Strategy is a [rotation.Strategy].
type Strategy struct{ provider Provider }

var (
	_ rotation.Strategy = (*Strategy)(nil)
	_ rotation.Cleaner  = (*Strategy)(nil)
)

// New returns the strategy for a provider.
func New(provider Provider) *Strategy { return &Strategy{provider} }

// Credential is the provider's, and the record of the rotation.
func (s *Strategy) Credential() []string { return append(s.provider.Credential(), apikey.KeyRotation) }

// Overlaps is true: the previous key lives on until the next rotation.
func (*Strategy) Overlaps() bool { return true }

// Next takes the supplied key over. Nothing else of the supplied version counts,
// and a key that will not do is refused before it is stored as AWSPENDING.
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	next, err := s.supplied(ctx, r, current)
	if err != nil {
		return rotation.Value{}, s.refuse(ctx, r, err)
	}
	replaced, err := r.Current(ctx)
	if err != nil {
		return rotation.Value{}, err
	}
	return apikey.Recorded(next, r.Token(), replaced), nil
}

// supplied returns current with the supplied key, after it has been proven.
func (s *Strategy) supplied(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	labelled, err := r.Labelled(ctx)
	if _, ok := labelled[LabelSupplied]; err == nil && !ok { // perhaps it is only not to be seen yet
		if err := r.Wait(ctx, rotation.ReadsLag); err != nil {
			return rotation.Value{}, err
		}
		labelled, err = r.Labelled(ctx)
	}
	if err != nil {
		return rotation.Value{}, err
	}
	supply, ok := labelled[LabelSupplied]
	if !ok {
		return rotation.Value{}, rotation.Errorf(rotation.CodeAwaitingOperator, "no version holds %s: make a key at the provider and supply it with make supply", LabelSupplied)
	}
	if !isSupply(supply.Value) {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadSecret, "the version that holds %s has no %q: supply the key with make supply", LabelSupplied, KeySupplied)
	}
	for label, version := range labelled {
		taken := version.ID == supply.ID || version.ID == r.Token() // by another delivery
		if label != LabelSupplied && !taken && s.sameKey(version.Value, supply.Value) {
			return rotation.Value{}, rotation.Errorf(rotation.CodeSameValue, "the supplied key is %s's own: make a new one", label)
		}
	}
	if err := apikey.Uncopied(current, s.Credential()); err != nil {
		return rotation.Value{}, err
	}
	next := current
	for _, key := range s.provider.Credential() {
		text, ok := supply.Value.Get(key)
		if _, had := current.Get(key); ok || had {
			next = next.With(key, text.Reveal())
		}
	}
	if err := apikey.Prove(ctx, r, s.provider, current, next); err != nil {
		return rotation.Value{}, err
	}
	return s.dated(ctx, r, next)
}

// dated returns value with its key's end, if the provider tells it, and refuses
// one that comes before the next rotation.
func (s *Strategy) dated(ctx context.Context, r *rotation.Rotation, value rotation.Value) (rotation.Value, error) {
	dater, ok := s.provider.(Dater)
	if !ok {
		return value, nil
	}
	end, err := dater.Ends(ctx, value)
	if err != nil {
		return rotation.Value{}, err
	}
	text := "" // also in place of the previous key's
	if !end.IsZero() {
		text = end.UTC().Format(time.RFC3339)
	}
	value = value.With(apikey.KeyExpiry, text)
	return value, apikey.Outlasts(value, r.Now(), r.Due())
}

// refuse gives up a rotation whose key will never do. Other errors may pass, and the
// step is tried again.
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

func isSupply(v rotation.Value) bool {
	_, ok := v.Get(KeySupplied)
	return ok
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

// Test proves the pending key. A rotation that began with another AWSCURRENT is given
// up: its record would name the wrong one as replaced.
func (s *Strategy) Test(ctx context.Context, r *rotation.Rotation) error {
	current, err := r.Current(ctx)
	if err != nil {
		return err
	}
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	if apikey.Replaced(pending) != current.ID {
		err := errors.Join(r.Wait(ctx, rotation.ReadsLag), r.Recheck(ctx)) // the labels may have been read too soon
		if err != nil {
			return err
		}
		return r.GiveUp(ctx, rotation.Errorf(rotation.CodeCurrentMoved, "AWSCURRENT is another version than when the rotation began"))
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

// CleanUp takes the label off a supply that is AWSCURRENT now, and sees to it that
// the newest keys end that rotations have replaced and no label names.
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
	if err := s.retire(ctx, r, labelled); err != nil {
		return rotation.Errorf(rotation.CodeUnrevoked, "a previous key is not revoked: %s", rotation.Within("revoking", err)).Because(err)
	}
	return nil
}

// retire ends the newest keys that were AWSCURRENT's when a rotation began, were
// replaced by it, and that no label names (K8). One that fails does not keep the
// others. A key that was only supplied, or that a person put and corrected, may have
// another owner.
func (s *Strategy) retire(ctx context.Context, r *rotation.Rotation, labelled map[string]rotation.Version) error {
	named := slices.Collect(maps.Values(labelled))
	previous, err := r.Deprecated(ctx, previousVersions, func(v rotation.Value) bool { return !isSupply(v) && !s.named(named, v) })
	if err != nil {
		return err
	}
	replaced := apikey.Succession(labelled[rotation.StageCurrent], append(named, previous...))
	replaced = slices.DeleteFunc(replaced, func(v rotation.Version) bool { return s.named(named, v.Value) })
	if len(replaced) == 0 {
		return nil
	}
	if err := r.Wait(ctx, rotation.ReadsLag); err != nil { // what is read now is newer than what was
		return err
	}
	var errs []error
	for _, version := range replaced[:min(previousKeys, len(replaced))] {
		errs = append(errs, rotation.Within("version "+version.ID, s.end(ctx, r, version.Value)))
	}
	return errors.Join(errs...)
}

// named reports whether one of the versions has value's key.
func (s *Strategy) named(versions []rotation.Version, value rotation.Value) bool {
	return slices.ContainsFunc(versions, func(v rotation.Version) bool { return s.sameKey(v.Value, value) })
}

// end revokes a previous key that works, or finds out whether a person has.
func (s *Strategy) end(ctx context.Context, r *rotation.Rotation, value rotation.Value) error {
	labelled, err := r.Labelled(ctx) // again, just before
	if err != nil || s.named(slices.Collect(maps.Values(labelled)), value) {
		return err
	}
	_, err = s.provider.Verify(ctx, value)
	switch rotation.CodeOf(err) {
	case "":
	case rotation.CodeAuthRejected, rotation.CodeExpired:
		return nil
	default:
		return err
	}
	revoker, ok := s.provider.(Revoker)
	if !ok {
		return rotation.Errorf(rotation.CodeUnrevoked, "its key works: revoke it where it was made")
	}
	account, err := apikey.Open(ctx, r, value)
	if err != nil {
		return err
	}
	r.Log.InfoContext(ctx, "revoking a key", "key", apikey.ID(value), "label", "", "reason", "it was AWSCURRENT's when a rotation began, and no label names it")
	return revoker.Revoke(ctx, account)
}

// Preflight looks whether AWSCURRENT's key works, and whether the supplied one, if
// there is one, would be taken.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	checks := []rotation.Check{
		rotation.NewCheck("AWSCURRENT's key works", s.Works(ctx, r, current)),
		rotation.NewCheck("AWSCURRENT holds its key once", apikey.Uncopied(current, s.Credential())),
	}
	_, err := s.supplied(ctx, r, current)
	if rotation.CodeOf(err) == rotation.CodeAwaitingOperator {
		return checks
	}
	return append(checks, rotation.NewCheck("the supplied key is new, works and may do what the present one may", err))
}
