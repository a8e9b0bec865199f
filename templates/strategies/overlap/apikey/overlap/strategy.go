// Package overlap rotates an API key at a provider where several keys can live
// side by side: it makes a second one, proves it, makes it AWSCURRENT, and
// revokes the key of two generations ago. Anyone who still holds the previous key goes
// on working until the next rotation.
//
// Two things must never happen: that a key is revoked which an application may use,
// and that a key lives on that no version names. The first is why the labels are read
// again before each revocation. The second is why keys bear a label that says which
// rotation of which secret made them: the version that the token names is the record
// that a key may exist, before it does.
package overlap

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// Provider is a service that issues keys. Each method may be called again after
// the process was killed in it, and by a second process at the same time.
type Provider interface {
	apikey.Verifier
	// List returns all live keys among which those of this secret are, or
	// [errors.ErrUnsupported] if the provider lists none.
	List(ctx context.Context, account apikey.Account) ([]apikey.Key, error)
	// Create makes a key and returns account's secret with it. A provider that
	// knows idempotency keys returns the same key for the same once. Without
	// room for a key it fails with [rotation.CodeQuota]. With another error it
	// may return the id of a key that it has made and cannot tell.
	Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error)
	// Revoke ends a key. One that is gone already is no error.
	Revoke(ctx context.Context, account apikey.Account, id string) error
}

// A Chooser is a [Provider] that takes keys which are made here (K0). Create then
// calls no one, so the value is stored before the key exists.
type Chooser interface {
	// Register makes the provider accept value's key, under the label. A key
	// that it accepts already is no error.
	Register(ctx context.Context, account apikey.Account, value rotation.Value, label string) error
}

// A Replayer is a [Provider] that answers to an idempotency key with the key that
// it made then, even if that was revoked since.
type Replayer interface{ Replays() bool }

// Unlabelled is a [Provider] whose keys bear no label of ours. The keys that it lists
// must belong to this secret alone: a key that no version names and that is younger
// than AWSPREVIOUS's, or AWSCURRENT's, is taken for one that a rotation made and did
// not store.
type Unlabelled interface{ Unlabelled() bool }

const (
	// sweepAge is how old a key has to be that another rotation made and no
	// label names: an invocation that could still store it has ended by then.
	sweepAge = 15 * time.Minute
	// previousVersions is among how many versions without a label the key of two
	// generations ago is looked for, if it bears no label of ours.
	previousVersions = 10
	// tries is how often room for a key is made, and how often a key is made
	// that turns out to be revoked, before that counts.
	tries = 3
	// looks is how often a key that seems dead is asked for, lookPause apart.
	looks     = 4
	lookPause = 4 * time.Second
)

// Config is what the strategy is told by the function's environment.
type Config struct {
	// Immediate revokes the previous key as soon as it is AWSPREVIOUS: for a key
	// that is compromised.
	Immediate bool
}

// ConfigFromEnv reads OVERLAP.
func ConfigFromEnv(env *rotation.Env) (Config, error) {
	return Config{
		Immediate: env.OneOf("OVERLAP", "next-rotation", "next-rotation", "immediate") == "immediate",
	}, env.Err()
}

// Strategy is a [rotation.Strategy].
type Strategy struct {
	provider Provider
	config   Config
}

var (
	_ rotation.Strategy = (*Strategy)(nil)
	_ rotation.Keeper   = (*Strategy)(nil)
	_ rotation.Cleaner  = (*Strategy)(nil)
)

// New returns the strategy for a provider.
func New(provider Provider, config Config) *Strategy { return &Strategy{provider, config} }

// Credential is the provider's, and the record of the rotation.
func (s *Strategy) Credential() []string { return append(s.provider.Credential(), apikey.KeyRotation) }

// Overlaps is true unless the previous key is not to live on.
func (s *Strategy) Overlaps() bool { return !s.config.Immediate }

// Next makes a key, and records that its version follows AWSCURRENT's (K8).
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, value rotation.Value) (rotation.Value, error) {
	current, err := r.Current(ctx)
	if err != nil {
		return rotation.Value{}, err
	}
	if err := apikey.Uncopied(value, s.Credential()); err != nil {
		return rotation.Value{}, err
	}
	account, err := apikey.Open(ctx, r, value)
	if err != nil {
		return rotation.Value{}, err
	}
	next, err := s.newKey(ctx, r, account)
	if err != nil {
		return rotation.Value{}, err
	}
	return apikey.Recorded(next, r.Token(), current), nil
}

// newKey makes a key. At the provider's limit it first makes room for it.
func (s *Strategy) newKey(ctx context.Context, r *rotation.Rotation, account apikey.Account) (rotation.Value, error) {
	name := apikey.Name{Label: apikey.Label(r.SecretARN(), r.Token())}
	name.Once = name.Label
	var (
		next  rotation.Value
		freed string
		err   error
	)
	for range tries {
		next, err = s.create(ctx, r, account, &name)
		if rotation.CodeOf(err) != rotation.CodeQuota {
			return next, err
		}
		var bad error
		if freed, bad = s.makeRoom(ctx, r, account, freed); bad != nil {
			return rotation.Value{}, bad
		}
		if freed == "" {
			return rotation.Value{}, err
		}
		name.Once += "-" + freed
	}
	return rotation.Value{}, err
}

// create makes a key that is alive. One that the provider replays and that is
// gone calls for another idempotency key.
func (s *Strategy) create(ctx context.Context, r *rotation.Rotation, account apikey.Account, name *apikey.Name) (rotation.Value, error) {
	replayer, ok := s.provider.(Replayer)
	replays := ok && replayer.Replays()
	for range tries {
		next, err := s.provider.Create(ctx, account, *name)
		if err == nil && apikey.ID(next) == "" {
			err = rotation.Errorf(rotation.CodeBadAnswer, "the provider has made a key and not said its id")
		}
		if err != nil {
			s.undo(ctx, r, account, next, err)
			return rotation.Value{}, asAdmin(err)
		}
		if !replays {
			return next, nil
		}
		if alive, err := s.alive(ctx, r, account, next); err != nil || alive {
			return next, err
		}
		dead := claimed{apikey.Key{ID: apikey.ID(next), Label: name.Label}, own, "the provider gave it for this rotation, and it is dead"}
		if _, err := s.revoke(ctx, r, account, []claimed{dead}, everything); err != nil {
			return rotation.Value{}, err
		}
		name.Once += "-" + dead.ID
	}
	return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "the provider makes no key that is alive")
}

// undo revokes a key that the provider made and did not tell as it should: by the id
// that it gave, or else by the label. The next step sweeps the keys that remain.
func (s *Strategy) undo(ctx context.Context, r *rotation.Rotation, account apikey.Account, made rotation.Value, why error) {
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	var err error
	switch id := apikey.ID(made); {
	case id != "" && id != apikey.ID(account.Secret):
		_, err = s.revoke(ctx, r, account, []claimed{{apikey.Key{ID: id}, own, "the provider made it and its answer cannot be used"}}, everything)
	case slices.Contains([]rotation.Code{rotation.CodeBadAnswer, rotation.CodeDisconnected, rotation.CodeNoAnswer}, rotation.CodeOf(why)):
		_, err = s.sweep(ctx, r, account, own, everything)
	}
	if err != nil {
		r.Log.WarnContext(ctx, "a key that was made for nothing may be alive", "code", rotation.CodeOf(err))
	}
}

// alive reports whether the provider lists value's key or lets it in, now or after a
// moment: a list is late as well as a key, and that of itself proves no key dead.
func (s *Strategy) alive(ctx context.Context, r *rotation.Rotation, account apikey.Account, value rotation.Value) (bool, error) {
	for range looks {
		if listed, err := s.lists(ctx, account, apikey.ID(value)); err != nil || listed {
			return listed, err
		}
		_, err := s.provider.Verify(ctx, value)
		if rotation.CodeOf(err) != rotation.CodeAuthRejected {
			return err == nil, err
		}
		if err := r.Wait(ctx, lookPause); err != nil {
			return false, err
		}
	}
	return false, nil
}

// lists reports whether the provider lists a key. One that lists none does not.
func (s *Strategy) lists(ctx context.Context, account apikey.Account, id string) (bool, error) {
	keys, err := s.provider.List(ctx, account)
	if errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	return slices.ContainsFunc(keys, func(k apikey.Key) bool { return k.ID == id }), asAdmin(err)
}

// Stored revokes a key that was made for nothing (K2), unless a version names it
// all the same.
func (s *Strategy) Stored(ctx context.Context, r *rotation.Rotation, value rotation.Value, ok bool) error {
	if ok {
		return nil
	}
	account, err := apikey.Open(ctx, r, value)
	if err != nil {
		return err
	}
	key := apikey.Key{ID: apikey.ID(value), Label: apikey.Label(r.SecretARN(), r.Token())}
	_, err = s.revoke(ctx, r, account, []claimed{{key, own, "its value was not stored"}}, everything)
	return err
}

// Set registers a key that was made here, and revokes every other key that the
// same rotation made: only the stored one counts (K1). A stored one that was
// revoked meanwhile is given up.
func (s *Strategy) Set(ctx context.Context, r *rotation.Rotation) error {
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	account, err := apikey.Open(ctx, r, pending.Value)
	if err != nil {
		return err
	}
	if chooser, ok := s.provider.(Chooser); ok {
		if err := r.Recheck(ctx); err != nil {
			return err
		}
		if err := chooser.Register(ctx, account, pending.Value, apikey.Label(r.SecretARN(), r.Token())); err != nil {
			return asAdmin(err)
		}
	}
	if _, err := s.sweep(ctx, r, account, own, everything); err != nil {
		return err
	}
	_, err = apikey.Ride(ctx, r, s.provider, pending.Value)
	if rotation.CodeOf(err) != rotation.CodeAuthRejected {
		return err
	}
	ctx, cancel := r.Settling(ctx) // the ride has used up the time
	defer cancel()
	if listed, unknown := s.lists(ctx, account, apikey.ID(pending.Value)); unknown != nil || listed {
		return err
	}
	return r.GiveUp(ctx, rotation.Errorf(rotation.CodeNotFound, "AWSPENDING's key does not exist at the provider any more: it is given up").Because(err))
}

// Test proves the pending key. One that ends too soon or may do too little will
// never do, and is given up.
func (s *Strategy) Test(ctx context.Context, r *rotation.Rotation) error {
	current, err := r.Current(ctx)
	if err != nil {
		return err
	}
	pending, err := r.Pending(ctx)
	if err != nil {
		return err
	}
	err = apikey.Prove(ctx, r, s.provider, current.Value, pending.Value)
	switch rotation.CodeOf(err) {
	case rotation.CodeExpired, rotation.CodeScopes:
		return r.GiveUp(ctx, err)
	default:
		return err
	}
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

// CleanUp revokes what no label names any more: the key of two generations ago,
// and what rotations have left that did not come to their end. AWSPREVIOUS's key
// lives on unless it is compromised (K5).
func (s *Strategy) CleanUp(ctx context.Context, r *rotation.Rotation) error {
	labelled, err := r.Labelled(ctx)
	if err != nil {
		return unrevoked(err)
	}
	account, err := apikey.Open(ctx, r, labelled[rotation.StageCurrent].Value)
	if err != nil {
		return err
	}
	keys, lacks, err := s.claims(ctx, r, account, outdated)
	if err == nil {
		_, err = s.revoke(ctx, r, account, atLeast(outdated, keys), everything)
	}
	tellOthers(ctx, r, keys, labelled)
	if err == nil && lacks {
		err = s.complete(ctx, r, account)
	}
	if err != nil {
		return unrevoked(err)
	}
	previous, ok := labelled[rotation.StagePrevious]
	switch {
	case !ok:
	case apikey.ID(previous.Value) == "":
		return rotation.Errorf(rotation.CodeUnrevoked, "AWSPREVIOUS has no %q: revoke its key by hand when no one uses it any more", apikey.KeyID)
	case s.config.Immediate:
		return unrevoked(s.endPrevious(ctx, r, account, previous))
	}
	return nil
}

// endPrevious revokes AWSPREVIOUS's key, which is compromised.
func (s *Strategy) endPrevious(ctx context.Context, r *rotation.Rotation, account apikey.Account, previous rotation.Version) error {
	key, err := s.claimOn(ctx, r, account, apikey.ID(previous.Value))
	if err != nil {
		return err
	}
	if key == nil {
		return rotation.Errorf(rotation.CodeUnrevoked, "no rotation of this secret made or replaced AWSPREVIOUS's key: revoke it by hand if it is yours")
	}
	_, err = s.revoke(ctx, r, account, []claimed{*key}, everything, rotation.StagePrevious)
	return err
}

// claimOn returns what claim the secret's rotations have on a key, nil for none. A
// list that lacks the key says nothing of it.
func (s *Strategy) claimOn(ctx context.Context, r *rotation.Rotation, account apikey.Account, id string) (*claimed, error) {
	keys, _, err := s.claims(ctx, r, account, recent)
	if i := slices.IndexFunc(keys, func(c claimed) bool { return c.ID == id && c.claim > foreign }); i >= 0 {
		return &keys[i], nil
	}
	return nil, err
}

// complete returns an error if the provider's list lacks AWSCURRENT's own key: then
// others may be alive that it lacks as well.
func (s *Strategy) complete(ctx context.Context, r *rotation.Rotation, account apikey.Account) error {
	id := apikey.ID(account.Secret)
	for look := 1; id != ""; look++ {
		keys, err := s.provider.List(ctx, account)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			if trier, ok := s.provider.(apikey.AdminTrier); ok {
				return asAdmin(trier.TryAdmin(ctx, account))
			}
			return nil
		case err != nil:
			return asAdmin(err)
		case slices.ContainsFunc(keys, func(k apikey.Key) bool { return k.ID == id }):
			return nil
		case look == looks:
			return rotation.Errorf(rotation.CodeBadAnswer, "the provider's list of keys lacks AWSCURRENT's, so it is incomplete or %q is wrong: keys may be alive that it does not show", apikey.KeyID)
		}
		if err := r.Wait(ctx, lookPause); err != nil {
			return err
		}
	}
	return nil
}

func unrevoked(err error) error {
	if err == nil {
		return nil
	}
	return rotation.Errorf(rotation.CodeUnrevoked, "a key that is not needed any more is not revoked: %s", rotation.Within("revoking", err)).Because(err)
}

// Preflight looks whether AWSCURRENT's key works and the admin's may list keys.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	var checks []rotation.Check
	note := func(name string, err error) bool {
		checks = append(checks, rotation.NewCheck(name, err))
		return err == nil
	}
	note("AWSCURRENT's key works", s.Works(ctx, r, current))
	note("AWSCURRENT holds its key once", apikey.Uncopied(current, s.Credential()))
	_, err := apikey.Text(current, apikey.KeyID)
	note("AWSCURRENT names its key, so that it can be revoked one day", err)
	account, err := apikey.Open(ctx, r, current)
	if !note("the admin secret can be read", err) {
		return checks
	}
	note("the admin's key works, and lists AWSCURRENT's", s.complete(ctx, r, account))
	return checks
}

// makeRoom revokes one key and returns its id, "" if there is none that may go:
// one of ours that no label names, or else AWSPREVIOUS's (K3). A provider that
// lists nothing lets a key be revoked that had gone long ago: if the one that made
// room before comes again, none of them is alive.
func (s *Strategy) makeRoom(ctx context.Context, r *rotation.Rotation, account apikey.Account, before string) (string, error) {
	if freed, err := s.sweep(ctx, r, account, outdated, 1); err != nil || freed != "" && freed != before {
		return freed, err
	}
	previous, ok := r.Previous(ctx)
	id := apikey.ID(previous.Value)
	if !ok || id == "" || apikey.ID(account.Secret) == "" { // the latter may have the very key
		return "", nil
	}
	if _, err := s.provider.Verify(ctx, account.Secret); err != nil {
		return "", rotation.Within("AWSCURRENT", err)
	}
	key, err := s.claimOn(ctx, r, account, id)
	if err != nil || key == nil {
		return "", err
	}
	key.reason = "the provider has no room for another key, and AWSCURRENT's works"
	freed, err := s.revoke(ctx, r, account, []claimed{*key}, 1, rotation.StagePrevious)
	if err != nil || freed == "" {
		return "", err
	}
	r.Log.WarnContext(ctx, "the provider has no room for another key: AWSPREVIOUS's key was revoked before its time", "key", id)
	return id, nil
}

// asAdmin says whose credential a failed call was made with.
func asAdmin(err error) error { return rotation.Within("admin", err) }
