package dualpassword

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/engines/mysql/common/mysql"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// Target opens sessions that can give their user two passwords.
type Target struct{ *mysql.Target }

var (
	_ singleuser.Target      = Target{}
	_ singleuser.Overlapping = Target{}
)

// New returns a target on top of engine.
func New(engine *mysql.Target) Target { return Target{engine} }

// Overlaps implements [singleuser.Overlapping]: it is true of every MySQL from
// 8.0.14 on, for the user itself and for an admin.
func (Target) Overlaps(bool) bool { return true }

// Login implements [singleuser.Target].
func (t Target) Login(ctx context.Context, account database.Account) (database.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &Session{session}, nil
}

// Session is a [mysql.Session] that can give its user two passwords.
type Session struct{ *mysql.Session }

var (
	_ singleuser.Overlapper = (*Session)(nil)
	_ singleuser.Locking    = (*Session)(nil)
	_ statements            = (*Session)(nil)
)

// Overlaps implements [singleuser.Overlapper]. To learn whether the user may keep
// its own previous password, it asks to replace one that the user does not have:
// the server reports a missing right before that.
func (s *Session) Overlaps(ctx context.Context, asAdmin bool) error {
	if version := s.Version(); !version.AtLeast(8, 0, 14) {
		return rotation.Errorf(rotation.CodeServer, "%s keeps one password per user, two need MySQL 8.0.14", version)
	}
	rows, err := s.Query(ctx, "look up the session's own user", "SHOW CREATE USER CURRENT_USER()")
	if err != nil {
		return err
	}
	if plugin := pluginOf(rows[0][0]); !slices.Contains(mysql.Plugins, plugin) {
		return rotation.Errorf(rotation.CodeServer, "the user's authentication plugin %q keeps one password", plugin)
	}
	if asAdmin {
		return s.forgets(ctx, rows[0][0])
	}
	if err := s.Sole(ctx); err != nil {
		return err
	}
	err = s.Alter(ctx, "keep the previous password", fmt.Sprintf("ALTER USER /* only asks */ USER() IDENTIFIED BY %s REPLACE %s RETAIN CURRENT PASSWORD",
		mysqlconn.Literal(rand.Text()+"-a1B"), mysqlconn.Literal(rand.Text())))
	if mysqlconn.NotPrimary(err) {
		return nil
	}
	return rotation.Within("APPLICATION_PASSWORD_ADMIN", err)
}

// pluginOf reads the authentication plugin from what SHOW CREATE USER returns.
func pluginOf(createUser string) string {
	_, rest, _ := strings.Cut(createUser, " IDENTIFIED WITH '")
	plugin, _, _ := strings.Cut(rest, "'")
	return plugin
}

// forgets is an error where the server remembers passwords of the session's own
// user: it then refuses to replace AWSCURRENT with itself, primary or not, and an
// admin cannot find out which it is.
func (s *Session) forgets(ctx context.Context, createUser string) error {
	rows, err := s.Query(ctx, "look up the rules on reusing passwords", "SELECT @@global.password_history, @@global.password_reuse_interval")
	if err != nil || !remembers(createUser, rows[0]) {
		return err
	}
	return rotation.Errorf(rotation.CodePolicy, "rules on reusing passwords hide from an administrator which of two passwords of user %q is the primary one: "+
		"ALTER USER ... PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY", s.Name().User)
}

// remembers reads from what SHOW CREATE USER returns, and from the variables that
// stand for DEFAULT, whether passwords may not be used again.
// https://dev.mysql.com/doc/refman/8.4/en/password-management.html#password-reuse-policy
func remembers(createUser string, defaults []string) bool {
	for i, rule := range []string{" PASSWORD HISTORY ", " PASSWORD REUSE INTERVAL "} {
		_, rest, _ := strings.Cut(createUser, rule)
		value, _, _ := strings.Cut(rest, " ")
		if value == "DEFAULT" {
			value = defaults[i]
		}
		if value != "" && value != "0" {
			return true
		}
	}
	return false
}

// SurvivesRefusal implements [singleuser.Locking].
func (s *Session) SurvivesRefusal(ctx context.Context) error {
	rows, err := s.Query(ctx, "look up the session's own user", "SHOW CREATE USER CURRENT_USER()")
	if err != nil || !locksAtOnce(rows[0][0]) {
		return err
	}
	return rotation.Errorf(rotation.CodeLocked, "one wrong password locks user %q (FAILED_LOGIN_ATTEMPTS 1), and a rotation that was interrupted has to try two: "+
		"ALTER USER ... FAILED_LOGIN_ATTEMPTS 3, or more", s.Name().User)
}

// locksAtOnce reads from what SHOW CREATE USER returns whether one wrong password
// locks the user.
// https://dev.mysql.com/doc/refman/8.4/en/create-user.html#create-user-password-management
func locksAtOnce(createUser string) bool {
	return strings.Contains(createUser+" ", " FAILED_LOGIN_ATTEMPTS 1 ")
}

// Overlap implements [singleuser.Overlapper].
func (s *Session) Overlap(ctx context.Context, changer database.Session, o singleuser.Overlap) error {
	if admin := changer.(*Session); admin != s {
		return overlapAsAdmin(ctx, s, admin, o)
	}
	return overlap(ctx, s, o)
}

// Replace sets the primary password of the session's own user if it is previous.
func (s *Session) Replace(ctx context.Context, previous, password rotation.Sensitive, retain bool) error {
	err := s.Alter(ctx, fmt.Sprintf("replace the password of %q", s.Name().User), fmt.Sprintf("ALTER USER USER() IDENTIFIED BY %s REPLACE %s%s",
		mysqlconn.Literal(password.Reveal()), mysqlconn.Literal(previous.Reveal()), retaining(retain)))
	if mysqlconn.NotPrimary(err) {
		return rotation.Errorf(rotation.CodeServer, "the password to be replaced is not the user's primary one").Because(fmt.Errorf("%w: %w", errNotPrimary, err))
	}
	return err
}

// Assign sets the primary password of any user.
func (s *Session) Assign(ctx context.Context, user string, password rotation.Sensitive, retain bool) error {
	name, err := s.Account(ctx, user)
	if err != nil {
		return err
	}
	return s.Alter(ctx, fmt.Sprintf("add a password to %q", user), fmt.Sprintf("ALTER USER %s IDENTIFIED BY %s%s",
		name, mysqlconn.Literal(password.Reveal()), retaining(retain)))
}

func retaining(retain bool) string {
	if retain {
		return " RETAIN CURRENT PASSWORD"
	}
	return ""
}
