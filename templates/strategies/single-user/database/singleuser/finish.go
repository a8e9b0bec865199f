package singleuser

import (
	"context"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Finish changes the password, unless setSecret did, proves it and promotes it.
func (s *Strategy) Finish(ctx context.Context, r *rotation.Rotation) error {
	pending, err := s.pending(ctx, r)
	if err != nil {
		return err
	}
	found, err := s.locate(ctx, r, database.Account.Writer)
	if err != nil {
		return err
	}
	defer found.close()
	session, err := s.changer(ctx, r, found)
	if err != nil {
		return err
	}
	defer session.Close()
	own, err := s.overlapper(ctx, r, found)
	if err != nil {
		return err
	}
	if err := s.claim(ctx, r, session, pending.User); err != nil {
		return err
	}
	if own != nil {
		if done, err := s.overlap(ctx, r, own, session, found.account, pending.Writer()); err != nil {
			return err
		} else if done {
			return r.Promote(ctx)
		}
	}
	if found.isPending { // an earlier step or delivery changed it, and only the label is missing
		if err := r.PromoteWhile(ctx, keep(ctx, session, pending.User)); err != nil {
			return s.retreat(ctx, r, found, session, err)
		}
		if !s.Overlaps() { // else setSecret did it, and AWSCURRENT went on working
			r.Log.WarnContext(ctx, "an earlier delivery changed the password: AWSCURRENT could not log in from then until now")
		}
		return nil
	}
	return s.apply(ctx, r, found, session, pending.Writer())
}

// apply changes the password, proves it and moves AWSCURRENT.
func (s *Strategy) apply(ctx context.Context, r *rotation.Rotation, found *candidate, session database.Session, pending database.Account) error {
	if err := found.survivesRefusal(ctx); err != nil {
		return err
	}
	failure := session.Change(ctx, pending.User, pending.Password)
	if failure != nil && !unanswered(failure) {
		return s.dropRefused(ctx, r, found, failure)
	}
	changed := r.Now()
	awake := keep(ctx, session, pending.User)
	err := s.prove(ctx, r, pending, awake)
	switch {
	case err == nil:
		err = r.PromoteWhile(ctx, awake)
	case failure != nil:
		return failure // the change is not in force, or that is unknown: the next delivery finds out
	case rotation.CodeOf(err) == rotation.CodeAuthRejected:
		return s.distrust(ctx, r, found, session)
	}
	if err != nil {
		return s.retreat(ctx, r, found, session, err)
	}
	r.Report.Gap = new(r.Now().Sub(changed))
	return nil
}

// unanswered reports whether err leaves open whether the server did what it was
// told, see [database.Session].
func unanswered(err error) bool {
	code := rotation.CodeOf(err)
	return code == rotation.CodeDisconnected || code == rotation.CodeDeadline
}

// provePause is the time between two log-ins that the server has no verdict on.
const provePause = 250 * time.Millisecond

// keep returns a function that claims user again, so that the server does not end
// the idle session: it may have to undo the change.
func keep(ctx context.Context, session database.Session, user string) func() {
	return func() {
		ctx, cancel := context.WithTimeout(ctx, closingTime)
		defer cancel()
		_ = session.Claim(ctx, user) // a session that is gone shows when it is needed
	}
}

// prove logs in until the server accepts or refuses the password, or the time is
// up: any other error may pass. It calls meanwhile after each such answer of the
// server.
func (s *Strategy) prove(ctx context.Context, r *rotation.Rotation, account database.Account, meanwhile func()) error {
	for {
		err := s.logsIn(ctx, account)
		code := rotation.CodeOf(err)
		if err == nil || code == rotation.CodeAuthRejected || r.Wait(ctx, provePause) != nil {
			return err
		}
		if !slices.Contains(noAnswer, code) {
			meanwhile()
		}
	}
}

// noAnswer are the codes of a server that has said nothing.
var noAnswer = []rotation.Code{rotation.CodeUnreachable, rotation.CodeNoAnswer, rotation.CodeDisconnected, rotation.CodeDeadline}

// Heal makes AWSCURRENT's password that of the user again. It implements
// [rotation.Healer].
func (s *Strategy) Heal(ctx context.Context, r *rotation.Rotation) error {
	current, err := r.Current(ctx)
	if err != nil {
		return err
	}
	account, err := s.account(current.Value)
	if err != nil {
		return err
	}
	account = account.Writer()
	found, err := s.search(ctx, r, account, []rotation.Sensitive{account.Password})
	if err != nil {
		return err
	}
	defer found.close()
	session, err := s.changer(ctx, r, found)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := s.claim(ctx, r, session, account.User); !rotation.Superseded(err) {
		return err // AWSCURRENT is another version by now
	}
	if err := session.Change(ctx, account.User, account.Password); err != nil {
		return err
	}
	r.Log.WarnContext(ctx, "AWSCURRENT did not log in: its password is set again")
	return s.prove(ctx, r, account, func() {})
}

// distrust undoes a change that the server acknowledged and then did not honour,
// and lets the pending value go once AWSCURRENT is known to work again.
func (s *Strategy) distrust(ctx context.Context, r *rotation.Rotation, found *candidate, session database.Session) error {
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	if err := s.putBack(ctx, r, session, found.account); err != nil {
		return err
	}
	refusal := rotation.Errorf(rotation.CodeRolledBack, "the server took the new password and then refused it: the previous one is back and works")
	if found.isCurrent {
		return r.GiveUp(ctx, refusal)
	}
	return refusal
}

// retreat sets AWSCURRENT's password again if the rotation cannot go on, so that
// applications work meanwhile. It does nothing unless it is certain which version
// AWSCURRENT is on and stays on.
func (s *Strategy) retreat(ctx context.Context, r *rotation.Rotation, found *candidate, session database.Session, why error) error {
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	if !r.Decided(ctx) {
		return why
	}
	current, err := r.Current(ctx)
	if err != nil {
		return why
	}
	account, err := s.account(current.Value)
	if err != nil {
		return why
	}
	if _, ok := found.session.(Overlapper); ok && found.isPending {
		if err := s.logsIn(ctx, account.Writer()); rotation.CodeOf(err) != rotation.CodeAuthRejected {
			return why // both log in, or that is unknown
		}
	}
	if err := s.putBack(ctx, r, session, account.Writer()); err != nil {
		return err
	}
	r.Log.WarnContext(ctx, "AWSCURRENT could not be moved: its password is back and works")
	return why
}

// putBack sets the previous password on the connection that made the change, and
// proves it. Nothing else than that log-in decides whether it is back.
func (s *Strategy) putBack(ctx context.Context, r *rotation.Rotation, session database.Session, previous database.Account) error {
	if previous.Password.IsZero() {
		return rotation.Errorf(rotation.CodeOutcomeUnknown, "the previous password is not known and cannot be put back")
	}
	err := session.Change(ctx, previous.User, previous.Password)
	if err == nil {
		err = s.prove(ctx, r, previous, func() {})
	}
	if err == nil {
		return nil
	}
	return rotation.Errorf(rotation.CodeOutcomeUnknown, "the previous password could not be put back: %s", rotation.CodeOf(err)).Because(err)
}
