// Package rotationtest proves a rotation strategy: it kills the rotator before
// and after every call to the outside, breaks its connections, freezes it and
// delivers everything twice, plays the service on both sides of that, and looks
// after each whether the secret still works.
//
// [Prove] is the whole of it. It needs a [Subject]: how to make the strategy for
// a process, whose calls go through [Process], and whether a value works. A new
// engine needs nothing else.
//
// [SecretsManager] is the service in memory. There is no network here and no
// clock but the one that tests move.
package rotationtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// Subject is a strategy over a target, and the world that it works on.
type Subject struct {
	// Initial is the value that the secret is seeded with.
	Initial string
	// Strategy makes the strategy anew for a process, whose calls to the
	// target must go through [Process.Call] or [Process.Send].
	Strategy func(*Process) (rotation.Strategy, error)
	// Works returns nil if an application that holds value can do its work.
	Works func(value rotation.Value) error
	// Settle is told, after a process died or while it stands still, that so
	// much time has passed that servers closed its idle connections.
	Settle func(*Process)
	// GapPoints is at how many of a rotation's calls a fault may leave
	// AWSCURRENT unable to log in until the next delivery. It is 0 but for
	// engines with one password a user, which need the 2 between changing the
	// password and moving the label.
	GapPoints int
	// Single says that the target has one credential and makes it itself, at
	// once: a change that lands late ends AWSCURRENT, and it takes the next
	// rotation to heal that.
	Single bool
	// Cramped says that the target has no room for two processes at a time, so that
	// none may stand still.
	Cramped bool
	// Seeded is what people do to the secret between its first value and its first
	// rotation, if anything.
	Seeded func() error
	// Before is what a person does before each rotation, if anything.
	Before func() error
	// Recovered returns nil if a rotation that met a fault and came to its end
	// has left nothing that the recovery should have removed.
	Recovered func() error
	// Tidy returns nil if nothing is left of anything but what AWSCURRENT and
	// AWSPREVIOUS name. One undisturbed rotation has to get there from anywhere.
	Tidy func() error
	// Sensitive are the keys of the secret whose values must not occur in
	// anything the rotator says; nil is the password.
	Sensitive []string
	// Secrets are further texts that must not occur there.
	Secrets []string
}

const secretName = "app/credential"

// World is a Secrets Manager, a subject and everything said about them.
type World struct {
	Subject
	Outside *Outside
	Store   *SecretsManager
	Secret  string // ARN
	Config  rotation.Config

	t      testing.TB
	reads  *Lagging // what rotators see
	mu     sync.Mutex
	output bytes.Buffer
	tokens int
	clock  time.Time
}

// NewWorld makes a world and seeds its secret. subject is called with the world
// still without a subject, to seed other secrets and to make servers that know
// the world's outside.
func NewWorld(t testing.TB, subject func(*World) Subject) *World {
	t.Helper()
	w := &World{t: t, Outside: new(Outside), clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.Outside.Now = w.Now
	w.Store = &SecretsManager{Now: w.Now}
	w.Config = rotation.Config{AllowedSecrets: []string{"arn:*"}}
	w.Subject = subject(w)
	w.Secret = w.Seed(secretName, w.Initial)
	w.Lag(nil)
	if err := ask(w.Seeded); err != nil {
		t.Fatalf("after seeding: %v", err)
	}
	return w
}

// Lag makes the reads of rotators late, each operation's as lags say. The world
// itself goes on seeing what is true.
func (w *World) Lag(lags map[string]Lag) {
	w.reads = &Lagging{SecretsManager: w.Store, Lags: lags}
}

// Seed creates a secret with a value and returns its ARN.
func (w *World) Seed(name, value string) string {
	w.t.Helper()
	out, err := w.Store.CreateSecret(w.t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	if err != nil {
		w.t.Fatalf("creating secret %s: %v", name, err)
	}
	return aws.ToString(out.ARN)
}

// View returns Secrets Manager as process p sees it.
func (w *World) View(p *Process) rotation.Store { return p.Store(w.reads) }

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// Pass lets time pass, for Secrets Manager and for the rotator.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// Pause passes time in place of sleeping, until the invocation that ctx is of has
// used up its own.
func (w *World) Pause(ctx context.Context, d time.Duration) error {
	w.Pass(d)
	if end, ok := ctx.Value(invocationEnds{}).(time.Time); ok && w.Now().After(end) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// invocationEnds is the key of the time at which an invocation has to begin to
// put things right, by the world's clock.
type invocationEnds struct{}

// invocationTime is what a function with the usual timeout has for its work.
const invocationTime = 56 * time.Second

// Invocation returns the context of an invocation that begins now.
func (w *World) Invocation(ctx context.Context) context.Context {
	return context.WithValue(ctx, invocationEnds{}, w.Now().Add(invocationTime))
}

// Write takes the rotator's logs and metrics.
func (w *World) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output.Write(line)
}

// Output returns all that rotators have logged so far.
func (w *World) Output() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output.String()
}

// Token returns a new ClientRequestToken.
func (w *World) Token() string {
	w.tokens++
	return fmt.Sprintf("%08d-0000-4000-8000-000000000000", w.tokens)
}

// Request is RotateSecret: it registers token as the pending version.
func (w *World) Request(token string) error {
	if err := ask(w.Before); err != nil {
		return err
	}
	_, err := w.Store.RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{
		SecretId: &w.Secret, ClientRequestToken: &token,
		RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:rotator"),
	})
	return err
}

// Handler returns a rotator in process p.
func (w *World) Handler(p *Process) (*rotation.Handler, error) {
	strategy, err := w.Strategy(p)
	if err != nil {
		return nil, err
	}
	return rotation.New(w.View(p), strategy, w.Config, rotation.WithOutput(w), rotation.WithClock(w.Now, w.Pause)), nil
}

// Steps are the steps of a rotation in the order in which the service runs them.
var Steps = []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish}

// Deliver runs one step in process p, which is a new one for every delivery.
func (w *World) Deliver(p *Process, token, step string) error {
	wait, err := w.deliver(p, token, step)
	if wait != nil {
		return errors.New("the process stands still")
	}
	return err
}

// deliver is Deliver for a process that may come to stand still: then it
// returns a function that waits for its end.
func (w *World) deliver(p *Process, token, step string) (wait func() error, err error) {
	handler, err := w.Handler(p)
	if err != nil {
		return nil, err
	}
	event, err := json.Marshal(map[string]string{
		"Step": step, "SecretId": w.Secret, "ClientRequestToken": token, "RotationToken": rotationToken,
	})
	if err != nil {
		return nil, err
	}
	wait, err = p.run(func() error {
		_, err := handler.Handle(w.Invocation(context.Background()), event)
		return err
	})
	if p.Dead() && w.Settle != nil {
		w.Settle(p)
	}
	return wait, err
}

// rotationToken is passed with every event and must never be logged.
const rotationToken = "rotation-token-sentinel-5f1e"

// Rotate runs the steps of token's rotation as the service does: it stops at
// the first that fails, and tries the whole rotation again, up to tries times.
// AWS does not document how often it tries.
func (w *World) Rotate(token string, tries int) error {
	var err error
	for range tries {
		for _, step := range Steps {
			if err = w.Deliver(w.Outside.Process(), token, step); err != nil {
				break
			}
		}
		if err == nil {
			return w.Store.RotationSucceeded(w.Secret, token)
		}
	}
	return err
}

// GiveUp takes AWSPENDING off token's version, as a person does who wants a
// rotation to begin anew.
func (w *World) GiveUp(token string) error {
	_, err := w.Store.UpdateSecretVersionStage(context.Background(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: &w.Secret, VersionStage: aws.String(rotation.StagePending), RemoveFromVersionId: &token,
	})
	return err
}

// Value returns the value of the version that holds stage.
func (w *World) Value(stage string) (rotation.Value, error) {
	out, err := w.Store.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &w.Secret, VersionStage: &stage})
	if err != nil {
		return rotation.Value{}, err
	}
	return rotation.ParseValue(rotation.NewSensitive(aws.ToString(out.SecretString)))
}

// Holder returns the id of the version that holds stage, "" for none.
func (w *World) Holder(stage string) string {
	out, err := w.Store.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &w.Secret, VersionStage: &stage})
	if err != nil {
		return ""
	}
	return aws.ToString(out.VersionId)
}

// CurrentWorks returns nil if an application that reads AWSCURRENT can work.
func (w *World) CurrentWorks() error {
	current, err := w.Value(rotation.StageCurrent)
	if err != nil {
		return fmt.Errorf("AWSCURRENT cannot be read: %w", err)
	}
	if err := w.Works(current); err != nil {
		return fmt.Errorf("AWSCURRENT does not work: %w", err)
	}
	return nil
}

// Settled returns nil if token's rotation ended as it should: AWSCURRENT on
// token's version and working, AWSPENDING nowhere else.
func (w *World) Settled(token string) error {
	if err := w.CurrentWorks(); err != nil {
		return err
	}
	if holder := w.Holder(rotation.StageCurrent); holder != token {
		return fmt.Errorf("AWSCURRENT is on %s, not on %s", holder, token)
	}
	out, err := w.Store.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: &w.Secret})
	if err != nil {
		return err
	}
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, rotation.StagePending) {
			return fmt.Errorf("AWSPENDING is left on %s", version)
		}
	}
	return nil
}

func (w *World) sensitive() []string {
	if w.Sensitive == nil {
		return []string{"password"}
	}
	return w.Sensitive
}

// Silent returns an error if anything that was said holds a secret.
func (w *World) Silent(extra ...error) error {
	said := w.Output() + fmt.Sprint(errors.Join(extra...))
	secrets := append([]string{rotationToken}, w.Secrets...)
	for _, stage := range []string{rotation.StageCurrent, rotation.StagePending, rotation.StagePrevious} {
		if value, err := w.Value(stage); err == nil {
			for _, key := range w.sensitive() {
				if text, ok := value.Get(key); ok {
					secrets = append(secrets, text.Reveal())
				}
			}
		}
	}
	for _, secret := range secrets {
		if secret != "" && strings.Contains(said, secret) {
			return errors.New("a secret stands in the rotator's output")
		}
	}
	return nil
}
