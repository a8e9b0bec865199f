package rotation_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

const sentinel = "sentinel-9c1f"

// everyWay prints v in every way that a program is likely to.
func everyWay(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%t"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	fmt.Fprintln(&out, v)
	text, err := json.Marshal(map[string]any{"v": v})
	if err != nil {
		t.Errorf("not JSON: %v", err)
	}
	out.Write(text)
	for _, log := range []*slog.Logger{slog.New(slog.NewJSONHandler(&out, nil)), slog.New(slog.NewTextHandler(&out, nil))} {
		log.Info("v", "v", v)
		log.With("v", v).Info("v", "text", fmt.Sprint(v))
	}
	return out.String()
}

// leaks returns the lines that hold the sentinel, plain or in hexadecimal.
func leaks(said string) (lines []string) {
	for line := range strings.Lines(said) {
		lower := strings.ToLower(line)
		if strings.Contains(lower, sentinel) || strings.Contains(lower, hex.EncodeToString([]byte(sentinel))) {
			lines = append(lines, line)
		}
	}
	return lines
}

// driverError is an error that is its own text, as some drivers have.
type driverError string

func (e driverError) Error() string { return string(e) }

// C9: secrets, and errors that have seen one, do not print themselves, alone or
// as part of something else.
func TestNothingPrintsItself(t *testing.T) {
	secret := rotation.NewSensitive(sentinel)
	value := parse(t, `{"password": "`+sentinel+`"}`)
	cause := driverError("ALTER ROLE app PASSWORD '" + sentinel + "'")
	var event rotation.Event
	if err := json.Unmarshal([]byte(`{"RotationToken": "`+sentinel+`"}`), &event); err != nil || event.RotationToken.Reveal() != sentinel {
		t.Fatalf("got %v, want the rotation token", err)
	}
	for name, v := range map[string]any{
		"Sensitive":           secret,
		"Sensitive, pointer":  &secret,
		"Sensitive, list":     []rotation.Sensitive{secret},
		"Sensitive, key":      map[rotation.Sensitive]int{secret: 1},
		"Sensitive, exported": struct{ Password rotation.Sensitive }{secret},
		// Package fmt calls no method of what an unexported field holds.
		"Sensitive, unexported": struct{ password rotation.Sensitive }{secret},
		"Value":                 value,
		"Value, pointer":        &value,
		"Value, unexported":     struct{ value rotation.Value }{value},
		"Version":               rotation.Version{ID: "v1", Value: value},
		"Event":                 event,
		"Error":                 rotation.Errorf(rotation.CodeServer, "no").Because(cause),
		"Error about a secret":  rotation.Errorf(rotation.CodeServer, "%s %v %q %x", secret, value, secret, value),
		"Error, within":         rotation.Within("admin", rotation.Errorf(rotation.CodeServer, "no").Because(cause)),
		"Error, another's":      rotation.Within("admin", cause),
		"Error, joined":         rotation.Within("admin", errors.Join(rotation.Errorf(rotation.CodeServer, "no"), cause)),
		"Check":                 rotation.NewCheck("login", cause),
	} {
		t.Run(name, func(t *testing.T) {
			if lines := leaks(everyWay(t, v)); lines != nil {
				t.Errorf("leaks:\n%s", strings.Join(lines, ""))
			}
		})
	}
}

// C7: causes are there for errors.Is and errors.As, and codes survive wrapping.
func TestErrorKeepsItsCause(t *testing.T) {
	cause := driverError("no")
	err := rotation.Within("outer", rotation.Within("inner", rotation.Errorf(rotation.CodeTLS, "detail").Because(cause)))
	if got := errors.As(err, new(driverError)); !got || !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if rotation.CodeOf(err) != rotation.CodeTLS || err.Error() != "tls: outer: inner: detail" {
		t.Errorf("got %v", err)
	}
	if rotation.Within("outer", nil) != nil || rotation.CodeOf(nil) != "" {
		t.Error("nil became an error")
	}
	if got := rotation.CodeOf(cause); got != rotation.CodeServer {
		t.Errorf("a driver's own error has code %q", got)
	}
}

// C7, C9: for each error and panic of a strategy, one line is logged and one is
// measured, and neither holds its text.
func TestStrategyFails(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(context.Context, *rotation.Rotation) error
		want rotation.Code
	}{
		"another's error": {func(context.Context, *rotation.Rotation) error { return driverError(sentinel) }, rotation.CodeServer},
		"wrapped": {func(context.Context, *rotation.Rotation) error {
			return fmt.Errorf("%s: %w", sentinel, rotation.Errorf(rotation.CodePolicy, "refused").Because(driverError(sentinel)))
		}, rotation.CodePolicy},
		"a panic with a text":   {func(context.Context, *rotation.Rotation) error { panic(sentinel) }, rotation.CodePanic},
		"a panic with an error": {func(context.Context, *rotation.Rotation) error { panic(driverError(sentinel)) }, rotation.CodePanic},
		"a panic of the runtime": {func(_ context.Context, r *rotation.Rotation) error {
			return map[string]error{}[[]string{}[len(sentinel)]]
		}, rotation.CodePanic},
		"a value": {func(ctx context.Context, r *rotation.Rotation) error {
			pending, err := r.Pending(ctx)
			r.Log.InfoContext(ctx, "tested", "pending", pending, "err", err)
			return rotation.Errorf(rotation.CodeServer, "pending is %v", pending)
		}, rotation.CodeServer},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			b.next = func(current rotation.Value) (rotation.Value, error) { return current.With("password", sentinel), nil }
			b.set = test.set
			err := b.deliver(b.created(), rotation.StepSet)
			b.wantCode(err, test.want)
			if _, ok := errors.AsType[*rotation.Error](err); !ok {
				t.Errorf("%T left the function", err)
			}
			if said := b.Output() + err.Error(); leaks(said) != nil || strings.Contains(said, rotationToken) {
				t.Errorf("leaks:\n%s", said)
			}
			logs := b.said(true)
			if last := logs[len(logs)-1]; last["code"] != string(test.want) || last["level"] != "ERROR" {
				t.Errorf("logged %v, want code %s", last, test.want)
			}
		})
	}
}

// C9: a panic says where it came from, since it may not say more.
func TestPanicSaysWhere(t *testing.T) {
	b := newBench(t, seed)
	b.set = func(context.Context, *rotation.Rotation) error { panic(sentinel) }
	err := b.deliver(b.created(), rotation.StepSet)
	if text := err.Error(); !strings.Contains(text, "string in ") || !strings.Contains(text, "TestPanicSaysWhere") {
		t.Errorf("got %q, want the type and this function", text)
	}
}

// C9: nothing in an event, a secret or an answer can begin a log line.
func TestNothingBeginsALine(t *testing.T) {
	const forged = "x\r\n{\"level\":\"INFO\"}\u2028\u0085\x1b[2J\x00"
	for name, setup := range map[string]func(b *bench, event map[string]any){
		"step":   func(_ *bench, event map[string]any) { event["Step"] = forged },
		"secret": func(_ *bench, event map[string]any) { event["SecretId"] = forged },
		"token":  func(_ *bench, event map[string]any) { event["ClientRequestToken"] = forged },
		"key": func(b *bench, event map[string]any) {
			key, err := json.Marshal(forged)
			b.must(err)
			b.put(event["ClientRequestToken"].(string), `{`+string(key)+`: 1}`, rotation.StagePending)
		},
		"answer": func(b *bench, _ map[string]any) {
			b.on(describe, func(func() error) error {
				return &smithy.GenericAPIError{Code: "AccessDeniedException", Message: forged}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			event := map[string]any{"Step": rotation.StepSet, "SecretId": b.Secret, "ClientRequestToken": b.requested()}
			setup(b, event)
			payload, err := json.Marshal(event)
			b.must(err)
			_, err = b.handler().Handle(t.Context(), payload)
			if err == nil || strings.ContainsAny(err.Error(), "\r\n\u2028\u0085\x1b\x00") {
				t.Errorf("got error %q", err)
			}
			if said := b.Output(); strings.Count(said, "\n") != 2 || strings.ContainsAny(said, "\r\u2028\u0085\x1b\x00") {
				t.Errorf("want a log line and a metric line, got:\n%q", said)
			}
			if logs, metrics := b.said(true), b.said(false); len(logs) != 1 || len(metrics) != 1 {
				t.Errorf("got %d log lines and %d metric lines", len(logs), len(metrics))
			}
		})
	}
}

// C7: failures of Secrets Manager are told apart by what has to be done.
func TestStoreErrors(t *testing.T) {
	// A dial without a route ends with a timeout that is not the invocation's.
	var unanswered net.Dialer
	unanswered.Timeout = 1
	_, noRoute := unanswered.DialContext(t.Context(), "tcp", "127.0.0.1:1")
	for name, test := range map[string]struct {
		answer error
		want   rotation.Code
	}{
		"denied":          {api("AccessDeniedException"), rotation.CodeStoreDenied},
		"key":             {api("DecryptionFailure"), rotation.CodeStoreKey},
		"throttled":       {api("ThrottlingException"), rotation.CodeStoreThrottle},
		"too many":        {api("TooManyRequestsException"), rotation.CodeStoreThrottle},
		"other":           {api("InternalServiceError"), rotation.CodeStore},
		"no network":      {&net.OpError{Op: "dial", Err: errBroken}, rotation.CodeStoreUnreachable},
		"no route":        {fmt.Errorf("operation error: %w", noRoute), rotation.CodeStoreUnreachable},
		"invocation over": {fmt.Errorf("operation error: %w", context.DeadlineExceeded), rotation.CodeDeadline},
		"cancelled":       {context.Canceled, rotation.CodeDeadline},
		"unknown":         {errBroken, rotation.CodeStore},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token := b.created()
			b.on(describe, func(func() error) error { return test.answer })
			b.wantCode(b.deliver(token, rotation.StepSet), test.want)
		})
	}
}
