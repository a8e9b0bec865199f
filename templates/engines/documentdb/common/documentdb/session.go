package documentdb

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

var _ database.Session = (*Session)(nil)

const (
	closeTimeout   = time.Second
	commandTimeout = 15 * time.Second

	// idleLimit is how long a session may be silent. Servers of other kinds
	// end one that is silent for longer; this one knows no such limit, so the
	// session ends itself: a process that stood still must not go on where it
	// was, because another may have taken its place.
	idleLimit = 10 * time.Second
)

// Session is one connection that has logged in. It is for one goroutine.
type Session struct {
	client *mongo.Client
	line   *line
	user   string // who logged in
	writer bool
	heard  time.Time // when the server last answered
}

// begin learns who the session is and what its server does.
func (s *Session) begin(ctx context.Context) error {
	if err := s.identify(ctx); err != nil {
		return err
	}
	var server struct {
		IsWritablePrimary bool `bson:"isWritablePrimary"`
	}
	if err := s.send(ctx, &server, bson.D{{Key: "hello", Value: 1}}); err != nil {
		return err
	}
	s.writer = server.IsWritablePrimary
	return nil
}

// identify logs in, which the driver does before its first command, and asks
// the server whose session that makes.
func (s *Session) identify(ctx context.Context) error {
	s.heard = time.Now()
	var status struct {
		AuthInfo struct {
			AuthenticatedUsers []struct{ User, DB string } `bson:"authenticatedUsers"`
		} `bson:"authInfo"`
	}
	if err := s.send(ctx, &status, bson.D{{Key: "connectionStatus", Value: 1}}); err != nil {
		return err
	}
	for _, is := range status.AuthInfo.AuthenticatedUsers {
		if is.User == s.user && is.DB == users {
			return nil
		}
	}
	return rotation.Errorf(rotation.CodeIdentity, "logged in as %q, but the server says that the session is not that user's", s.user)
}

// User returns the user who logged in.
func (s *Session) User() string { return s.user }

// Claim implements [database.Session]. The server knows no lock that ends with
// a session, so it only is [rotation.CodeNotWriter] on one that takes no
// changes. A process that was frozen cannot undo another's rotation all the
// same: strategies ask Secrets Manager after the claim, and a session ends when
// it is idle for too long.
func (s *Session) Claim(context.Context, string) error {
	if !s.writer {
		return rotation.Errorf(rotation.CodeNotWriter, "the server takes no changes: the host must be that of the cluster")
	}
	err := s.awake()
	s.heard = time.Now() // a session that claims is not idle
	return err
}

// Try implements [database.Session] as far as that goes: the server must know
// user and let this session see it. There is no transaction to try the change
// in; what the session lacks for it the server says when it is made, and then
// nothing is changed.
func (s *Session) Try(ctx context.Context, user string, _ rotation.Sensitive) error {
	found, err := s.Users(ctx, user)
	if err != nil {
		return err
	}
	if _, ok := found[user]; !ok {
		return rotation.Errorf(rotation.CodeServer, "user %q does not exist, or this one may not see it", user)
	}
	return nil
}

// Change implements [database.Session]. It sends no roles: the server would
// take them for all that the user is to have.
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	doing := fmt.Sprintf("change the password of %q", user)
	err := s.send(ctx, nil, bson.D{{Key: "updateUser", Value: user}, {Key: "pwd", Value: password.Reveal()}})
	return changeError(err, doing)
}

// Role is a role as users have it: by its name, in a database.
type Role struct {
	Role string `bson:"role"`
	DB   string `bson:"db"`
}

func (r Role) String() string { return r.Role + "@" + r.DB }

// Users returns the roles of those users that exist, as far as this session may
// see them.
func (s *Session) Users(ctx context.Context, names ...string) (map[string][]Role, error) {
	var ask bson.A
	for _, name := range names {
		ask = append(ask, bson.D{{Key: "user", Value: name}, {Key: "db", Value: users}})
	}
	var answer struct {
		Users []struct {
			User, DB string
			Roles    []Role
		}
	}
	if err := s.Run(ctx, "read the users' roles", &answer, bson.D{{Key: "usersInfo", Value: ask}}); err != nil {
		return nil, err
	}
	found := map[string][]Role{}
	for _, user := range answer.Users {
		if user.DB == users {
			found[user.User] = user.Roles
		}
	}
	return found, nil
}

// Run sends a command to the users' database and decodes what the server says
// into answer, unless that is nil. doing names its purpose in errors and must
// be safe to print; the command never appears in one.
func (s *Session) Run(ctx context.Context, doing string, answer any, command bson.D) error {
	return commandError(s.send(ctx, answer, command), doing)
}

// send is Run with the driver's error, or the line's if the driver could only
// wait for a connection. Any error but a refusal by the server ends the session.
func (s *Session) send(ctx context.Context, answer any, command bson.D) error {
	if err := s.awake(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	defer context.AfterFunc(s.line.gone, cancel)()
	raw, err := s.client.Database(users).RunCommand(ctx, command).Raw()
	if err != nil {
		if refusal(err) != nil {
			return err
		}
		if why := s.line.why(); why != nil {
			err = why
		}
		s.line.cut()
		return err
	}
	s.heard = time.Now()
	if answer == nil {
		return nil
	}
	if err := bson.Unmarshal(raw, answer); err != nil {
		return rotation.Errorf(rotation.CodeServer, "the server does not answer as DocumentDB does").Because(err)
	}
	return nil
}

// awake ends a session that stood still.
func (s *Session) awake() error {
	// Only the wall's clock goes on while the whole machine is suspended.
	if silent := time.Now().Round(0).Sub(s.heard.Round(0)); silent > idleLimit {
		s.line.cut()
		return rotation.Errorf(rotation.CodeBusy, "the session was idle for %s, and another rotation may have begun: it is closed", silent.Round(time.Second))
	}
	return nil
}

// Close implements [database.Session].
func (s *Session) Close() {
	s.line.cut() // the driver would say good-bye first, and wait for the answer
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.client.Disconnect(ctx)
}
