package singleuser

import (
	"context"
	"errors"
	"slices"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Overlapping is a [Target] whose servers, as a rule, let a user have two
// passwords.
type Overlapping interface {
	// Overlaps reports whether that is so when the user itself, or an admin,
	// changes the password.
	Overlaps(asAdmin bool) bool
}

// Overlapper is a user's own session on a server that may let the user have two
// passwords.
type Overlapper interface {
	database.Session
	// Overlaps returns nil if the user can have two passwords, and says what
	// is in the way if not: the server's version, a right, a rule. It changes
	// nothing.
	Overlaps(ctx context.Context, asAdmin bool) error
	// Overlap makes the pending password log in and never keeps the current
	// one from it, however often and by however many rotations it is called.
	// changer is the session that may change the user: this one, or the
	// admin's. An error whose cause is [ErrOnePassword] has changed nothing.
	Overlap(ctx context.Context, changer database.Session, o Overlap) error
}

// Overlap is what an [Overlapper] is to do.
type Overlap struct {
	User string
	// Current logs in and must go on doing so.
	Current, Pending rotation.Sensitive
	// InForce logs in with Pending and reports whether the server lets it.
	InForce func(ctx context.Context) (bool, error)
	// Abandoned returns the passwords of rotations that were given up, newest
	// first. One of them may be in force beside Current.
	Abandoned func(ctx context.Context) ([]rotation.Sensitive, error)
}

// ErrOnePassword says that only the attempt showed that the server does not let
// the user have two passwords.
var ErrOnePassword = errors.New("the user has one password")

// overlapper returns the session that can let both passwords log in, nil if
// there is none. If the server cannot do what its engine promises, that is
// reported as degraded, and finishSecret changes the password: applications meet
// a gap.
func (s *Strategy) overlapper(ctx context.Context, r *rotation.Rotation, found *candidate) (Overlapper, error) {
	own, ok := found.session.(Overlapper)
	if !ok || !found.isCurrent || !s.Overlaps() {
		return nil, nil
	}
	err := own.Overlaps(ctx, s.config.AsAdmin)
	switch code := rotation.CodeOf(err); {
	case err == nil:
		return own, nil
	case slices.Contains(noAnswer, code), code == rotation.CodeUserLimit:
		return nil, err
	default:
		r.Report.Degraded = err
		return nil, nil
	}
}

// atWriter returns found with a session on the server that takes changes: a
// replica refuses all, and cannot tell whether the user may have two passwords.
func (s *Strategy) atWriter(ctx context.Context, found *candidate) (*candidate, error) {
	account := found.account.Writer()
	if account == found.account {
		return found, nil
	}
	session, err := s.target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &candidate{account: account, session: session, isCurrent: found.isCurrent}, nil
}

// overlap lets both passwords log in, and proves that the pending one does. done
// is false if that cannot be: nothing has changed then.
func (s *Strategy) overlap(ctx context.Context, r *rotation.Rotation, own Overlapper, changer database.Session, current, pending database.Account) (done bool, err error) {
	err = own.Overlap(ctx, changer, Overlap{
		User: pending.User, Current: current.Password, Pending: pending.Password,
		InForce: func(ctx context.Context) (bool, error) {
			err := s.logsIn(ctx, pending)
			if rotation.CodeOf(err) == rotation.CodeAuthRejected {
				return false, nil
			}
			return err == nil, err
		},
		Abandoned: func(ctx context.Context) ([]rotation.Sensitive, error) { return s.abandoned(ctx, r, current) },
	})
	switch {
	case err == nil:
	case errors.Is(err, ErrOnePassword):
		r.Report.Degraded = err
		return false, nil
	case rotation.CodeOf(err) == rotation.CodePolicy: // AWSCURRENT is as it was
		return false, r.GiveUp(ctx, err)
	default:
		return false, err
	}
	err = s.logsIn(ctx, pending)
	if rotation.CodeOf(err) != rotation.CodeAuthRejected {
		return err == nil, err
	}
	refusal := rotation.Errorf(rotation.CodeRolledBack, "the server took the new password and then refused it: the previous one works")
	if err := s.logsIn(ctx, current); err != nil {
		return false, rotation.Errorf(rotation.CodeOutcomeUnknown, "the server took the new password and lets neither log in: %s", rotation.CodeOf(err)).Because(err)
	}
	return false, r.GiveUp(ctx, refusal)
}

// abandoned returns the passwords of versions without a label that are of
// current's login, newest first, and AWSPREVIOUS's.
func (s *Strategy) abandoned(ctx context.Context, r *rotation.Rotation, current database.Account) ([]rotation.Sensitive, error) {
	usable := func(v rotation.Value) bool {
		a, err := s.account(v)
		return err == nil && a.Writer().SameLogin(current)
	}
	versions, err := r.Deprecated(ctx, s.config.RecoveryVersions, usable)
	if err != nil {
		return nil, err
	}
	if previous, ok := r.Previous(ctx); ok && usable(previous.Value) {
		versions = append(versions, previous)
	}
	passwords := make([]rotation.Sensitive, len(versions))
	for i, v := range versions {
		passwords[i], _ = v.Value.Get(database.KeyPassword)
	}
	return passwords, nil
}
