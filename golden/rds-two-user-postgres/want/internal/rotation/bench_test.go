package rotation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"example.com/orders-db/internal/rotation"
	"example.com/orders-db/internal/rotation/rotationtest"
)

const seed = `{"host": "db", "port": 5432, "username": "app", "password": "current-sentinel"}`

// The calls that cross a bench, beside those to the strategy, which have the
// names of its methods.
const (
	describe   = "DescribeSecret"
	getCurrent = "GetSecretValue AWSCURRENT"
	getPending = "GetSecretValue AWSPENDING"
	getForeign = "GetSecretValue " // without a label
	put        = "PutSecretValue"
	promote    = "UpdateSecretVersionStage AWSCURRENT"
	abandon    = "UpdateSecretVersionStage AWSPENDING"
)

var errBroken = errors.New("the connection broke")

// bench is a rotator between a Secrets Manager and a strategy that does what a
// test says. Every call to either is recorded and may be answered in its place.
type bench struct {
	*rotationtest.World
	t testing.TB

	calls []string
	// around stands around every call, and makes it by calling do.
	around func(ctx context.Context, call string, do func() error) error
	pause  func(context.Context, time.Duration) error

	overlaps bool
	next     func(rotation.Value) (rotation.Value, error)
	set      func(context.Context, *rotation.Rotation) error
	finish   func(context.Context, *rotation.Rotation) error
}

func newBench(t testing.TB, initial string) *bench {
	t.Helper()
	b := &bench{t: t}
	b.World = rotationtest.NewWorld(t, func(*rotationtest.World) rotationtest.Subject {
		return rotationtest.Subject{Initial: initial, Works: func(rotation.Value) error { return nil }}
	})
	b.pause = b.Pause
	made := 0
	b.next = func(current rotation.Value) (rotation.Value, error) {
		made++
		return current.With("password", fmt.Sprintf("new-sentinel-%d", made)), nil
	}
	b.set = func(context.Context, *rotation.Rotation) error { return nil }
	b.finish = func(ctx context.Context, r *rotation.Rotation) error { return r.Promote(ctx) }
	return b
}

func (b *bench) call(ctx context.Context, name string, do func() error) error {
	b.calls = append(b.calls, name)
	if b.around != nil {
		return b.around(ctx, name, do)
	}
	return do()
}

// on lets answer stand in for the calls of that name.
func (b *bench) on(name string, answer func(do func() error) error) {
	b.around = func(_ context.Context, call string, do func() error) error {
		if call == name {
			return answer(do)
		}
		return do()
	}
}

func (b *bench) handler() *rotation.Handler { return b.handlerOf(strategy{b}) }

func (b *bench) handlerOf(s rotation.Strategy) *rotation.Handler {
	return rotation.New(store{b}, s, b.Config, rotation.WithOutput(b), rotation.WithClock(b.Store.Now, b.pause))
}

// deliver sends one step to a new process and forgets the calls before it.
func (b *bench) deliver(token, step string) error {
	b.calls = nil
	_, err := b.handler().Handle(b.Invocation(b.t.Context()), b.event(token, step))
	return err
}

func (b *bench) event(token, step string) json.RawMessage {
	event, err := json.Marshal(map[string]string{
		"Step": step, "SecretId": b.Secret, "ClientRequestToken": token, "RotationToken": rotationToken,
	})
	b.must(err)
	return event
}

const rotationToken = "rotation-token-sentinel"

// requested begins a rotation and returns its token.
func (b *bench) requested() string {
	b.t.Helper()
	token := b.Token()
	b.must(b.Request(token))
	return token
}

// created begins a rotation that has a pending value.
func (b *bench) created() string {
	b.t.Helper()
	token := b.requested()
	b.must(b.deliver(token, rotation.StepCreate))
	return token
}

// rotated is a whole rotation.
func (b *bench) rotated() string {
	b.t.Helper()
	token := b.created()
	b.must(b.deliver(token, rotation.StepFinish))
	b.must(b.Store.RotationSucceeded(b.Secret, token))
	return token
}

func (b *bench) must(errs ...error) {
	b.t.Helper()
	if err := errors.Join(errs...); err != nil {
		b.t.Fatal(err)
	}
}

// put stores a value as someone beside the rotator does.
func (b *bench) put(token, value string, stages ...string) {
	b.t.Helper()
	_, err := b.Store.PutSecretValue(b.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &b.Secret, ClientRequestToken: &token, SecretString: &value, VersionStages: stages,
	})
	b.must(err)
}

// move moves a label as someone beside the rotator does.
func (b *bench) move(stage, from, to string) {
	b.t.Helper()
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &b.Secret, VersionStage: &stage, MoveToVersionId: &to}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	_, err := b.Store.UpdateSecretVersionStage(b.t.Context(), in)
	b.must(err)
}

func (b *bench) wantCode(err error, want rotation.Code) {
	b.t.Helper()
	if got := rotation.CodeOf(err); got != want {
		b.t.Errorf("error %v: got code %q, want %q", err, got, want)
	}
}

func (b *bench) wantCalls(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.calls); diff != "" {
		b.t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func (b *bench) wantNoCall(names ...string) {
	b.t.Helper()
	for _, name := range names {
		if slices.Contains(b.calls, name) {
			b.t.Errorf("%s was called: %q", name, b.calls)
		}
	}
}

func (b *bench) wantHolder(stage, want string) {
	b.t.Helper()
	if got := b.holder(stage); got != want {
		b.t.Errorf("%s is on %q, want %q", stage, got, want)
	}
}

// holder returns the version that holds stage, even one without a value.
func (b *bench) holder(stage string) string {
	b.t.Helper()
	out, err := b.Store.DescribeSecret(b.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &b.Secret})
	b.must(err)
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, stage) {
			return version
		}
	}
	return ""
}

// said returns what was logged, line by line, without the metrics if logs and
// the metrics alone if not.
func (b *bench) said(logs bool) []map[string]any {
	b.t.Helper()
	var lines []map[string]any
	for text := range strings.Lines(b.Output()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			b.t.Fatalf("line %q is not a JSON object: %v", text, err)
		}
		if (line["_aws"] == nil) == logs {
			lines = append(lines, line)
		}
	}
	return lines
}

// api is what Secrets Manager answers when it refuses.
func api(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "refused", Fault: smithy.FaultClient}
}

// strategy is the bench as a [rotation.Strategy].
type strategy struct{ *bench }

func (s strategy) Credential() []string { return []string{"password"} }
func (s strategy) Overlaps() bool       { return s.overlaps }

func (s strategy) Next(ctx context.Context, _ *rotation.Rotation, current rotation.Value) (next rotation.Value, err error) {
	err = s.call(ctx, "Next", func() (err error) {
		next, err = s.next(current)
		return err
	})
	return next, err
}

func (s strategy) Set(ctx context.Context, r *rotation.Rotation) error {
	return s.call(ctx, "Set", func() error { return s.set(ctx, r) })
}

func (s strategy) Test(ctx context.Context, _ *rotation.Rotation) error {
	return s.call(ctx, "Test", func() error { return nil })
}

func (s strategy) Finish(ctx context.Context, r *rotation.Rotation) error {
	return s.call(ctx, "Finish", func() error { return s.finish(ctx, r) })
}

func (s strategy) Works(ctx context.Context, _ *rotation.Rotation, _ rotation.Value) error {
	return s.call(ctx, "Works", func() error { return nil })
}

func (s strategy) Preflight(ctx context.Context, _ *rotation.Rotation, _ rotation.Value) []rotation.Check {
	return []rotation.Check{rotation.NewCheck("the target answers", s.call(ctx, "Preflight", func() error { return nil }))}
}

// reads are Secrets Manager as a rotator sees it.
func (b *bench) reads() rotation.Store { return b.View(b.Outside.Process()) }

// store is the bench as a [rotation.Store].
type store struct{ b *bench }

func (s store) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.DescribeSecretOutput, err error) {
	err = s.b.call(ctx, describe, func() (err error) {
		out, err = s.b.reads().DescribeSecret(ctx, in)
		return err
	})
	return out, err
}

func (s store) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.GetSecretValueOutput, err error) {
	err = s.b.call(ctx, "GetSecretValue "+aws.ToString(in.VersionStage), func() (err error) {
		out, err = s.b.reads().GetSecretValue(ctx, in)
		return err
	})
	return out, err
}

func (s store) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.PutSecretValueOutput, err error) {
	if got := aws.ToString(in.RotationToken); got != rotationToken {
		s.b.t.Errorf("PutSecretValue has the rotation token %q, want the event's", got)
	}
	err = s.b.call(ctx, put, func() (err error) {
		out, err = s.b.Store.PutSecretValue(ctx, in)
		return err
	})
	return out, err
}

func (s store) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.UpdateSecretVersionStageOutput, err error) {
	err = s.b.call(ctx, "UpdateSecretVersionStage "+aws.ToString(in.VersionStage), func() (err error) {
		out, err = s.b.Store.UpdateSecretVersionStage(ctx, in)
		return err
	})
	return out, err
}

func (s store) ListSecretVersionIds(ctx context.Context, in *secretsmanager.ListSecretVersionIdsInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.ListSecretVersionIdsOutput, err error) {
	err = s.b.call(ctx, "ListSecretVersionIds", func() (err error) {
		out, err = s.b.Store.ListSecretVersionIds(ctx, in)
		return err
	})
	return out, err
}
