// Package parity makes two PostgreSQL users able to do the same, and tells
// whether they are.
//
// It does not compare privileges one by one, which would overlook whatever kind
// of privilege the server invents next, and the objects that one user makes
// tomorrow. Instead both users must act as one role: their sessions begin as
// that role (ALTER ROLE ... SET role), so it owns what they make, and neither
// owns or holds anything beside it. The role is
//
//   - an owner role that no one logs in as; or
//   - one of the two users, which the other, its clone, acts as.
//
// Settings, limits and memberships belong to each user and not to the role that
// it acts as, and must be equal.
package parity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/engines/postgres/common/postgres"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// Parity implements [twouser.Session].
func (s *Session) Parity(ctx context.Context, active, inactive string) error {
	f, err := s.read(ctx, active, inactive)
	if err != nil {
		return err
	}
	a, b := f.users[active], f.users[inactive]
	switch {
	case a == nil:
		return rotation.Errorf(rotation.CodeParity, "user %q does not exist", active)
	case b == nil:
		return rotation.Errorf(rotation.CodeParity, "user %q does not exist", inactive)
	}
	differences := f.differences(a, b)
	// The catalogues say how a log-in should end, and this session how it did.
	if u := f.users[s.User()]; u != nil && s.ActsAs() != u.actsAs() {
		differences = append(differences, fmt.Sprintf("%q logged in as %q instead", u.name, s.ActsAs()))
	}
	if len(differences) > 0 {
		return rotation.Errorf(rotation.CodeParity, "%q cannot do the same as %q: %s", inactive, active, strings.Join(differences, "; "))
	}
	return nil
}

// differences returns in words what inactive b lacks to take active a's place.
// Values of settings are not among the words, since some are secrets.
func (f facts) differences(a, b *user) []string {
	var found []string
	differ := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	if f.attributes[a.name]["NOSUPERUSER"] {
		differ("%q is a superuser, and those have rights that no one granted", a.name)
		return found
	}
	role := f.common(a, b)
	for _, u := range []*user{a, b} {
		if acts := u.actsAs(); acts != role && !(u == a && role == b.name) {
			differ("%q acts as %q and not as %q: RUNBOOK.md says how to mend it", u.name, acts, role)
		}
		if !u.can(role) {
			differ("%q is no member of %q, with the right to act as it and to inherit from it", u.name, role)
		}
		if u.name != role && len(u.own) > 0 {
			differ("%q itself %s: move these to %q (REASSIGN OWNED, REVOKE)", u.name, strings.Join(u.own, " and "), role)
		}
	}
	for _, attribute := range []struct{ name, a, b string }{
		{"REPLICATION", a.replication, b.replication},
		{"CONNECTION LIMIT", a.connLimit, b.connLimit},
		{"VALID UNTIL", a.validUntil, b.validUntil},
	} {
		if attribute.a != attribute.b {
			differ("%s differs", attribute.name)
		}
	}
	for _, attribute := range f.lacking(a, b) {
		differ("%q is %s and %q is not", a.name, strings.TrimPrefix(attribute, "NO"), b.name)
	}
	for _, by := range f.byUser {
		switch {
		case by.bySession:
			differ("the %s names session_user, which is not the same for both: let it name current_user, which can be", by.object)
		case a.actsAs() != b.actsAs():
			differ("the %s names current_user, and the users do not act as one role", by.object)
		}
	}
	for _, at := range changed(a.settings, b.settings) {
		differ("%s differs", at)
	}
	for _, name := range slices.Sorted(maps.Keys(a.reach)) {
		has, lacks := a.reach[name], b.reach[name]
		if name != b.name && (has.set && !lacks.set || has.usage && !lacks.usage || has.admin && !lacks.admin) {
			differ("%q is a member of %q in a way that %q is not", a.name, name, b.name)
		}
	}
	return found
}

// lacking returns the attributes that a has itself, and b neither itself nor by
// what it acts as, in the words that take them away.
func (f facts) lacking(a, b *user) []string {
	role := f.common(a, b)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.attributes[a.name])), func(attribute string) bool {
		return !f.attributes[a.name][attribute] || f.attributes[b.name][attribute] || f.attributes[role][attribute]
	})
}

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
	// Without a password the user would be one whose first password someone
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
