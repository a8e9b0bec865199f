// Package parity makes two MariaDB users able to do the same, and tells whether
// they are. It is what MariaDB says in words of its own; the rest is in grants.
package parity

import (
	"context"
	"fmt"
	"strings"

	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/two-user/mysql/grants"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// Target opens sessions that know about rights.
type Target struct{ *mariadb.Target }

var _ twouser.Target = Target{}

// New returns a target on top of engine.
func New(engine *mariadb.Target) Target { return Target{engine} }

// Login implements [twouser.Target]. Before 10.4, MariaDB locks no account.
func (t Target) Login(ctx context.Context, account database.Account) (twouser.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	if version := session.Version(); !version.AtLeast(10, 4, 2) {
		session.Close()
		return nil, rotation.Errorf(rotation.CodeServer, "the server is %s: alternating users need MariaDB 10.4.2 or newer", version)
	}
	return &Session{Session: session}, nil
}

// Session is a [mariadb.Session] that also compares, creates and reconciles
// users. It has no statement that changes any other user than the one that it
// is told to.
type Session struct {
	*mariadb.Session
	lately grants.Lately
}

var (
	_ twouser.Session = (*Session)(nil)
	_ grants.Server   = (*Session)(nil)
)

// Parity implements [twouser.Session].
func (s *Session) Parity(ctx context.Context, active, inactive string) error {
	return grants.Parity(ctx, s, active, inactive)
}

// Create implements [twouser.Session].
func (s *Session) Create(ctx context.Context, user string) error { return grants.Create(ctx, s, user) }

// Reconcile implements [twouser.Session].
func (s *Session) Reconcile(ctx context.Context, active, inactive string, revoke bool) (extra []string, err error) {
	return grants.Reconcile(ctx, s, active, inactive, revoke)
}

// Rehearse implements [twouser.Session].
func (s *Session) Rehearse(ctx context.Context, active, inactive string) error {
	if err := s.TakesHashes(ctx, "rehearse a clone"); err != nil {
		return err
	}
	return grants.Rehearse(ctx, s, active, inactive)
}

// Change implements [database.Session]. The password is the user's only one.
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	return grants.Change(ctx, s, user, password)
}

// Activate implements [twouser.Session]. The password is the user's only one.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return grants.Activate(ctx, s, user, password)
}

// CheckName implements [grants.Server].
func (*Session) CheckName(name string) error { return mariadb.MaxName.Check(name) }

// Identified implements [grants.Server]. There is but one plugin.
func (s *Session) Identified(_ string, password rotation.Sensitive) string {
	return "IDENTIFIED VIA " + mariadb.Plugin + " USING " + s.Form(password)
}

// SetDefaultRoles implements [grants.Server].
func (*Session) SetDefaultRoles(account mysqlconn.Name, roles string) string {
	return fmt.Sprintf("SET DEFAULT ROLE %s FOR %s", roles, account)
}

// Mine implements [grants.Server]. It shows what the session's role adds, which
// it would not if it named the user.
func (*Session) Mine(context.Context) (string, error) { return "SHOW GRANTS", nil }

// Lately implements [grants.Server].
func (s *Session) Lately() *grants.Lately { return &s.lately }

// Users implements [grants.Server].
func (s *Session) Users(ctx context.Context, users ...string) ([]grants.User, error) {
	columns := []string{"u.user", "u.host", "p.priv", "u.ssl_type", "u.ssl_cipher", "u.x509_issuer", "u.x509_subject", "u.default_role", expiry}
	for _, limit := range limits {
		columns = append(columns, "u."+limit.column)
	}
	rows, err := s.Select(ctx, fmt.Sprintf("look up %q", users),
		fmt.Sprintf("SELECT %s FROM mysql.user u JOIN mysql.global_priv p USING (user, host) WHERE u.is_role = 'N' AND u.user IN (%s)",
			strings.Join(columns, ", "), mysqlconn.Literals(users)))
	if err != nil {
		return nil, err
	}
	var found []grants.User
	for _, row := range rows {
		u := grants.User{Account: mysqlconn.Name{User: row[0], Host: row[1]}, Rules: grants.Rules{OnDatabases: onDatabases}}
		if err := mariadb.CheckMethods(u.Account.User, row[2]); err != nil {
			return nil, err
		}
		u.Traits = grants.Traits{
			Plugin: mariadb.Plugin, Require: grants.Require(row[3], row[4], row[5], row[6]),
			DefaultRoles: "NONE", Passwords: []grants.Option{{Name: "PASSWORD EXPIRE", Value: row[8]}},
		}
		if row[7] != "" {
			u.Traits.DefaultRoles = mysqlconn.Identifier(row[7])
		}
		for i, limit := range limits {
			u.Traits.Limits = append(u.Traits.Limits, grants.Option{Name: limit.name, Value: row[9+i]})
		}
		found = append(found, u)
	}
	return found, nil
}

// onDatabases is what ALL PRIVILEGES means on a database.
// https://mariadb.com/kb/en/grant/#database-privileges
var onDatabases = []string{
	"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES", "LOCK TABLES",
	"EXECUTE", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER", "DELETE HISTORY",
}

// expiry reads the rule for a password's expiry, in the words that set it.
const expiry = "CASE COALESCE(JSON_VALUE(p.priv, '$.password_lifetime'), '-1') WHEN '-1' THEN 'DEFAULT' WHEN '0' THEN 'NEVER' " +
	"ELSE CONCAT('INTERVAL ', JSON_VALUE(p.priv, '$.password_lifetime'), ' DAY') END"

var limits = []struct{ name, column string }{
	{"MAX_QUERIES_PER_HOUR", "max_questions"},
	{"MAX_UPDATES_PER_HOUR", "max_updates"},
	{"MAX_CONNECTIONS_PER_HOUR", "max_connections"},
	{"MAX_USER_CONNECTIONS", "max_user_connections"},
	{"MAX_STATEMENT_TIME", "max_statement_time"},
}
