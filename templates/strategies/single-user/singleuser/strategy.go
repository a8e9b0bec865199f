// Package singleuser rotates the password of one database user.
//
// Where the server lets a user have two passwords, setSecret adds the pending
// one to AWSCURRENT's, and the former goes with the next rotation: AWSCURRENT
// logs in at every moment ([Overlapper]).
//
// Everywhere else it applies late. Nothing before finishSecret changes the
// server: setSecret proves that AWSCURRENT logs in and that the server would take
// the change. finishSecret logs in with AWSCURRENT, changes the password, logs in
// with the new one and moves AWSCURRENT, all in one invocation. So applications
// meet a refused log-in for the time of one log-in and one call to Secrets Manager,
// whatever the service pauses between its steps, and a rotation that is given up
// before its last step has done no harm.
//
// Between the change and the label, whatever gives no verdict is tried again until
// the invocation's time is up: a server that is full or restarts, a Secrets Manager
// that does not answer. Then AWSCURRENT's password is put back on the session that
// is still open, but only if it is certain that the label has not moved and will
// not move. Where that is not certain nothing is undone, and the next delivery
// finds the pending password in force and completes the rotation.
package singleuser

import (
	"context"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Target is a database engine.
type Target interface {
	// Engines are the names by which secrets may call the engine.
	Engines() []string
	// PasswordPolicy is what the engine's passwords look like.
	PasswordPolicy() database.PasswordPolicy
	// Login opens a session on account's host. A credential that the server
	// refuses is [rotation.CodeAuthRejected]; [rotation.CodeUserLimit] is said only
	// to the right one.
	Login(ctx context.Context, account database.Account) (database.Session, error)
	// Prove logs in and out again, as fast as the engine can: it stands in
	// the gap.
	Prove(ctx context.Context, account database.Account) error
}

// Config is what the strategy is told by the function's environment.
type Config struct {
	// AsAdmin lets the admin secret that the secret names (key masterarn)
	// change the password, for servers where users may not change their own.
	AsAdmin bool
	// AllowRecovery lets the admin set the password when no known version of
	// the secret logs in any more.
	AllowRecovery bool
	// RecoveryVersions is how many versions without a label are tried when
	// none with a label logs in.
	RecoveryVersions int
}

// DefaultRecoveryVersions keeps a lost account from being locked by guessing.
const DefaultRecoveryVersions = 5

// ConfigFromEnv reads CHANGE_AS, ALLOW_RECOVERY and RECOVERY_VERSIONS.
func ConfigFromEnv(env *rotation.Env) (Config, error) {
	return Config{
		AsAdmin:          env.OneOf("CHANGE_AS", "self", "self", "admin") == "admin",
		AllowRecovery:    env.Bool("ALLOW_RECOVERY", false),
		RecoveryVersions: env.Int("RECOVERY_VERSIONS", DefaultRecoveryVersions),
	}, env.Err()
}

// Strategy is a [rotation.Strategy].
type Strategy struct {
	target Target
	config Config
}

var _ rotation.Strategy = (*Strategy)(nil)

// New returns the strategy for an engine. It fails if the engine's password
// policy cannot be met.
func New(target Target, config Config) (*Strategy, error) {
	return &Strategy{target, config}, target.PasswordPolicy().Validate()
}

// Credential is the password alone.
func (*Strategy) Credential() []string { return []string{database.KeyPassword} }

// Overlaps reports whether the former password lives on until the next rotation.
// Elsewhere it ends with this one.
func (s *Strategy) Overlaps() bool {
	target, ok := s.target.(Overlapping)
	return ok && target.Overlaps(s.config.AsAdmin)
}

// Next is AWSCURRENT with a new password. What setSecret will need of AWSCURRENT is
// looked at first: a value that is stored keeps what was wrong with it.
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	account, err := s.account(current)
	if err == nil && s.config.AsAdmin {
		_, err = s.admin(ctx, r, account)
	}
	if err != nil {
		return rotation.Value{}, err
	}
	password, err := s.target.PasswordPolicy().Generate()
	if err != nil {
		return rotation.Value{}, err
	}
	return current.With(database.KeyPassword, password.Reveal()), nil
}

// Set proves that a known password logs in, and lets the pending one log in
// beside AWSCURRENT's. Where that cannot be, it changes nothing and proves that
// the server would take the pending one.
func (s *Strategy) Set(ctx context.Context, r *rotation.Rotation) error {
	pending, err := s.pending(ctx, r)
	if err != nil {
		return err
	}
	found, err := s.locate(ctx, r, database.Account.Writer)
	if err != nil {
		return err
	}
	defer found.close()
	if found.isPending {
		return nil // an earlier delivery got further than this one
	}
	session, err := s.changer(ctx, r, found)
	if err != nil {
		return err
	}
	defer session.Close()
	own, err := s.overlapper(ctx, r, found)
	if err != nil {
		return err
	}
	if own != nil {
		if err := s.claim(ctx, r, session, pending.User); err != nil {
			return err
		}
		if done, err := s.overlap(ctx, r, own, session, found.account, pending.Writer()); done || err != nil {
			return err
		}
	}
	return s.dropRefused(ctx, r, found, session.Try(ctx, pending.User, pending.Password))
}

// Test proves, at the host that applications use, that the pending password
// logs in. Where it cannot do so yet, a known one must, and finishSecret proves
// the pending one.
func (s *Strategy) Test(ctx context.Context, r *rotation.Rotation) error {
	pending, err := s.pending(ctx, r)
	if err != nil {
		return err
	}
	found, err := s.locate(ctx, r, func(a database.Account) database.Account { return a })
	if err != nil {
		return err
	}
	defer found.close()
	if !found.isCurrent || !s.Overlaps() {
		return nil
	}
	writer, err := s.atWriter(ctx, found)
	if err != nil {
		return err
	}
	defer writer.close()
	own, err := s.overlapper(ctx, r, writer)
	if err != nil || own == nil {
		return err
	}
	return pending.RideOut(
		func(pause time.Duration) error { return r.Wait(ctx, pause) },
		func() error { return s.logsIn(ctx, pending) })
}

// Works logs in with value's password.
func (s *Strategy) Works(ctx context.Context, _ *rotation.Rotation, value rotation.Value) error {
	account, err := s.account(value)
	if err != nil {
		return err
	}
	return s.logsIn(ctx, account)
}

// logsIn proves that account's password is right.
func (s *Strategy) logsIn(ctx context.Context, account database.Account) error {
	return database.Accepted(s.target.Prove(ctx, account))
}

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
		return failure // the change is not in force, or nobody knows: the next delivery finds out
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

// keep returns what keeps a session, which may have to undo the change, from ending
// because it stands still: it claims user again.
func keep(ctx context.Context, session database.Session, user string) func() {
	return func() {
		ctx, cancel := context.WithTimeout(ctx, closingTime)
		defer cancel()
		_ = session.Claim(ctx, user) // a session that is gone shows when it is needed
	}
}

// prove logs in until the server has given a verdict on the password or the time
// is up. Anything else that it may say can pass. meanwhile is done as long as it
// says something.
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

// Preflight logs in with AWSCURRENT and tries a change that it throws away.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	account, err := s.account(current)
	checks := []rotation.Check{rotation.NewCheck("AWSCURRENT describes an account", err)}
	if err != nil {
		return checks
	}
	session, err := s.login(ctx, r, account.Writer())
	checks = append(checks, rotation.NewCheck("AWSCURRENT logs in on the server that takes changes", err))
	if err != nil {
		return checks
	}
	found := &candidate{account: account.Writer(), session: session}
	defer found.close()
	changer, err := s.changer(ctx, r, found)
	if err == nil {
		defer changer.Close()
		err = changer.Try(ctx, account.User, account.Password)
	}
	checks = append(checks, rotation.NewCheck("the password may be changed (tried and thrown away)", err))
	if own, ok := session.(Overlapper); ok && s.Overlaps() {
		checks = append(checks, rotation.NewCheck("both passwords can log in during a rotation", own.Overlaps(ctx, s.config.AsAdmin)))
	}
	return checks
}

// claim keeps other rotations away from user, and makes sure that this one is
// still wanted.
func (s *Strategy) claim(ctx context.Context, r *rotation.Rotation, session database.Session, user string) error {
	if err := session.Claim(ctx, user); err != nil {
		return err
	}
	return r.Recheck(ctx)
}

func (s *Strategy) account(v rotation.Value) (database.Account, error) {
	return database.ParseAccount(v, s.target.Engines())
}

func (s *Strategy) pending(ctx context.Context, r *rotation.Rotation) (database.Account, error) {
	v, err := r.Pending(ctx)
	if err != nil {
		return database.Account{}, err
	}
	return s.account(v.Value)
}

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

// closingTime is how long a server may take to notice that a session has ended, of
// the step before this one for example.
const closingTime = 3 * time.Second

// login opens a session for account, and waits for a moment where the user has no
// connection left. It returns neither a session nor an error where the password is
// right all the same and only the admin is needed.
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
// those of versions that lost their labels, as far as they are of account's user at
// account's host. Each is tried once and none that was tried before, since servers
// lock accounts that guess. Only a refused password leads to the next: whoever
// cannot be reached has said nothing.
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

// diagnose asks the admin why no password logs in, where servers call an
// expired account a wrong password. It returns nil if there is no admin to ask
// or nothing to be said.
func (s *Strategy) diagnose(ctx context.Context, r *rotation.Rotation, account database.Account) error {
	if !s.config.AsAdmin {
		return nil
	}
	session, err := s.changer(ctx, r, &candidate{account: account})
	if err != nil {
		r.Log.WarnContext(ctx, "the admin cannot be asked why no password logs in", "code", rotation.CodeOf(err))
		return nil
	}
	defer session.Close()
	if admin, ok := session.(database.Diagnoser); ok {
		return admin.Diagnose(ctx, account.User)
	}
	return nil
}

// changer returns the session that changes the password: the user's own, or the
// admin's. Closing a session twice does no harm.
func (s *Strategy) changer(ctx context.Context, r *rotation.Rotation, found *candidate) (database.Session, error) {
	if !s.config.AsAdmin {
		return found.session, nil
	}
	admin, err := s.admin(ctx, r, found.account)
	if err != nil {
		return nil, err
	}
	session, err := s.target.Login(ctx, admin)
	return session, rotation.Within("admin", err)
}

// admin returns the login of the admin that account's secret names.
func (s *Strategy) admin(ctx context.Context, r *rotation.Rotation, account database.Account) (database.Account, error) {
	if account.AdminARN == "" {
		return database.Account{}, rotation.Errorf(rotation.CodeBadSecret, "key %q is missing, and CHANGE_AS is admin", database.KeyAdmin)
	}
	v, err := r.Secret(ctx, account.AdminARN)
	if err != nil {
		return database.Account{}, err
	}
	return account.AsAdmin(v)
}

// dropRefused takes AWSPENDING off a value that the server refuses by its
// rules, if AWSCURRENT is what just logged in: the same value would be refused
// for ever, and the next rotation makes another.
func (s *Strategy) dropRefused(ctx context.Context, r *rotation.Rotation, found *candidate, err error) error {
	if rotation.CodeOf(err) != rotation.CodePolicy || !found.isCurrent {
		return err
	}
	return r.GiveUp(ctx, err)
}

// distrust undoes a change that the server acknowledged and then did not honour,
// and lets the pending value go once AWSCURRENT is known to work again.
func (s *Strategy) distrust(ctx context.Context, r *rotation.Rotation, found *candidate, session database.Session) error {
	ctx, cancel := r.Settling(ctx)
	defer cancel()
	if err := s.putBack(ctx, r, session, found.account); err != nil {
		return err
	}
	refusal := rotation.Errorf(rotation.CodeRolledBack, "the server took the new password and then refused it: the former one is back and works")
	if found.isCurrent {
		return r.GiveUp(ctx, refusal)
	}
	return refusal
}

// retreat makes AWSCURRENT's password the user's again where the rotation cannot go
// on, so that applications work while somebody finds out why. It does nothing
// unless it is certain which version AWSCURRENT is and stays on.
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
			return why // both log in, or nobody knows
		}
	}
	if err := s.putBack(ctx, r, session, account.Writer()); err != nil {
		return err
	}
	r.Log.WarnContext(ctx, "AWSCURRENT could not be moved: its password is back and works")
	return why
}

// putBack sets the former password on the connection that made the change, and
// proves it. Nothing else than that log-in decides whether it is back.
func (s *Strategy) putBack(ctx context.Context, r *rotation.Rotation, session database.Session, former database.Account) error {
	if former.Password.IsZero() {
		return rotation.Errorf(rotation.CodeOutcomeUnknown, "the former password is not known and cannot be put back")
	}
	err := session.Change(ctx, former.User, former.Password)
	if err == nil {
		err = s.prove(ctx, r, former, func() {})
	}
	if err == nil {
		return nil
	}
	return rotation.Errorf(rotation.CodeOutcomeUnknown, "the former password could not be put back: %s", rotation.CodeOf(err)).Because(err)
}
