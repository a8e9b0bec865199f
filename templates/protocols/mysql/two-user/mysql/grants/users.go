// Package grants makes two users of MySQL or MariaDB able to do the same, and
// tells whether they are.
//
// Both servers keep rights user by user, and objects have no owner, so each user
// may use the objects of the other as far as both were granted the same. SHOW
// GRANTS tells a user's rights; the other conditions of a log-in (the host that
// it comes from, TLS, limits, an authentication plugin) must be equal.
package grants

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// Server is a session on a server, with what its kind says in words of its own.
type Server interface {
	Name() mysqlconn.Name
	Writable() error
	Exec(ctx context.Context, doing, statement string) error
	Alter(ctx context.Context, doing, statement string) error
	Select(ctx context.Context, doing, statement string) (mysqlconn.Rows, error)
	// Mine returns the statement that shows what the session may do.
	Mine(ctx context.Context) (string, error)
	// Names returns the accounts of a user, one for each host part.
	Names(ctx context.Context, user string) ([]mysqlconn.Name, error)
	// Account returns the one account of a user.
	Account(ctx context.Context, user string) (mysqlconn.Name, error)
	// CheckName refuses a name that is too long for the server.
	CheckName(user string) error
	// Users returns what the accounts of users have beside their rights, in one
	// round trip.
	Users(ctx context.Context, users ...string) ([]User, error)
	// Lately is where the session keeps what it has just read.
	Lately() *Lately
	// SetDefaultRoles returns the statement that sets [Traits.DefaultRoles].
	SetDefaultRoles(account mysqlconn.Name, roles string) string
	// Identified returns the clause that sets an account's password, and its
	// plugin unless that is "".
	Identified(plugin string, password rotation.Sensitive) string
}

// User is an account and what it has beside its rights.
type User struct {
	Account mysqlconn.Name
	Traits  Traits
	Rules   Rules // its server's
	// Secondary is whether a second password may log in.
	Secondary bool
}

// Rules are those by which a server reads what was granted.
type Rules struct {
	// Literal is whether _ and % in the names of databases stand for themselves.
	Literal bool
	// FirstWildcard is whether the one of two names is more specific whose first
	// wildcard comes later.
	FirstWildcard bool
	// RolesMerge is whether the rights on databases are looked for among those
	// of the user and of its roles at once.
	RolesMerge bool
	// OnDatabases is what ALL PRIVILEGES means on a database.
	OnDatabases []string
}

// Traits are what an account has beside its rights, in the words of ALTER USER.
type Traits struct {
	Plugin       string
	Require      string   // NONE, SSL, X509 or what a certificate must say
	Limits       []Option // what follows WITH
	Passwords    []Option // the rules for its passwords
	DefaultRoles string   // a list, or NONE
}

// Option is a word, or several, and the value behind it.
type Option struct{ Name, Value string }

// String returns the option as ALTER USER takes it.
func (o Option) String() string { return strings.TrimSpace(o.Name + " " + o.Value) }

// Require returns the TLS requirement that the columns ssl_type, ssl_cipher,
// x509_issuer and x509_subject of mysql.user describe.
func Require(kind, cipher, issuer, subject string) string {
	switch kind {
	case "":
		return "NONE"
	case "ANY":
		return "SSL"
	case "X509":
		return kind
	}
	var require []string
	for _, part := range []Option{{"CIPHER", cipher}, {"ISSUER", issuer}, {"SUBJECT", subject}} {
		if part.Value != "" {
			require = append(require, part.Name+" "+mysqlconn.Literal(part.Value))
		}
	}
	return strings.Join(require, " ")
}

// user is what is known of one of the two users.
type user struct {
	User
	rights rights
}

// Lately is what a session knows of users because it read it with its last
// statements, and need not ask again.
type Lately struct{ users map[string]user }

// keep remembers users instead of others.
func (l *Lately) keep(users ...user) {
	l.users = map[string]user{}
	for _, u := range users {
		l.users[u.Account.User] = u
	}
}

// take returns a user and forgets all of them: the next statement may change
// what is known.
func (l *Lately) take(name string) (u user, ok bool) {
	u, ok = l.users[name]
	l.users = nil
	return u, ok
}

// look returns what the one account of a user has. None is [rotation.CodeParity].
func look(ctx context.Context, s Server, name string) (User, error) {
	users, err := s.Users(ctx, name)
	return only(name, users, err)
}

// only picks the one account of a user.
func only(name string, users []User, err error) (User, error) {
	var its []User
	var accounts []mysqlconn.Name
	for _, u := range users {
		if u.Account.User == name {
			its, accounts = append(its, u), append(accounts, u.Account)
		}
	}
	if err == nil && len(its) == 0 {
		return User{}, rotation.Errorf(rotation.CodeParity, "user %q does not exist", name)
	}
	if _, err := mysqlconn.Only(name, accounts, err); err != nil {
		return User{}, err
	}
	return its[0], nil
}

// equip adds what the user was granted.
func equip(ctx context.Context, s Server, u User) (user, error) {
	rights, err := granted(ctx, s, u.Rules, fmt.Sprintf("read the rights of %q", u.Account.User), "SHOW GRANTS FOR "+u.Account.String())
	return user{u, rights}, err
}

func granted(ctx context.Context, s Server, rules Rules, doing, show string) (rights, error) {
	rows, err := s.Select(ctx, doing, show)
	if err != nil {
		return rights{}, err
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = row[0]
	}
	return parse(lines, rules)
}

func readBoth(ctx context.Context, s Server, active, inactive string) (a, b user, err error) {
	users, err := s.Users(ctx, active, inactive)
	for _, one := range []struct {
		name string
		into *user
	}{{active, &a}, {inactive, &b}} {
		var u User
		if u, err = only(one.name, users, err); err != nil {
			return user{}, user{}, err
		}
		if *one.into, err = equip(ctx, s, u); err != nil {
			return user{}, user{}, err
		}
	}
	return a, b, nil
}

// Parity implements [twouser.Session]. It takes a session that is neither's:
// users do not see each other's rights.
func Parity(ctx context.Context, s Server, active, inactive string) error {
	if session := s.Name().User; session == active || session == inactive {
		return rotation.Errorf(rotation.CodePermission, "user %q does not see another's rights", session)
	}
	a, b, err := compared(ctx, s, active, inactive)
	if err != nil {
		return err
	}
	if found := differences(a, b); len(found) > 0 {
		return rotation.Errorf(rotation.CodeParity, "%q cannot do the same as %q: %s", inactive, active, strings.Join(found, "; "))
	}
	s.Lately().keep(b)
	return nil
}

// compared reads both users, unless [Reconcile] has just done so and found
// nothing to do.
func compared(ctx context.Context, s Server, active, inactive string) (a, b user, err error) {
	known := s.Lately().users
	a, hasA := known[active]
	b, hasB := known[inactive]
	if s.Lately().users = nil; hasA && hasB {
		return a, b, nil
	}
	return readBoth(ctx, s, active, inactive)
}

// differences returns in words what inactive b lacks to take active a's place.
func differences(a, b user) []string {
	var found []string
	if a.Account.Host != b.Account.Host {
		found = append(found, fmt.Sprintf("it logs in from %q instead of %q", b.Account.Host, a.Account.Host))
	}
	for _, d := range a.rights.beyond(b.rights) {
		found = append(found, "it lacks "+d.String())
	}
	for _, on := range append(a.rights.hiding(b.rights), b.rights.hiding(a.rights)...) {
		found = append(found, fmt.Sprintf("only one of them has rights of its own on %s, which may hide a role's: grant them to both, or revoke them", on))
	}
	for _, trait := range changed(a.Traits.list(), b.Traits.list()) {
		found = append(found, fmt.Sprintf("%s is another", trait.Name))
	}
	return found
}

// list returns the traits one by one.
func (t Traits) list() []Option {
	all := []Option{{"the authentication plugin", t.Plugin}, {"REQUIRE", t.Require}, {"DEFAULT ROLE", t.DefaultRoles}}
	return append(append(all, t.Limits...), t.Passwords...)
}

// changed returns the options of want that are others in have, which has the
// same ones.
func changed(want, have []Option) []Option {
	var found []Option
	for i, option := range want {
		if option != have[i] {
			found = append(found, option)
		}
	}
	return found
}

// Create implements [twouser.Session]. The host part is put right by Reconcile.
func Create(ctx context.Context, s Server, name string) error {
	if err := checkName(s, name); err != nil {
		return err
	}
	accounts, err := s.Names(ctx, name)
	if err != nil || len(accounts) > 0 {
		return err
	}
	return s.Alter(ctx, fmt.Sprintf("create %q", name), fmt.Sprintf("CREATE USER %s %s ACCOUNT LOCK",
		mysqlconn.Name{User: name, Host: "%"}, s.Identified("", Nobodys())))
}

// checkName refuses the name of a user to be made that the server would change:
// it leaves out spaces around one.
func checkName(s Server, name string) error {
	if strings.Trim(name, " ") != name {
		return rotation.Errorf(rotation.CodeBadUsers, "the name %q begins or ends with a space, which the server would leave out", name)
	}
	return s.CheckName(name)
}

// Nobodys returns a random password that is stored nowhere and meets common
// password rules.
func Nobodys() rotation.Sensitive { return rotation.NewSensitive(rand.Text() + "-a1B") }

// Activate implements [twouser.Session].
func Activate(ctx context.Context, s Server, name string, password rotation.Sensitive) error {
	return set(ctx, s, name, password, " ACCOUNT UNLOCK")
}

// Change implements [database.Session] for the password of another user.
func Change(ctx context.Context, s Server, name string, password rotation.Sensitive) error {
	return set(ctx, s, name, password, "")
}

func set(ctx context.Context, s Server, name string, password rotation.Sensitive, more string) error {
	doing := fmt.Sprintf("set the password of %q", name)
	known, ok := s.Lately().take(name)
	u := known.User
	if !ok {
		var err error
		if u, err = look(ctx, s, name); err != nil {
			return err
		}
	}
	// A secondary password would survive, and it may have leaked.
	if u.Secondary {
		if err := s.Alter(ctx, doing, fmt.Sprintf("ALTER USER %s DISCARD OLD PASSWORD", u.Account)); err != nil {
			return err
		}
	}
	return s.Alter(ctx, doing, fmt.Sprintf("ALTER USER %s %s%s", u.Account, s.Identified(u.Traits.Plugin, password), more))
}
