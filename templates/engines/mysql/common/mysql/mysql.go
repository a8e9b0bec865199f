// Package mysql changes passwords on MySQL. It treats RDS, Aurora and
// self-managed servers alike, from 5.7 on.
//
// A new password reaches the server as text, over TLS: the server takes a user's
// change of its own password, and a second password, only as text. MySQL leaves
// it out of all its logs.
// https://dev.mysql.com/doc/refman/8.4/en/password-logging.html
package mysql

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Plugins are the authentication plugins that keep passwords in the server: of
// these a user may have two.
var Plugins = []string{"caching_sha2_password", "sha256_password", "mysql_native_password"}

// MaxName is how many characters a user's name may have.
// https://dev.mysql.com/doc/refman/8.4/en/user-names.html
const MaxName mysqlconn.NameLimit = 32

// Target opens sessions.
type Target struct{ *mysqlconn.Target }

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters. A length that the
// engine cannot use is [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int) (*Target, error) {
	conn, err := mysqlconn.New(roots, passwordLength, MaxName)
	if err != nil {
		return nil, err
	}
	return &Target{conn}, nil
}

// Engines returns the words that a secret's key "engine" may have for this
// engine.
func (*Target) Engines() []string { return []string{"mysql", "aurora-mysql", "aurora"} }

// Login opens a session as [mysqlconn.Target.Login] does, and refuses MariaDB,
// which has another syntax for users.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	conn, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	if conn.Version().MariaDB {
		conn.Close()
		return nil, rotation.Errorf(rotation.CodeServer, "the server at %q is MariaDB: use that engine", account.Host)
	}
	return &Session{Session: conn, primary: account.Password}, nil
}

// Session is a session on MySQL. It is for one goroutine.
type Session struct {
	*mysqlconn.Session
	// primary is the password that logged in or that was set since: as a rule the
	// user's primary one.
	primary rotation.Sensitive
}

var _ database.Session = (*Session)(nil)

// KnowsReplace reports whether the server lets a user name the password that
// is to be replaced, and checks it.
func (s *Session) KnowsReplace() bool { return s.Version().AtLeast(8, 0, 13) }

// Account returns the account of a user: the session's own, or else the only one
// that there is. Several accounts of one user have a password each, and which of
// them applications get depends on where they are: that is
// [rotation.CodeBadUsers].
func (s *Session) Account(ctx context.Context, user string) (mysqlconn.Name, error) {
	if user == s.Name().User {
		return s.Name(), nil
	}
	names, err := s.Names(ctx, user)
	return mysqlconn.Only(user, names, err)
}

// Names returns the accounts of a user that the session's user may see.
func (s *Session) Names(ctx context.Context, user string) ([]mysqlconn.Name, error) {
	catalogue := "mysql.user"
	if s.Version().AtLeast(8, 0, 21) { // users with CREATE USER may read this one
		catalogue = "information_schema.user_attributes"
	}
	rows, err := s.Select(ctx, fmt.Sprintf("look up %q", user), fmt.Sprintf("SELECT user, host FROM %s WHERE user = %s", catalogue, mysqlconn.Literal(user)))
	if err != nil {
		return nil, err
	}
	var names []mysqlconn.Name
	for _, row := range rows {
		if row[0] == user { // in some catalogues Orders equals orders
			names = append(names, mysqlconn.Name{User: row[0], Host: row[1]})
		}
	}
	return names, nil
}

// Sole is [rotation.CodeBadUsers] if the session's user may have other accounts,
// of which a change of this one would know nothing.
func (s *Session) Sole(ctx context.Context) error {
	names, err := s.Names(ctx, s.Name().User)
	return mysqlconn.Sole(s.Name(), names, err)
}

// Try implements [database.Session]. It asks to REPLACE a password that the user
// does not have. Before the server refuses that, it checks the right to the
// change and the password rules. Older servers do not know REPLACE: there
// nothing is asked.
func (s *Session) Try(ctx context.Context, user string, password rotation.Sensitive) error {
	if err := s.Writable(); err != nil {
		return err
	}
	target, err := s.target(ctx, user)
	if err != nil {
		return err
	}
	if err := s.Diagnose(ctx, user); err != nil || !s.KnowsReplace() {
		return err
	}
	err = s.Alter(ctx, fmt.Sprintf("try a change of the password of %q", user), fmt.Sprintf("ALTER USER /* only asks */ %s IDENTIFIED BY %s REPLACE %s",
		target, mysqlconn.Literal(password.Reveal()), mysqlconn.Literal(rand.Text())))
	if mysqlconn.NotPrimary(err) || mysqlconn.NotOwn(err) {
		return nil
	}
	return err
}

// Change implements [database.Session]. A secondary password stays as it is.
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	doing := fmt.Sprintf("change the password of %q", user)
	target, err := s.target(ctx, user)
	if err != nil {
		return err
	}
	alter := fmt.Sprintf("ALTER USER %s IDENTIFIED BY %s", target, mysqlconn.Literal(password.Reveal()))
	if user != s.Name().User || !s.KnowsReplace() {
		return s.Alter(ctx, doing, alter)
	}
	// Some servers take a change from the user only with the primary password.
	err = s.Alter(ctx, doing, alter+" REPLACE "+mysqlconn.Literal(s.primary.Reveal()))
	if mysqlconn.NotPrimary(err) {
		err = s.Alter(ctx, doing, alter)
	}
	if err == nil {
		s.primary = password
	}
	return err
}

// target returns the account as ALTER USER names it.
func (s *Session) target(ctx context.Context, user string) (string, error) {
	if user == s.Name().User {
		return "USER()", nil // a user may change itself only under this name
	}
	name, err := s.Account(ctx, user)
	return name.String(), err
}

// Diagnose implements [database.Diagnoser], as far as the session's user may
// see it: nil also means that it may not.
func (s *Session) Diagnose(ctx context.Context, user string) error {
	if user == s.Name().User { // it has just logged in
		return s.Sole(ctx)
	}
	rows, err := s.Select(ctx, fmt.Sprintf("look up %q", user),
		"SELECT user, account_locked, password_expired, ssl_type FROM mysql.user WHERE user = "+mysqlconn.Literal(user))
	if rotation.CodeOf(err) == rotation.CodePermission {
		return nil
	}
	for _, row := range rows {
		switch {
		case row[0] != user:
		case row[1] == "Y":
			return rotation.Errorf(rotation.CodeLocked, "user %q is locked", user)
		case row[2] == "Y":
			return rotation.Errorf(rotation.CodeExpired, "the password of user %q has expired", user)
		case row[3] == "X509", row[3] == "SPECIFIED":
			return mysqlconn.NeedsCertificate(user)
		}
	}
	return err
}
