// Package database is what both database strategies and every engine share:
// the account that a secret describes, the session that an engine opens for
// it, the password policy, and which endpoint takes changes.
//
// It opens no connection; engines do.
package database

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// The keys of a database secret, as AWS's own rotation functions use them.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
// The last four are this project's additions.
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
	KeyClearText    = "clear_text"         // admin secret: the server may ask for the password in clear text, as for LDAP and PAM
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
	// ClearText lets the server ask for an administrator's password in clear text,
	// over TLS. It is true only where the admin secret says so.
	ClearText bool
	AdminARN  string // the admin secret, "" if the secret names none
	Alternate string // the other user of a pair, "" if the secret names none
	// Admin is true for an administrator. It may change users, and need not be
	// let into the database.
	Admin bool
}

// ParseAccount reads an account from a secret whose engine, if it names one,
// must be among engines. The error is [rotation.CodeBadSecret] and names the
// key, never its value.
func ParseAccount(v rotation.Value, engines []string) (Account, error) {
	a := Account{
		User:       text(v, KeyUser),
		Password:   rotation.NewSensitive(text(v, KeyPassword)),
		Host:       cmp.Or(text(v, KeyDatabaseHost), text(v, KeyHost)),
		Database:   text(v, KeyDatabase),
		AdminARN:   text(v, KeyAdmin),
		Alternate:  text(v, KeyAlternate),
		ServerName: text(v, KeyServerName),
	}
	if engine := text(v, KeyEngine); engine != "" && !slices.Contains(engines, engine) {
		return Account{}, bad(KeyEngine, "is not one of "+strings.Join(engines, ", "))
	}
	for _, key := range []string{KeyHost, KeyUser, KeyPassword} {
		if text(v, key) == "" {
			return Account{}, bad(key, "is missing or empty")
		}
	}
	for _, key := range []string{KeyHost, KeyDatabaseHost, KeyUser, KeyPassword, KeyDatabase, KeyAlternate} {
		if strings.ContainsRune(text(v, key), 0) {
			return Account{}, bad(key, "holds a NUL character")
		}
	}
	for _, key := range []string{KeyHost, KeyDatabaseHost} {
		if err := checkHost(v, key); err != nil {
			return Account{}, err
		}
	}
	if isProxy(a.Host) {
		return Account{}, bad(KeyHost, fmt.Sprintf("is an RDS Proxy, which knows only the credentials of registered secrets: put the database's own host into %q", KeyDatabaseHost))
	}
	var err error
	if a.Port, err = port(v); err != nil {
		return Account{}, err
	}
	if a.Plaintext, err = plaintext(v); err != nil {
		return Account{}, err
	}
	a.ServerName = cmp.Or(a.ServerName, a.Host)
	return a, nil
}

func text(v rotation.Value, key string) string {
	s, _ := v.Get(key)
	return s.Reveal()
}

// checkHost refuses a host that stands in a URL or beside its port.
func checkHost(v rotation.Value, key string) error {
	host := text(v, key)
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	switch {
	case strings.ContainsAny(host, "/@ \t\r\n"):
		return bad(key, "is not a host alone: it must have no scheme, no user, no path and no space")
	case strings.Contains(host, ":"):
		return bad(key, fmt.Sprintf("holds a port, which belongs into key %q", KeyPort))
	default:
		return nil
	}
}

func port(v rotation.Value) (int, error) {
	named := text(v, KeyPort)
	if named == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(named, 10, 16)
	if err != nil || n == 0 {
		return 0, bad(KeyPort, "is not a port number")
	}
	return int(n), nil
}

func plaintext(v rotation.Value) (bool, error) {
	encrypted, err := truth(v, KeyTLS, true)
	return !encrypted, err
}

// truth reads a key that says yes or no, fallback if it is missing.
func truth(v rotation.Value, key string, fallback bool) (bool, error) {
	switch strings.ToLower(text(v, key)) {
	case "":
		return fallback, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, bad(key, "is neither true nor false")
	}
}

func bad(key, why string) error {
	return rotation.Errorf(rotation.CodeBadSecret, "key %q %s", key, why)
}

// SameLogin reports whether a and b are one user on one server, reached in the
// same way, so that the password of one may be offered for the other.
func (a Account) SameLogin(b Account) bool {
	a.Password, a.AdminARN, a.Alternate = b.Password, b.AdminARN, b.Alternate
	return a == b
}

// AsAdmin returns the login of the admin secret v on the server of a. A user that may
// write to a's secret must not decide how the admin's password is sent: over TLS
// unless v itself says "ssl": false, and in clear text only if v says "clear_text":
// true. If v names a host (or database_host), the password goes there, by the port and
// tls_server_name of v. Admin secrets that RDS manages name no host: the password then
// goes to a's host, and so it does if v names a proxy.
func (a Account) AsAdmin(v rotation.Value) (Account, error) {
	user, password := text(v, KeyUser), text(v, KeyPassword)
	if user == "" || password == "" {
		return Account{}, rotation.Errorf(rotation.CodeBadSecret, "the admin secret lacks %q or %q", KeyUser, KeyPassword)
	}
	unsafe, err := plaintext(v)
	if err != nil {
		return Account{}, rotation.Within("admin secret", err)
	}
	clear, err := truth(v, KeyClearText, false)
	if err != nil {
		return Account{}, rotation.Within("admin secret", err)
	}
	own, err := port(v)
	if err != nil {
		return Account{}, rotation.Within("admin secret", err)
	}
	for _, key := range []string{KeyHost, KeyDatabaseHost} {
		if err := checkHost(v, key); err != nil {
			return Account{}, rotation.Within("admin secret", err)
		}
	}
	admin := Account{
		User: user, Password: rotation.NewSensitive(password), Admin: true, Plaintext: unsafe, ClearText: clear,
		Host: a.Host, Port: a.Port, ServerName: a.ServerName, Database: a.Database,
	}
	if host := cmp.Or(text(v, KeyDatabaseHost), text(v, KeyHost)); host != "" && !isProxy(host) {
		admin.Host, admin.Port, admin.ServerName = host, cmp.Or(own, a.Port), cmp.Or(text(v, KeyServerName), host)
	}
	return admin.Writer(), nil
}

// The cluster endpoints of Aurora, of Multi-AZ clusters and of DocumentDB, and
// those of RDS Proxy, in every partition.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/multi-az-db-clusters-concepts-connection-management.html
// https://docs.aws.amazon.com/documentdb/latest/developerguide/endpoints.html
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-endpoints.html
var (
	readerEndpoint = regexp.MustCompile(`(?i)^([^.]+\.cluster-)ro-([^.]+` + region + `)$`)
	customEndpoint = regexp.MustCompile(`(?i)^[^.]+\.cluster-custom-[^.]+` + region + `$`)
	proxyEndpoint  = regexp.MustCompile(`(?i)^[^.]+\.(?:endpoint\.)?proxy-[^.]+` + region + `$`)
)

// region matches the rest of the names. In China the region stands behind the service.
const region = `\.(?:[^.]+\.(?:rds|docdb)\.amazonaws\.com|(?:rds|docdb)\.[^.]+\.amazonaws\.com\.cn)\.?`

// Writer returns a with the endpoint that takes changes: a reader endpoint
// (name.cluster-ro-id.region.rds.amazonaws.com) becomes its cluster endpoint
// (name.cluster-id....). Every other host stays as it is: an instance or custom
// endpoint does not tell where the writer is, and the engine finds out by
// asking the server whether it is read-only.
func (a Account) Writer() Account {
	host := readerEndpoint.ReplaceAllString(a.Host, "$1$2")
	if a.ServerName == a.Host {
		a.ServerName = host
	}
	a.Host = host
	return a
}

// MayLag reports whether a's host may answer from a replica, which learns of a
// change a moment later than the writer.
func (a Account) MayLag() bool {
	return readerEndpoint.MatchString(a.Host) || customEndpoint.MatchString(a.Host)
}

// lagPause is the time between two log-ins on a replica that may not have
// learned of a new password yet.
const lagPause = 500 * time.Millisecond

// RideOut calls prove, which logs in as a. On a host that may be a replica it
// does so again while the password is refused, until wait fails: the replica is
// given the rest of the invocation to learn of it.
func (a Account) RideOut(wait func(time.Duration) error, prove func() error) error {
	for {
		err := prove()
		if !a.MayLag() || rotation.CodeOf(err) != rotation.CodeAuthRejected || wait(lagPause) != nil {
			return err
		}
	}
}

// isProxy reports whether host is an RDS Proxy. A proxy does not reveal the host of
// its database.
func isProxy(host string) bool { return proxyEndpoint.MatchString(host) }
