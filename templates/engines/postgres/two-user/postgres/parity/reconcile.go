package parity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
)

// Reconcile implements [twouser.Session]. All of it is one transaction.
func (s *Session) Reconcile(ctx context.Context, active, inactive string, revoke bool) (extra []string, err error) {
	f, err := s.read(ctx, active, inactive)
	if err != nil {
		return nil, err
	}
	a, b := f.users[active], f.users[inactive]
	if a == nil || b == nil || a == b {
		return nil, rotation.Errorf(rotation.CodeParity, "%q and %q are not two existing users", active, inactive)
	}
	m, extra, err := f.reconcile(a, b, s.Version(), revoke)
	if err != nil || len(m.statements) == 0 {
		return extra, err
	}
	_, err = s.Exec(ctx, fmt.Sprintf("reconcile %q", inactive), m.statements...)
	if rotation.CodeOf(err) == rotation.CodePermission && len(m.custom) > 0 {
		// The server asks that for every name that none of its libraries has defined.
		err = rotation.Errorf(rotation.CodePermission, "reconcile %q: a privilege is missing. A superuser must copy %s, or let %q do it: GRANT SET ON PARAMETER (PostgreSQL 15)",
			inactive, strings.Join(m.custom, ", "), s.User()).Because(err)
	}
	return extra, err
}

// reconcile returns what gives inactive b all that it lacks to take active a's
// place, and the rights that only b has.
func (f facts) reconcile(a, b *user, version int, revoke bool) (m mending, extra []string, err error) {
	role := f.common(a, b)
	// Any user may set its role to one that it is no member of, and the server
	// ignores that at the log-in. To grant the role to the other user would be
	// to give it away.
	if !a.can(role) {
		return mending{}, nil, rotation.Errorf(rotation.CodeParity, "%q is to act as %q and is no member of it, with the right to act as it and to inherit from it", a.name, role)
	}
	m = mending{user: b, version: version}
	m.act(role)
	m.join(a, role)
	m.limit(a)
	for _, attribute := range f.lacking(a, b) {
		m.alter("%s", strings.TrimPrefix(attribute, "NO"))
	}
	m.configure(a)
	extra = m.excess(f, a, role, revoke)
	return m, extra, nil
}

// mending collects the statements that change one user. Every one of them names
// that user as what is changed, and no other can be added: the active user is
// only read.
type mending struct {
	user       *user
	version    int
	statements []string
	custom     []string // the settings to be copied that only extensions and applications know
}

func (m *mending) alter(format string, args ...any) {
	m.statements = append(m.statements, "ALTER ROLE "+postgresconn.Identifier(m.user.name)+" "+fmt.Sprintf(format, args...))
}

func (m *mending) grant(role string, as membership) {
	grant := fmt.Sprintf("GRANT %s TO %s", postgresconn.Identifier(role), postgresconn.Identifier(m.user.name))
	switch {
	case m.version >= 16:
		grant += fmt.Sprintf(" WITH ADMIN %s, INHERIT %s, SET %s", boolean(as.admin), boolean(as.inherit), boolean(as.set))
	case as.admin == "t":
		grant += " WITH ADMIN OPTION"
	}
	m.statements = append(m.statements, grant)
}

func (m *mending) revoke(from membership) {
	revoke := fmt.Sprintf("REVOKE %s FROM %s", postgresconn.Identifier(from.role), postgresconn.Identifier(m.user.name))
	if m.version >= 16 { // each grantor's grant stands for itself
		revoke += " GRANTED BY " + postgresconn.Identifier(from.grantor)
	}
	m.statements = append(m.statements, revoke)
}

// act makes the user act as role.
func (m *mending) act(role string) {
	u := m.user
	if !u.can(role) {
		if m.version < 16 { // whether a member inherits is the member's own trait
			m.alter("INHERIT")
		}
		m.grant(role, membership{admin: "f", inherit: "t", set: "t"})
	}
	switch {
	case u.actsAs() == role:
	case u.name == role:
		m.alter("RESET role")
	default:
		m.alter("SET role = %s", postgresconn.Literal(role))
	}
}

// join grants the memberships that active has beside role and that do not come
// with role.
func (m *mending) join(active *user, role string) {
	if active.name == role {
		return
	}
	for _, has := range active.members {
		reach := m.user.reach[has.role]
		enough := (has.set != "t" || reach.set) && (has.inherit != "t" || reach.usage) && (has.admin != "t" || reach.admin)
		if has.role != role && has.role != m.user.name && !enough {
			m.grant(has.role, has)
		}
	}
}

// limit copies what bounds active's log-ins.
func (m *mending) limit(active *user) {
	if m.user.connLimit != active.connLimit {
		m.alter("CONNECTION LIMIT %s", active.connLimit)
	}
	if m.user.validUntil != active.validUntil {
		m.alter("VALID UNTIL %s", postgresconn.Literal(active.validUntil))
	}
	if m.user.replication != active.replication {
		m.alter("%s", map[string]string{"t": "REPLICATION", "f": "NOREPLICATION"}[active.replication])
	}
}

// excess returns what the user has and active has not, and takes it away if
// revoke is set.
func (m *mending) excess(f facts, active *user, role string, revoke bool) []string {
	var extra []string
	for _, has := range m.user.members {
		if has.role == role || has.role == active.name || active.reach[has.role].set {
			continue
		}
		extra = append(extra, fmt.Sprintf("membership in %q", has.role))
		if revoke {
			m.revoke(has)
		}
	}
	mine := f.attributes[m.user.name]
	for _, attribute := range slices.Sorted(maps.Keys(mine)) {
		if !mine[attribute] || f.attributes[role][attribute] || f.attributes[active.name][attribute] {
			continue
		}
		extra = append(extra, strings.TrimPrefix(attribute, "NO"))
		if revoke {
			m.alter("%s", attribute)
		}
	}
	return slices.Compact(extra)
}

func boolean(text string) string {
	if text == "t" {
		return "TRUE"
	}
	return "FALSE"
}
