// Package roll rotates an API key where the provider keeps one and replaces it
// itself. The previous key ends when the new one is made, before the function can
// have stored that: this is weaker than changing a password, whose new value is known
// beforehand. So the key is made, stored, proven and promoted in one invocation, and
// if that is interrupted, the next try makes another.
//
// It takes an admin credential that is not the key: with a key that has just
// ended no one could ask for a new one.
package roll

import (
	"context"
	"errors"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// Provider is a service that keeps one key.
type Provider interface {
	apikey.Verifier
	apikey.AdminTrier
	// Roll replaces the key, with the admin's credential, and returns account's
	// secret with the new one, also if it returns an error because of what else the
	// answer lacks: the previous key has ended. It calls once: a repetition would come
	// later than the look at the labels before it, and end a faster delivery's key.
	Roll(ctx context.Context, account apikey.Account) (rotation.Value, error)
}

// A Chooser is a [Provider] that takes a key which is made here (K0). Roll then calls
// no one, so the new key is stored before the previous one ends.
type Chooser interface {
	// Register makes value's key the only one. One that is it already is no error.
	Register(ctx context.Context, account apikey.Account, value rotation.Value) error
}

// Strategy is a [rotation.Strategy].
type Strategy struct {
	provider Provider

	// In this invocation:
	rolled  time.Time
	lacking error // what the answer with the new key lacks
}

var (
	_ rotation.Strategy = (*Strategy)(nil)
	_ rotation.Keeper   = (*Strategy)(nil)
)

// New returns the strategy for a provider.
func New(provider Provider) *Strategy { return &Strategy{provider: provider} }

// Credential is the provider's.
func (s *Strategy) Credential() []string { return s.provider.Credential() }

// Overlaps is false: the previous key ends with the rotation.
func (*Strategy) Overlaps() bool { return false }

// Next replaces the key. AWSCURRENT's has ended then, unless the key is made here.
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	if err := apikey.Uncopied(current, s.Credential()); err != nil {
		return rotation.Value{}, err
	}
	account, err := s.open(ctx, r, current)
	if err != nil {
		return rotation.Value{}, err
	}
	if _, chosen := s.provider.(Chooser); !chosen {
		if stored, err := rolled(ctx, r); err != nil || !stored.IsZero() {
			return stored, err
		}
		s.logEnd(ctx, r, current)
	}
	next, err := s.provider.Roll(ctx, account)
	s.rolled, s.lacking = r.Now(), rotation.Within("admin", err)
	if err != nil && (next.IsZero() || next.Text() == current.Text()) {
		return rotation.Value{}, s.lacking
	}
	return next, nil
}

// rolled returns what another delivery has stored after it replaced the key, nothing if
// none has. It looks twice, so far apart that no stale answer is the same both times.
func rolled(ctx context.Context, r *rotation.Rotation) (stored rotation.Value, err error) {
	if err := errors.Join(r.Recheck(ctx), r.Wait(ctx, rotation.ReadsLag)); err != nil {
		return stored, err
	}
	if err := r.Recheck(ctx); err != nil {
		return stored, err
	}
	pending, err := r.Pending(ctx)
	if rotation.CodeOf(err) == rotation.CodeNoPendingValue {
		return stored, nil
	}
	return pending.Value, err
}

// logEnd says that AWSCURRENT's key is about to be replaced.
func (*Strategy) logEnd(ctx context.Context, r *rotation.Rotation, current rotation.Value) {
	r.Log.InfoContext(ctx, "replacing a key", "key", apikey.ID(current), "reason", "it is AWSCURRENT's, and the provider keeps one")
}

// open reads the admin secret and refuses one that holds the very key.
func (s *Strategy) open(ctx context.Context, r *rotation.Rotation, current rotation.Value) (apikey.Account, error) {
	account, err := apikey.Open(ctx, r, current)
	if err != nil {
		return account, err
	}
	if account.Admin.IsZero() {
		return account, rotation.Errorf(rotation.CodeBadSecret, "key %q is missing: a key cannot be replaced with itself", apikey.KeyAdmin)
	}
	key, ok := current.Get(apikey.KeyValue)
	if admin, _ := account.Admin.Get(apikey.KeyValue); ok && admin == key {
		return account, rotation.Errorf(rotation.CodeBadSecret, "the admin secret holds the key itself, which ends when it is replaced")
	}
	return account, nil
}

// Stored proves a key that was just stored and promotes it at once: nothing else
// works any more. One that was not stored is lost, and the next try makes another.
func (s *Strategy) Stored(ctx context.Context, r *rotation.Rotation, _ rotation.Value, ok bool) error {
	chooser, chosen := s.provider.(Chooser)
	switch {
	case chosen && ok:
		return s.replace(ctx, r, chooser)
	case chosen:
		return nil // the provider has not seen it
	case !ok:
		return s.lost(ctx, r)
	}
	return s.promote(ctx, r)
}

// lost says what became of a key that is not stored. The next try makes another,
// unless the version has one of another delivery already: if that was made before the
// lost one, it ended with it, and only another rotation helps.
func (s *Strategy) lost(ctx context.Context, r *rotation.Rotation) error {
	pending, err := r.Pending(ctx)
	if err != nil {
		return rotation.Errorf(rotation.CodeOf(err), "the provider has made a key that could not be stored: no key works until the next try").Because(err)
	}
	if _, err := apikey.Ride(ctx, r, s.provider, pending.Value); rotation.CodeOf(err) == rotation.CodeAuthRejected {
		return rotation.Errorf(rotation.CodeAuthRejected, "two deliveries have replaced the key, and the one that is stored came first: no key works until the next rotation").Because(err)
	}
	return nil
}

// replace puts the pending key, which was made here, in the place of AWSCURRENT's, and
// promotes it.
func (s *Strategy) replace(ctx context.Context, r *rotation.Rotation, chooser Chooser) error {
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	account, err := s.open(ctx, r, pending.Value)
	if err != nil {
		return err
	}
	if err := r.Recheck(ctx); err != nil {
		return err
	}
	s.logEnd(ctx, r, pending.Value)
	if err := chooser.Register(ctx, account, pending.Value); err != nil {
		return rotation.Within("admin", err)
	}
	s.rolled = r.Now()
	return s.promote(ctx, r)
}

// promote is Finish that says for how long no key has worked that the secret showed.
func (s *Strategy) promote(ctx context.Context, r *rotation.Rotation) error {
	if err := s.Finish(ctx, r); err != nil {
		return err
	}
	gap := r.Now().Sub(s.rolled)
	r.Report.Gap = &gap
	return nil
}

// Set waits for the pending key to become known. One that the provider refuses for
// good was replaced by a later one, and is given up, unless it can be put back.
func (s *Strategy) Set(ctx context.Context, r *rotation.Rotation) error {
	if chooser, ok := s.provider.(Chooser); ok {
		return s.replace(ctx, r, chooser)
	}
	err := s.Test(ctx, r)
	if rotation.CodeOf(err) != rotation.CodeAuthRejected {
		return err
	}
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	return r.GiveUp(ctx, err)
}

// Test proves the pending key. It is the only one that works, whatever it lacks or
// when it ends: that is reported, and no reason to keep it back.
func (s *Strategy) Test(ctx context.Context, r *rotation.Rotation) error {
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	if _, err := apikey.Ride(ctx, r, s.provider, pending.Value); err != nil {
		return err
	}
	r.Report.Degraded = s.lacking
	if s.lacking == nil {
		r.Report.Degraded = apikey.Outlasts(pending.Value, r.Now(), r.Due())
	}
	return nil
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

// Preflight looks whether AWSCURRENT's key works and the admin's does.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	checks := []rotation.Check{
		rotation.NewCheck("AWSCURRENT's key works", s.Works(ctx, r, current)),
		rotation.NewCheck("AWSCURRENT holds its key once", apikey.Uncopied(current, s.Credential())),
	}
	account, err := s.open(ctx, r, current)
	checks = append(checks, rotation.NewCheck("the admin secret can be read", err))
	if err == nil {
		checks = append(checks, rotation.NewCheck("the admin's key works", rotation.Within("admin", s.provider.TryAdmin(ctx, account))))
	}
	return checks
}
