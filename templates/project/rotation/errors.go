package rotation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// Code says in a stable word why a step failed. Alarms, the runbook and tests
// refer to codes, never to message texts.
type Code string

// Codes for the event, the function's configuration and the secret's labels.
const (
	CodeBadEvent         Code = "bad-event"          // not a rotation event and not a preflight
	CodeBadConfig        Code = "bad-config"         // an environment variable cannot be used
	CodeSecretNotAllowed Code = "secret-not-allowed" // an ARN outside ALLOWED_SECRETS
	CodeRotationOff      Code = "rotation-off"       // rotation is not enabled for the secret
	CodeUnknownToken     Code = "unknown-token"      // the secret has no labelled version with that token
	CodeNotPending       Code = "not-pending"        // the token's version does not hold AWSPENDING
	CodeNoCurrent        Code = "no-current"         // the secret was never given a value
	CodeNoPendingValue   Code = "no-pending-value"   // createSecret has not stored a value
	CodeBadSecret        Code = "bad-secret"         // a value that is no JSON object or lacks a key
	CodeTampered         Code = "tampered"           // AWSPENDING differs from AWSCURRENT in more than the credential
	CodeBadUsers         Code = "bad-users"          // the secret's users are not the function's users
	CodeSameValue        Code = "same-value"         // AWSPENDING has the credential of AWSCURRENT
	CodeTooSoon          Code = "too-soon"           // the last rotation is younger than MIN_ROTATION_AGE
	CodeDisabled         Code = "disabled"           // ROTATION_DISABLED is set
	CodeCurrentMoved     Code = "current-moved"      // AWSCURRENT went elsewhere while the step ran
	CodeReplicaFailed    Code = "replica-failed"     // a replica did not take the new version
	CodeAwaitingOperator Code = "awaiting-operator"  // a person has to supply the new credential first
)

// Codes for the server or service behind the credential.
const (
	CodeUnreachable    Code = "unreachable"     // no connection could be made
	CodeNoAnswer       Code = "no-answer"       // a connection was made, and then nothing came
	CodeDisconnected   Code = "disconnected"    // the other side ended the connection
	CodeCertAuthority  Code = "cert-authority"  // no trusted authority signed the server's certificate
	CodeCertName       Code = "cert-name"       // the server's certificate is for another name
	CodeCertExpired    Code = "cert-expired"    // the server's certificate is out of its dates
	CodeTLS            Code = "tls"             // TLS was refused, or failed in another way
	CodeAuthRejected   Code = "auth-rejected"   // the server refused the credential at log-in
	CodeLocked         Code = "locked"          // the account exists and may not log in
	CodeExpired        Code = "expired"         // the account or its password is past its date
	CodePolicy         Code = "policy"          // the server refuses the new password by its rules
	CodeNoHash         Code = "no-hash"         // the server takes passwords as text only
	CodePermission     Code = "permission"      // a right is missing for a statement or call
	CodeUserLimit      Code = "user-limit"      // a limit of the user is reached, which servers say only to the right password
	CodeServerFull     Code = "server-full"     // the server has no connection to spare and has not looked at the password
	CodeBusy           Code = "busy"            // another rotation holds the account
	CodeNotWriter      Code = "not-writer"      // the endpoint leads to a read-only server
	CodeIdentity       Code = "identity"        // the session is not the user it should be
	CodeParity         Code = "parity"          // the two users cannot do the same
	CodeLockedOut      Code = "locked-out"      // no known version of the secret can log in
	CodeOutcomeUnknown Code = "outcome-unknown" // a change may or may not have happened
	CodeRolledBack     Code = "rolled-back"     // the change was undone, and that is proven
	CodeNoSpace        Code = "no-space"        // the server's disk has no room for the change
	CodeNotFound       Code = "not-found"       // what the call names does not exist
	CodeQuota          Code = "quota"           // there is no room for another key
	CodeScopes         Code = "scopes"          // the new key may do less than the present one
	CodeThrottled      Code = "throttled"       // the server asks to slow down
	CodeBadAnswer      Code = "bad-answer"      // the answer is not what the service documents
	CodeUnrevoked      Code = "unrevoked"       // a key that nothing names any more is still in force
	CodeServer         Code = "server"          // any other refusal of the server
)

// Codes for Secrets Manager and the function's own runtime.
const (
	CodeStoreDenied      Code = "store-denied"      // IAM refuses a Secrets Manager call
	CodeStoreKey         Code = "store-key"         // KMS refuses to decrypt or encrypt the value
	CodeStoreThrottle    Code = "store-throttle"    // Secrets Manager asks to slow down
	CodeStoreUnreachable Code = "store-unreachable" // Secrets Manager does not answer
	CodeStore            Code = "store"             // any other failure of Secrets Manager
	CodeDeadline         Code = "deadline"          // the invocation's time is used up
	CodePanic            Code = "panic"             // a fault of the function itself
)

// Error is the only kind of error that leaves the function. Its text is made
// of words written here, names and numbers; what a server or a driver said is
// kept as the cause and never printed, because such texts echo statements and
// values.
type Error struct {
	Code   Code
	Detail string // plain words, safe to print
	cause  error
}

// Errorf makes an Error. Arguments must be safe to print; a [Sensitive] is.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Because attaches a cause, which errors.Is and errors.As find and which is
// never printed.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

func (e Error) Error() string { return string(e.Code) + ": " + e.Detail }

func (e *Error) Unwrap() error { return e.cause }

// Format writes the error's text for every verb and flag, and never its cause.
func (e Error) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, e.Error()) }

// CodeOf returns the code of the first [Error] in err's chain, "" for nil,
// [CodeDeadline] for a context that ended and [CodeServer] for anything else.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return printable(err).Code
}

// Within says where err happened, keeps its code, and returns nil for nil.
func Within(where string, err error) error {
	if err == nil {
		return nil
	}
	safe := printable(err)
	return Errorf(safe.Code, "%s: %s", where, safe.Detail).Because(err)
}

// printable returns err as an Error whose text is safe, whatever err is.
func printable(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if outOfTime(err) {
		return Errorf(CodeDeadline, "time ran out").Because(err)
	}
	return Errorf(CodeServer, "unclassified failure of type %T", err).Because(err)
}

func outOfTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// storeError classifies a Secrets Manager call that failed under ctx. It quotes only
// the service's error code, and the message if IAM refused: validation messages may
// hold the value that was sent.
func storeError(ctx context.Context, op string, err error) *Error {
	api, answered := errors.AsType[smithy.APIError](err)
	_, network := errors.AsType[*net.OpError](err) // its time-outs pass for the context's
	switch {
	case ctx.Err() != nil, !network && outOfTime(err):
		return Errorf(CodeDeadline, "time ran out in %s", op).Because(err)
	case !answered:
		if network {
			return Errorf(CodeStoreUnreachable, "%s: no answer from Secrets Manager: the function has no route to it", op).Because(err)
		}
		return Errorf(CodeStore, "%s failed before it was answered", op).Because(err)
	}
	switch api.ErrorCode() {
	case "AccessDeniedException":
		return Errorf(CodeStoreDenied, "%s: %s", op, oneLine(api.ErrorMessage())).Because(err)
	case "DecryptionFailure", "EncryptionFailure":
		return Errorf(CodeStoreKey, "%s: %s", op, api.ErrorCode()).Because(err)
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded":
		return Errorf(CodeStoreThrottle, "%s: %s", op, api.ErrorCode()).Because(err)
	default:
		return Errorf(CodeStore, "%s: %s", op, api.ErrorCode()).Because(err)
	}
}

// passing reports whether what failed may go well if it is tried again.
func passing(failure *Error) bool {
	return failure.Code == CodeStore || failure.Code == CodeStoreThrottle || failure.Code == CodeStoreUnreachable
}

// elsewhere reports whether the service refused to move a label because it is not
// on the version that the call says. The first of two requests may have moved it.
func elsewhere(err error) bool {
	_, ok := errors.AsType[*types.InvalidParameterException](err)
	return ok
}

// refused reports whether the service certainly did not carry out the call: it
// answered with an error of the caller's.
func refused(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorFault() == smithy.FaultClient {
		return true
	}
	response, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && response.HTTPStatusCode()/100 == 4
}

// ConnectionCode is why a connection could not be made, or ended without an answer.
// Each code has another cure. It is "" if err has another subject.
func ConnectionCode(err error) Code {
	_, name := errors.AsType[x509.HostnameError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	certificate, invalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case name:
		return CodeCertName
	case authority:
		return CodeCertAuthority
	case invalid && certificate.Reason == x509.Expired:
		return CodeCertExpired
	case failedTLS(err):
		return CodeTLS
	case neverDialled(err):
		return CodeUnreachable
	case silent(err):
		return CodeNoAnswer
	case hungUp(err):
		return CodeDisconnected
	default:
		return ""
	}
}

func failedTLS(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	// An alert from the other side has a type of its own inside a net.OpError.
	operation, network := errors.AsType[*net.OpError](err)
	return certificate || record || alert || network && operation.Op == "remote error"
}

func neverDialled(err error) bool {
	_, unknown := errors.AsType[*net.DNSError](err)
	operation, network := errors.AsType[*net.OpError](err)
	return unknown || network && (operation.Op == "dial" || operation.Op == "proxyconnect") // to the proxy, by net/http
}

func silent(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return outOfTime(err) || ok && network.Timeout()
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
