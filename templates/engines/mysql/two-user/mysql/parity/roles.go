// Package parity makes two MySQL users able to do the same, and tells whether
// they are. It is what MySQL says in words of its own; the rest is in grants.
package parity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/engines/mysql/common/mysql"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/two-user/mysql/grants"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// Target opens sessions that know about rights.
type Target struct{ *mysql.Target }

var _ twouser.Target = Target{}

// New returns a target on top of engine.
func New(engine *mysql.Target) Target { return Target{engine} }

// Login implements [twouser.Target].
func (t Target) Login(ctx context.Context, account database.Account) (twouser.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &Session{Session: session}, nil
}

// Session is a [mysql.Session] that also compares, creates and reconciles
// users. It has no statement that changes any other user than the one that it
// is told to.
type Session struct {
	*mysql.Session
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
	return grants.Rehearse(ctx, s, active, inactive)
}

// Try implements [database.Session]. MySQL takes the password as text here, so
// it tries a random one that no user has.
func (s *Session) Try(ctx context.Context, user string, _ rotation.Sensitive) error {
	return s.Session.Try(ctx, user, grants.Nobodys())
}

// Change implements [database.Session]. The password is the user's only one.
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	return grants.Change(ctx, s, user, password)
}

// Activate implements [twouser.Session], and is like [Session.Change] about
// secondary passwords.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return grants.Activate(ctx, s, user, password)
}

// Lately implements [grants.Server].
func (s *Session) Lately() *grants.Lately { return &s.lately }

// CheckName implements [grants.Server].
func (*Session) CheckName(name string) error { return mysql.MaxName.Check(name) }

// Identified implements [grants.Server]. Without a plugin it is the server's
// usual one, whose hash is not known here.
func (*Session) Identified(plugin string, password rotation.Sensitive) string {
	if plugin == "" {
		return "IDENTIFIED BY " + mysqlconn.Literal(password.Reveal())
	}
	return identified(plugin, password)
}

// SetDefaultRoles implements [grants.Server].
func (*Session) SetDefaultRoles(account mysqlconn.Name, roles string) string {
	return fmt.Sprintf("SET DEFAULT ROLE %s TO %s", roles, account)
}

// Mine implements [grants.Server]. The server shows the rights of the session's
// roles only if the statement names them.
func (s *Session) Mine(ctx context.Context) (string, error) {
	const show = "SHOW GRANTS FOR CURRENT_USER()"
	if !s.knowsRoles() {
		return show, nil
	}
	rows, err := s.Query(ctx, "ask for the session's roles", "SELECT CURRENT_ROLE()")
	if err != nil || rows[0][0] == "NONE" {
		return show, err
	}
	return show + " USING " + rows[0][0], nil
}

func (s *Session) knowsRoles() bool { return s.Version().AtLeast(8, 0, 0) }

// Users implements [grants.Server].
func (s *Session) Users(ctx context.Context, users ...string) ([]grants.User, error) {
	limits, rules, server := s.columns(limits), s.columns(rules), s.columns(server)
	columns := []string{"user", "host", "plugin", "ssl_type", "ssl_cipher", "x509_issuer", "x509_subject"}
	for _, column := range slices.Concat(server, limits, rules) {
		columns = append(columns, column.value)
	}
	rows, err := s.Select(ctx, fmt.Sprintf("look up %q", users),
		fmt.Sprintf("SELECT %s FROM mysql.user u WHERE user IN (%s)", strings.Join(columns, ", "), mysqlconn.Literals(users)))
	if err != nil {
		return nil, err
	}
	var found []grants.User
	for _, row := range rows {
		if !slices.Contains(mysql.Plugins, row[2]) {
			return nil, rotation.Errorf(rotation.CodeServer, "user %q authenticates by %s: only %s can be rotated", row[0], row[2], strings.Join(mysql.Plugins, ", "))
		}
		u := grants.User{
			Account: mysqlconn.Name{User: row[0], Host: row[1]},
			Traits:  grants.Traits{Plugin: row[2], Require: grants.Require(row[3], row[4], row[5], row[6]), DefaultRoles: "NONE"},
			Rules:   grants.Rules{FirstWildcard: true, RolesMerge: s.knowsRoles(), OnDatabases: onDatabases},
		}
		values := row[7:]
		for i, column := range server {
			switch value := values[i]; {
			case column.name == partialRevokes:
				u.Rules.Literal = value == "1"
			case column.name == secondary:
				u.Secondary = value == "1"
			case value != "":
				u.Traits.DefaultRoles = value
			}
		}
		values = values[len(server):]
		for i, column := range limits {
			u.Traits.Limits = append(u.Traits.Limits, grants.Option{Name: column.name, Value: values[i]})
		}
		for i, column := range rules {
			u.Traits.Passwords = append(u.Traits.Passwords, grants.Option{Name: column.name, Value: values[len(limits)+i]})
		}
		found = append(found, u)
	}
	return found, nil
}

// onDatabases is what ALL PRIVILEGES means on a database.
// https://dev.mysql.com/doc/refman/8.4/en/grant.html#grant-database-privileges
var onDatabases = []string{
	"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "REFERENCES", "INDEX", "ALTER", "CREATE TEMPORARY TABLES", "LOCK TABLES",
	"EXECUTE", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EVENT", "TRIGGER",
}

// column is an option of ALTER USER and the expression that reads its value.
type column struct {
	patch       int // the first MySQL 8.0 that has it, 0 for all
	name, value string
}

const (
	defaultRoles   = "DEFAULT ROLE"
	secondary      = "secondary password"
	partialRevokes = "partial revokes"
)

// server are the other columns that describe a user, and the server itself.
var server = []column{
	{1, defaultRoles, "(SELECT GROUP_CONCAT(CONCAT('''', REPLACE(d.default_role_user, '''', ''''''), '''@''', REPLACE(d.default_role_host, '''', ''''''), '''')" +
		" ORDER BY 1 SEPARATOR ', ') FROM mysql.default_roles d WHERE d.user = u.user AND d.host = u.host)"},
	{14, secondary, "user_attributes->'$.additional_password' IS NOT NULL"},
	{16, partialRevokes, "@@partial_revokes"},
}

var limits = []column{
	{0, "MAX_QUERIES_PER_HOUR", "max_questions"},
	{0, "MAX_UPDATES_PER_HOUR", "max_updates"},
	{0, "MAX_CONNECTIONS_PER_HOUR", "max_connections"},
	{0, "MAX_USER_CONNECTIONS", "max_user_connections"},
}

// rules are those for a user's password: its history, its expiry, its lock.
// Comments and other attributes do not count.
var rules = []column{
	{0, "PASSWORD EXPIRE", "CASE WHEN password_lifetime = 0 THEN 'NEVER' ELSE COALESCE(CONCAT('INTERVAL ', password_lifetime, ' DAY'), 'DEFAULT') END"},
	{3, "PASSWORD HISTORY", "COALESCE(password_reuse_history, 'DEFAULT')"},
	{3, "PASSWORD REUSE INTERVAL", "COALESCE(CONCAT(password_reuse_time, ' DAY'), 'DEFAULT')"},
	{13, "PASSWORD REQUIRE CURRENT", "CASE password_require_current WHEN 'Y' THEN '' WHEN 'N' THEN 'OPTIONAL' ELSE 'DEFAULT' END"},
	{19, "FAILED_LOGIN_ATTEMPTS", "COALESCE(user_attributes->>'$.Password_locking.failed_login_attempts', '0')"},
	{19, "PASSWORD_LOCK_TIME", "CASE COALESCE(user_attributes->>'$.Password_locking.password_lock_time_days', '0') WHEN '-1' THEN 'UNBOUNDED' " +
		"ELSE COALESCE(user_attributes->>'$.Password_locking.password_lock_time_days', '0') END"},
}

// columns returns those that the server has.
func (s *Session) columns(all []column) []column {
	return slices.DeleteFunc(slices.Clone(all), func(c column) bool { return c.patch > 0 && !s.Version().AtLeast(8, 0, c.patch) })
}
