// Package database is what both database strategies and every engine share:
// the account that a secret describes, the session that an engine opens for
// it, the password policy, and which endpoint takes changes.
//
// It opens no connection; engines do.
package database

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/orders-db/rotation"
)

// The keys of a database secret, as AWS's own rotation functions use them.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
// The last three are this project's additions.
const (
	KeyEngine       = "engine"
	KeyHost         = "host"
	KeyPort         = "port"
	KeyDatabase     = "dbname"
	KeyUser         = "username"
	KeyPassword     = "password"
	KeyAdmin        = "masterarn"
	KeyTLS          = "ssl"
	KeyAlternate    = "alternate_username" // two users: the other user's name
	KeyServerName   = "tls_server_name"    // the name in the certificate, where host is an alias of it
	KeyDatabaseHost = "database_host"      // the database itself, where applications reach it by a proxy
)

// Account is one login as a secret describes it.
type Account struct {
	User     string
	Password rotation.Sensitive
	Host     string
	Port     int    // 0: the engine's usual port
	Database string // "": the engine's usual database
	// Plaintext is true only where the secret says "ssl": false. There is no
	// other way to a connection without TLS.
	Plaintext bool
	// ServerName is the name that the server's certificate must carry.
	ServerName string
	AdminARN   string // the admin secret, "" if the secret names none
	Alternate  string // the other user of a pair, "" if the secret names none
	// Admin is true for an administrator. It may change users, and need not be
	// let into the database.
	Admin bool
}

// ParseAccount reads an account from a secret whose engine, if it names one,
// must be among engines. The error is [rotation.CodeBadSecret] and names the
// key, never its value.
func ParseAccount(v rotation.Value, engines []string) (Account, error) {
	bad := func(key, why string) (Account, error) {
		return Account{}, rotation.Errorf(rotation.CodeBadSecret, "key %q %s", key, why)
	}
	text := func(key string) string {
		s, _ := v.Get(key)
		return s.Reveal()
	}
	a := Account{
		User:       text(KeyUser),
		Password:   rotation.NewSensitive(text(KeyPassword)),
		Host:       cmp.Or(text(KeyDatabaseHost), text(KeyHost)),
		Database:   text(KeyDatabase),
		ServerName: text(KeyServerName),
		AdminARN:   text(KeyAdmin),
		Alternate:  text(KeyAlternate),
	}
	if engine := text(KeyEngine); engine != "" && !slices.Contains(engines, engine) {
		return bad(KeyEngine, "is not one of "+strings.Join(engines, ", "))
	}
	for _, key := range []string{KeyHost, KeyUser, KeyPassword} {
		if text(key) == "" {
			return bad(key, "is missing or empty")
		}
	}
	for _, key := range []string{KeyHost, KeyDatabaseHost, KeyUser, KeyPassword, KeyDatabase, KeyAlternate} {
		if strings.ContainsRune(text(key), 0) {
			return bad(key, "holds a NUL character")
		}
	}
	if isProxy(a.Host) {
		return bad(KeyHost, fmt.Sprintf("is an RDS Proxy, which knows only the credentials of registered secrets: put the database's own host into %q", KeyDatabaseHost))
	}
	if port := text(KeyPort); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return bad(KeyPort, "is not a port number")
		}
		a.Port = int(n)
	}
	switch strings.ToLower(text(KeyTLS)) {
	case "", "true":
	case "false":
		a.Plaintext = true
	default:
		return bad(KeyTLS, "is neither true nor false")
	}
	if a.ServerName == "" {
		a.ServerName = a.Host
	}
	return a, nil
}

// SameLogin reports whether a and b are one user on one server, reached in the
// same way, so that the password of one may be offered for the other.
func (a Account) SameLogin(b Account) bool {
	a.Password, a.AdminARN, a.Alternate = b.Password, b.AdminARN, b.Alternate
	return a == b
}

// AsAdmin returns the login of the admin secret v on the server of a. Admin
// secrets that RDS manages hold a user and a password only; one that also
// names a host (the writer, where a reads from a replica) is believed, since it
// is on the function's own list. A proxy is passed by: it leads to a's server.
func (a Account) AsAdmin(v rotation.Value) (Account, error) {
	admin := a.Writer()
	user, _ := v.Get(KeyUser)
	password, _ := v.Get(KeyPassword)
	if user.IsZero() || password.IsZero() {
		return Account{}, rotation.Errorf(rotation.CodeBadSecret, "the admin secret lacks %q or %q", KeyUser, KeyPassword)
	}
	admin.User, admin.Password, admin.AdminARN, admin.Alternate, admin.Admin = user.Reveal(), password, "", "", true
	own, _ := v.Get(KeyDatabaseHost)
	named, _ := v.Get(KeyHost)
	if host := cmp.Or(own.Reveal(), named.Reveal()); host != "" && !strings.EqualFold(host, a.Host) && !isProxy(host) {
		admin.Host, admin.ServerName = host, host
	}
	return admin, nil
}
