package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// A rotator does the least that a rotation asks for. It fails each step as often
// as fail says, before the step has an effect.
type rotator struct {
	secrets  *rotationtest.SecretsManager
	fail     map[string]int
	lazy     bool // finishSecret does nothing
	events   []Event
	timeouts []time.Duration
}

var errStep = errors.New("step failed")

func (r *rotator) Invoke(ctx context.Context, event []byte, timeout time.Duration) ([]byte, error) {
	var e Event
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	r.events = append(r.events, e)
	r.timeouts = append(r.timeouts, timeout)
	if r.fail[e.Step] > 0 {
		r.fail[e.Step]--
		return nil, errStep
	}
	secret, err := r.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &e.SecretID})
	if err != nil {
		return nil, err
	}
	switch {
	case e.Step == CreateSecret:
		_, err = r.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: &e.SecretID, ClientRequestToken: &e.ClientRequestToken, SecretString: aws.String("new"), VersionStages: []string{"AWSPENDING"},
		})
	case e.Step == FinishSecret && !r.lazy:
		for id, labels := range secret.VersionIdsToStages {
			if slices.Contains(labels, "AWSCURRENT") && id != e.ClientRequestToken {
				_, err = r.secrets.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: &e.SecretID, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &e.ClientRequestToken, RemoveFromVersionId: &id,
				})
			}
		}
	}
	return nil, err
}

func newService(t *testing.T) (*Service, *rotator, string) {
	t.Helper()
	secrets := newSecretsManager()
	out, err := secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("db"), SecretString: aws.String("old"), ClientRequestToken: aws.String("v1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rotator{secrets: secrets, fail: map[string]int{}}
	return &Service{SecretsManager: secrets, Function: r}, r, *out.ARN
}

func describe(t *testing.T, s *Service) *secretsmanager.DescribeSecretOutput {
	t.Helper()
	out, err := s.SecretsManager.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("db")})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestServiceRotate(t *testing.T) {
	type ran struct {
		Name    string
		Attempt int
		Failed  bool
	}
	tests := []struct {
		name     string
		fail     map[string]int
		lazy     bool
		attempts int
		want     []ran
		wantErr  bool
	}{
		{
			name: "at the first attempt",
			want: []ran{{CreateSecret, 1, false}, {SetSecret, 1, false}, {TestSecret, 1, false}, {FinishSecret, 1, false}},
		},
		{
			name: "at the second, from the beginning",
			fail: map[string]int{SetSecret: 1},
			want: []ran{
				{CreateSecret, 1, false}, {SetSecret, 1, true},
				{CreateSecret, 2, false}, {SetSecret, 2, false}, {TestSecret, 2, false}, {FinishSecret, 2, false},
			},
		},
		{
			name:    "never",
			fail:    map[string]int{CreateSecret: 9},
			want:    []ran{{CreateSecret, 1, true}, {CreateSecret, 2, true}, {CreateSecret, 3, true}},
			wantErr: true,
		},
		{
			name:     "with one attempt",
			fail:     map[string]int{TestSecret: 1},
			attempts: 1,
			want:     []ran{{CreateSecret, 1, false}, {SetSecret, 1, false}, {TestSecret, 1, true}},
			wantErr:  true,
		},
		{
			name:     "a rotator that says it is done and is not",
			lazy:     true,
			attempts: 1,
			want:     []ran{{CreateSecret, 1, false}, {SetSecret, 1, false}, {TestSecret, 1, false}, {FinishSecret, 1, false}},
			wantErr:  true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, r, _ := newService(t)
			s.Attempts = tt.attempts
			r.lazy = tt.lazy
			if tt.fail != nil {
				r.fail = tt.fail
			}
			var hooked []Step
			s.AfterStep = func(step Step) { hooked = append(hooked, step) }

			steps, err := s.Rotate(t.Context(), "db", "v2")
			if (err != nil) != tt.wantErr {
				t.Errorf("error = %v, want one: %t", err, tt.wantErr)
			}
			var got []ran
			for i, step := range steps {
				got = append(got, ran{step.Name, step.Attempt, step.Err != nil})
				if step != hooked[i] || step.Token != "v2" || step.Started.IsZero() {
					t.Errorf("step %d = %v, hook got %v", i, step, hooked[i])
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if rotated := describe(t, s).LastRotatedDate != nil; rotated == tt.wantErr {
				t.Errorf("LastRotatedDate set: %t", rotated)
			}
		})
	}
}

func TestServiceEvents(t *testing.T) {
	s, r, arn := newService(t)
	s.RotationToken, s.Timeout = "sentinel", time.Second
	if _, err := s.Rotate(t.Context(), "db", "v2"); err != nil {
		t.Fatal(err)
	}
	want := []Event{
		{CreateSecret, arn, "v2", "sentinel"}, {SetSecret, arn, "v2", "sentinel"},
		{TestSecret, arn, "v2", "sentinel"}, {FinishSecret, arn, "v2", "sentinel"},
	}
	if diff := cmp.Diff(want, r.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if r.timeouts[0] != time.Second {
		t.Errorf("timeout = %v, want %v", r.timeouts[0], time.Second)
	}
}

func TestServiceRetry(t *testing.T) {
	s, r, _ := newService(t)
	s.Attempts = 1
	r.fail[FinishSecret] = 1
	if _, err := s.Rotate(t.Context(), "db", "v2"); !errors.Is(err, errStep) {
		t.Fatalf("error = %v, want %v", err, errStep)
	}
	var refused *types.InvalidRequestException
	if steps, err := s.Rotate(t.Context(), "db", "v3"); !errors.As(err, &refused) || steps != nil {
		t.Errorf("a new rotation: %v, %v, want it refused", steps, err)
	}
	if got := s.SecretsManager.InFlight("db"); got != "v2" {
		t.Fatalf("in flight = %q, want v2", got)
	}
	if _, err := s.Retry(t.Context(), "db", "v2"); err != nil {
		t.Fatal(err)
	}
	// The service repeats a rotation whose last answer was lost, too.
	if _, err := s.Retry(t.Context(), "db", "v2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rotate(t.Context(), "db", "v3"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"v2": {"AWSPREVIOUS"}, "v3": {"AWSCURRENT", "AWSPENDING"}}, describe(t, s).VersionIdsToStages); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestServiceTestOnly(t *testing.T) {
	for _, fails := range []int{0, 1} {
		s, r, arn := newService(t)
		r.fail[TestSecret] = fails
		before := describe(t, s).VersionIdsToStages
		step, err := s.TestOnly(t.Context(), "db", "v2")
		if (err != nil) != (fails > 0) || !errors.Is(err, step.Err) {
			t.Errorf("fails %d: error = %v, step %v", fails, err, step)
		}
		if diff := cmp.Diff([]Event{{TestSecret, arn, "v2", "rehearsal"}}, r.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, describe(t, s).VersionIdsToStages); diff != "" {
			t.Errorf("labels (-before +after):\n%s", diff)
		}
	}
}

func TestServicePause(t *testing.T) {
	s, _, _ := newService(t)
	s.Pause = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	s.AfterStep = func(Step) { cancel() }
	steps, err := s.Rotate(ctx, "db", "v2")
	if !errors.Is(err, context.Canceled) || len(steps) != 1 {
		t.Errorf("%d steps, %v, want the pause after the first to end with its context", len(steps), err)
	}

	s, _, _ = newService(t)
	s.Pause = time.Millisecond
	started := time.Now()
	if _, err := s.Rotate(t.Context(), "db", "v2"); err != nil || time.Since(started) < 3*s.Pause {
		t.Errorf("rotation took %v, %v, want at least the three pauses", time.Since(started), err)
	}
}

// The whole set-up of the package's documentation: a process that is killed around
// each of its requests to Secrets Manager, and the service that runs it again.
func TestKillAroundEveryRequest(t *testing.T) {
	for k := 1; ; k++ {
		secrets := newSecretsManager()
		if _, err := secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("db"), SecretString: aws.String("old")}); err != nil {
			t.Fatal(err)
		}
		f := newFunction(t, "rotate")
		var requests atomic.Int64
		front := &Front{SecretsManager: secrets, After: func(Call) error {
			if requests.Add(1) == int64(k) {
				f.Kill()
				return ErrDrop
			}
			return nil
		}}
		_, url := newClient(t, front)
		f.Env = append(f.Env, "ENDPOINT="+url)
		s := &Service{SecretsManager: secrets, Function: f}
		steps, err := s.Rotate(t.Context(), "db", "v2")
		if err != nil {
			t.Fatalf("killed after request %d: %v\n%s", k, err, f.Output())
		}
		out, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("db")})
		if err != nil || *out.VersionId != "v2" || *out.SecretString != "new" {
			t.Errorf("killed after request %d: AWSCURRENT is %v, %v", k, out, err)
		}
		if requests.Load() < int64(k) {
			if k < 4 {
				t.Errorf("only %d requests", k-1)
			}
			return
		}
		last := steps[len(steps)-1]
		if last.Attempt != 2 || f.ColdStarts() != 2 {
			t.Errorf("killed after request %d: %d attempts, %d cold starts, want 2 and 2", k, last.Attempt, f.ColdStarts())
		}
	}
}
