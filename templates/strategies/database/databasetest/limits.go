package databasetest

import (
	"context"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// Limits are what a server allows, of a user or as a whole; 0 is no limit.
type Limits struct {
	// Connections at the same time. Of a user they are counted once the password
	// is found right, as PostgreSQL, MySQL and MariaDB do; of the server, before
	// it is looked at.
	Connections int
	// Logins and Statements in an hour, of a user.
	Logins, Statements int
	// WrongPasswords in a row lock a user, whatever password comes next.
	WrongPasswords int
}

// Limit sets what a user may have, and how many connections applications hold of
// it.
func (s *Server) Limit(name string, limits Limits, pool int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name].limits, s.users[name].pool = limits, pool
}

// LimitAll sets what the server as a whole allows.
func (s *Server) LimitAll(limits Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = limits
}

// Down ends all sessions and lets no connection be made for a time, as a server
// does that is restarted.
func (s *Server) Down(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		session.end()
	}
	s.downUntil = s.now().Add(d)
}

func (s *Server) down() bool { return s.now().Before(s.downUntil) }

func (s *Server) now() time.Time {
	if s.outside.Now == nil {
		return time.Now()
	}
	return s.outside.Now()
}

// outlast ends what dead processes have left at the server where the
// user's limit is reached: a client that is refused comes again when the server's
// own time limits have done so.
func (s *Server) outlast(name string) {
	s.mu.Lock()
	var dead []*Session
	for session := range s.sessions {
		if session.user == name && s.users[name].limits.Connections > 0 && session.p.Dead() {
			dead = append(dead, session)
		}
	}
	s.mu.Unlock()
	if len(dead) == 0 {
		return
	}
	s.outside.Overdue()
	for _, session := range dead {
		session.drop()
	}
}

// admit decides about a log-in, in the order in which servers do.
func (s *Server) admit(name, password string) error {
	connections := 0
	for session := range s.sessions {
		if session.user == name {
			connections++
		}
	}
	u := s.users[name]
	switch {
	case s.down():
		return rotation.Errorf(rotation.CodeUnreachable, "the server is starting")
	case s.limits.Connections > 0 && len(s.sessions) >= s.limits.Connections:
		return rotation.Errorf(rotation.CodeServerFull, "the server has no connection to spare")
	case u != nil && u.limits.WrongPasswords > 0 && u.wrong >= u.limits.WrongPasswords:
		return rotation.Errorf(rotation.CodeLocked, "too many wrong passwords")
	}
	if err := s.check(name, password); err != nil {
		if u != nil {
			u.wrong++
		}
		return err
	}
	u.wrong = 0
	if l := u.limits; l.Connections > 0 && u.pool+connections >= l.Connections || l.Logins > 0 && u.logins >= l.Logins {
		return rotation.Errorf(rotation.CodeUserLimit, "the password is right, and the user's limit is reached")
	}
	u.logins++
	return nil
}

// count counts a statement of a user.
func (s *Server) count(name string) error {
	u := s.users[name]
	if u.limits.Statements > 0 && u.statements >= u.limits.Statements {
		return rotation.Errorf(rotation.CodeUserLimit, "the user's statements of this hour are used up")
	}
	u.statements++
	return nil
}

// SurvivesRefusal is what the server tells a user of its own limit.
func (s *Session) SurvivesRefusal(context.Context) error {
	return s.call("look up "+s.user, func() error {
		return s.do("", "", func(server *Server) error {
			if server.users[s.user].limits.WrongPasswords == 1 {
				return rotation.Errorf(rotation.CodeLocked, "one wrong password locks %s", s.user)
			}
			return nil
		})
	})
}
