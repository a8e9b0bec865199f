// Package roles makes two MariaDB users able to do the same, and tells whether
// they are. It is what MariaDB says in words of its own; the rest is in grants.
package roles

import (
	"context"
	"fmt"
	"strings"

	"example.com/orders-db/database"
	"example.com/orders-db/grants"
	"example.com/orders-db/mariadb"
	"example.com/orders-db/mysqlconn"
	"example.com/orders-db/rotation"
	"example.com/orders-db/twouser"
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
		return nil, rotation.Errorf(rotation.CodeServer, "the server is %s: two users take MariaDB 10.4.2 or newer", version)
	}
	return &Session{session}, nil
}

// Session is a [mariadb.Session] that also compares, creates and reconciles
// users. It has no statement that changes any other user than the one that it
// is told to.
type Session struct{ *mariadb.Session }

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

// Activate implements [twouser.Session]. The password is the user's only one.
func (s *Session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return grants.Activate(ctx, s, user, password)
}

// CheckName implements [grants.Server].
func (*Session) CheckName(name string) error { return mariadb.MaxName.Check(name) }

// Identified implements [grants.Server]. There is but one plugin.
func (*Session) Identified(_ string, password rotation.Sensitive) string {
	return "IDENTIFIED VIA " + mariadb.Plugin + " USING " + mariadb.Hash(password)
}

// SetDefaultRoles implements [grants.Server].
func (*Session) SetDefaultRoles(account mysqlconn.Name, roles string) string {
	return fmt.Sprintf("SET DEFAULT ROLE %s FOR %s", roles, account)
}

// Mine implements [grants.Server]. It shows what the session's role adds, which
// it would not if it named the user.
func (*Session) Mine(context.Context) (string, error) { return "SHOW GRANTS", nil }

// Traits implements [grants.Server].
func (s *Session) Traits(ctx context.Context, account mysqlconn.Name) (grants.Traits, error) {
	if err := s.Check(ctx, account); err != nil {
		return grants.Traits{}, err
	}
	columns := []string{"u.ssl_type", "u.ssl_cipher", "u.x509_issuer", "u.x509_subject", "u.default_role", expiry}
	for _, limit := range limits {
		columns = append(columns, "u."+limit.column)
	}
	rows, err := s.Query(ctx, fmt.Sprintf("look up %q", account.User),
		fmt.Sprintf("SELECT %s FROM mysql.user u JOIN mysql.global_priv p USING (user, host) WHERE u.user = %s AND u.host = %s",
			strings.Join(columns, ", "), mysqlconn.Literal(account.User), mysqlconn.Literal(account.Host)))
	if err != nil {
		return grants.Traits{}, err
	}
	row := rows[0]
	t := grants.Traits{
		Plugin: mariadb.Plugin, Require: grants.Require(row[0], row[1], row[2], row[3]),
		DefaultRoles: "NONE", Passwords: []grants.Option{{Name: "PASSWORD EXPIRE", Value: row[5]}},
	}
	if row[4] != "" {
		t.DefaultRoles = mysqlconn.Identifier(row[4])
	}
	for i, limit := range limits {
		t.Limits = append(t.Limits, grants.Option{Name: limit.name, Value: row[6+i]})
	}
	return t, nil
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
