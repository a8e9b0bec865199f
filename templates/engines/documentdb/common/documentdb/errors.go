package documentdb

import (
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// Error codes that have a meaning of their own here.
// https://www.mongodb.com/docs/manual/reference/error-codes/
const (
	codeBadValue             = 2
	codeUserNotFound         = 11
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeRoleNotFound         = 31
	codeMaxTimeExpired       = 50
	codeCommandNotFound      = 59
	codeShutdown             = 91
	codeSteppedDown          = 189
	codeNotPrimary           = 10107
	codeInterruptedShutdown  = 11600
	codeInterruptedChange    = 11602
	codeNotPrimaryOrRead     = 13435
	codeOutOfDiskSpace       = 14031
	codeUserExists           = 51003
)

// refusal returns what the server answered in place of doing a command, nil if
// err is not its answer: the driver reports a broken connection as a
// [mongo.CommandError] too.
func refusal(err error) *mongo.CommandError {
	if answer, ok := errors.AsType[mongo.CommandError](err); ok && answer.Code != 0 {
		return &answer
	}
	return nil
}

// loginError classifies what went wrong between the first byte and the end of
// the log-in.
func loginError(err error, account database.Account) error {
	if _, ok := errors.AsType[*rotation.Error](err); ok {
		return err
	}
	answer := refusal(err)
	switch {
	case answer != nil && answer.Code == codeAuthenticationFailed:
		return rotation.Errorf(rotation.CodeAuthRejected, "user %q: the server refuses the password, or the user does not exist", account.User).Because(err)
	case answer != nil:
		return refused(*answer, "log-in")
	// A driver that was left without a connection calls that a time-out as well.
	case errors.Is(err, context.DeadlineExceeded):
		return database.Silent(err, account.Host)
	case errors.Is(err, errSpent), mongo.IsTimeout(err), mongo.IsNetworkError(err):
		return database.HungUp(err, account.Host)
	default:
		return rotation.Errorf(rotation.CodeServer, "the server at %q asks for the password in a form that is not known here, or did not prove that it knows it", account.Host).Because(err)
	}
}

// commandError classifies the failure of a command on an open session, nil for
// nil. doing says in words of ours what the command was for.
func commandError(err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*rotation.Error](err); ok {
		return err
	}
	if answer := refusal(err); answer != nil {
		return refused(*answer, doing)
	}
	if mongo.IsTimeout(err) || errors.Is(err, context.Canceled) {
		return rotation.Errorf(rotation.CodeDeadline, "%s: time ran out", doing).Because(err)
	}
	return rotation.Errorf(rotation.CodeDisconnected, "%s: the connection broke", doing).Because(err)
}

// refused classifies what a server answered to a command.
func refused(answer mongo.CommandError, doing string) error {
	say := func(code rotation.Code, text string) error {
		return rotation.Errorf(code, "%s: %s (code %d)", doing, text, answer.Code).Because(answer)
	}
	switch answer.Code {
	case codeUnauthorized:
		return say(rotation.CodePermission, "a privilege is missing")
	case codeNotPrimary, codeNotPrimaryOrRead:
		return say(rotation.CodeNotWriter, "the server takes no changes")
	case codeUserNotFound:
		return say(rotation.CodeServer, "the user does not exist")
	case codeRoleNotFound:
		return say(rotation.CodeServer, "a role does not exist")
	case codeCommandNotFound:
		return say(rotation.CodeServer, "the server does not know the command")
	case codeMaxTimeExpired:
		return say(rotation.CodeDeadline, "the server cancelled it")
	case codeOutOfDiskSpace:
		return say(rotation.CodeNoSpace, "the server's disk is full")
	// A change that was under way then may be in force or not.
	case codeShutdown, codeSteppedDown, codeInterruptedShutdown, codeInterruptedChange:
		return say(rotation.CodeDisconnected, "the server is stopping, or changing its part")
	default:
		return say(rotation.CodeServer, "the server refuses")
	}
}

// changeError is commandError for a command that has nothing but a new password
// to find fault with.
func changeError(err error, doing string) error {
	if answer := refusal(err); answer != nil && answer.Code == codeBadValue {
		return rotation.Errorf(rotation.CodePolicy, "%s: the server's password rules refuse it (code %d)", doing, answer.Code).Because(err)
	}
	return commandError(err, doing)
}

// Exists reports whether err says that a user is there already.
func Exists(err error) bool {
	answer := refusal(err)
	return answer != nil && answer.Code == codeUserExists
}
