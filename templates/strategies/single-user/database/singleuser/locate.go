package singleuser

import (
	"context"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// candidate is a version whose password logged in.
type candidate struct {
	account   database.Account
	session   database.Session // nil if only the admin can say anything
	isPending bool
	isCurrent bool
}

func (c *candidate) close() {
	if c.session != nil {
		c.session.Close()
	}
}

// survivesRefusal is an error if AWSCURRENT logs in, and a wrong password would lock
// its user.
func (c *candidate) survivesRefusal(ctx context.Context) error {
	if own, ok := c.session.(Locking); ok && c.isCurrent {
		return own.SurvivesRefusal(ctx)
	}
	return nil
}

// closingTime is how long a server may take to notice that a session has ended, of
// the step before this one for example.
const closingTime = 3 * time.Second

// login opens a session for account. If a limit of the user refuses it, the password
// is right: login then returns neither a session nor an error if the admin's session
// is enough, and waits a moment for a connection otherwise.
func (s *Strategy) login(ctx context.Context, r *rotation.Rotation, account database.Account) (database.Session, error) {
	for began := r.Now(); ; {
		session, err := s.target.Login(ctx, account)
		switch {
		case err == nil:
			return session, nil
		case rotation.CodeOf(err) != rotation.CodeUserLimit:
			return nil, err
		case s.config.AsAdmin && !s.Overlaps():
			return nil, nil
		case r.Now().Sub(began) >= closingTime || r.Wait(ctx, provePause) != nil:
			return nil, err
		}
	}
}

// locate finds the version whose password the server has: AWSCURRENT's as a rule,
// AWSPENDING's where an earlier delivery got further. So a rotation that nothing
// disturbs leaves no refused log-in behind.
func (s *Strategy) locate(ctx context.Context, r *rotation.Rotation, at func(database.Account) database.Account) (*candidate, error) {
	pending, err := r.Pending(ctx)
	if err != nil {
		return nil, err
	}
	current, err := r.Current(ctx)
	if err != nil {
		return nil, err
	}
	account, err := s.account(current.Value)
	if err != nil {
		return nil, err
	}
	return s.search(ctx, r, at(account), nil, labelled{rotation.StageCurrent, current}, labelled{rotation.StagePending, pending})
}

// labelled is a version and the label by which it was found.
type labelled struct {
	label string
	rotation.Version
}

// search tries the passwords of versions in their order, then AWSPREVIOUS's, then
// those of versions that lost their labels, if they are for account's user at
// account's host. Each password is tried once, since servers may lock a user after
// wrong ones. Only a refused password leads to the next: a server that cannot be
// reached has said nothing.
func (s *Strategy) search(ctx context.Context, r *rotation.Rotation, account database.Account, tried []rotation.Sensitive, versions ...labelled) (*candidate, error) {
	usable := func(v rotation.Value) (database.Account, bool) {
		a, err := s.account(v)
		if err == nil && a.Writer().SameLogin(account.Writer()) && !slices.Contains(tried, a.Password) {
			password := a.Password
			a = account
			a.Password = password
			return a, true
		}
		return a, false
	}
	try := func(v rotation.Version, label string) (*candidate, error) {
		a, ok := usable(v.Value)
		if !ok {
			return nil, nil
		}
		tried = append(tried, a.Password)
		session, err := s.login(ctx, r, a)
		if rotation.CodeOf(err) == rotation.CodeAuthRejected {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		r.Report.Candidate = label
		return &candidate{
			account: a, session: session,
			isPending: label == rotation.StagePending, isCurrent: label == rotation.StageCurrent,
		}, nil
	}

	for _, v := range versions {
		if found, err := try(v.Version, v.label); found != nil || err != nil {
			return found, err
		}
	}
	if previous, ok := r.Previous(ctx); ok {
		if found, err := try(previous, rotation.StagePrevious); found != nil || err != nil {
			return found, err
		}
	}
	deprecated, err := r.Deprecated(ctx, s.config.RecoveryVersions, func(v rotation.Value) bool {
		_, ok := usable(v)
		return ok
	})
	if err != nil {
		return nil, err
	}
	for _, v := range deprecated {
		found, err := try(v, v.ID)
		if found != nil {
			r.Log.WarnContext(ctx, "no labelled version logs in: an earlier one does", "recovered", v.ID)
		}
		if found != nil || err != nil {
			return found, err
		}
	}
	if err := s.diagnose(ctx, r, account); err != nil {
		return nil, err
	}
	if s.config.AsAdmin && s.config.AllowRecovery {
		r.Log.WarnContext(ctx, "no version logs in: the admin sets the password, as ALLOW_RECOVERY permits")
		r.Report.Candidate = "admin"
		account.Password = rotation.Sensitive{}
		return &candidate{account: account}, nil
	}
	return nil, rotation.Errorf(rotation.CodeLockedOut, "none of %d known passwords of the user logs in", len(tried))
}
