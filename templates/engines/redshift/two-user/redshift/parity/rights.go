// Package parity makes two Redshift users able to do the same, and tells
// whether they are.
//
// Redshift has no role that sessions begin as, so what a user makes is its own.
// The package therefore asks for two users that are members of the same groups
// and hold the same roles, and own and hold nothing beside that: then they can
// do the same, of every kind of privilege. Limits and settings belong to each
// user alone, and must be equal.
//
// Only a superuser may see all of that.
// https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_USER_INFO.html
package parity

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// Target opens sessions that know about rights.
type Target struct{ *redshift.Target }

var _ twouser.Target = Target{}

// New returns a target on top of engine.
func New(engine *redshift.Target) Target { return Target{engine} }

// Login implements [twouser.Target].
func (t Target) Login(ctx context.Context, account database.Account) (twouser.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &Session{session}, nil
}

// Session is a [redshift.Session] that also compares, creates and reconciles
// users. It has no statement that changes any other user than the one that it
// is told to.
type Session struct{ *redshift.Session }

var _ twouser.Session = (*Session)(nil)

// Create implements [twouser.Session]. The server cannot lock a user. This one
// is in no group and has a random password that is not kept, until all else
// about it is right.
func (s *Session) Create(ctx context.Context, user string) error {
	if err := s.CheckName(user); err != nil {
		return err
	}
	doing := fmt.Sprintf("create %q", user)
	results, err := s.Exec(ctx, doing, "SELECT 1 FROM pg_user WHERE usename = "+redshift.Literal(user))
	if err != nil || len(results[0]) > 0 {
		return err
	}
	digest, err := s.Digest(user, rotation.NewSensitive(rand.Text()))
	if err != nil {
		return err
	}
	_, err = s.Exec(ctx, doing, fmt.Sprintf("CREATE USER %s PASSWORD %s", postgresconn.Identifier(user), redshift.Literal(digest.Reveal())))
	return err
}

// Activate implements [twouser.Session]: the password is all that is missing.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return s.Change(ctx, user, password)
}

// Parity implements [twouser.Session].
func (s *Session) Parity(ctx context.Context, active, inactive string) error {
	a, b, err := s.read(ctx, active, inactive)
	if err != nil {
		return err
	}
	return parity(a, b)
}

// Reconcile implements [twouser.Session]. All of it is one transaction.
func (s *Session) Reconcile(ctx context.Context, active, inactive string, revoke bool) (extra []string, err error) {
	a, b, err := s.read(ctx, active, inactive)
	if err != nil {
		return nil, err
	}
	statements, extra := reconcile(a, b, revoke)
	if len(statements) > 0 {
		_, err = s.Exec(ctx, fmt.Sprintf("reconcile %q", inactive), statements...)
	}
	return extra, err
}

// Rehearse implements [twouser.Session] with a transaction that is rolled back.
func (s *Session) Rehearse(ctx context.Context, active, inactive string) error {
	return s.Undone(ctx, fmt.Sprintf("rehearse a clone of %q", active), func() error {
		if err := s.Create(ctx, inactive); err != nil {
			return err
		}
		if _, err := s.Reconcile(ctx, active, inactive, false); err != nil {
			return err
		}
		if err := s.Parity(ctx, active, inactive); err != nil {
			return err
		}
		return s.Activate(ctx, inactive, rotation.NewSensitive(rand.Text()))
	})
}
