// Package twouser rotates between two database users that can do the same.
//
// The secret names one of them; a rotation gives the other a new password and
// makes the secret name that one. The user that AWSCURRENT names is never
// touched, so there is no moment at which it cannot log in, and clients that
// hold the previous value in a cache go on working until the next rotation.
//
// A log-in is no proof: a user that logs in and lacks a right would take
// production down just as well. Before the new user is promoted, both users
// are compared, in setSecret, testSecret and finishSecret.
package twouser

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
	// to the right one; a session that is not account's user is
	// [rotation.CodeIdentity].
	Login(ctx context.Context, account database.Account) (Session, error)
	// Prove logs in and out again, as fast as the engine can.
	Prove(ctx context.Context, account database.Account) error
}

// Session is a [database.Session] that also knows about rights.
type Session interface {
	database.Session
	// Parity returns nil if both users can do the same, and
	// [rotation.CodeParity] with the differences if not. It works in the
	// admin's session, and in those of both users or is
	// [rotation.CodePermission] where users do not see each other's rights.
	Parity(ctx context.Context, active, inactive string) error
	// Create makes user exist, locked and with a random password that is not kept. A user
	// that exists is left as it is.
	Create(ctx context.Context, user string) error
	// Reconcile gives inactive what it lacks of active's rights and never
	// touches active. It returns the rights that only inactive has, and
	// takes them away if revoke is set.
	Reconcile(ctx context.Context, active, inactive string, revoke bool) (extra []string, err error)
	// Activate sets user's password and lets it log in, in one statement.
	Activate(ctx context.Context, user string, password rotation.Sensitive) error
	// Rehearse finds out whether Create, Reconcile and Activate would be let
	// do their work and lead to parity, and changes nothing.
	Rehearse(ctx context.Context, active, inactive string) error
}

// Config is what the strategy is told by the function's environment.
type Config struct {
	// Secrets say whose administrator may set which two users' passwords. A writer of
	// the secret could else have the admin set any user's, or send its password anywhere.
	Secrets database.Mandates
	// Clone lets the rotation create the second user and keep its rights
	// equal. Otherwise both users are made beforehand, and a difference
	// between them is an error.
	Clone bool
	// RevokeExtra lets a clone lose rights that the other user does not have.
	RevokeExtra bool
	// AllowRecovery lets the admin act although neither AWSCURRENT nor the
	// target user's previous password logs in.
	AllowRecovery bool
}

// ConfigFromEnv reads SECRETS, USERS, REVOKE_EXTRA and ALLOW_RECOVERY.
func ConfigFromEnv(env *rotation.Env) (Config, error) {
	config := Config{
		Secrets:       database.MandatesFromEnv(env),
		Clone:         env.OneOf("USERS", "preprovisioned", "preprovisioned", "clone") == "clone",
		RevokeExtra:   env.Bool("REVOKE_EXTRA", false),
		AllowRecovery: env.Bool("ALLOW_RECOVERY", false),
	}
	if !paired(config.Secrets) {
		env.Refuse("SECRETS", "must name two users for each secret, and no user beside two others")
	}
	return config, env.Err()
}

// paired reports whether all users make pairs. Secrets on several servers may share one;
// a user in two pairs would make it a matter of chance whose turn is next.
func paired(secrets database.Mandates) bool {
	other := map[string]string{}
	for _, secret := range secrets {
		if len(secret.Users) != 2 || secret.Users[0] == secret.Users[1] || slices.Contains(secret.Users, "") {
			return false
		}
		for i, user := range secret.Users {
			if known, ok := other[user]; ok && known != secret.Users[1-i] {
				return false
			}
			other[user] = secret.Users[1-i]
		}
	}
	return true
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

// Credential is the user's name, the other user's name and the password.
func (*Strategy) Credential() []string {
	return []string{database.KeyUser, database.KeyAlternate, database.KeyPassword}
}

// Overlaps is true: the previous user keeps its password for one period.
func (*Strategy) Overlaps() bool { return true }

// Next is AWSCURRENT with the other user and a new password.
// It first checks all that setSecret will need of AWSCURRENT: a stored value keeps its
// faults.
func (s *Strategy) Next(ctx context.Context, r *rotation.Rotation, current rotation.Value) (rotation.Value, error) {
	active, err := s.account(current)
	if err != nil {
		return rotation.Value{}, err
	}
	inactive, err := s.other(r, active)
	if err != nil {
		return rotation.Value{}, err
	}
	if err := database.Uncopied(current, active.User, inactive); err != nil {
		return rotation.Value{}, err
	}
	if _, err := s.adminAccount(ctx, r, active); err != nil {
		return rotation.Value{}, err
	}
	password, err := s.target.PasswordPolicy().Generate()
	if err != nil {
		return rotation.Value{}, err
	}
	next := current.With(database.KeyUser, inactive).With(database.KeyPassword, password.Reveal())
	if active.Alternate != "" {
		next = next.With(database.KeyAlternate, active.User)
	}
	return next, nil
}

// Set gives the inactive user the pending password, after everything else
// about that user is right.
func (s *Strategy) Set(ctx context.Context, r *rotation.Rotation) error {
	active, inactive, err := s.pair(ctx, r)
	if err != nil {
		return err
	}
	if err := s.vouch(ctx, r, active, inactive); err != nil {
		return err
	}
	admin, err := s.admin(ctx, r, active)
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := admin.Claim(ctx, inactive.User); err != nil {
		return err
	}
	if err := r.Recheck(ctx); err != nil {
		return err
	}
	set := admin.Change
	if s.config.Clone {
		set = admin.Activate
		if err := admin.Create(ctx, inactive.User); err != nil {
			return err
		}
		extra, err := admin.Reconcile(ctx, active.User, inactive.User, s.config.RevokeExtra)
		if err != nil {
			return err
		}
		if len(extra) > 0 {
			r.Log.WarnContext(ctx, "the inactive user has rights that the active one lacks", "extra", extra, "revoked", s.config.RevokeExtra)
		}
	}
	if err := admin.Parity(ctx, active.User, inactive.User); err != nil {
		return err
	}
	refusal := set(ctx, inactive.User, inactive.Password)
	if refusal != nil && rotation.CodeOf(refusal) != rotation.CodePolicy {
		return refusal
	}
	// A rule against reusing passwords also refuses one that an earlier
	// delivery has set already, so a refusal is no news until the log-in fails.
	err = s.logsIn(ctx, inactive.Writer())
	if refusal != nil && rotation.CodeOf(err) == rotation.CodeAuthRejected {
		return r.GiveUp(ctx, refusal)
	}
	return err
}

// Test proves the new user at the host that applications use.
func (s *Strategy) Test(ctx context.Context, r *rotation.Rotation) error {
	active, inactive, err := s.pair(ctx, r)
	if err != nil {
		return err
	}
	return s.prove(ctx, r, active, inactive)
}

// Finish proves the new user once more and promotes it.
func (s *Strategy) Finish(ctx context.Context, r *rotation.Rotation) error {
	active, inactive, err := s.pair(ctx, r)
	if err != nil {
		return err
	}
	if err := s.prove(ctx, r, active, inactive); err != nil {
		return err
	}
	r.Report.Candidate = rotation.StagePending
	return r.Promote(ctx)
}

// Works logs in as value's user.
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

// Preflight logs in as AWSCURRENT's user and as the admin, and tries what a
// rotation would do in a way that changes nothing.
func (s *Strategy) Preflight(ctx context.Context, r *rotation.Rotation, current rotation.Value) []rotation.Check {
	var checks []rotation.Check
	note := func(name string, err error) bool {
		checks = append(checks, rotation.NewCheck(name, err))
		return err == nil
	}
	active, err := s.account(current)
	if !note("AWSCURRENT describes an account", err) {
		return checks
	}
	inactive, err := s.other(r, active)
	if !note("its users are the function's users", err) {
		return checks
	}
	note("AWSCURRENT holds its password and its user's name once", database.Uncopied(current, active.User, inactive))
	if !note("AWSCURRENT logs in", s.Works(ctx, r, current)) && !s.config.AllowRecovery {
		return checks // nor would the admin act on the secret's word
	}
	admin, err := s.admin(ctx, r, active)
	if !note("the admin logs in on the server that takes changes", err) {
		return checks
	}
	defer admin.Close()
	if s.config.Clone {
		note("the admin may make and equip the other user (tried and thrown away)", admin.Rehearse(ctx, active.User, inactive))
		return checks
	}
	note("both users can do the same", admin.Parity(ctx, active.User, inactive))
	note("the admin may set the password (tried and thrown away)", database.Ask(ctx, admin, inactive, s.target.PasswordPolicy()))
	return checks
}

func (s *Strategy) account(v rotation.Value) (database.Account, error) {
	return database.ParseAccount(v, s.target.Engines())
}

// other returns the user that makes a pair with account's, as the function's
// configuration has it. A secret that names another one, or another administrator, is
// refused.
func (s *Strategy) other(r *rotation.Rotation, account database.Account) (string, error) {
	mandate, err := s.config.Secrets.Of(r.SecretARN())
	if err == nil {
		err = mandate.Allows(account)
	}
	if err != nil {
		return "", err
	}
	other := mandate.Users[0]
	if other == account.User {
		other = mandate.Users[1]
	}
	if account.Alternate != "" && account.Alternate != other {
		return "", rotation.Errorf(rotation.CodeBadUsers, "key %q is %q, but the function's SECRETS say %q", database.KeyAlternate, account.Alternate, other)
	}
	return other, nil
}

// pair returns the account that AWSCURRENT names and the one that AWSPENDING
// names, and refuses anything but the two users of one pair: nothing may ever
// be done to the user that AWSCURRENT names.
func (s *Strategy) pair(ctx context.Context, r *rotation.Rotation) (active, inactive database.Account, err error) {
	refuse := func(err error) (database.Account, database.Account, error) {
		return database.Account{}, database.Account{}, err
	}
	current, err := r.Current(ctx)
	if err != nil {
		return refuse(err)
	}
	pending, err := r.Pending(ctx)
	if err != nil {
		return refuse(err)
	}
	if active, err = s.account(current.Value); err != nil {
		return refuse(err)
	}
	if inactive, err = s.account(pending.Value); err != nil {
		return refuse(err)
	}
	other, err := s.other(r, active)
	if err != nil {
		return refuse(err)
	}
	if inactive.User == active.User {
		return refuse(s.dismiss(ctx, r, active))
	}
	if inactive.User != other {
		return refuse(rotation.Errorf(rotation.CodeBadUsers, "AWSPENDING names %q, and beside AWSCURRENT's %q only %q may be set", inactive.User, active.User, other))
	}
	if _, err := s.other(r, inactive); err != nil {
		return refuse(err)
	}
	return active, inactive, nil
}

// dismiss gives up a pending value that names AWSCURRENT's own user: it was made
// before AWSCURRENT moved, and stored after. No delivery can ever use it, and it
// would stand in the next one's way. But if AWSCURRENT does not log in, it may
// hold the only password that does.
func (s *Strategy) dismiss(ctx context.Context, r *rotation.Rotation, active database.Account) error {
	if err := s.logsIn(ctx, active); err != nil {
		return rotation.Errorf(rotation.CodeBadUsers, "AWSPENDING names AWSCURRENT's own user %q and stays, since AWSCURRENT does not log in: %s", active.User, rotation.CodeOf(err)).Because(err)
	}
	return r.GiveUp(ctx, rotation.Errorf(rotation.CodeBadUsers, "AWSPENDING names AWSCURRENT's own user %q: it is given up", active.User))
}

// vouch makes sure that the secret speaks for the pair before the admin acts on
// its word: AWSCURRENT logs in, or else the inactive user with the password
// that AWSPREVIOUS has for it.
func (s *Strategy) vouch(ctx context.Context, r *rotation.Rotation, active, inactive database.Account) error {
	err := s.logsIn(ctx, active)
	if err == nil {
		r.Report.Candidate = rotation.StageCurrent
		return nil
	}
	if rotation.CodeOf(err) != rotation.CodeAuthRejected {
		return rotation.Within("AWSCURRENT", err)
	}
	if previous, ok := r.Previous(ctx); ok {
		account, bad := s.account(previous.Value)
		if bad == nil && account.SameLogin(inactive) {
			err := s.logsIn(ctx, account)
			if err == nil {
				r.Report.Candidate = rotation.StagePrevious
				return nil
			}
			if rotation.CodeOf(err) != rotation.CodeAuthRejected {
				return rotation.Within("AWSPREVIOUS", err)
			}
		}
	}
	if err := s.diagnose(ctx, r, active); err != nil {
		return err
	}
	if s.config.AllowRecovery {
		r.Log.WarnContext(ctx, "no version logs in: the admin acts all the same, as ALLOW_RECOVERY permits")
		r.Report.Candidate = "admin"
		return nil
	}
	return rotation.Errorf(rotation.CodeLockedOut, "neither AWSCURRENT nor AWSPREVIOUS logs in: repair the secret, or set ALLOW_RECOVERY for one rotation").Because(err)
}

// diagnose asks the admin why AWSCURRENT's user cannot log in, where servers call an
// expired account a wrong password. It returns nil if there is nothing to be said.
func (s *Strategy) diagnose(ctx context.Context, r *rotation.Rotation, active database.Account) error {
	admin, err := s.admin(ctx, r, active)
	if err != nil {
		r.Log.WarnContext(ctx, "the admin cannot be asked why AWSCURRENT does not log in", "code", rotation.CodeOf(err))
		return nil
	}
	defer admin.Close()
	if admin, ok := admin.(database.Diagnoser); ok {
		return admin.Diagnose(ctx, active.User)
	}
	return nil
}

// admin opens the session that may set the pair's passwords, on the server
// that takes changes.
func (s *Strategy) admin(ctx context.Context, r *rotation.Rotation, active database.Account) (Session, error) {
	account, err := s.adminAccount(ctx, r, active)
	if err != nil {
		return nil, err
	}
	session, err := s.target.Login(ctx, account)
	return session, rotation.Within("admin", err)
}

// adminAccount returns the login of the admin that active's secret names.
func (s *Strategy) adminAccount(ctx context.Context, r *rotation.Rotation, active database.Account) (database.Account, error) {
	if active.AdminARN == "" {
		return database.Account{}, rotation.Errorf(rotation.CodeBadSecret, "the rotated secret has no key %q, the ARN of the admin secret, without which no user may set another's password", database.KeyAdmin)
	}
	v, err := r.Secret(ctx, active.AdminARN)
	if err != nil {
		return database.Account{}, rotation.Within("admin secret", err)
	}
	return active.AsAdmin(v)
}

// prove logs in as the new user, at a host that may be a replica and is then
// given the rest of the invocation to learn of the new password. It compares
// that user with the active one, which takes the admin where users do not see
// each other's rights.
func (s *Strategy) prove(ctx context.Context, r *rotation.Rotation, active, inactive database.Account) error {
	var session Session
	waited := false
	err := inactive.RideOut(
		func(pause time.Duration) error {
			waited = true
			return r.Wait(ctx, pause)
		},
		func() (err error) {
			session, err = s.target.Login(ctx, inactive)
			return err
		})
	full := rotation.CodeOf(err) == rotation.CodeUserLimit // the password is right, and there is no session
	if err != nil && !full {
		return err
	}
	if full {
		session = nil
	} else {
		defer session.Close()
	}
	if err := s.compare(ctx, r, session, active, inactive); err != nil || !waited {
		return err
	}
	return r.Recheck(ctx) // the labels may have moved meanwhile
}

// compare asks for parity in the new user's session if there is one that can tell,
// and else in the admin's.
func (s *Strategy) compare(ctx context.Context, r *rotation.Rotation, session Session, active, inactive database.Account) error {
	if session != nil {
		err := session.Parity(ctx, active.User, inactive.User)
		if rotation.CodeOf(err) != rotation.CodePermission {
			return err
		}
	}
	admin, err := s.admin(ctx, r, active)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.Parity(ctx, active.User, inactive.User)
}
