package grants

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

const (
	userA         = "orders_a"
	userB         = "orders_b"
	firstPassword = "first-password-sentinel-11bb"
	adminPassword = "admin-password-sentinel-77aa"
)

// work is what the application needs.
var work = []string{"INSERT ON `shop`.`orders`", "SELECT (`id`) ON `shop`.`orders`", "`clerk`"}

// target is the test server as an engine that keeps rights as MySQL does.
type target struct{ *databasetest.Target }

func (t target) Login(ctx context.Context, a database.Account) (twouser.Session, error) {
	s, err := t.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	return session{Session: s, user: a.User}, nil
}

// session reads and runs the statements of this package one by one.
type session struct {
	*databasetest.Session
	user string
}

var _ Server = session{}

func (s session) Parity(ctx context.Context, active, inactive string) error {
	return Parity(ctx, s, active, inactive)
}

func (s session) Create(ctx context.Context, user string) error { return Create(ctx, s, user) }

func (s session) Reconcile(ctx context.Context, active, inactive string, revoke bool) ([]string, error) {
	return Reconcile(ctx, s, active, inactive, revoke)
}

func (s session) Activate(ctx context.Context, user string, password rotation.Sensitive) error {
	return Activate(ctx, s, user, password)
}

func (s session) Name() mysqlconn.Name { return mysqlconn.Name{User: s.user, Host: "%"} }

func (session) Writable() error                               { return nil }
func (session) Exec(context.Context, string, string) error    { return nil }
func (session) CheckName(string) error                        { return nil }
func (session) Mine(context.Context) (string, error)          { return "SHOW GRANTS", nil }
func (session) SetDefaultRoles(mysqlconn.Name, string) string { return "" }
func (session) Identified(_ string, p rotation.Sensitive) string {
	return "IDENTIFIED BY " + p.Reveal()
}

func (session) Lately() *Lately { return new(Lately) }

func (s session) Users(ctx context.Context, users ...string) (found []User, err error) {
	for _, user := range slices.Compact(users) { // as WHERE user IN (...)
		names, err := s.Names(ctx, user)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			found = append(found, User{Account: name})
		}
	}
	return found, nil
}

func (s session) Names(_ context.Context, user string) ([]mysqlconn.Name, error) {
	_, exists, err := s.Rights(user)
	if !exists {
		return nil, err
	}
	return []mysqlconn.Name{{User: user, Host: "%"}}, err
}

func (s session) Account(ctx context.Context, user string) (mysqlconn.Name, error) {
	names, err := s.Names(ctx, user)
	return mysqlconn.Only(user, names, err)
}

// Select answers SHOW GRANTS. The administrator may pass everything on.
func (s session) Select(_ context.Context, _, statement string) (mysqlconn.Rows, error) {
	if statement == "SHOW GRANTS" {
		return mysqlconn.Rows{{"GRANT ALL PRIVILEGES ON *.* TO `admin`@`%` WITH GRANT OPTION"}, {"GRANT `clerk` TO `admin`@`%` WITH ADMIN OPTION"}}, nil
	}
	account := strings.TrimPrefix(statement, "SHOW GRANTS FOR ")
	rights, _, err := s.Rights(userOf(account))
	rows := make(mysqlconn.Rows, len(rights))
	for i, right := range rights {
		rows[i] = []string{"GRANT " + right + " TO " + account}
	}
	return rows, err
}

// Alter runs what changes a user.
func (s session) Alter(ctx context.Context, _, statement string) error {
	verb, rest, _ := strings.Cut(statement, " ")
	words := strings.Fields(rest)
	switch {
	case verb == "CREATE" && strings.HasSuffix(statement, " ACCOUNT LOCK"):
		return s.Session.Create(ctx, userOf(words[1]))
	case verb == "ALTER" && strings.HasSuffix(statement, " ACCOUNT UNLOCK"):
		return s.Session.Activate(ctx, userOf(words[1]), rotation.NewSensitive(words[4]))
	case verb == "GRANT":
		right, to, _ := cut(rest, " TO ")
		return s.Regrant(verb+" "+right+" to", userOf(to), func(rights []string) []string { return append(rights, right) })
	case verb == "REVOKE":
		right, from, _ := cut(rest, " FROM ")
		return s.Regrant(verb+" "+right+" from", userOf(from), func(rights []string) []string {
			return slices.DeleteFunc(rights, func(has string) bool { return has == right })
		})
	default:
		return nil // default roles go with the roles
	}
}

func userOf(account string) string {
	return strings.Split(account, "'")[1]
}

// TestProof kills, freezes and doubles a process at every statement that makes a
// clone, gives it what it lacks, takes away what is too much, and lets it log
// in. AWSCURRENT works all the time, with all its rights. (T1, T2, T3, T4)
func TestProof(t *testing.T) {
	for name, drifted := range map[string]bool{"none yet": false, "one that drifted": true} {
		t.Run(name, func(t *testing.T) {
			rotationtest.Prove(t, func(w *rotationtest.World) rotationtest.Subject { return subject(w, drifted) })
		})
	}
}

func subject(w *rotationtest.World, drifted bool) rotationtest.Subject {
	admin := w.Seed("admin", `{"username":"`+databasetest.Admin+`","password":"`+adminPassword+`"}`)
	server := databasetest.NewServer(w.Outside, adminPassword)
	server.AddUser(userA, firstPassword, work...)
	if drifted {
		server.AddUser(userB, "not-in-the-secret-yet-4242", work[0], "DELETE ON `shop`.`orders`")
	}
	return rotationtest.Subject{
		Initial: `{"engine":"` + databasetest.Engine + `","host":"db","username":"` + userA +
			`","password":"` + firstPassword + `","masterarn":"` + admin + `"}`,
		Strategy: func(p *rotationtest.Process) (rotation.Strategy, error) {
			return twouser.New(target{server.Target(p)}, twouser.Config{Secrets: database.Mandates{{Secret: "*", Admin: "*", Users: []string{userA, userB}}}, Clone: true, RevokeExtra: drifted})
		},
		Works: func(value rotation.Value) error {
			name, _ := value.Get(database.KeyUser)
			password, _ := value.Get(database.KeyPassword)
			return server.CanWork(name.Reveal(), password.Reveal(), work...)
		},
		Settle:  server.Settle,
		Secrets: []string{firstPassword, adminPassword},
	}
}
