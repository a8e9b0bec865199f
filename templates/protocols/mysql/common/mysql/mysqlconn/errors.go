package mysqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Error numbers that have a meaning of their own here. Above 1900 and below
// 2000, and from 4000 on, MySQL and MariaDB number differently.
// https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html
// https://mariadb.com/kb/en/mariadb-error-code-reference/
const (
	numberDiskFull            = 1021
	numberTooManyConnections  = 1040
	numberNoDatabaseAccess    = 1044
	numberAccessDenied        = 1045
	numberNoDatabase          = 1049
	numberShutdown            = 1053
	numberHostBlocked         = 1129
	numberHostNotPrivileged   = 1130
	numberNoTableAccess       = 1142
	numberNoColumnAccess      = 1143
	numberTableFull           = 1114
	numberUserTooMany         = 1203
	numberLockTimeout         = 1205
	numberDeadlock            = 1213
	numberUserLimit           = 1226
	numberNoPrivilege         = 1227
	numberOptionPrevents      = 1290
	numberInterrupted         = 1317
	numberNoRoutineAccess     = 1370
	numberCannotUser          = 1396
	numberNoGrantRight        = 1410
	numberNoPasswordLogin     = 1698
	numberReadOnlyTransaction = 1792
	numberMustChange          = 1820
	numberWeakPassword        = 1819
	numberReadOnly            = 1836
	numberMustChangeLogin     = 1862
	numberKilled              = 1927 // MariaDB
	numberStatementTimeout    = 1969 // MariaDB
	numberExecutionTime       = 3024
	numberLocked              = 3118
	numberTLSRequired         = 3159
	numberHistory             = 3638
	numberIsCurrent           = 3893 // REPLACE while changing another user
	numberNotCurrent          = 3891
	numberBlocked             = 3955 // after too many wrong passwords
	numberIdle                = 4031 // MySQL
	numberBlockedMariaDB      = 4150
	numberLockedMariaDB       = 4151
	numberProxy               = 9000 // from here on, ProxySQL's own
)

// loginError classifies what went wrong between the first byte and the end of
// authentication.
func loginError(err error, account database.Account, address string) error {
	if _, ok := errors.AsType[*rotation.Error](err); ok { // of the dialling
		return err
	}
	if refusal, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return refusedLogin(refusal, account)
	}
	switch code := rotation.ConnectionCode(err); {
	case errors.Is(err, mysql.ErrNoTLS):
		return database.TLSError(errors.Join(database.ErrNoTLS, err), address, account.ServerName)
	case code == rotation.CodeNoAnswer, code == rotation.CodeDisconnected:
		return database.LoginError(err, address)
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn):
		return database.HungUp(err, address)
	case code != "":
		return database.TLSError(err, address, account.ServerName)
	default:
		return rotation.Errorf(rotation.CodeServer, "%q does not speak MySQL's protocol, or wants to authenticate user %q by other means than a password", address, account.User).Because(err)
	}
}

// refusedLogin classifies what a server answered to a log-in.
func refusedLogin(refusal *mysql.MySQLError, account database.Account) error {
	say := func(code rotation.Code, text string) error {
		return rotation.Errorf(code, "user %q: %s (error %d)", account.User, text, refusal.Number).Because(refusal)
	}
	switch refusal.Number {
	case numberAccessDenied, numberNoPasswordLogin:
		return say(rotation.CodeAuthRejected, "the server refuses the password, has no such user for this function's address, or asks the user for a client certificate (REQUIRE X509)")
	case numberLocked, numberLockedMariaDB:
		return say(rotation.CodeLocked, "the account is locked")
	case numberBlocked, numberBlockedMariaDB:
		return say(rotation.CodeLocked, "the account is locked after too many wrong passwords")
	case numberMustChange, numberMustChangeLogin:
		return say(rotation.CodeExpired, "the password has expired")
	case numberHostNotPrivileged:
		return say(rotation.CodePermission, "no account admits this function's address")
	case numberHostBlocked:
		return say(rotation.CodePermission, "the server blocks this function's address after too many failed connections")
	case numberNoDatabaseAccess:
		return say(rotation.CodePermission, "the user may not use the database")
	case numberTLSRequired:
		return say(rotation.CodePermission, "the server admits no connection without TLS")
	case numberUserTooMany, numberUserLimit: // which are looked at after the password
		return say(rotation.CodeUserLimit, "the password is right, and "+limitReached(refusal))
	case numberNoDatabase:
		return say(rotation.CodeServer, "the database does not exist")
	}
	if refusal.Number >= numberProxy {
		return say(rotation.CodeServer, "a proxy before the server, such as ProxySQL, refuses the log-in in words of its own: see its log")
	}
	return refused(refusal, "log-in")
}

// userLimits maps the names of limits in a server's refusals to their names in
// GRANT and ALTER USER.
// https://github.com/mysql/mysql-server/blob/mysql-8.4.0/sql/sql_connect.cc
var userLimits = map[string]string{
	"'max_user_connections'":     "MAX_USER_CONNECTIONS",
	"'max_connections_per_hour'": "MAX_CONNECTIONS_PER_HOUR",
	"'max_questions'":            "MAX_QUERIES_PER_HOUR",
	"'max_updates'":              "MAX_UPDATES_PER_HOUR",
}

// limitReached says which limit of the user is, and how to raise it.
func limitReached(refusal *mysql.MySQLError) string {
	for said, limit := range userLimits {
		if strings.Contains(refusal.Message, said) {
			return limit + " of the user is reached: raise it with ALTER USER ... WITH " + limit
		}
	}
	return "a limit of the user is reached: on connections, or on log-ins, queries or updates in an hour"
}

// statementError classifies the failure of a statement on an open session, and
// returns nil for nil. doing names the statement's purpose.
func statementError(err error, doing string) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return refused(refusal, doing)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return rotation.Errorf(rotation.CodeDeadline, "%s: time ran out", doing).Because(err)
	}
	return rotation.Errorf(rotation.CodeDisconnected, "%s: the connection broke", doing).Because(err)
}

// refused classifies what a server answered to a statement. An error that means
// a wrong password at the log-in means a missing right here.
func refused(refusal *mysql.MySQLError, doing string) error {
	say := func(code rotation.Code, text string) error {
		return rotation.Errorf(code, "%s: %s (error %d)", doing, text, refusal.Number).Because(refusal)
	}
	switch refusal.Number {
	case numberAccessDenied, numberNoPasswordLogin, numberNoDatabaseAccess, numberNoTableAccess, numberNoColumnAccess,
		numberNoPrivilege, numberNoRoutineAccess, numberNoGrantRight:
		return say(rotation.CodePermission, "a privilege is missing, or comes with a role that is not active at the log-in (SET DEFAULT ROLE)")
	case numberReadOnly, numberReadOnlyTransaction:
		return say(rotation.CodeNotWriter, "the server is read-only")
	case numberOptionPrevents:
		return say(rotation.CodePermission, "an option of the server forbids it, such as read_only or strict_password_validation")
	case numberLockTimeout, numberDeadlock:
		return say(rotation.CodeBusy, "another session holds the account")
	case numberInterrupted:
		return say(rotation.CodeDeadline, "the server cancelled it")
	case numberExecutionTime:
		return say(rotation.CodeDeadline, "the server cancelled it after max_execution_time: if that is set to less than seconds, raise it")
	case numberStatementTimeout:
		return say(rotation.CodeDeadline, "the server cancelled it after max_statement_time: if that is set for the user or the server to less than seconds, raise it")
	case numberMustChange:
		return say(rotation.CodeExpired, "the session's password has expired")
	case numberUserTooMany, numberUserLimit:
		return say(rotation.CodeUserLimit, limitReached(refusal))
	case numberTooManyConnections:
		return say(rotation.CodeServerFull, "the server has no connection to spare")
	case numberShutdown, numberKilled, numberIdle:
		return say(rotation.CodeDisconnected, "the server ended the session")
	case numberDiskFull, numberTableFull:
		return say(rotation.CodeNoSpace, "the server's disk is full")
	case numberCannotUser:
		return say(rotation.CodeServer, "the user, or the role, does not exist")
	default:
		return say(rotation.CodeServer, "the server refuses")
	}
}

// changeError is statementError for a statement that carries a new password,
// which the server may refuse by its rules.
func changeError(err error, doing string) error {
	refusal, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return statementError(err, doing)
	}
	if refusal.Number == numberOptionPrevents && strings.Contains(refusal.Message, "strict-password-validation") {
		return NoHash(doing)
	}
	switch refusal.Number {
	case numberWeakPassword, numberHistory:
		return rotation.Errorf(rotation.CodePolicy, "%s: the server's password rules refuse it (error %d)", doing, refusal.Number).Because(refusal)
	default:
		return statementError(err, doing)
	}
}

// NoHash is why a server with a password validation plugin refuses hashes.
func NoHash(doing string) error {
	return rotation.Errorf(rotation.CodeNoHash, "%s: with a password validation plugin and strict_password_validation on, the server takes passwords as text only: "+
		"switch that off, or set PASSWORD_FORM to text", doing)
}

// NotPrimary reports whether err is the server's answer that the password to
// be replaced is not the user's primary one.
func NotPrimary(err error) bool { return isNumber(err, numberNotCurrent) }

// NotOwn reports whether err is the server's answer that the user to be
// changed is another than the session's.
func NotOwn(err error) bool { return isNumber(err, numberIsCurrent) }

func isNumber(err error, number uint16) bool {
	refusal, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && refusal.Number == number
}

// NeedsCertificate is why no password logs in as user.
func NeedsCertificate(user string) error {
	return rotation.Errorf(rotation.CodePermission, "the server asks user %q for a client certificate (REQUIRE X509, ISSUER, SUBJECT or CIPHER), which the function does not have: use REQUIRE SSL", user)
}
