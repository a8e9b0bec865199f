// Package roles makes two MySQL users able to do the same, and tells whether
// they are. It is what MySQL says in words of its own; the rest is in grants.
package roles

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"example.com/orders-db/database"
	"example.com/orders-db/grants"
	"example.com/orders-db/mysql"
	"example.com/orders-db/mysqlconn"
	"example.com/orders-db/rotation"
	"example.com/orders-db/twouser"
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
	return &Session{session}, nil
}

// Session is a [mysql.Session] that also compares, creates and reconciles
// users. It has no statement that changes any other user than the one that it
// is told to.
type Session struct{ *mysql.Session }

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

// Try implements [database.Session]. What it tries has to be text, and so is no
// password that anybody has.
func (s *Session) Try(ctx context.Context, user string, _ rotation.Sensitive) error {
	return s.Session.Try(ctx, user, grants.Nobodys())
}

// Change implements [database.Session]. The password that it replaces is the
// user's last one: a secondary one that somebody kept is gone before.
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	if err := s.discard(ctx, user); err != nil {
		return err
	}
	return grants.Change(ctx, s, user, password)
}

// Activate implements [twouser.Session], and is like [Session.Change] about
// secondary passwords.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	if err := s.discard(ctx, user); err != nil {
		return err
	}
	return grants.Activate(ctx, s, user, password)
}

// discard makes the primary password of another user its only one.
func (s *Session) discard(ctx context.Context, user string) error {
	name, err := s.Account(ctx, user)
	if err != nil || !s.Version().AtLeast(8, 0, 14) {
		return err
	}
	return s.Alter(ctx, fmt.Sprintf("discard the secondary password of %q", user), fmt.Sprintf("ALTER USER %s DISCARD OLD PASSWORD", name))
}

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

// Mine implements [grants.Server]. What the session's roles add is shown only to
// who names them.
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

// Traits implements [grants.Server].
func (s *Session) Traits(ctx context.Context, account mysqlconn.Name) (grants.Traits, error) {
	doing := fmt.Sprintf("look up %q", account.User)
	columns := []string{"plugin", "ssl_type", "ssl_cipher", "x509_issuer", "x509_subject"}
	limits, rules := s.columns(limits), s.columns(rules)
	for _, column := range slices.Concat(limits, rules) {
		columns = append(columns, column.value)
	}
	where := fmt.Sprintf("WHERE user = %s AND host = %s", mysqlconn.Literal(account.User), mysqlconn.Literal(account.Host))
	rows, err := s.Query(ctx, doing, fmt.Sprintf("SELECT %s FROM mysql.user %s", strings.Join(columns, ", "), where))
	if err != nil {
		return grants.Traits{}, err
	}
	row := rows[0]
	if !slices.Contains(mysql.Plugins, row[0]) {
		return grants.Traits{}, rotation.Errorf(rotation.CodeServer, "user %q authenticates by %s: only %s can be rotated", account.User, row[0], strings.Join(mysql.Plugins, ", "))
	}
	t := grants.Traits{Plugin: row[0], Require: grants.Require(row[1], row[2], row[3], row[4])}
	for i, column := range limits {
		t.Limits = append(t.Limits, grants.Option{Name: column.name, Value: row[5+i]})
	}
	for i, column := range rules {
		t.Passwords = append(t.Passwords, grants.Option{Name: column.name, Value: row[5+len(limits)+i]})
	}
	t.DefaultRoles, err = s.defaultRoles(ctx, doing, where)
	return t, err
}

// column is an option of ALTER USER and the expression that reads its value.
type column struct {
	patch       int // the first MySQL 8.0 that has it, 0 for all
	name, value string
}

var limits = []column{
	{0, "MAX_QUERIES_PER_HOUR", "max_questions"},
	{0, "MAX_UPDATES_PER_HOUR", "max_updates"},
	{0, "MAX_CONNECTIONS_PER_HOUR", "max_connections"},
	{0, "MAX_USER_CONNECTIONS", "max_user_connections"},
}

// What a password must be and how long it lasts. Comments and other attributes
// do not count.
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

func (s *Session) defaultRoles(ctx context.Context, doing, where string) (string, error) {
	if !s.knowsRoles() {
		return "NONE", nil
	}
	rows, err := s.Select(ctx, doing, "SELECT default_role_user, default_role_host FROM mysql.default_roles "+where+" ORDER BY 1, 2")
	if err != nil || len(rows) == 0 {
		return "NONE", err
	}
	roles := make([]string, len(rows))
	for i, row := range rows {
		roles[i] = mysqlconn.Name{User: row[0], Host: row[1]}.String()
	}
	return strings.Join(roles, ", "), nil
}
