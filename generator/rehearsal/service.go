package rehearsal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// The steps of a rotation, in order, as they are named on the wire.
const (
	CreateSecret = "createSecret"
	SetSecret    = "setSecret"
	TestSecret   = "testSecret"
	FinishSecret = "finishSecret"
)

// An Event is what Secrets Manager sends to a rotation function.
type Event struct {
	Step               string
	SecretID           string `json:"SecretId"` // the ARN
	ClientRequestToken string
	RotationToken      string
}

// An Invoker is a Lambda function: a *Function, or what stands for one.
type Invoker interface {
	// Invoke runs the handler on an event, for at most the timeout.
	Invoke(ctx context.Context, event []byte, timeout time.Duration) ([]byte, error)
}

// A Service does what Secrets Manager does by itself with a secret and its
// rotation function. It keeps no state of its own: several may share a
// SecretsManager, each with a Function, to have rotations at the same time.
type Service struct {
	SecretsManager *rotationtest.SecretsManager
	Function       Invoker

	// Timeout is the function's timeout for each step, 30 seconds if zero.
	Timeout time.Duration

	// Attempts is how often a rotation is run before it has failed, 3 if
	// zero. AWS says that it tries "multiple times" and neither how often nor
	// when; here the next attempt follows at once.
	Attempts int

	// Pause is the time between two steps of an attempt.
	Pause time.Duration

	// RotationToken is sent with every event, "rehearsal" if empty. It must
	// come back with PutSecretValue and never in a log.
	RotationToken string

	// AfterStep, if not nil, is called after each step, before Pause.
	AfterStep func(Step)
}

// A Step is one invocation of a rotation, as it went.
type Step struct {
	Name    string // such as createSecret
	Token   string // the rotation's ClientRequestToken
	Attempt int    // from 1
	Started time.Time
	Took    time.Duration
	Err     error // nil if the step succeeded
}

// Rotate is a call of RotateSecret and what the service does after it: the four
// steps in order until one fails, and from the beginning again with the same
// token, until all succeed or the attempts are used up. Then the secret has a new
// LastRotatedDate, or the labels stay as they are.
//
// It returns all steps that were run and the error of the last attempt. A refusal
// of RotateSecret is returned as it is, with no steps. If an earlier rotation is
// the reason, the service takes that one up again by itself: that is Retry, with
// the token that SecretsManager.InFlight gives.
func (s *Service) Rotate(ctx context.Context, secretID, token string) ([]Step, error) {
	arn, err := s.rotateSecret(ctx, secretID, token, true)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, arn, token)
}

// Retry is Rotate without the call of RotateSecret: the steps again, for a
// rotation that was begun before, whatever has become of its labels.
func (s *Service) Retry(ctx context.Context, secretID, token string) ([]Step, error) {
	secret, err := s.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(secretID)})
	if err != nil {
		return nil, err
	}
	return s.run(ctx, *secret.ARN, token)
}

// TestOnly is a call of RotateSecret with RotateImmediately=false: testSecret
// alone, on a temporary version that is removed after it, whatever its outcome.
func (s *Service) TestOnly(ctx context.Context, secretID, token string) (Step, error) {
	arn, err := s.rotateSecret(ctx, secretID, token, false)
	if err != nil {
		return Step{}, err
	}
	step := s.invoke(ctx, Step{Name: TestSecret, Token: token, Attempt: 1}, arn)
	if err := s.SecretsManager.EndTest(arn, token); err != nil {
		return step, err
	}
	return step, step.Err
}

func (s *Service) rotateSecret(ctx context.Context, secretID, token string, immediately bool) (arn string, err error) {
	out, err := s.SecretsManager.RotateSecret(ctx, &secretsmanager.RotateSecretInput{
		SecretId:           aws.String(secretID),
		ClientRequestToken: aws.String(token),
		RotationLambdaARN:  aws.String(FunctionARN),
		RotateImmediately:  aws.Bool(immediately),
	})
	if err != nil {
		return "", err
	}
	return *out.ARN, nil
}

func (s *Service) run(ctx context.Context, arn, token string) (steps []Step, err error) {
	for attempt := range cmp.Or(s.Attempts, 3) {
		var tried []Step
		tried, err = s.attempt(ctx, arn, token, attempt+1)
		steps = append(steps, tried...)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return steps, err
}

// attempt runs the steps once.
func (s *Service) attempt(ctx context.Context, arn, token string, attempt int) (steps []Step, err error) {
	for i, name := range []string{CreateSecret, SetSecret, TestSecret, FinishSecret} {
		if i > 0 {
			if err := pause(ctx, s.Pause); err != nil {
				return steps, err
			}
		}
		step := s.invoke(ctx, Step{Name: name, Token: token, Attempt: attempt}, arn)
		steps = append(steps, step)
		if step.Err != nil {
			return steps, fmt.Errorf("%s: %w", name, step.Err)
		}
	}
	return steps, s.SecretsManager.RotationSucceeded(arn, token)
}

// invoke runs one step and completes its record.
func (s *Service) invoke(ctx context.Context, step Step, arn string) Step {
	event, err := json.Marshal(Event{step.Name, arn, step.Token, cmp.Or(s.RotationToken, "rehearsal")})
	if err != nil {
		panic(err) // four strings
	}
	step.Started = time.Now()
	_, step.Err = s.Function.Invoke(ctx, event, cmp.Or(s.Timeout, 30*time.Second))
	step.Took = time.Since(step.Started)
	if s.AfterStep != nil {
		s.AfterStep(step)
	}
	return step
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
