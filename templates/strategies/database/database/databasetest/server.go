// Package databasetest is a database server in memory, as far as rotators can
// tell: users with one password and a set of rights, sessions, claims, and an
// admin. It is held to real servers' behaviour by the engines' own tests.
//
// It has the limits that real servers have ([Limits]): connections of a user,
// which are counted once the password is found right; connections of the server,
// which are counted before; log-ins and statements; wrong passwords in a row; and
// time during which it is down ([Server.Down]).
//
// A session that stands still ends after [IdleTime], as rotators ask servers to end
// theirs.
//
// It lacks: verifiers and the forms in which a password is asked for, read-only
// servers and replicas that lag, locks on the catalogue, and rules for passwords but
// by [Server.Refuse].
package databasetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Admin is the user that may change the others.
const Admin = "admin"

// IdleTime ends a session that sends nothing.
const IdleTime = 10 * time.Second

// Engine is the name by which secrets call the server.
const Engine = "testdb"

// Server is a database server.
type Server struct {
	outside *rotationtest.Outside

	mu         sync.Mutex
	users      map[string]*user
	claims     map[string]*Session
	logins     []Login
	statements []Statement
	refuse     func(Statement) error
	blind      bool
	limits     Limits
	sessions   map[*Session]bool // that are open
	downUntil  time.Time
}

type user struct {
	password  string
	secondary string // "" but on servers that know two passwords, see Replace
	locked    bool
	barred    error
	rights    []string

	limits     Limits
	pool       int // connections that applications hold
	logins     int
	statements int
	wrong      int // passwords in a row
}

// Login is one attempt to log in.
type Login struct {
	User string
	OK   bool
}

// Statement is one statement that changes a user.
type Statement struct {
	By, Op, User string
}

// NewServer returns a server with an admin.
func NewServer(outside *rotationtest.Outside, adminPassword string) *Server {
	s := &Server{outside: outside, users: map[string]*user{}, claims: map[string]*Session{}, sessions: map[*Session]bool{}}
	s.AddUser(Admin, adminPassword)
	return s
}

// AddUser makes a user with a password and rights.
func (s *Server) AddUser(name, password string, rights ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name] = &user{password: password, rights: rights}
}

// Blind lets no one but the admin see another user's rights, as most servers
// do.
func (s *Server) Blind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blind = true
}

// Grant gives a user a right behind the rotator's back.
func (s *Server) Grant(name, right string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name].rights = append(s.users[name].rights, right)
}

// SetPassword sets a password behind the rotator's back.
func (s *Server) SetPassword(name, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name].password = password
}

// SetPasswords sets two passwords behind the rotator's back.
func (s *Server) SetPasswords(name, primary, secondary string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name].password, s.users[name].secondary = primary, secondary
}

// Bar keeps a user from logging in, for a reason that the server tells only the
// admin: a log-in is refused as if the password were wrong. nil lets it in again.
func (s *Server) Bar(name string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name].barred = why
}

// Refuse lets do answer statements in the server's place; nil lets one pass.
func (s *Server) Refuse(do func(Statement) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = do
}

// Logins returns all attempts so far and forgets them.
func (s *Server) Logins() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	logins := s.logins
	s.logins = nil
	return logins
}

// Statements returns all statements so far and forgets them.
func (s *Server) Statements() []Statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	statements := s.statements
	s.statements = nil
	return statements
}

// CanWork returns nil if the user can log in with the password and has all
// the rights.
func (s *Server) CanWork(name, password string, rights ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.check(name, password); err != nil {
		return err
	}
	for _, right := range rights {
		if !slices.Contains(s.users[name].rights, right) {
			return fmt.Errorf("user %s lacks %s", name, right)
		}
	}
	return nil
}

// Settle closes the sessions of a process, as a server does when its client is
// gone or idle for too long. One that still runs a statement stays.
func (s *Server) Settle(p *rotationtest.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		if session.p == p && !(session.running && s.outside.Waiting()) {
			session.end()
		}
	}
}

func (s *Server) check(name, password string) error {
	u, ok := s.users[name]
	switch {
	case !ok || u.barred != nil || u.password != password && (u.secondary == "" || u.secondary != password):
		return rotation.Errorf(rotation.CodeAuthRejected, "log-in refused")
	case u.locked:
		return rotation.Errorf(rotation.CodeLocked, "account locked")
	default:
		return nil
	}
}

// Target is the server as a process sees it.
type Target struct {
	server *Server
	p      *rotationtest.Process
}

// Target returns the server for p.
func (s *Server) Target(p *rotationtest.Process) *Target { return &Target{s, p} }

// Engines returns [Engine].
func (t *Target) Engines() []string { return []string{Engine} }

// PasswordPolicy asks for letters and digits.
func (t *Target) PasswordPolicy() database.PasswordPolicy {
	return database.Alphanumeric(database.MinPasswordLength, 64)
}

// Open logs in.
func (t *Target) Open(_ context.Context, a database.Account) (*Session, error) {
	session := &Session{server: t.server, p: t.p, user: a.User, used: t.server.now()}
	err := t.p.Call("log in as "+a.User, errBroken, func() error {
		t.server.outlast(a.User)
		t.server.mu.Lock()
		defer t.server.mu.Unlock()
		err := t.server.admit(a.User, a.Password.Reveal())
		t.server.logins = append(t.server.logins, Login{a.User, err == nil})
		if err == nil {
			t.server.sessions[session] = true
		}
		return err
	})
	if err != nil {
		session.drop() // of a log-in whose answer was lost
		return nil, err
	}
	return session, nil
}

// Prove logs in and out again.
func (t *Target) Prove(ctx context.Context, a database.Account) error {
	session, err := t.Open(ctx, a)
	if err != nil {
		return err
	}
	session.Close()
	return nil
}

var errBroken = rotation.Errorf(rotation.CodeDisconnected, "the connection broke")

// Session is an open session. It has every method that a strategy may want.
type Session struct {
	server  *Server
	p       *rotationtest.Process
	user    string
	used    time.Time
	closed  bool
	running bool
}

// open reports whether the server still has the session, which has just been heard of.
func (s *Session) open() bool {
	waiting := s.running && s.p.Dead() // at the server, and not idle
	if now := s.server.now(); now.Sub(s.used) > IdleTime && !waiting || s.server.down() {
		s.end()
	} else {
		s.used = now
	}
	return !s.closed
}

// Claim takes the lock on user. If a process that is dead or stands still has
// it, the server ends that process's session first.
func (s *Session) Claim(_ context.Context, user string) error {
	return s.call("claim "+user, func() error {
		s.server.mu.Lock()
		holder := s.server.claims[user]
		s.server.mu.Unlock()
		if holder != nil && holder.running {
			s.server.outside.Overdue() // its statement ends, one way or the other
		}
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		switch {
		case !s.open():
			return errBroken
		case holder == nil || holder == s || holder.closed:
		case holder.p.Dead() || holder.p.Frozen():
			holder.end()
		default:
			return rotation.Errorf(rotation.CodeBusy, "claimed by another session")
		}
		s.server.claims[user] = s
		return nil
	})
}

// Try asks whether the server would take the change. It would not take a password
// that is in force: rules against using one again, or against weak ones, may refuse it.
func (s *Session) Try(_ context.Context, user string, password rotation.Sensitive) error {
	return s.call("try "+user, func() error {
		return s.do("try", user, func(server *Server) error {
			for _, u := range server.users {
				if u.password == password.Reveal() {
					return rotation.Errorf(rotation.CodePolicy, "the password is in force already")
				}
			}
			return s.may(user)
		})
	})
}

// Change sets a password.
func (s *Session) Change(_ context.Context, user string, password rotation.Sensitive) error {
	return s.send("change", user, func(server *Server) error {
		if err := s.may(user); err != nil {
			return err
		}
		server.users[user].set(password, false)
		return nil
	})
}

// Diagnose tells the admin why a user cannot log in with any password.
func (s *Session) Diagnose(_ context.Context, name string) error {
	return s.call("diagnose "+name, func() error {
		return s.do("", "", func(server *Server) error {
			switch u := server.users[name]; {
			case u == nil || s.user != Admin:
				return nil
			default:
				return u.barred
			}
		})
	})
}

// ErrNotPrimary is the answer to [Session.Replace] when the password to be
// replaced is not the primary one.
var ErrNotPrimary = rotation.Errorf(rotation.CodeServer, "the password is not the primary one")

// Replace sets the primary password of the session's own user, if it is previous.
// The secondary one becomes previous with retain, and stays as it is without.
// These are the rules of MySQL.
func (s *Session) Replace(_ context.Context, previous, password rotation.Sensitive, retain bool) error {
	return s.send("replace the password of", s.user, func(server *Server) error {
		if server.users[s.user].password != previous.Reveal() {
			return ErrNotPrimary
		}
		server.users[s.user].set(password, retain)
		return nil
	})
}

// Assign sets the primary password of any user, whatever it is now.
func (s *Session) Assign(_ context.Context, name string, password rotation.Sensitive, retain bool) error {
	return s.send("assign a password to", name, func(server *Server) error {
		if err := s.may(name); err != nil {
			return err
		}
		server.users[name].set(password, retain)
		return nil
	})
}

// Add makes both passwords log in and no other, whatever did before. It is what
// an admin of MariaDB can do.
func (s *Session) Add(_ context.Context, name string, first, second rotation.Sensitive) error {
	return s.send("set both passwords of", name, func(server *Server) error {
		if err := s.may(name); err != nil {
			return err
		}
		u := server.users[name]
		u.password, u.secondary = first.Reveal(), second.Reveal()
		return nil
	})
}

func (u *user) set(password rotation.Sensitive, retain bool) {
	if retain {
		u.secondary = u.password
	}
	u.password = password.Reveal()
}

// Parity asks whether inactive has every right of active. More rights are no error.
func (s *Session) Parity(_ context.Context, active, inactive string) error {
	return s.call("compare", func() error {
		return s.do("", "", func(server *Server) error {
			a, b := server.users[active], server.users[inactive]
			switch {
			case server.blind && s.user != Admin:
				return rotation.Errorf(rotation.CodePermission, "%s sees no other user", s.user)
			case a == nil || b == nil:
				return rotation.Errorf(rotation.CodeParity, "a user is missing")
			}
			for _, right := range a.rights {
				if !slices.Contains(b.rights, right) {
					return rotation.Errorf(rotation.CodeParity, "%s lacks %s", inactive, right)
				}
			}
			return nil
		})
	})
}

// Create makes a locked user.
func (s *Session) Create(_ context.Context, name string) error {
	return s.send("create", name, func(server *Server) error {
		if server.users[name] == nil {
			server.users[name] = &user{locked: true, password: "nobody knows"}
		}
		return nil
	})
}

// Reconcile copies one right per statement, and takes one away per statement.
func (s *Session) Reconcile(_ context.Context, active, inactive string, revoke bool) (extra []string, err error) {
	s.server.mu.Lock()
	want, has := slices.Clone(s.server.users[active].rights), slices.Clone(s.server.users[inactive].rights)
	s.server.mu.Unlock()
	for _, right := range want {
		err := s.send("grant "+right+" to", inactive, func(server *Server) error {
			if u := server.users[inactive]; !slices.Contains(u.rights, right) {
				u.rights = append(u.rights, right)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, right := range has {
		if slices.Contains(want, right) {
			continue
		}
		extra = append(extra, right)
		if !revoke {
			continue
		}
		err := s.send("revoke "+right+" from", inactive, func(server *Server) error {
			u := server.users[inactive]
			u.rights = slices.DeleteFunc(u.rights, func(has string) bool { return has == right })
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return extra, nil
}

// Rights returns what a user may do, and whether there is one.
func (s *Session) Rights(name string) (rights []string, exists bool, err error) {
	err = s.call("look up "+name, func() error {
		return s.do("", "", func(server *Server) error {
			if u := server.users[name]; u != nil {
				rights, exists = slices.Clone(u.rights), true
			}
			return nil
		})
	})
	return rights, exists, err
}

// Regrant is one statement of an engine's own, after which a user may do what
// change makes of what it may do now.
func (s *Session) Regrant(op, name string, change func(rights []string) []string) error {
	return s.send(op, name, func(server *Server) error {
		if err := s.may(name); err != nil {
			return err
		}
		server.users[name].rights = change(server.users[name].rights)
		return nil
	})
}

// Activate sets a password and unlocks.
func (s *Session) Activate(_ context.Context, user string, password rotation.Sensitive) error {
	return s.send("activate", user, func(server *Server) error {
		u := server.users[user]
		u.password, u.locked = password.Reveal(), false
		return nil
	})
}

// Rehearse asks whether the session may do what a clone needs.
func (s *Session) Rehearse(_ context.Context, active, inactive string) error {
	return s.call("rehearse", func() error {
		return s.do("", inactive, func(server *Server) error {
			if server.users[active] == nil || s.user != Admin {
				return rotation.Errorf(rotation.CodePermission, "may not clone %s", active)
			}
			return nil
		})
	})
}

// Close ends the session.
func (s *Session) Close() {
	if s.p.Dead() {
		return // the server notices later, see Settle
	}
	s.drop()
}

func (s *Session) drop() {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.end()
}

// end closes the session at the server.
func (s *Session) end() {
	s.closed = true
	delete(s.server.sessions, s)
	for user, session := range s.server.claims {
		if session == s {
			delete(s.server.claims, user)
		}
	}
}

// call runs a statement. A connection that broke stays broken.
func (s *Session) call(op string, do func() error) error {
	err := s.p.Call(op, errBroken, do)
	if errors.Is(err, errBroken) {
		s.drop()
	}
	return err
}

// may is the server's own rule: users change themselves, the admin everybody.
func (s *Session) may(user string) error {
	if s.server.users[user] == nil || s.user != user && s.user != Admin {
		return rotation.Errorf(rotation.CodePermission, "may not change %s", user)
	}
	return nil
}

// send runs a statement that may still run at the server when its caller is
// dead. Its session lives as long.
func (s *Session) send(op, user string, do func(*Server) error) error {
	s.server.mu.Lock()
	s.running = true
	s.server.mu.Unlock()
	err := s.p.Send(op+" "+user, errBroken, func() error { return s.do(op, user, do) })
	if errors.Is(err, errBroken) {
		s.drop()
	}
	return err
}

func (s *Session) do(op, user string, do func(*Server) error) error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	open := s.open()
	s.running = false
	if !open {
		return errBroken
	}
	if err := s.server.count(s.user); err != nil {
		return err
	}
	if op != "" {
		statement := Statement{s.user, op, user}
		s.server.statements = append(s.server.statements, statement)
		if s.server.refuse != nil {
			if err := s.server.refuse(statement); err != nil {
				return err
			}
		}
	}
	return do(s.server)
}
