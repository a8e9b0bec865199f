package parity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/engines/redshift/common/redshift"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgresconn"
)

// user is what the server says of one of the two users.
type user struct {
	name      string
	superuser bool
	// traits are those that CREATE USER gives, in its words.
	traits map[string]string
	groups []string
	// roles are those that it was granted, and whether it may pass them on.
	roles map[string]bool
	// own are the privileges and objects that name the user itself.
	own []string
}

// The traits that another user can be given.
const (
	createdb        = "CREATEDB"
	connectionLimit = "CONNECTION LIMIT"
	sessionTimeout  = "SESSION TIMEOUT"
	syslogAccess    = "SYSLOG ACCESS"
)

// held are the views that say which privileges and policies a user holds itself,
// in the database of the session, by what they are about. Policies are shown to
// superusers and to sys:secadmin.
// https://docs.aws.amazon.com/redshift/latest/dg/svv_views.html
var held = map[string]view{
	"holds privileges on relations":          {"svv_relation_privileges", "identity_name", "identity_type"},
	"holds privileges on columns":            {"svv_column_privileges", "identity_name", "identity_type"},
	"holds privileges on schemas":            {"svv_schema_privileges", "identity_name", "identity_type"},
	"holds privileges on databases":          {"svv_database_privileges", "identity_name", "identity_type"},
	"holds privileges on functions":          {"svv_function_privileges", "identity_name", "identity_type"},
	"holds privileges on languages":          {"svv_language_privileges", "identity_name", "identity_type"},
	"holds privileges on models":             {"svv_ml_model_privileges", "identity_name", "identity_type"},
	"holds privileges on datashares":         {"svv_datashare_privileges", "identity_name", "identity_type"}, // https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_DATASHARE_PRIVILEGES.html
	"may assume roles of IAM":                {"svv_iam_privileges", "identity_name", "identity_type"},
	"is named by policies for rows (RLS)":    {"svv_rls_attached_policy", "grantee", "granteekind"},
	"is named by policies that mask columns": {"svv_attached_masking_policy", "grantee", "grantee_type"},
}

// view is a view of Redshift's, with the columns for a user's name and for what
// kind of name it is.
type view struct{ name, user, kind string }

// owned are the catalogues that say who owns what. A temporary table is its
// session's affair.
var owned = map[string]string{
	"relations": `pg_class c JOIN pg_user u ON u.usesysid = c.relowner JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE ` + lasting,
	"schemas":   "pg_namespace n JOIN pg_user u ON u.usesysid = n.nspowner WHERE " + lasting,
	"functions": "pg_proc p JOIN pg_user u ON u.usesysid = p.proowner WHERE true",
	"databases": "pg_database d JOIN pg_user u ON u.usesysid = d.datdba WHERE true",
}

const lasting = "substring(n.nspname, 1, 8) <> 'pg_temp_' AND substring(n.nspname, 1, 9) <> 'pg_toast_'"

// read asks for the facts about two users in one round trip. That they see each
// other's is not to be had: it is [rotation.CodePermission] unless the session
// is a superuser's.
func (s *Session) read(ctx context.Context, active, inactive string) (a, b *user, err error) {
	names := redshift.Literal(active) + ", " + redshift.Literal(inactive)
	statements := []string{
		"SELECT usesuper FROM pg_user WHERE usename = current_user",
		fmt.Sprintf(`SELECT usename, usesuper, usecreatedb, valuntil, useconfig FROM pg_user WHERE usename IN (%s)`, names),
		fmt.Sprintf(`SELECT user_name, connection_limit, session_timeout, syslog_access FROM svv_user_info WHERE user_name IN (%s)`, names),
		fmt.Sprintf(`SELECT u.usename, g.groname FROM pg_user u, pg_group g WHERE u.usesysid = ANY (g.grolist) AND u.usename IN (%s)`, names),
		fmt.Sprintf(`SELECT user_name, role_name, admin_option FROM svv_user_grants WHERE user_name IN (%s)`, names),
		fmt.Sprintf(`SELECT grantee_name, 'is given default privileges', count(*) FROM svv_default_privileges WHERE grantee_type = 'user' AND grantee_name IN (%s) GROUP BY 1`, names),
	}
	for _, what := range slices.Sorted(maps.Keys(held)) {
		v := held[what]
		statements = append(statements, fmt.Sprintf(`SELECT %s, '%s', count(*) FROM %s WHERE %s = 'user' AND %[1]s IN (%[5]s) GROUP BY 1`, v.user, what, v.name, v.kind, names))
	}
	for _, what := range slices.Sorted(maps.Keys(owned)) {
		statements = append(statements, fmt.Sprintf(`SELECT u.usename, 'owns %s', count(*) FROM %s AND u.usename IN (%s) GROUP BY 1`, what, owned[what], names))
	}
	results, err := s.Exec(ctx, "read the users' rights", statements...)
	if err != nil {
		return nil, nil, err
	}
	if len(results[0]) != 1 || results[0][0][0] != "t" {
		return nil, nil, rotation.Errorf(rotation.CodePermission, "%q is no superuser and does not see what others may do", s.User())
	}
	users := parse(results[1:])
	for _, name := range []string{active, inactive} {
		if users[name] == nil {
			return nil, nil, rotation.Errorf(rotation.CodeParity, "user %q does not exist", name)
		}
	}
	if active == inactive {
		return nil, nil, rotation.Errorf(rotation.CodeParity, "%q cannot take turns with itself", active)
	}
	return users[active], users[inactive], nil
}

// parse reads the rows of the users, of their limits, groups and roles, and of
// what is their own.
func parse(results []postgresconn.Rows) map[string]*user {
	users := map[string]*user{}
	for _, row := range results[0] {
		users[row[0]] = &user{
			name: row[0], superuser: row[1] == "t", roles: map[string]bool{},
			traits: map[string]string{createdb: row[2], "VALID UNTIL": strings.TrimPrefix(row[3], "infinity"), "SET": row[4]},
		}
	}
	// Each statement may see the server at a moment of its own: a user that was
	// not there for the first is left to the next look.
	for i, rows := range results {
		results[i] = slices.DeleteFunc(rows, func(row []string) bool { return users[row[0]] == nil })
	}
	for _, row := range results[1] {
		u := users[row[0]]
		u.traits[connectionLimit], u.traits[sessionTimeout], u.traits[syslogAccess] = row[1], row[2], row[3]
	}
	for _, row := range results[2] {
		u := users[row[0]]
		u.groups = append(u.groups, row[1])
	}
	for _, row := range results[3] {
		users[row[0]].roles[row[1]] = row[2] == "t"
	}
	for _, rows := range results[4:] {
		for _, row := range rows {
			u := users[row[0]]
			u.own = append(u.own, fmt.Sprintf("%s (%s)", row[1], row[2]))
		}
	}
	return users
}
