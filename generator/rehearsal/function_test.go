package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// The test binary is the Lambda function too: with this in its environment it
// serves handle instead of running tests.
const asFunction = "REHEARSAL_FUNCTION"

func TestMain(m *testing.M) {
	switch os.Getenv(asFunction) {
	case "handle":
		lambda.Start(handle)
	case "rotate":
		lambda.Start(rotate)
	case "exit":
		os.Exit(3)
	case "init-error":
		reportInitError()
	default:
		os.Exit(m.Run())
	}
}

// order is an event of the function under test.
type order struct {
	Do, With string
}

// handle does as it is told.
func handle(ctx context.Context, o order) (any, error) {
	switch o.Do {
	case "echo":
		return o.With, nil
	case "fail":
		return nil, errors.New(o.With)
	case "panic":
		panic(o.With)
	case "exit":
		os.Exit(4)
	case "print":
		fmt.Println(o.With)
		fmt.Fprintln(os.Stderr, o.With+" to stderr")
	case "environment":
		return os.Environ(), nil
	case "pid":
		return os.Getpid(), nil
	case "context":
		deadline, _ := ctx.Deadline()
		lc, _ := lambdacontext.FromContext(ctx)
		return []string{deadline.UTC().Format(time.RFC3339Nano), lc.InvokedFunctionArn, lc.AwsRequestID}, nil
	case "get":
		response, err := http.Get(o.With)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return string(body), err
	case "hang":
		select {}
	}
	return nil, nil
}

// rotate is the least of a rotator, over the wire.
func rotate(ctx context.Context, e Event) error {
	client := secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: aws.String(os.Getenv("ENDPOINT")),
		Region:       "eu-west-1",
		Credentials:  aws.AnonymousCredentials{},
	})
	secret, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &e.SecretID})
	if err != nil {
		return err
	}
	switch e.Step {
	case CreateSecret:
		_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: &e.SecretID, ClientRequestToken: &e.ClientRequestToken, RotationToken: &e.RotationToken,
			SecretString: aws.String("new"), VersionStages: []string{"AWSPENDING"},
		})
	case FinishSecret:
		for id, labels := range secret.VersionIdsToStages {
			if slices.Contains(labels, "AWSCURRENT") && id != e.ClientRequestToken {
				_, err = client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: &e.SecretID, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &e.ClientRequestToken, RemoveFromVersionId: &id,
				})
			}
		}
	}
	return err
}

// reportInitError is a runtime that fails before it is ready, and stays.
func reportInitError() {
	_, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error",
		"application/json", strings.NewReader(`{"errorType":"Config","errorMessage":"no DB_HOST"}`))
	if err != nil {
		os.Exit(5)
	}
	select {}
}

// generous is a timeout that no test is meant to reach.
const generous = time.Minute

func newFunction(t *testing.T, as string) *Function {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &Function{Path: path, Env: []string{asFunction + "=" + as}}
	t.Cleanup(f.Close)
	return f
}

func invoke(t *testing.T, f *Function, do, with string, timeout time.Duration) (string, error) {
	t.Helper()
	event, err := json.Marshal(order{do, with})
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Invoke(t.Context(), event, timeout)
	return string(out), err
}

func mustInvoke(t *testing.T, f *Function, do, with string) string {
	t.Helper()
	out, err := invoke(t, f, do, with, generous)
	if err != nil {
		t.Fatalf("%s: %v\n%s", do, err, f.Output())
	}
	return out
}

func checkFunctionError(t *testing.T, err error, wantType, wantMessage string) {
	t.Helper()
	var e *FunctionError
	if !errors.As(err, &e) || e.Type != wantType || !strings.Contains(e.Message, wantMessage) {
		t.Errorf("error = %v, want %s with %q", err, wantType, wantMessage)
	}
}

// doorbell is a server that a function calls and that holds its call: arrived
// tells of the call, and closing answer lets it end.
func doorbell(t *testing.T) (url string, arrived chan struct{}, answer chan struct{}) {
	arrived, answer = make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-answer:
			_, _ = io.WriteString(w, "thawed")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, arrived, answer
}

func TestFunctionInvoke(t *testing.T) {
	f := newFunction(t, "handle")
	first := mustInvoke(t, f, "pid", "")
	if got, want := mustInvoke(t, f, "echo", "hello"), `"hello"`; got != want {
		t.Errorf("answer = %s, want %s", got, want)
	}

	_, err := invoke(t, f, "fail", "no luck", generous)
	checkFunctionError(t, err, "errorString", "no luck")
	if again := mustInvoke(t, f, "pid", ""); again != first || f.ColdStarts() != 1 {
		t.Errorf("process %s after %s, %d cold starts: an error of the handler must not end the process", again, first, f.ColdStarts())
	}

	f.Cold = true
	if again := mustInvoke(t, f, "pid", ""); again == first || f.ColdStarts() != 2 {
		t.Errorf("process %s after %s, %d cold starts: want a new one", again, first, f.ColdStarts())
	}
}

func TestFunctionPid(t *testing.T) {
	f := newFunction(t, "handle")
	if got := f.Pid(); got != 0 {
		t.Errorf("pid = %d before the first process", got)
	}
	want := mustInvoke(t, f, "pid", "")
	if got := strconv.Itoa(f.Pid()); got != want {
		t.Errorf("pid = %s, want %s", got, want)
	}
	f.Kill()
	if got := f.Pid(); got != 0 {
		t.Errorf("pid = %d after the process has ended", got)
	}
}

func TestFunctionContext(t *testing.T) {
	f := newFunction(t, "handle")
	before := time.Now()
	var got []string
	if err := json.Unmarshal([]byte(mustInvoke(t, f, "context", "")), &got); err != nil {
		t.Fatal(err)
	}
	deadline, err := time.Parse(time.RFC3339Nano, got[0])
	if err != nil {
		t.Fatal(err)
	}
	if earliest := before.Add(generous).Truncate(time.Millisecond); deadline.Before(earliest) || deadline.After(time.Now().Add(generous)) {
		t.Errorf("deadline = %v, want about %v", deadline, earliest)
	}
	if got[1] != FunctionARN || got[2] == "" {
		t.Errorf("function %q, request %q", got[1], got[2])
	}
}

func TestFunctionEnvironment(t *testing.T) {
	t.Setenv("REHEARSAL_NOT_FOR_THE_FUNCTION", "x")
	f := newFunction(t, "handle")
	f.Env = append(f.Env, "GIVEN=1")
	var got []string
	if err := json.Unmarshal([]byte(mustInvoke(t, f, "environment", "")), &got); err != nil {
		t.Fatal(err)
	}
	for _, entry := range got {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "AWS_LAMBDA_RUNTIME_API", asFunction, "GIVEN":
		case "_X_AMZN_TRACE_ID": // set by aws-lambda-go itself
		case "SYSTEMROOT": // os/exec adds it on Windows
		default:
			t.Errorf("environment has %s", entry)
		}
	}
}

// The output has all that a process wrote before it answered as soon as Invoke
// returns.
func TestFunctionOutput(t *testing.T) {
	f := newFunction(t, "handle")
	for k := range 300 {
		marker := fmt.Sprintf("marker %d", k)
		mustInvoke(t, f, "print", marker)
		if got := f.Output(); !strings.Contains(got, marker+"\n") || !strings.Contains(got, marker+" to stderr\n") {
			t.Fatalf("invocation %d: the output does not have its lines", k)
		}
	}
	f.Kill()
	mustInvoke(t, f, "print", "of the next process")
	if got := f.Output(); !strings.Contains(got, "marker 0\n") || !strings.Contains(got, "of the next process\n") {
		t.Error("the output is not that of both processes")
	}
}

// However a process ends, the invocation fails and the next one gets a new
// process.
func TestFunctionEnds(t *testing.T) {
	tests := []struct {
		name                  string
		do                    string
		timeout               time.Duration
		wantType, wantMessage string
	}{
		{"panic", "panic", generous, "string", "oops"},
		{"exit", "exit", generous, ErrorExit, "exit status 4"},
		{"timeout", "hang", 200 * time.Millisecond, ErrorTimeout, "Task timed out after 0.20 seconds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFunction(t, "handle")
			mustInvoke(t, f, "echo", "warm") // so that the timeout is not spent on the start
			_, err := invoke(t, f, tt.do, "oops", tt.timeout)
			checkFunctionError(t, err, tt.wantType, tt.wantMessage)
			if got, want := mustInvoke(t, f, "echo", "again"), `"again"`; got != want || f.ColdStarts() != 2 {
				t.Errorf("answer = %s after %d cold starts, want %s after 2", got, f.ColdStarts(), want)
			}
		})
	}
}

func TestFunctionNeverReady(t *testing.T) {
	t.Run("exit", func(t *testing.T) {
		f := newFunction(t, "exit")
		_, err := invoke(t, f, "echo", "", generous)
		checkFunctionError(t, err, ErrorExit, "exit status 3")
	})
	t.Run("init error", func(t *testing.T) {
		f := newFunction(t, "init-error")
		for range 2 { // a process that could not begin is no use to the next invocation
			_, err := invoke(t, f, "echo", "", generous)
			checkFunctionError(t, err, "Config", "no DB_HOST")
		}
		if got := f.ColdStarts(); got != 2 {
			t.Errorf("%d cold starts, want 2", got)
		}
	})
	t.Run("no such file", func(t *testing.T) {
		f := &Function{Path: "no/such/bootstrap"}
		if _, err := f.Invoke(t.Context(), nil, generous); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("error = %v, want %v", err, os.ErrNotExist)
		}
	})
}

func TestFunctionKill(t *testing.T) {
	f := newFunction(t, "handle")
	f.Kill() // nothing to kill
	url, arrived, _ := doorbell(t)
	failed := make(chan error, 1)
	go func() {
		_, err := invoke(t, f, "get", url, generous)
		failed <- err
	}()
	<-arrived
	f.Kill()
	checkFunctionError(t, <-failed, ErrorExit, "signal: killed")

	f.Kill() // again
	mustInvoke(t, f, "echo", "")
	f.Kill() // while it has nothing to do
	mustInvoke(t, f, "echo", "")
	if got := f.ColdStarts(); got != 3 {
		t.Errorf("%d cold starts, want 3", got)
	}
}

func TestFunctionFreeze(t *testing.T) {
	f := newFunction(t, "handle")
	if err := f.Freeze(); err == nil {
		t.Error("froze no process")
	}
	url, arrived, answer := doorbell(t)
	type result struct {
		body string
		err  error
	}
	answered := make(chan result, 1)
	go func() {
		body, err := invoke(t, f, "get", url, generous)
		answered <- result{body, err}
	}()
	<-arrived
	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	close(answer)
	// That nothing happens can be seen only by waiting: as long as it takes
	// another process to start and answer.
	other := newFunction(t, "handle")
	mustInvoke(t, other, "echo", "")
	select {
	case r := <-answered:
		t.Fatalf("a frozen process answered %q, %v", r.body, r.err)
	default:
	}
	if err := f.Thaw(); err != nil {
		t.Fatal(err)
	}
	if r := <-answered; r.err != nil || r.body != `"thawed"` {
		t.Errorf("answer = %s, %v", r.body, r.err)
	}

	if err := f.Freeze(); err != nil {
		t.Fatal(err)
	}
	f.Kill() // a frozen process too
	mustInvoke(t, f, "echo", "")
}

func TestFunctionCallerGone(t *testing.T) {
	f := newFunction(t, "handle")
	url, arrived, _ := doorbell(t)
	ctx, cancel := context.WithCancel(t.Context())
	event, err := json.Marshal(order{"get", url})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := f.Invoke(ctx, event, generous); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want %v", err, context.Canceled)
	}
	mustInvoke(t, f, "echo", "")
	if got := f.ColdStarts(); got != 2 {
		t.Errorf("%d cold starts, want 2: the process was left at work", got)
	}
}

// The runtime API of one process knows no invocation of another.
func TestRuntimeAPIUnknownInvocation(t *testing.T) {
	server := httptest.NewServer(newRuntimeAPI(make(chan *invocation), make(chan *FunctionError, 1)))
	defer server.Close()
	response, err := http.Post(server.URL+"/2018-06-01/runtime/invocation/other/response", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("status = %d, want %d", response.StatusCode, http.StatusBadRequest)
	}
}
