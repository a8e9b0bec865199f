// Package singleuser rotates the password of one database user.
//
// Where the server lets a user have two passwords, setSecret adds the pending
// one to AWSCURRENT's, and the previous goes with the next rotation: AWSCURRENT
// logs in at every moment ([Overlapper]).
//
// Everywhere else it applies late. Nothing before finishSecret changes the
// server: setSecret proves that AWSCURRENT logs in and that the server would take
// the change. finishSecret logs in with AWSCURRENT, changes the password, logs in
// with the new one and moves AWSCURRENT, all in one invocation. So applications meet
// a refused log-in for the time of one log-in and one call to Secrets Manager,
// however long the service pauses between its steps, and a rotation that is given up
// before its last step has done no harm.
//
// After the change, the strategy tries again until the invocation's time is up if the
// server is full or restarts, or if Secrets Manager does not answer. Then
// AWSCURRENT's password is put back on the session that is still open, but only if it
// is certain that the label has not moved and will not move. Where that is not
// certain nothing is undone, and the next delivery finds the pending password in
// force and completes the rotation.
package singleuser

import (
	"context"
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

// Locking is a user's own session on a server that may lock users after wrong
// passwords.
type Locking interface {
	// SurvivesRefusal is [rotation.CodeLocked] if one wrong password locks the
	// session's user. After the change and before AWSCURRENT moves, the log-in of a
	// client would lock the user; so would that of the next delivery if this one is
	// killed, since it tries AWSCURRENT first.
	SurvivesRefusal(ctx context.Context) error
}

// Config is what the strategy is told by the function's environment.
type Config struct {
	// AsAdmin lets the admin secret that the secret names (key masterarn)
	// change the password, for servers where users may not change their own.
	AsAdmin bool
	// Secrets say, with AsAdmin, which administrator acts for which secret and user.
	Secrets database.Mandates
	// AllowRecovery lets the admin set the password when no known version of
	// the secret logs in any more.
	AllowRecovery bool
	// RecoveryVersions is how many versions without a label are tried when
	// none with a label logs in.
	RecoveryVersions int
}

// DefaultRecoveryVersions keeps a lost account from being locked by guessing.
const DefaultRecoveryVersions = 5

// ConfigFromEnv reads CHANGE_AS, ALLOW_RECOVERY, RECOVERY_VERSIONS, and SECRETS if an
// administrator changes the password.
func ConfigFromEnv(env *rotation.Env) (Config, error) {
	config := Config{
		AsAdmin:          env.OneOf("CHANGE_AS", "self", "self", "admin") == "admin",
		AllowRecovery:    env.Bool("ALLOW_RECOVERY", false),
		RecoveryVersions: env.Int("RECOVERY_VERSIONS", DefaultRecoveryVersions),
	}
	if config.AsAdmin {
		config.Secrets = database.MandatesFromEnv(env)
	}
	return config, env.Err()
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

// Overlaps reports whether the previous password lives on until the next rotation.
// Elsewhere it ends with this one.
func (s *Strategy) Overlaps() bool {
	target, ok := s.target.(Overlapping)
	return ok && target.Overlaps(s.config.AsAdmin)
}

// Next is AWSCURRENT with a new password. It first checks all that setSecret will
// need of AWSCURRENT, since a value cannot be corrected once it is stored.
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	account, err := s.account(current)
	if err == nil {
		err = database.Uncopied(current)
	}
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
	if err := found.survivesRefusal(ctx); err != nil {
		return err
	}
	if found.isCurrent && found.session != nil { // finishSecret needs room for one log-in more
		if err := s.logsIn(ctx, found.account); err != nil {
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

// Preflight logs in with AWSCURRENT and tries a change that it throws away.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	account, err := s.account(current)
	checks := []rotation.Check{rotation.NewCheck("AWSCURRENT describes an account", err)}
	if err != nil {
		return checks
	}
	checks = append(checks, rotation.NewCheck("AWSCURRENT holds its password once", database.Uncopied(current)))
	session, err := s.login(ctx, r, account.Writer())
	checks = append(checks, rotation.NewCheck("AWSCURRENT logs in on the server that takes changes", err))
	if err != nil {
		return checks
	}
	found := &candidate{account: account.Writer(), session: session, isCurrent: true}
	defer found.close()
	if _, ok := session.(Locking); ok {
		checks = append(checks, rotation.NewCheck("one refused log-in does not lock the user", found.survivesRefusal(ctx)))
	}
	changer, err := s.changer(ctx, r, found)
	if err == nil {
		defer changer.Close()
		err = database.Ask(ctx, changer, account.User, s.target.PasswordPolicy())
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
		return database.Account{}, rotation.Errorf(rotation.CodeBadSecret, "the rotated secret has no key %q, the ARN of the admin secret, and CHANGE_AS is admin", database.KeyAdmin)
	}
	mandate, err := s.config.Secrets.Of(r.SecretARN())
	if err == nil {
		err = mandate.Allows(account)
	}
	if err != nil {
		return database.Account{}, err
	}
	v, err := r.Secret(ctx, account.AdminARN)
	if err != nil {
		return database.Account{}, rotation.Within("admin secret", err)
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
