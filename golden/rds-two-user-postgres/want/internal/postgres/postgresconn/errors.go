package postgresconn

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

// SQLSTATEs that have a meaning of their own here.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	stateBadAuthorization = "28000"
	stateBadPassword      = "28P01"
	stateNoDatabase       = "3D000"
	stateNoPrivilege      = "42501"
	stateNoRole           = "42704"
	stateBadGrant         = "0LP01"
	stateDiskFull         = "53100"
	stateTooManyClients   = "53300"
	stateNoLock           = "55P03"
	stateCancelled        = "57014"
	stateAdminShutdown    = "57P01"
	stateCrashShutdown    = "57P02"
	stateStarting         = "57P03"
	stateProtocol         = "08P01" // PgBouncer's, for most of what it refuses
	stateNotSupported     = "0A000"
	stateIdleSession      = "57P05"
	stateIdleTransaction  = "25P03"
	stateReadOnly         = "25006"
	stateBadParameter     = "22023"
	stateDividedByZero    = "22012"
	stateInternal         = "XX000"
)

// loginError classifies what went wrong between the first byte and the end of
// authentication.
func loginError(err error, account database.Account) error {
	// The driver's error holds the configuration, and that the password.
	if connect, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		err = connect.Unwrap()
	}
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusedLogin(refusal, account)
	}
	if ours, ok := errors.AsType[*rotation.Error](err); ok {
		return ours
	}
	if ended := database.LoginError(err, account.Host); ended != nil {
		return ended
	}
	return rotation.Errorf(rotation.CodeServer, "the server at %q asked for no password, asked for it in a form that is not allowed here, or did not prove that it knows it", account.Host).Because(err)
}

// refusedLogin tells apart what one SQLSTATE stands for. The message would say
// it too, but in the server's language; the name of the C function is the same
// everywhere.
func refusedLogin(refusal *pgconn.PgError, account database.Account) error {
	say := func(code rotation.Code, text string) error {
		return rotation.Errorf(code, "user %q: %s (SQLSTATE %s)", account.User, text, refusal.Code).Because(refusal)
	}
	switch refusal.Code {
	case stateBadPassword:
		return say(rotation.CodeAuthRejected, "the server refuses the password, or the user does not exist, or is past its VALID UNTIL")
	case stateBadAuthorization:
		switch refusal.Routine {
		case "InitializeSessionUserId": // after the password was found right
			return say(rotation.CodeLocked, "the user may not log in")
		case "ClientAuthentication": // before any password was asked for
			if account.Plaintext {
				return say(rotation.CodePermission, "pg_hba.conf or rds.force_ssl admits no such connection without TLS")
			}
			return say(rotation.CodePermission, "pg_hba.conf admits no such connection")
		default: // PAM (rds_iam), LDAP and their like
			return say(rotation.CodeAuthRejected, "the server refuses the credential")
		}
	case stateTooManyClients:
		if slices.Contains(afterPassword, refusal.Routine) {
			return say(rotation.CodeUserLimit, "the password is right, and the limit on connections of the user, the database or ordinary users is reached")
		}
	case stateNoPrivilege:
		return say(rotation.CodePermission, "the user may not connect to the database")
	case stateNoDatabase:
		return say(rotation.CodeServer, "the database does not exist")
	case stateProtocol, stateNotSupported:
		return say(rotation.CodeServer, "the server, or a proxy or pooler before it, refuses the log-in for a reason of its own: see its log; the host must be the database's own")
	}
	return refused(refusal, "log-in")
}

// afterPassword are the functions in which a server counts connections after it has
// found the password right: of the role, of the database, and all but those that are
// kept for superusers. All others count before they look at it.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/init/postinit.c
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/init/miscinit.c
var afterPassword = []string{"InitializeSessionUserId", "CheckMyDatabase", "InitPostgres"}

func identityError(user, session string) error {
	return rotation.Errorf(rotation.CodeIdentity, "logged in as %q, but the server says that the session is %q's", user, session)
}

// statementError classifies the failure of a statement on an open session.
// doing says in words of ours what the statement was for.
func statementError(err error, doing string) error {
	var refusal *pgconn.PgError
	switch {
	case errors.As(err, &refusal):
		return refused(refusal, doing)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return rotation.Errorf(rotation.CodeDeadline, "%s: time ran out", doing).Because(err)
	default:
		return rotation.Errorf(rotation.CodeDisconnected, "%s: the connection broke", doing).Because(err)
	}
}

// refused classifies what a server answered to a statement.
func refused(refusal *pgconn.PgError, doing string) error {
	say := func(code rotation.Code, text string) error {
		return rotation.Errorf(code, "%s: %s (SQLSTATE %s)", doing, text, refusal.Code).Because(refusal)
	}
	switch refusal.Code {
	case stateNoPrivilege:
		return say(rotation.CodePermission, "a privilege is missing")
	case stateReadOnly:
		return say(rotation.CodeNotWriter, "the server is read-only")
	case stateNoLock:
		return say(rotation.CodeBusy, "another session holds the account")
	case stateNoRole:
		return say(rotation.CodeServer, "the role, or what it refers to, does not exist")
	case stateBadGrant:
		return say(rotation.CodeParity, "of the two roles one is a member of the other already")
	case stateCancelled:
		return say(rotation.CodeDeadline, "the server cancelled it: if statement_timeout is set for the role or the database to less than seconds, raise it (ALTER ROLE ... SET statement_timeout)")
	case stateDiskFull:
		return say(rotation.CodeNoSpace, "the server's disk is full")
	case stateTooManyClients:
		return say(rotation.CodeServerFull, "the server has no connection to spare")
	case stateStarting:
		return say(rotation.CodeUnreachable, "the server is starting or stopping")
	case stateAdminShutdown, stateCrashShutdown:
		return say(rotation.CodeDisconnected, "the server ended the session")
	case stateIdleSession, stateIdleTransaction:
		return say(rotation.CodeDisconnected, "the session stood idle too long and the server ended it")
	default:
		return say(rotation.CodeServer, "the server refuses")
	}
}

// changeError is statementError for a statement that carries a new password:
// what stands for a bad parameter or a bad credential elsewhere is there the
// verdict of a password check (passwordcheck, credcheck).
func changeError(err error, doing string) error {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		if refusal.Routine == hashCheck && slices.Contains([]string{stateBadAuthorization, stateInternal}, refusal.Code) {
			return rotation.Errorf(rotation.CodeNoHash, "%s: the server takes passwords as text only, as with credcheck (SQLSTATE %s): "+
				"let it take others (credcheck.encrypted_password_allowed), or set PASSWORD_FORM to text", doing, refusal.Code).Because(refusal)
		}
		switch refusal.Code {
		case stateBadParameter, stateBadAuthorization, stateBadPassword:
			return rotation.Errorf(rotation.CodePolicy, "%s: the server's password rules refuse it (SQLSTATE %s)", doing, refusal.Code).Because(refusal)
		}
	}
	return statementError(err, doing)
}

// hashCheck is the function in which credcheck refuses a password that is hashed. In
// others it judges those that are not.
// https://github.com/MigOpsRepos/credcheck/blob/master/credcheck.c
const hashCheck = "check_password"

// DividedByZero reports whether that is why the server refused a statement.
func DividedByZero(err error) bool {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refusal.Code == stateDividedByZero
}
