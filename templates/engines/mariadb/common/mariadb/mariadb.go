// Package mariadb changes passwords on MariaDB. It treats RDS and self-managed
// servers alike.
//
// A new password reaches the server as the hash that the server would have stored:
// MariaDB writes what it is told into its logs. Servers with a plugin that validates
// passwords may take text only.
package mariadb

import (
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Plugin is the one authentication plugin that this package makes hashes for,
// and MariaDB's usual one.
const Plugin = "mysql_native_password"

// MaxName is how many characters a user's name may have.
// https://mariadb.com/kb/en/create-user/#user-name-component
const MaxName mysqlconn.NameLimit = 128

// Target opens sessions.
type Target struct {
	*mysqlconn.Target
	// Text has new passwords sent as text and not as hashes, for servers that take no
	// other. Their logs may then hold them.
	Text bool
}

// New returns a target that trusts the server certificates that roots vouch
// for and asks for passwords of passwordLength characters. A length that the engine
// cannot use is [rotation.CodeBadConfig].
func New(roots *x509.CertPool, passwordLength int) (*Target, error) {
	conn, err := mysqlconn.New(roots, passwordLength, MaxName)
	if err != nil {
		return nil, err
	}
	return &Target{Target: conn}, nil
}

// Engines returns the words that a secret's key "engine" may have for this
// engine.
func (*Target) Engines() []string { return []string{"mariadb"} }

// Login opens a session as [mysqlconn.Target.Login] does, and refuses MySQL,
// which has another syntax for users.
func (t *Target) Login(ctx context.Context, account database.Account) (*Session, error) {
	conn, err := t.Target.Login(ctx, account)
	if err != nil {
		return nil, err
	}
	if version := conn.Version(); !version.MariaDB {
		conn.Close()
		return nil, rotation.Errorf(rotation.CodeServer, "the server at %q is %s: use that engine", account.Host, version)
	}
	return &Session{conn, t.Text}, nil
}

// Session is a session on MariaDB. It is for one goroutine.
type Session struct {
	*mysqlconn.Session
	text bool // see [Target.Text]
}

var (
	_ database.Session   = (*Session)(nil)
	_ database.Diagnoser = (*Session)(nil)
)

// Form returns what takes password's place in a statement, its hash as a rule.
func (s *Session) Form(password rotation.Sensitive) string {
	if s.text {
		return "PASSWORD(" + mysqlconn.Literal(password.Reveal()) + ")"
	}
	return Hash(password)
}

// Hash returns what the server stores for password, as a quoted text.
func Hash(password rotation.Sensitive) string {
	once := sha1.Sum([]byte(password.Reveal()))
	twice := sha1.Sum(once[:])
	return mysqlconn.Literal("*" + strings.ToUpper(hex.EncodeToString(twice[:])))
}

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

// Names returns the accounts of a user.
func (s *Session) Names(ctx context.Context, user string) ([]mysqlconn.Name, error) {
	rows, err := s.Select(ctx, fmt.Sprintf("look up %q", user), "SELECT host FROM mysql.user WHERE is_role = 'N' AND user = "+mysqlconn.Literal(user))
	names := make([]mysqlconn.Name, len(rows))
	for i, row := range rows {
		names[i] = mysqlconn.Name{User: user, Host: row[0]}
	}
	return names, err
}

// Try implements [database.Session]. Whether an admin may change users it finds
// out on one that does not exist; a user may always change itself.
func (s *Session) Try(ctx context.Context, user string, password rotation.Sensitive) error {
	if err := s.Writable(); err != nil {
		return err
	}
	doing := fmt.Sprintf("try a change of the password of %q", user)
	if err := s.TakesHashes(ctx, doing); err != nil {
		return err
	}
	if err := s.Diagnose(ctx, user); err != nil {
		return err
	}
	if user == s.Name().User {
		names, err := s.Names(ctx, user)
		return mysqlconn.Sole(s.Name(), names, err)
	}
	nobody := mysqlconn.Name{User: "nobody by this name", Host: "localhost"}
	return s.Alter(ctx, doing, fmt.Sprintf("ALTER USER IF EXISTS %s IDENTIFIED VIA %s USING %s", nobody, Plugin, s.Form(password)))
}

// TakesHashes is [rotation.CodeNoHash] if the session sends hashes and its server takes
// none.
// https://mariadb.com/kb/en/server-system-variables/#strict_password_validation
func (s *Session) TakesHashes(ctx context.Context, doing string) error {
	if s.text {
		return nil
	}
	rows, err := s.Query(ctx, doing, "SELECT COUNT(*) FROM information_schema.plugins p JOIN information_schema.global_variables v"+
		" ON v.variable_name = 'STRICT_PASSWORD_VALIDATION' AND v.variable_value = 'ON' WHERE p.plugin_type = 'PASSWORD VALIDATION' AND p.plugin_status = 'ACTIVE'")
	if err == nil && rows[0][0] != "0" {
		return mysqlconn.NoHash(doing)
	}
	return err
}

// Change implements [database.Session]. Of two passwords the user itself changes
// the first; an admin makes it the only one.
func (s *Session) Change(ctx context.Context, user string, password rotation.Sensitive) error {
	doing := fmt.Sprintf("change the password of %q", user)
	if user == s.Name().User { // which may do so without any right
		return s.Alter(ctx, doing, "SET PASSWORD = "+s.Form(password))
	}
	return s.Identify(ctx, doing, user, password)
}

// Identify sets the passwords of another user, any one of which logs in.
func (s *Session) Identify(ctx context.Context, doing, user string, passwords ...rotation.Sensitive) error {
	name, err := s.Account(ctx, user)
	if err != nil {
		return err
	}
	methods := make([]string, len(passwords))
	for i, password := range passwords {
		methods[i] = Plugin + " USING " + s.Form(password)
	}
	return s.Alter(ctx, doing, fmt.Sprintf("ALTER USER %s IDENTIFIED VIA %s", name, strings.Join(methods, " OR ")))
}

// Diagnose implements [database.Diagnoser]. It also refuses a user
// that authenticates by other means than [Plugin].
func (s *Session) Diagnose(ctx context.Context, user string) error {
	name, err := s.Account(ctx, user)
	if err != nil {
		return err
	}
	rest, foreign := s.look(ctx, name)
	switch {
	case strings.Contains(rest, " ACCOUNT LOCK"):
		return rotation.Errorf(rotation.CodeLocked, "user %q is locked", user)
	case strings.Contains(rest, " REQUIRE X509"), strings.Contains(rest, " REQUIRE ISSUER"), strings.Contains(rest, " REQUIRE SUBJECT"), strings.Contains(rest, " REQUIRE CIPHER"):
		return mysqlconn.NeedsCertificate(user)
	case strings.HasSuffix(rest, " PASSWORD EXPIRE"):
		return rotation.Errorf(rotation.CodeExpired, "the password of user %q has expired", user)
	default:
		return foreign
	}
}

// CheckMethods refuses a user that authenticates by other means than [Plugin].
// priv is its column in mysql.global_priv.
// https://mariadb.com/kb/en/mysqlglobal_priv-table/
func CheckMethods(user, priv string) error {
	type method struct {
		Plugin         string
		Authentication string `json:"authentication_string"`
	}
	var first struct {
		method
		Or []method `json:"auth_or"`
	}
	if err := json.Unmarshal([]byte(priv), &first); err != nil {
		return rotation.Errorf(rotation.CodeServer, "mysql.global_priv does not say how user %q authenticates", user)
	}
	if first.Plugin == Plugin && first.Authentication == "" {
		first.Plugin = "no password"
	}
	for _, m := range append(first.Or, first.method) {
		if m.Plugin != Plugin && m.Plugin != "" { // among several, the first has no name
			return foreign(user, m.Plugin)
		}
	}
	return nil
}

func foreign(user, plugin string) error {
	return rotation.Errorf(rotation.CodeServer, "user %q authenticates by %s: only %s can be rotated", user, plugin, Plugin)
}

// look returns what SHOW CREATE USER says behind the means of authentication,
// and an error if one of them is not [Plugin].
func (s *Session) look(ctx context.Context, name mysqlconn.Name) (rest string, err error) {
	rows, err := s.Query(ctx, fmt.Sprintf("look up %q", name.User), "SHOW CREATE USER "+name.String())
	if err != nil {
		return "", err
	}
	methods, rest := methodsOf(rows[0][0])
	for _, plugin := range methods {
		if plugin != Plugin {
			return rest, foreign(name.User, plugin)
		}
	}
	return rest, nil
}

// methodsOf reads, from what SHOW CREATE USER returns, the authentication
// plugins of a user and what follows them. Names and hashes are in quotes, so
// that everything outside of them is the server's own.
func methodsOf(createUser string) (plugins []string, rest string) {
	words := outsideQuotes(createUser)
	_, identified, ok := strings.Cut(words, " IDENTIFIED ")
	if !ok {
		return []string{"no password"}, words
	}
	if rest, ok := strings.CutPrefix(identified, "BY PASSWORD"); ok {
		return []string{Plugin}, rest
	}
	identified = strings.TrimPrefix(identified, "VIA ")
	for {
		plugin, after, _ := strings.Cut(identified, " ")
		plugins = append(plugins, plugin)
		after = strings.TrimSpace(strings.TrimPrefix(after, "USING"))
		more, ok := strings.CutPrefix(after, "OR ")
		if !ok {
			return plugins, " " + after
		}
		identified = more
	}
}

// outsideQuotes leaves out everything in quotes, with them.
func outsideQuotes(text string) string {
	var out strings.Builder
	var quote rune
	for _, r := range text {
		switch {
		case quote != 0:
			if r == quote { // a doubled one begins another quotation
				quote = 0
			}
		case r == '\'' || r == '`' || r == '"':
			quote = r
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
