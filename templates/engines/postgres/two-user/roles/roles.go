// Package roles makes two PostgreSQL users able to do the same, and tells
// whether they are.
//
// It does not compare privileges one by one, which would overlook whatever kind
// of privilege the server invents next, and the objects that one user makes
// tomorrow. Instead both users must act as one role: their sessions begin as
// that role (ALTER ROLE ... SET role), so it owns what they make, and neither
// owns or holds anything beside it. The role is
//
//   - an owner role that nobody logs in as; or
//   - one of the two users, which the other, its clone, acts as.
//
// What belongs to a user and not to the role that it acts as (settings, limits,
// memberships) must be equal.
package roles

import (
	"context"
	"fmt"

	"github.com/rotasmith/rotasmith/templates/engines/postgres/common/postgres"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/twouser"
)

// Target opens sessions that know about rights.
type Target struct{ *postgres.Target }

var _ twouser.Target = Target{}

// New returns a target on top of engine.
func New(engine *postgres.Target) Target { return Target{engine} }

// Login implements [twouser.Target].
func (t Target) Login(ctx context.Context, account database.Account) (twouser.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &Session{session}, nil
}

// Session is a [postgres.Session] that also compares, creates and reconciles
// users. It has no statement that changes any other user than the one that it
// is told to.
type Session struct{ *postgres.Session }

var _ twouser.Session = (*Session)(nil)

// Create implements [twouser.Session].
func (s *Session) Create(ctx context.Context, user string) error {
	if err := s.CheckName(user); err != nil {
		return err
	}
	doing := fmt.Sprintf("create %q", user)
	results, err := s.Exec(ctx, doing, "SELECT FROM pg_catalog.pg_roles WHERE rolname = "+postgresconn.Literal(user))
	if err != nil || len(results[0]) > 0 {
		return err
	}
	// Without a password the user would be one whose first password somebody
	// else could come to know: NOLOGIN alone says nothing about it.
	verifier, err := s.Verifier(user, postgres.Nobodys())
	if err != nil {
		return err
	}
	statements := []string{fmt.Sprintf("CREATE ROLE %s NOLOGIN PASSWORD %s", postgresconn.Identifier(user), postgresconn.Literal(verifier.Reveal()))}
	if s.Version() >= 16 {
		// The admin is to administer the user and not to become it.
		statements = append([]string{"SET createrole_self_grant = ''"}, statements...)
	}
	return s.Alter(ctx, doing, statements...)
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
		return s.Activate(ctx, inactive, postgres.Nobodys())
	})
}
