package parity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
)

// parity is [rotation.CodeParity] with what inactive b lacks to take active a's
// place. Values of settings are not among the words, since some are secrets.
func parity(a, b *user) error {
	var found []string
	differ := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, u := range []*user{a, b} {
		if u.superuser {
			differ("%q is a superuser, and those have rights that no one granted", u.name)
		}
		if len(u.own) > 0 {
			differ("%q itself %s: give that to a group or a role, or to a third user", u.name, strings.Join(u.own, " and "))
		}
	}
	for _, trait := range slices.Sorted(maps.Keys(a.traits)) {
		if a.traits[trait] != b.traits[trait] {
			differ("%s differs", trait)
		}
	}
	for _, group := range lacking(a.groups, b.groups) {
		differ("%q is not in the group %q", b.name, group)
	}
	for _, role := range slices.Sorted(maps.Keys(a.roles)) {
		if has, granted := b.roles[role]; !granted || a.roles[role] && !has {
			differ("%q does not have the role %q in the way that %q has it", b.name, role, a.name)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return rotation.Errorf(rotation.CodeParity, "%q cannot do the same as %q: %s", b.name, a.name, strings.Join(found, "; "))
}

// reconcile returns the statements that give inactive b what it lacks of active
// a's rights, as far as it can be given, and the rights that only b has. Every
// one of them is about b: a is only read.
func reconcile(a, b *user, revoke bool) (statements, extra []string) {
	name := postgresconn.Identifier(b.name)
	do := func(format string, args ...any) { statements = append(statements, fmt.Sprintf(format, args...)) }
	for _, group := range lacking(a.groups, b.groups) {
		do("ALTER GROUP %s ADD USER %s", postgresconn.Identifier(group), name)
	}
	for _, role := range slices.Sorted(maps.Keys(a.roles)) {
		has, granted := b.roles[role]
		switch {
		case a.roles[role] && !has:
			do("GRANT ROLE %s TO %s WITH ADMIN OPTION", postgresconn.Identifier(role), name)
		case !granted:
			do("GRANT ROLE %s TO %s", postgresconn.Identifier(role), name)
		}
	}
	for _, trait := range []string{createdb, connectionLimit, sessionTimeout, syslogAccess} {
		if value := a.traits[trait]; value != b.traits[trait] {
			do("ALTER USER %s %s", name, clause(trait, value))
		}
	}
	for _, group := range lacking(b.groups, a.groups) {
		extra = append(extra, fmt.Sprintf("group %q", group))
		if revoke {
			do("ALTER GROUP %s DROP USER %s", postgresconn.Identifier(group), name)
		}
	}
	for _, role := range slices.Sorted(maps.Keys(b.roles)) {
		if _, too := a.roles[role]; too {
			continue
		}
		extra = append(extra, fmt.Sprintf("role %q", role))
		if revoke {
			do("REVOKE ROLE %s FROM %s", postgresconn.Identifier(role), name)
		}
	}
	return statements, extra
}

// clause is what ALTER USER says for a trait. The server's own words are not
// taken over as they are.
func clause(trait, value string) string {
	digits := strings.Trim(value, "0123456789") == "" && value != ""
	switch {
	case trait == createdb && value == "t":
		return "CREATEDB"
	case trait == createdb:
		return "NOCREATEDB"
	case trait == connectionLimit && digits:
		return "CONNECTION LIMIT " + value
	case trait == connectionLimit:
		return "CONNECTION LIMIT UNLIMITED"
	case trait == sessionTimeout && digits && value != "0":
		return "SESSION TIMEOUT " + value
	case trait == sessionTimeout:
		return "RESET SESSION TIMEOUT"
	case value == "UNRESTRICTED":
		return "SYSLOG ACCESS UNRESTRICTED"
	default:
		return "SYSLOG ACCESS RESTRICTED"
	}
}

// lacking returns, sorted, what of a is not in b.
func lacking(a, b []string) []string {
	return slices.DeleteFunc(slices.Sorted(slices.Values(a)), func(name string) bool { return slices.Contains(b, name) })
}
