package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// Front is Secrets Manager as seen from the network: AWS's JSON protocol 1.1 in
// front of the in-memory one, for the operations a rotator and its tests use. Set
// the fields before the first request.
type Front struct {
	SecretsManager *rotationtest.SecretsManager

	// Lagging, if not nil, stands in its place, to answer reads late.
	Lagging *rotationtest.Lagging

	// Before is called when a request has arrived, and After when it has had
	// its effect and before the answer is sent, also if the operation failed.
	// Either may be nil. An error of Before stands for the effect, an error of
	// After for the answer: ErrDrop closes the connection without a word, any
	// other is sent to the client as the API's error (see APIError).
	//
	// They run on the request's goroutine, several at once if the clients are
	// several, and may block: the client then waits.
	Before, After func(Call) error

	requests atomic.Int64
}

// A Call is one request, as the hooks of Front see it.
type Call struct {
	Op    string // the operation, such as PutSecretValue
	Input any    // its input as the SDK's type, such as *secretsmanager.PutSecretValueInput
}

// ErrDrop makes Front close the connection without an answer, as a client sees it
// whose request or answer was lost.
var ErrDrop = errors.New("connection dropped")

// APIError is an error of the API that the SDK has no type for, such as
// ThrottlingException or AccessDeniedException. It is sent with status 400.
func APIError(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message, Fault: smithy.FaultClient}
}

// An operation decodes a request and runs it.
type operation func(body []byte) (input any, run func(context.Context, *rotationtest.Lagging) (any, error), err error)

var operations = map[string]operation{
	"CancelRotateSecret":       operationOf((*rotationtest.Lagging).CancelRotateSecret),
	"CreateSecret":             operationOf((*rotationtest.Lagging).CreateSecret),
	"DescribeSecret":           operationOf((*rotationtest.Lagging).DescribeSecret),
	"GetRandomPassword":        operationOf((*rotationtest.Lagging).GetRandomPassword),
	"GetSecretValue":           operationOf((*rotationtest.Lagging).GetSecretValue),
	"ListSecretVersionIds":     operationOf((*rotationtest.Lagging).ListSecretVersionIds),
	"PutSecretValue":           operationOf((*rotationtest.Lagging).PutSecretValue),
	"RotateSecret":             operationOf((*rotationtest.Lagging).RotateSecret),
	"UpdateSecretVersionStage": operationOf((*rotationtest.Lagging).UpdateSecretVersionStage),
}

func operationOf[I, O any](call func(*rotationtest.Lagging, context.Context, *I, ...func(*secretsmanager.Options)) (*O, error)) operation {
	return func(body []byte) (any, func(context.Context, *rotationtest.Lagging) (any, error), error) {
		in := new(I)
		if err := json.Unmarshal(body, in); err != nil {
			return nil, nil, err
		}
		return in, func(ctx context.Context, sm *rotationtest.Lagging) (any, error) { return call(sm, ctx, in) }, nil
	}
}

// ServeHTTP answers one request of the protocol.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-4000-8000-%012x", f.requests.Add(1)))
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")

	out, err := f.serve(r)
	switch {
	case errors.Is(err, ErrDrop):
		panic(http.ErrAbortHandler)
	case err != nil:
		writeError(w, err)
	default:
		writeJSON(w, http.StatusOK, wireValue(reflect.ValueOf(out)))
	}
}

func (f *Front) serve(r *http.Request) (any, error) {
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "secretsmanager.")
	decode := operations[op]
	if r.Method != http.MethodPost || !ok || decode == nil {
		return nil, APIError("UnknownOperationException", "")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, ErrDrop
	}
	in, run, err := decode(body)
	if err != nil {
		return nil, APIError("SerializationException", err.Error())
	}
	if err := checkToken(in); err != nil {
		return nil, err
	}
	call := Call{Op: op, Input: in}
	if f.Before != nil {
		if err := f.Before(call); err != nil {
			return nil, err
		}
	}
	// A request that has arrived takes effect, whether or not its sender is
	// still there.
	store := f.Lagging
	if store == nil {
		store = &rotationtest.Lagging{SecretsManager: f.SecretsManager}
	}
	out, opErr := run(context.WithoutCancel(r.Context()), store)
	if f.After != nil {
		if err := f.After(call); err != nil {
			return nil, err
		}
	}
	return out, opErr
}

// checkToken refuses a request without the token that an SDK always sends; in
// memory, the double makes one up as the SDK would. Recorded from AWS, with the
// odd one out: test_no_client_request_token in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/secretsmanager/test_secretsmanager.snapshot.json.
func checkToken(in any) error {
	const message = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
	switch in := in.(type) {
	case *secretsmanager.CreateSecretInput:
		if in.ClientRequestToken == nil {
			return &types.InvalidRequestException{Message: aws.String(message)}
		}
	case *secretsmanager.PutSecretValueInput:
		if in.ClientRequestToken == nil {
			return &types.InvalidRequestException{Message: aws.String(message)}
		}
	case *secretsmanager.RotateSecretInput:
		if in.ClientRequestToken == nil {
			return &types.InvalidParameterException{Message: aws.String(message)}
		}
	}
	return nil
}

func writeError(w http.ResponseWriter, err error) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		api = &types.InternalServiceError{Message: aws.String(err.Error())}
	}
	status := http.StatusBadRequest
	if api.ErrorFault() == smithy.FaultServer {
		status = http.StatusInternalServerError
	}
	body := map[string]string{"__type": api.ErrorCode()}
	if api.ErrorMessage() != "" {
		body["Message"] = api.ErrorMessage()
	}
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	// The client may be gone; then there is nothing to do about an error.
	_ = json.NewEncoder(w).Encode(body)
}

// wireValue is an output of the SDK as the protocol has it: members that are not
// set left out, times as seconds since 1970 with a fraction.
func wireValue(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return wireValue(v.Elem())
	case reflect.Struct:
		if t, ok := reflect.TypeAssert[time.Time](v); ok {
			return json.Number(fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond)))
		}
		members := map[string]any{}
		for field, value := range v.Fields() {
			if field.IsExported() && field.Name != "ResultMetadata" && !value.IsZero() {
				members[field.Name] = wireValue(value)
			}
		}
		return members
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Bytes()
		}
		items := make([]any, v.Len())
		for i := range items {
			items[i] = wireValue(v.Index(i))
		}
		return items
	case reflect.Map:
		members := map[string]any{}
		for key, value := range v.Seq2() {
			members[key.String()] = wireValue(value)
		}
		return members
	default:
		return v.Interface()
	}
}
