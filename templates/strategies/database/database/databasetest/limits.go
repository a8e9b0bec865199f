package databasetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
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

// RulesOfLimits is what rotations rely on of a limit on a user's connections: it is
// told to the right password, and the wrong one is refused as ever. It is asked of
// this server and of real ones. open logs in as account's user, and limit sets how
// many connections that user may have, 0 for as many as it likes.
func RulesOfLimits(t *testing.T, account database.Account, limit func(connections int), open func(context.Context, database.Account) (closeSession func(), err error)) {
	t.Helper()
	want := func(code rotation.Code, account database.Account) {
		t.Helper()
		closeSession, err := open(t.Context(), account)
		if got := rotation.CodeOf(err); got != code {
			t.Errorf("got %v, want code %q", err, code)
		}
		if err == nil {
			closeSession()
		}
	}
	wrong := account
	wrong.Password = rotation.NewSensitive("a wrong password")

	limit(1)
	held, err := open(t.Context(), account)
	for rotation.CodeOf(err) == rotation.CodeUserLimit && t.Context().Err() == nil {
		held, err = open(t.Context(), account) // the server has not noticed yet that another session has ended
	}
	if err != nil {
		t.Fatal(err)
	}
	want(rotation.CodeUserLimit, account)
	want(rotation.CodeAuthRejected, wrong)
	held()
	limit(0)
	want("", account)
	want(rotation.CodeAuthRejected, wrong)
}

// NothingBetweenCalls proves that a process killed after its k-th call leaves
// the same behind as one killed before the next. A test that kills rotators over a
// network can therefore leave out one half of the kills.
func NothingBetweenCalls(t *testing.T, fresh func(testing.TB) (*rotationtest.World, *Server)) {
	t.Helper()
	leave := func(n int, fault rotationtest.Fault) (left string, calls []string) {
		w, server := fresh(t)
		token := w.Token()
		if err := w.Request(token); err != nil {
			t.Fatal(err)
		}
		w.Outside.Plan(n, fault)
		_ = w.Rotate(token, 1)
		return server.outsideOf(t, w), w.Outside.Calls()
	}
	_, calls := leave(0, rotationtest.None)
	for k := 1; k < len(calls); k++ {
		after, _ := leave(k, rotationtest.KillAfter)
		before, _ := leave(k+1, rotationtest.KillBefore)
		if after != before {
			t.Errorf("killed after call %d (%s):\n%s\nkilled before call %d (%s):\n%s", k, calls[k-1], after, k+1, calls[k], before)
		}
	}
}

// outsideOf describes the secret and the users, with the id of the version that
// has it in place of each password.
func (s *Server) outsideOf(t testing.TB, w *rotationtest.World) string {
	t.Helper()
	list, err := w.Store.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: &w.Secret, IncludeDeprecated: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	versions := map[string]string{}
	for _, v := range list.Versions {
		password := "no value"
		if value, err := w.Store.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &w.Secret, VersionId: v.VersionId}); err == nil {
			parsed, err := rotation.ParseValue(rotation.NewSensitive(aws.ToString(value.SecretString)))
			if err != nil {
				t.Fatal(err)
			}
			text, _ := parsed.Get("password")
			password, versions[text.Reveal()] = "a value", *v.VersionId
		}
		fmt.Fprintln(&out, *v.VersionId, v.VersionStages, password)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(s.users)) {
		u := s.users[name]
		fmt.Fprintln(&out, name, versions[u.password], versions[u.secondary], u.locked, u.rights)
	}
	return out.String()
}
