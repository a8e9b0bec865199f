package roles

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/orders-db/rotation"
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
		differ("%q is a superuser, and those have rights that nobody granted", a.name)
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
