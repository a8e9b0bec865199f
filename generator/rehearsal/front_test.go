package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// api is what the SDK's client and the in-memory double have in common.
type api interface {
	CancelRotateSecret(context.Context, *secretsmanager.CancelRotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CancelRotateSecretOutput, error)
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetRandomPassword(context.Context, *secretsmanager.GetRandomPasswordInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetRandomPasswordOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	RotateSecret(context.Context, *secretsmanager.RotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// newSecretsManager is an empty account at a time with a fraction of a second.
func newSecretsManager() *rotationtest.SecretsManager {
	now := time.Date(2026, 1, 2, 3, 4, 5, 67e6, time.UTC)
	return &rotationtest.SecretsManager{Now: func() time.Time { return now }}
}

// newClient serves the front and is the SDK's client for it, without retries.
func newClient(t *testing.T, front *Front) (*secretsmanager.Client, string) {
	t.Helper()
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	return secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: aws.String(server.URL),
		Region:       "eu-west-1",
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key"}, nil
		}),
	}), server.URL
}

// wireError is what a client can tell of an API error.
type wireError struct {
	Type, Code, Message string
	Fault               smithy.ErrorFault
}

func asWireError(err error) *wireError {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return nil
	}
	return &wireError{reflect.TypeOf(e).String(), e.ErrorCode(), e.ErrorMessage(), e.ErrorFault()}
}

// One story, told to the double and, through the SDK's client and the front, to
// another: every answer and every error must be the same, member by member.
func TestFrontAnswersAsTheDouble(t *testing.T) {
	db := aws.String("db")
	story := []struct {
		name string
		call func(context.Context, api) (any, error)
	}{
		{"describe nothing", func(ctx context.Context, a api) (any, error) {
			return a.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: db})
		}},
		{"create", func(ctx context.Context, a api) (any, error) {
			return a.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
				Name: db, SecretString: aws.String("<one> & \"zwei\" 三"), ClientRequestToken: aws.String("v1"),
				Description: aws.String("d"), KmsKeyId: aws.String("k"),
			})
		}},
		{"create again", func(ctx context.Context, a api) (any, error) {
			return a.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: db, SecretString: aws.String("two")})
		}},
		{"create without a value", func(ctx context.Context, a api) (any, error) {
			return a.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String("empty")})
		}},
		{"get nothing", func(ctx context.Context, a api) (any, error) {
			return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("empty")})
		}},
		{"get", func(ctx context.Context, a api) (any, error) {
			return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: db})
		}},
		{"rotate without a function", func(ctx context.Context, a api) (any, error) {
			return a.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: db})
		}},
		{"rotate", func(ctx context.Context, a api) (any, error) {
			return a.RotateSecret(ctx, &secretsmanager.RotateSecretInput{
				SecretId: db, ClientRequestToken: aws.String("v2"), RotationLambdaARN: aws.String(FunctionARN),
				RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30), Duration: aws.String("3h")},
			})
		}},
		{"rotate again", func(ctx context.Context, a api) (any, error) {
			return a.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: db, ClientRequestToken: aws.String("v3")})
		}},
		{"get pending", func(ctx context.Context, a api) (any, error) {
			return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: db, VersionStage: aws.String("AWSPENDING")})
		}},
		{"put binary", func(ctx context.Context, a api) (any, error) {
			return a.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
				SecretId: db, ClientRequestToken: aws.String("v2"), SecretBinary: []byte{0, 1, 254, 255}, VersionStages: []string{"AWSPENDING"},
				RotationToken: aws.String("t"),
			})
		}},
		{"get binary", func(ctx context.Context, a api) (any, error) {
			return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: db, VersionId: aws.String("v2")})
		}},
		{"put another", func(ctx context.Context, a api) (any, error) {
			return a.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
				SecretId: db, ClientRequestToken: aws.String("v2"), SecretString: aws.String("x"),
			})
		}},
		{"get a mismatch", func(ctx context.Context, a api) (any, error) {
			return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: db, VersionId: aws.String("v2"), VersionStage: aws.String("AWSCURRENT")})
		}},
		{"move from nowhere", func(ctx context.Context, a api) (any, error) {
			return a.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: db, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String("v2"),
			})
		}},
		{"remove current", func(ctx context.Context, a api) (any, error) {
			return a.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: db, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: aws.String("v1"),
			})
		}},
		{"move", func(ctx context.Context, a api) (any, error) {
			return a.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: db, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String("v2"), RemoveFromVersionId: aws.String("v1"),
			})
		}},
		{"describe", func(ctx context.Context, a api) (any, error) {
			return a.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: db})
		}},
		{"put by hand", func(ctx context.Context, a api) (any, error) {
			return a.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
				SecretId: db, ClientRequestToken: aws.String("v4"), SecretString: aws.String("four"),
			})
		}},
		{"list labelled", func(ctx context.Context, a api) (any, error) {
			return a.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: db})
		}},
		{"list a page", func(ctx context.Context, a api) (any, error) {
			return a.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{
				SecretId: db, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(2),
			})
		}},
		{"list the next page", func(ctx context.Context, a api) (any, error) {
			first, err := a.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{
				SecretId: db, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(2),
			})
			if err != nil {
				return nil, err
			}
			return a.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{
				SecretId: db, IncludeDeprecated: aws.Bool(true), NextToken: first.NextToken,
			})
		}},
		{"list with a bad token", func(ctx context.Context, a api) (any, error) {
			return a.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: db, NextToken: aws.String("?")})
		}},
		{"random password", func(ctx context.Context, a api) (any, error) {
			out, err := a.GetRandomPassword(ctx, &secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(20), RequireEachIncludedType: aws.Bool(false)})
			if err != nil {
				return nil, err
			}
			return len(*out.RandomPassword), nil
		}},
		{"random password of no length", func(ctx context.Context, a api) (any, error) {
			return a.GetRandomPassword(ctx, &secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(0)})
		}},
		{"test only", func(ctx context.Context, a api) (any, error) {
			return a.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: db, ClientRequestToken: aws.String("v5"), RotateImmediately: aws.Bool(false)})
		}},
		{"get what is to be tested", func(ctx context.Context, a api) (any, error) {
			return a.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: db, VersionId: aws.String("v5"), VersionStage: aws.String("AWSPENDING")})
		}},
		{"cancel", func(ctx context.Context, a api) (any, error) {
			return a.CancelRotateSecret(ctx, &secretsmanager.CancelRotateSecretInput{SecretId: db})
		}},
		{"describe replication", func(ctx context.Context, a api) (any, error) {
			return a.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: db})
		}},
	}

	inMemory, behindFront := newSecretsManager(), newSecretsManager()
	client, _ := newClient(t, &Front{SecretsManager: behindFront})
	told := map[string]bool{}
	for _, part := range story {
		if part.name == "describe replication" {
			for _, sm := range []*rotationtest.SecretsManager{inMemory, behindFront} {
				if err := sm.ScriptReplication("db", []types.ReplicationStatusType{{Region: aws.String("us-east-1"), Status: types.StatusTypeFailed}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		want, wantErr := part.call(t.Context(), inMemory)
		got, gotErr := part.call(t.Context(), client)
		if diff := cmp.Diff(asWireError(wantErr), asWireError(gotErr)); diff != "" || (wantErr == nil) != (gotErr == nil) {
			t.Errorf("%s: error (-in memory +over the wire):\n%s\n%v", part.name, diff, gotErr)
			continue
		}
		if wantErr != nil {
			told[asWireError(wantErr).Code] = true
			continue
		}
		if diff := cmp.Diff(want, got, cmp.FilterPath(notPartOfAnswer, cmp.Ignore())); diff != "" {
			t.Errorf("%s (-in memory +over the wire):\n%s", part.name, diff)
		}
	}
	for _, code := range []string{"ResourceNotFoundException", "ResourceExistsException", "InvalidRequestException", "InvalidParameterException", "InvalidNextTokenException"} {
		if !told[code] {
			t.Errorf("the story has no %s", code)
		}
	}
}

// notPartOfAnswer is the SDK's own book-keeping in an output.
func notPartOfAnswer(p cmp.Path) bool {
	field, ok := p.Last().(cmp.StructField)
	return ok && (field.Name() == "ResultMetadata" || field.Name() == "noSmithyDocumentSerde")
}

// Every error that a hook gives reaches the client as the SDK's own type, with
// the status of its kind.
func TestFrontErrors(t *testing.T) {
	message := aws.String("why")
	tests := []struct {
		err    error
		status int
	}{
		{&types.DecryptionFailure{Message: message}, 400},
		{&types.EncryptionFailure{Message: message}, 400},
		{&types.InternalServiceError{Message: message}, 500},
		{&types.InvalidNextTokenException{Message: message}, 400},
		{&types.InvalidParameterException{Message: message}, 400},
		{&types.InvalidRequestException{Message: message}, 400},
		{&types.LimitExceededException{Message: message}, 400},
		{&types.PreconditionNotMetException{Message: message}, 400},
		{&types.ResourceExistsException{Message: message}, 400},
		{&types.ResourceNotFoundException{Message: message}, 400},
		{APIError("ThrottlingException", "Rate exceeded"), 400},
		{APIError("AccessDeniedException", "User is not authorized"), 400},
		{&smithy.GenericAPIError{Code: "ServiceUnavailable", Message: "Try later", Fault: smithy.FaultServer}, 500},
	}
	for _, tt := range tests {
		want := asWireError(tt.err)
		t.Run(want.Code, func(t *testing.T) {
			client, _ := newClient(t, &Front{SecretsManager: newSecretsManager(), Before: func(Call) error { return tt.err }})
			_, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("db")})
			got := asWireError(err)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(wireError{}, "Fault")); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			var response *awshttp.ResponseError
			if !errors.As(err, &response) || response.HTTPStatusCode() != tt.status || response.ServiceRequestID() == "" {
				t.Errorf("response = %v, want status %d and a request id", err, tt.status)
			}
		})
	}

	t.Run("not an API error", func(t *testing.T) {
		client, _ := newClient(t, &Front{SecretsManager: newSecretsManager(), After: func(Call) error { return errors.New("oops") }})
		_, err := client.GetRandomPassword(t.Context(), &secretsmanager.GetRandomPasswordInput{})
		if _, ok := errors.AsType[*types.InternalServiceError](err); !ok {
			t.Errorf("error = %v, want an InternalServiceError", err)
		}
	})
}

func TestFrontHooks(t *testing.T) {
	throttled := APIError("ThrottlingException", "Rate exceeded")
	tests := []struct {
		name          string
		before, after error
		wantCode      string // "" for no API error
		wantErr       bool
		wantEffect    bool
	}{
		{name: "none", wantEffect: true},
		{name: "the request is lost", before: ErrDrop, wantErr: true},
		{name: "the answer is lost", after: ErrDrop, wantErr: true, wantEffect: true},
		{name: "an error instead of the effect", before: throttled, wantErr: true, wantCode: "ThrottlingException"},
		{name: "an error after the effect", after: throttled, wantErr: true, wantCode: "ThrottlingException", wantEffect: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sm := newSecretsManager()
			seen := make(chan string, 3)
			client, _ := newClient(t, &Front{
				SecretsManager: sm,
				Before: func(c Call) error {
					seen <- "before " + c.Op + " " + *c.Input.(*secretsmanager.CreateSecretInput).Name
					return tt.before
				},
				After: func(c Call) error {
					seen <- "after " + c.Op
					return tt.after
				},
			})
			_, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("db")})
			if (err != nil) != tt.wantErr {
				t.Errorf("error = %v, want one: %t", err, tt.wantErr)
			}
			code := ""
			if e := asWireError(err); e != nil {
				code = e.Code
			}
			if code != tt.wantCode {
				t.Errorf("code = %q, want %q (%v)", code, tt.wantCode, err)
			}
			_, err = sm.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("db")})
			if effect := err == nil; effect != tt.wantEffect {
				t.Errorf("effect = %t, want %t", effect, tt.wantEffect)
			}
			want := []string{"before CreateSecret db"}
			if tt.before == nil {
				want = append(want, "after CreateSecret")
			}
			var called []string
			for range len(seen) {
				called = append(called, <-seen)
			}
			if diff := cmp.Diff(want, called); diff != "" {
				t.Errorf("hooks (-want +got):\n%s", diff)
			}
		})
	}
}

// A request that has arrived has its effect, though its sender has gone.
func TestFrontSenderGone(t *testing.T) {
	sm := newSecretsManager()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"Name":"db","ClientRequestToken":"v1"}`))
	request.Header.Set("X-Amz-Target", "secretsmanager.CreateSecret")
	(&Front{SecretsManager: sm}).ServeHTTP(httptest.NewRecorder(), request)
	if _, err := sm.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("db")}); err != nil {
		t.Errorf("the request had no effect: %v", err)
	}
}

// Requests and answers that the SDK's client hides or never sends, byte by byte.
func TestFrontRaw(t *testing.T) {
	const noToken = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
	_, url := newClient(t, &Front{SecretsManager: newSecretsManager()})
	tests := []struct {
		name       string
		method     string
		target     string
		body       string
		wantStatus int
		want       map[string]any
	}{
		{"unknown operation", http.MethodPost, "secretsmanager.DeleteSecret", `{}`, 400, map[string]any{"__type": "UnknownOperationException"}},
		{"another service", http.MethodPost, "AmazonSSM.CreateSecret", `{}`, 400, map[string]any{"__type": "UnknownOperationException"}},
		{"no operation", http.MethodGet, "", ``, 400, map[string]any{"__type": "UnknownOperationException"}},
		{"bad JSON", http.MethodPost, "secretsmanager.CreateSecret", `{`, 400, map[string]any{"__type": "SerializationException", "Message": "unexpected end of JSON input"}},
		{"create without a token", http.MethodPost, "secretsmanager.CreateSecret", `{"Name":"x"}`, 400, map[string]any{"__type": "InvalidRequestException", "Message": noToken}},
		{"put without a token", http.MethodPost, "secretsmanager.PutSecretValue", `{"SecretId":"x"}`, 400, map[string]any{"__type": "InvalidRequestException", "Message": noToken}},
		{"rotate without a token", http.MethodPost, "secretsmanager.RotateSecret", `{"SecretId":"x"}`, 400, map[string]any{"__type": "InvalidParameterException", "Message": noToken}},
		{"create", http.MethodPost, "secretsmanager.CreateSecret", `{"Name":"x","SecretBinary":"AP8=","ClientRequestToken":"v1"}`, 200,
			map[string]any{"ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-FVYRMQ", "Name": "x", "VersionId": "v1"}},
		{"get", http.MethodPost, "secretsmanager.GetSecretValue", `{"SecretId":"x"}`, 200,
			map[string]any{
				"ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x-FVYRMQ", "Name": "x", "VersionId": "v1",
				"VersionStages": []any{"AWSCURRENT"}, "SecretBinary": "AP8=", "CreatedDate": json.Number("1767323045.067"),
			}},
	}
	ids := map[string]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), tt.method, url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("X-Amz-Target", tt.target)
			request.Header.Set("Content-Type", "application/x-amz-json-1.1")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tt.wantStatus || response.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
				t.Errorf("status %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
			}
			if id := response.Header.Get("x-amzn-RequestId"); id == "" || ids[id] {
				t.Errorf("request id %q, want a new one", id)
			} else {
				ids[id] = true
			}
			var got map[string]any
			decoder := json.NewDecoder(bytes.NewReader(body))
			decoder.UseNumber()
			if err := decoder.Decode(&got); err != nil {
				t.Fatal(fmt.Errorf("%s: %w", body, err))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// The SDK's client repeats a request whose answer was lost, unless it is told not to,
// as the double in memory has it (rotationtest.Repeat): the second answer speaks of
// what the first request did. (A3)
func TestClientRepeats(t *testing.T) {
	for _, want := range []struct {
		retryer  aws.Retryer
		requests int64
		refused  bool
	}{{retry.NewStandard(), 2, true}, {aws.NopRetryer{}, 1, false}} {
		front := &Front{SecretsManager: newSecretsManager()}
		var requests atomic.Int64
		front.After = func(c Call) error {
			if c.Op == "UpdateSecretVersionStage" && requests.Add(1) == 1 {
				return ErrDrop
			}
			return nil
		}
		client, _ := newClient(t, front)
		_, err := front.SecretsManager.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("first"), ClientRequestToken: aws.String("first")})
		if err != nil {
			t.Fatal(err)
		}
		_, err = front.SecretsManager.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: aws.String("s"), SecretString: aws.String("second"), ClientRequestToken: aws.String("second"), VersionStages: []string{"AWSPENDING"},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: aws.String("s"), VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String("second"), RemoveFromVersionId: aws.String("first"),
		}, func(o *secretsmanager.Options) { o.Retryer = want.retryer })
		if refused := errors.As(err, new(*types.InvalidParameterException)); err == nil || refused != want.refused || requests.Load() != want.requests {
			t.Errorf("%d requests, and then %v", requests.Load(), err)
		}
	}
}

// A front whose reads lag answers them as the double in memory does.
func TestFrontLags(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := &rotationtest.SecretsManager{Now: func() time.Time { return now }}
	front := &Front{SecretsManager: m, Lagging: &rotationtest.Lagging{SecretsManager: m, Lags: map[string]rotationtest.Lag{"GetSecretValue": {For: time.Second}}}}
	client, _ := newClient(t, front)
	if _, err := m.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("old")}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if _, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("new")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"old", "new"} {
		out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
		if err != nil || aws.ToString(out.SecretString) != want {
			t.Errorf("got %v, want %s", err, want)
		}
		now = now.Add(time.Second)
	}
}
