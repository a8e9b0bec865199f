package parity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
)

// facts are what the server's shared catalogues, which every role can read, say
// about the two users.
type facts struct {
	users map[string]*user
	// attributes of the users and of every role that one of them is a member
	// of, directly or not.
	attributes map[string]attributes
	// byUser are the objects of the database whose meaning depends on who the
	// user is.
	byUser []byUser
}

// user is one of the two users.
type user struct {
	name        string
	role        string // the database-wide setting "role", "" for none
	replication string // "t" or "f"
	connLimit   string
	validUntil  string
	// settings are all others, by database and name.
	settings map[setting]string
	// members are the roles that the user was made a member of, as granted.
	members []membership
	// reach is how far the user is another role, by whatever way.
	reach map[string]reach
	// own are the objects and privileges that name the user itself.
	own []string
}

// membership is one row of pg_auth_members. Before PostgreSQL 16, all of them
// inherit and let the member act as the role.
type membership struct {
	role, grantor       string
	admin, inherit, set string // "t" or "f"
}

// reach says how far a user is a role: it may act as it, has its privileges
// without doing so, may give it to others.
type reach struct{ set, usage, admin bool }

// attributes are the powers that come with acting as a role, in the words that
// take them away.
type attributes map[string]bool

// actsAs is the role that sessions of the user begin as.
func (u *user) actsAs() string {
	if u.role == "" {
		return u.name
	}
	return u.role
}

// can reports whether the user may act as role and has its privileges anyway,
// such as the one to connect, for which the user counts and not what it acts as.
func (u *user) can(role string) bool {
	return u.name == role || u.reach[role].set && u.reach[role].usage
}

// read asks for the facts about two users in one round trip.
func (s *Session) read(ctx context.Context, a, b string) (facts, error) {
	set, options := "SET", "m.inherit_option, m.set_option"
	if s.Version() < 16 {
		set, options = "MEMBER", "true, true"
	}
	names := postgresconn.Literal(a) + ", " + postgresconn.Literal(b)
	results, err := s.Exec(ctx, "read the users' rights",
		fmt.Sprintf(`SELECT r.rolname, r.rolreplication, r.rolconnlimit, COALESCE(r.rolvaliduntil, 'infinity')
			FROM pg_catalog.pg_roles r WHERE r.rolname IN (%s)`, names),
		fmt.Sprintf(`SELECT r.rolname, COALESCE(d.datname, ''), c.setting
			FROM pg_catalog.pg_db_role_setting s
			JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
			LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
			CROSS JOIN pg_catalog.unnest(s.setconfig) AS c (setting)
			WHERE r.rolname IN (%s)`, names),
		fmt.Sprintf(`SELECT r.rolname, g.rolname, pg_catalog.pg_get_userbyid(m.grantor), m.admin_option, %s
			FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles r ON r.oid = m.member JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
			WHERE r.rolname IN (%s) ORDER BY 1, 2, 3`, options, names),
		fmt.Sprintf(`SELECT r.rolname, g.rolname, pg_catalog.pg_has_role(r.oid, g.oid, '%s'), pg_catalog.pg_has_role(r.oid, g.oid, 'USAGE'),
			pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER WITH ADMIN OPTION'), g.rolsuper, g.rolcreaterole, g.rolcreatedb, g.rolbypassrls
			FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_roles g ON pg_catalog.pg_has_role(r.oid, g.oid, 'MEMBER')
			WHERE r.rolname IN (%s)`, set, names),
		// Memberships that a user grants are no rights of its own.
		fmt.Sprintf(`SELECT r.rolname, COALESCE(d.datname, ''), s.deptype, pg_catalog.count(*)
			FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
			WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.deptype IN ('o', 'a', 'r')
			AND s.classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass AND r.rolname IN (%s)
			GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, names),
		selectByUser,
	)
	if err != nil {
		return facts{}, err
	}
	f := facts{users: map[string]*user{}, attributes: map[string]attributes{}}
	for _, row := range results[0] {
		f.users[row[0]] = &user{
			name: row[0], replication: row[1], connLimit: row[2], validUntil: row[3],
			settings: map[setting]string{}, reach: map[string]reach{},
		}
	}
	// Each statement sees the server at a moment of its own: a user that was
	// not there for the first is left to the next look.
	for i, rows := range results[:5] {
		results[i] = slices.DeleteFunc(rows, func(row []string) bool { return f.users[row[0]] == nil })
	}
	for _, row := range results[1] {
		u := f.users[row[0]]
		name, value, _ := strings.Cut(row[2], "=")
		switch {
		case name != "role" || row[1] != "":
			u.settings[setting{row[1], name}] = canonical(name, value)
		case value != "none":
			u.role = value
		}
	}
	for _, row := range results[2] {
		u := f.users[row[0]]
		u.members = append(u.members, membership{role: row[1], grantor: row[2], admin: row[3], inherit: row[4], set: row[5]})
	}
	for _, row := range results[3] {
		if row[0] != row[1] {
			f.users[row[0]].reach[row[1]] = reach{row[2] == "t", row[3] == "t", row[4] == "t"}
		}
		f.attributes[row[1]] = attributes{
			"NOSUPERUSER": row[5] == "t", "NOCREATEROLE": row[6] == "t", "NOCREATEDB": row[7] == "t", "NOBYPASSRLS": row[8] == "t",
		}
	}
	kinds := map[string]string{"o": "owns %s objects", "a": "holds privileges on %s objects", "r": "is named by %s policies"}
	for _, row := range results[4] {
		own := fmt.Sprintf(kinds[row[2]], row[3])
		if row[1] != "" {
			own += fmt.Sprintf(" in database %q", row[1])
		}
		u := f.users[row[0]]
		u.own = append(u.own, own)
	}
	for _, row := range results[5] {
		f.byUser = append(f.byUser, byUser{row[0], row[1] == "t"})
	}
	return f, nil
}

// byUser is an object that asks who the user is: by session_user, who logged in,
// or by current_user, which is what that acts as.
type byUser struct {
	object    string
	bySession bool
}

// selectByUser finds policies, defaults, views and rules by how the server keeps
// current_role, current_user, user and session_user in their expressions: as
// numbers 9 to 12 of SQLValueFunctionOp in
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/nodes/primnodes.h
const selectByUser = `SELECT pg_catalog.pg_describe_object(o.tableoid, o.oid, 0), pg_catalog.bool_or(tree::pg_catalog.text ~ '[{]SQLVALUEFUNCTION :op 12 ') FROM (
		SELECT tableoid, oid, polqual FROM pg_catalog.pg_policy
		UNION ALL SELECT tableoid, oid, polwithcheck FROM pg_catalog.pg_policy
		UNION ALL SELECT tableoid, oid, adbin FROM pg_catalog.pg_attrdef
		UNION ALL SELECT tableoid, oid, ev_action FROM pg_catalog.pg_rewrite WHERE oid >= 16384
	) AS o (tableoid, oid, tree)
	WHERE tree::pg_catalog.text ~ '[{]SQLVALUEFUNCTION :op (9|10|11|12) ' GROUP BY 1 ORDER BY 1`

// common returns the role that both users should act as, judged by what active
// does. A clone that was made by others is a member of its original without
// acting as it; the original is the role then too.
func (f facts) common(active, inactive *user) string {
	switch {
	case active.role != "":
		return active.role
	case slices.ContainsFunc(active.members, func(m membership) bool { return m.role == inactive.name }):
		return inactive.name
	default:
		return active.name
	}
}
