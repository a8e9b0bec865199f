// Package dualpassword gives a MariaDB user two passwords: two authentication methods
// joined by OR. It takes an admin, who says each time which two they are, so
// that it does not matter what was before.
package dualpassword

import (
	"context"
	"fmt"

	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// Target opens sessions that can give their user two passwords.
type Target struct{ *mariadb.Target }

var (
	_ singleuser.Target      = Target{}
	_ singleuser.Overlapping = Target{}
)

// New returns a target on top of engine.
func New(engine *mariadb.Target) Target { return Target{engine} }

// Overlaps implements [singleuser.Overlapping]. A user may change only one password
// of its own.
func (Target) Overlaps(asAdmin bool) bool { return asAdmin }

// Login implements [singleuser.Target].
func (t Target) Login(ctx context.Context, account database.Account) (database.Session, error) {
	session, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	return &Session{session}, nil
}

// Session is a [mariadb.Session] that can give its user two passwords.
type Session struct{ *mariadb.Session }

var (
	_ singleuser.Overlapper = (*Session)(nil)
	_ singleuser.Locking    = (*Session)(nil)
)

// Overlaps implements [singleuser.Overlapper].
func (s *Session) Overlaps(ctx context.Context, asAdmin bool) error {
	switch version := s.Version(); {
	case !asAdmin:
		return rotation.Errorf(rotation.CodePermission, "a user cannot give itself two passwords")
	case !version.AtLeast(10, 4, 0):
		return rotation.Errorf(rotation.CodeServer, "%s keeps one password per user, two need MariaDB 10.4", version)
	default:
		return s.Diagnose(ctx, s.Name().User)
	}
}

// Overlap implements [singleuser.Overlapper].
func (*Session) Overlap(ctx context.Context, changer database.Session, o singleuser.Overlap) error {
	return changer.(*Session).Identify(ctx, fmt.Sprintf("set both passwords of %q", o.User), o.User, o.Current, o.Pending)
}

// SurvivesRefusal implements [singleuser.Locking]. Servers before 10.4 do not
// count wrong passwords.
// https://mariadb.com/kb/en/server-system-variables/#max_password_errors
func (s *Session) SurvivesRefusal(ctx context.Context) error {
	rows, err := s.Select(ctx, "look up max_password_errors", "SHOW GLOBAL VARIABLES LIKE 'max_password_errors'")
	if err != nil || !locksAtOnce(rows) {
		return err
	}
	return rotation.Errorf(rotation.CodeLocked, "one wrong password locks user %q (max_password_errors = 1), and a rotation that was interrupted has to try two: "+
		"set it to 3 or more in the server's configuration, on RDS in its parameter group", s.Name().User)
}

// locksAtOnce reads from the variable, if there is one, whether one wrong password
// locks a user.
func locksAtOnce(variable mysqlconn.Rows) bool { return len(variable) == 1 && variable[0][1] == "1" }
