// Package parity makes two DocumentDB users able to do the same, and tells
// whether they are: a user has the rights of its roles and no others.
package parity

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/templates/engines/documentdb/common/documentdb"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// Target opens sessions that know about roles.
type Target struct{ *documentdb.Target }

var _ twouser.Target = Target{}

// New returns a target on top of engine.
func New(engine *documentdb.Target) Target { return Target{engine} }

// Login implements [twouser.Target].
func (t Target) Login(ctx context.Context, account database.Account) (twouser.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &Session{session}, nil
}

// Session is a [documentdb.Session] that also compares, creates and reconciles
// users. It has no command that changes any other user than the one that it is
// told to.
type Session struct{ *documentdb.Session }

var _ twouser.Session = (*Session)(nil)

// Parity implements [twouser.Session].
func (s *Session) Parity(ctx context.Context, active, inactive string) error {
	found, err := s.Users(ctx, active, inactive)
	if err != nil {
		return err
	}
	for _, name := range []string{active, inactive} {
		if _, ok := found[name]; ok {
			continue
		}
		if s.User() == active || s.User() == inactive {
			return rotation.Errorf(rotation.CodePermission, "user %q does not see %q", s.User(), name)
		}
		return rotation.Errorf(rotation.CodeParity, "user %q does not exist", name)
	}
	if lacks := without(found[active], found[inactive]); len(lacks) > 0 {
		return rotation.Errorf(rotation.CodeParity, "%q cannot do the same as %q: it lacks %s", inactive, active, list(lacks))
	}
	return nil
}

// Create implements [twouser.Session]. The server cannot lock a user. This one
// has no roles and a random password that is not kept, until all else about it
// is right.
func (s *Session) Create(ctx context.Context, user string) error {
	err := s.Run(ctx, fmt.Sprintf("create %q", user), nil,
		bson.D{{Key: "createUser", Value: user}, {Key: "pwd", Value: rand.Text()}, {Key: "roles", Value: bson.A{}}})
	if documentdb.Exists(err) {
		return nil
	}
	return err
}

// Rehearse implements [twouser.Session] as far as that goes: the admin must see
// the user that is to be cloned. There is no transaction to do more in; what it
// lacks for the rest the server says in setSecret, while nothing depends on the
// clone.
func (s *Session) Rehearse(ctx context.Context, active, _ string) error {
	return s.Try(ctx, active, rotation.Sensitive{})
}

// Reconcile implements [twouser.Session] with one command for what is missing
// and one for what is too much.
func (s *Session) Reconcile(ctx context.Context, active, inactive string, revoke bool) (extra []string, err error) {
	found, err := s.Users(ctx, active, inactive)
	if err != nil {
		return nil, err
	}
	a, isA := found[active]
	b, isB := found[inactive]
	if !isA || !isB || active == inactive {
		return nil, rotation.Errorf(rotation.CodeParity, "%q and %q are not two existing users", active, inactive)
	}
	doing := fmt.Sprintf("reconcile %q", inactive)
	if lacks := without(a, b); len(lacks) > 0 {
		if err := s.Run(ctx, doing, nil, bson.D{{Key: "grantRolesToUser", Value: inactive}, {Key: "roles", Value: lacks}}); err != nil {
			return nil, err
		}
	}
	more := without(b, a)
	for _, role := range more {
		extra = append(extra, role.String())
	}
	if revoke && len(more) > 0 {
		err = s.Run(ctx, doing, nil, bson.D{{Key: "revokeRolesFromUser", Value: inactive}, {Key: "roles", Value: more}})
	}
	return extra, err
}

// Activate implements [twouser.Session]: the password is all that is missing.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return s.Change(ctx, user, password)
}

// without returns the roles of a that b has not.
func without(a, b []documentdb.Role) []documentdb.Role {
	return slices.DeleteFunc(slices.Clone(a), func(role documentdb.Role) bool { return slices.Contains(b, role) })
}

func list(roles []documentdb.Role) string {
	texts := make([]string, len(roles))
	for i, role := range roles {
		texts[i] = role.String()
	}
	return strings.Join(texts, ", ")
}
