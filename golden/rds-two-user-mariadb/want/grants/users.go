// Package grants makes two users of MySQL or MariaDB able to do the same, and
// tells whether they are.
//
// Both servers keep rights user by user, and objects have no owner, so what one
// user made the other may use as far as both were granted the same. What a user
// may do is what SHOW GRANTS says; what else is asked of it at its log-in (the
// host that it comes from, TLS, limits, an authentication plugin) must be equal.
package grants

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"example.com/orders-db/mysqlconn"
	"example.com/orders-db/rotation"
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
	// Traits returns what an account has beside its rights.
	Traits(ctx context.Context, account mysqlconn.Name) (Traits, error)
	// SetDefaultRoles returns the statement that sets [Traits.DefaultRoles].
	SetDefaultRoles(account mysqlconn.Name, roles string) string
	// Identified returns the clause that sets an account's password, and its
	// plugin unless that is "".
	Identified(plugin string, password rotation.Sensitive) string
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
	account mysqlconn.Name
	traits  Traits
	rights  rights
}

// read returns a user with one account. None is [rotation.CodeParity].
func read(ctx context.Context, s Server, name string) (user, error) {
	accounts, err := s.Names(ctx, name)
	if err == nil && len(accounts) == 0 {
		return user{}, rotation.Errorf(rotation.CodeParity, "user %q does not exist", name)
	}
	account, err := mysqlconn.Only(name, accounts, err)
	if err != nil {
		return user{}, err
	}
	u := user{account: account}
	if u.traits, err = s.Traits(ctx, u.account); err != nil {
		return user{}, err
	}
	u.rights, err = granted(ctx, s, fmt.Sprintf("read the rights of %q", name), "SHOW GRANTS FOR "+u.account.String())
	return u, err
}

func granted(ctx context.Context, s Server, doing, show string) (rights, error) {
	rows, err := s.Select(ctx, doing, show)
	if err != nil {
		return rights{}, err
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = row[0]
	}
	return parse(lines)
}

func readBoth(ctx context.Context, s Server, active, inactive string) (a, b user, err error) {
	if a, err = read(ctx, s, active); err != nil {
		return user{}, user{}, err
	}
	b, err = read(ctx, s, inactive)
	return a, b, err
}

// Parity implements [twouser.Session]. It takes a session that is neither's:
// users do not see each other's rights.
func Parity(ctx context.Context, s Server, active, inactive string) error {
	if session := s.Name().User; session == active || session == inactive {
		return rotation.Errorf(rotation.CodePermission, "user %q does not see another's rights", session)
	}
	a, b, err := readBoth(ctx, s, active, inactive)
	if err != nil {
		return err
	}
	if found := differences(a, b); len(found) > 0 {
		return rotation.Errorf(rotation.CodeParity, "%q cannot do the same as %q: %s", inactive, active, strings.Join(found, "; "))
	}
	return nil
}

// differences returns in words what inactive b lacks to take active a's place.
func differences(a, b user) []string {
	var found []string
	if a.account.Host != b.account.Host {
		found = append(found, fmt.Sprintf("it logs in from %q instead of %q", b.account.Host, a.account.Host))
	}
	for _, d := range a.rights.beyond(b.rights) {
		found = append(found, "it lacks "+d.String())
	}
	for _, trait := range changed(a.traits.list(), b.traits.list()) {
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

// Nobodys returns a password that nobody comes to know, and that meets the
// rules there may be for passwords.
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
	account, err := s.Account(ctx, name)
	if err != nil {
		return err
	}
	traits, err := s.Traits(ctx, account)
	if err != nil {
		return err
	}
	return s.Alter(ctx, fmt.Sprintf("set the password of %q", name), fmt.Sprintf("ALTER USER %s %s%s", account, s.Identified(traits.Plugin, password), more))
}
