package overlap_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// K7: a list that is late proves no key dead: the key itself is tried.
func TestListIsLate(t *testing.T) {
	b := newBench(t, kind{func(l *apikeytest.Ledger) { l.Replays, l.ListLag = true, 8*time.Second }, labelled}, overlap.Config{})
	for range 3 {
		b.rotate()
	}
	b.wantAlive("key2", "key3")
	if strings.Contains(b.Output(), `"Degraded":1`) {
		t.Error("a list that is late counts as incomplete")
	}
}

// K7: a list without AWSCURRENT's own key is incomplete, and both a rotation and a
// preflight say so.
func TestListIsIncomplete(t *testing.T) {
	b := newBench(t, kind{func(l *apikeytest.Ledger) { l.ListLag = time.Hour }, labelled}, overlap.Config{})
	b.rotate()
	if !strings.Contains(b.Output(), `"Degraded":1`) || !strings.Contains(b.Output(), "incomplete") {
		t.Error("no log line tells that the list is incomplete")
	}
	if report := b.preflight(); report.OK {
		t.Errorf("got %+v", report)
	}
	b.wantAlive("first", "key1")
}

// K2: a key that the provider made and did not tell as it should is revoked before the
// step fails, by the id that it gave or else by the label.
func TestMadeAndNotTold(t *testing.T) {
	for name, told := range map[string]bool{"with its id": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return mumbler{p, told} }}, overlap.Config{})
			token := b.requested()
			for range 6 {
				wantCode(t, b.deliver(token, rotation.StepCreate), rotation.CodeBadAnswer)
			}
			b.wantAlive("first")
		})
	}
}

// mumbler is a provider whose answers are no answers, but for the id of a key.
type mumbler struct {
	apikeytest.Provider
	told bool
}

func (m mumbler) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	value, err := m.Provider.Create(ctx, account, name)
	if err == nil {
		err = rotation.Errorf(rotation.CodeBadAnswer, "not JSON")
	}
	if !m.told {
		value = rotation.Value{}
	}
	return value, err
}

// K8: no key is revoked by one look at the labels. A person puts AWSCURRENT back to
// the oldest version at the very moment at which a rotation ends, and for three
// seconds all reads answer as before.
func TestLabelsAreStale(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	first := b.Holder(rotation.StageCurrent)
	b.rotate()
	token := b.requested()
	for _, step := range []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest} {
		if err := b.deliver(token, step); err != nil {
			t.Fatal(err)
		}
	}
	store := &stale{SecretsManager: b.Store, b: b, first: first, token: token}
	strategy, err := b.Strategy(b.Outside.Process())
	if err != nil {
		t.Fatal(err)
	}
	event, _ := json.Marshal(map[string]string{"Step": rotation.StepFinish, "SecretId": b.Secret, "ClientRequestToken": token})
	_, _ = rotation.New(store, strategy, b.Config, rotation.WithOutput(b), rotation.WithClock(b.Now, b.Pause)).Handle(t.Context(), event)
	if err := errors.Join(store.err, b.CurrentWorks()); err != nil || b.Holder(rotation.StageCurrent) != first {
		t.Errorf("AWSCURRENT is on %s: %v", b.Holder(rotation.StageCurrent), err)
	}
}

// stale is a Secrets Manager in which AWSCURRENT goes on to the first version as soon
// as it is on the token's, of which no read knows for three seconds.
type stale struct {
	*rotationtest.SecretsManager
	b            *bench
	first, token string
	before       *secretsmanager.DescribeSecretOutput
	listed       *secretsmanager.ListSecretVersionIdsOutput
	until        time.Time
	err          error
}

func (s *stale) UpdateSecretVersionStage(ctx context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	out, err := s.SecretsManager.UpdateSecretVersionStage(ctx, in)
	if err == nil && s.before == nil {
		s.before, s.err = s.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: in.SecretId})
		var unlisted error
		s.listed, unlisted = s.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: in.SecretId, IncludeDeprecated: new(true)})
		s.until = s.b.Now().Add(3 * time.Second)
		_, back := s.SecretsManager.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: in.SecretId, VersionStage: in.VersionStage, MoveToVersionId: &s.first, RemoveFromVersionId: &s.token,
		})
		s.err = errors.Join(s.err, unlisted, back)
	}
	return out, err
}

func (s *stale) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	if s.b.Now().Before(s.until) {
		return s.before, nil
	}
	return s.SecretsManager.DescribeSecret(ctx, in)
}

func (s *stale) ListSecretVersionIds(ctx context.Context, in *secretsmanager.ListSecretVersionIdsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	if s.b.Now().Before(s.until) {
		return s.listed, nil
	}
	return s.SecretsManager.ListSecretVersionIds(ctx, in)
}
