package roll_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

func newWorld(t *testing.T, edit func(*rotationtest.Subject, *apikeytest.Ledger)) (*rotationtest.World, *apikeytest.Ledger) {
	t.Helper()
	var ledger *apikeytest.Ledger
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, ledger = subject(w)
		edit(&s, ledger)
		return s
	})
	return w, ledger
}

func requested(t *testing.T, w *rotationtest.World) string {
	t.Helper()
	token := w.Token()
	if err := w.Request(token); err != nil {
		t.Fatal(err)
	}
	return token
}

// K1, K8, C15: createSecret alone puts the key into force, and says which it replaced
// and for how long no key was; the other steps find that and do nothing.
func TestOneInvocation(t *testing.T) {
	w, _ := newWorld(t, func(*rotationtest.Subject, *apikeytest.Ledger) {})
	token := requested(t, w)
	if err := w.Deliver(w.Outside.Process(), token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	if w.Holder(rotation.StageCurrent) != token || w.CurrentWorks() != nil {
		t.Error("the new key is not in force")
	}
	if !strings.Contains(w.Output(), `"msg":"replacing a key"`) || !strings.Contains(w.Output(), `"key":"first"`) {
		t.Error("no log line tells which key has ended")
	}
	if !strings.Contains(w.Output(), "CredentialGap") {
		t.Error("no log line tells how long no key worked")
	}
	if err := w.Rotate(token, 1); err != nil {
		t.Error(err)
	}
	if err := w.Settled(token); err != nil {
		t.Error(err)
	}
}

// The only key that there is goes into force even if it ends too soon, and that is
// told: a rotation that kept it back could never do better.
func TestEndsTooSoon(t *testing.T) {
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider { return ending{p, w.Now().Add(time.Hour)} })
		return s
	})
	token := requested(t, w)
	if err := errors.Join(w.Rotate(token, 1), w.CurrentWorks()); err != nil || w.Holder(rotation.StageCurrent) != token {
		t.Errorf("the new key is not in force: %v", err)
	}
	if !strings.Contains(w.Output(), `"Degraded":1`) {
		t.Error("no log line tells that it ends too soon")
	}
}

// ending is a provider whose keys have an end.
type ending struct {
	apikeytest.Provider
	end time.Time
}

func (ending) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

func (e ending) Roll(ctx context.Context, account apikey.Account) (rotation.Value, error) {
	value, err := e.Provider.Roll(ctx, account)
	return value.With(apikey.KeyExpiry, e.end.Format(time.RFC3339)), err
}

// K1: a key that replaced the only one goes into force whatever else the answer lacks,
// and that is told.
func TestAnswerLacksSomething(t *testing.T) {
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider { return lacking{p} })
		return s
	})
	token := requested(t, w)
	if err := errors.Join(w.Rotate(token, 1), w.CurrentWorks(), w.Settled(token)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.Output(), `"Degraded":1`) {
		t.Error("no log line tells what the answer lacks")
	}
}

// lacking is a provider that does not say when a key ends.
type lacking struct{ apikeytest.Provider }

func (l lacking) Roll(ctx context.Context, account apikey.Account) (rotation.Value, error) {
	value, err := l.Provider.Roll(ctx, account)
	if err == nil {
		err = rotation.Errorf(rotation.CodeBadAnswer, "no time")
	}
	return value, err
}

// C16: a preflight tries the admin secret as well, and finds one that holds no key and
// one that holds a wrong key.
func TestPreflightTriesTheAdmin(t *testing.T) {
	for admin, want := range map[string]rotation.Code{
		`{"api_key":"` + apikeytest.AdminKey + `"}`: "", `{"api_key":"wrong"}`: rotation.CodeAuthRejected, `{}`: rotation.CodeAuthRejected,
	} {
		w, _ := newWorld(t, func(*rotationtest.Subject, *apikeytest.Ledger) {})
		if _, err := w.Store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: new("admin"), SecretString: &admin}); err != nil {
			t.Fatal(err)
		}
		handler, err := w.Handler(w.Outside.Process())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := handler.Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+w.Secret+`"}`))
		report, ok := answer.(rotation.Preflight)
		if err != nil || !ok || report.OK != (want == "") || report.Checks[len(report.Checks)-1].Code != want {
			t.Errorf("admin %s: got %+v, %v, want the code %q", admin, answer, err, want)
		}
	}
}

// C3, K1: of two deliveries the one whose key is not stored says so if that has ended
// the stored one, and keeps quiet if it was the other way round.
func TestTwoDeliveries(t *testing.T) {
	for name, test := range map[string]struct {
		late bool // the key that is not stored is the newer one
		code rotation.Code
	}{
		"the stored key is newer": {false, ""},
		"the lost key is newer":   {true, rotation.CodeAuthRejected},
	} {
		t.Run(name, func(t *testing.T) {
			var other func()
			w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
				s, _ := subjectOf(w, func(p apikeytest.Provider) roll.Provider {
					return overtaken{p, test.late, func() { other() }}
				})
				return s
			})
			token := requested(t, w)
			other = func() {
				other = func() {}
				if err := w.Deliver(w.Outside.Process(), token, rotation.StepCreate); err != nil {
					t.Error(err)
				}
			}
			err := w.Deliver(w.Outside.Process(), token, rotation.StepCreate)
			if got := rotation.CodeOf(err); got != test.code {
				t.Errorf("got %v, want the code %q", err, test.code)
			}
			if works := w.CurrentWorks() == nil; works == test.late {
				t.Errorf("AWSCURRENT works: %t", works)
			}
			w.Pass(24 * time.Hour)
			token = requested(t, w)
			if err := errors.Join(w.Rotate(token, 1), w.CurrentWorks(), w.Settled(token)); err != nil {
				t.Error(err)
			}
		})
	}
}

// K8: a delivery that reads what was true three seconds ago does not replace the key
// that another has just promoted.
func TestReadsAreStale(t *testing.T) {
	w, _ := newWorld(t, func(*rotationtest.Subject, *apikeytest.Ledger) {})
	token := requested(t, w)
	before, err := w.Store.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &w.Secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deliver(w.Outside.Process(), token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	strategy, err := w.Strategy(w.Outside.Process())
	if err != nil {
		t.Fatal(err)
	}
	store := stale{w.Store, w, before, token, w.Now().Add(3 * time.Second)}
	event := fmt.Appendf(nil, `{"Step":"createSecret","SecretId":%q,"ClientRequestToken":%q}`, w.Secret, token)
	_, err = rotation.New(store, strategy, w.Config, rotation.WithOutput(w), rotation.WithClock(w.Now, w.Pause)).Handle(t.Context(), event)
	if err := errors.Join(err, w.CurrentWorks()); err != nil || w.Holder(rotation.StageCurrent) != token {
		t.Errorf("AWSCURRENT is on %s: %v", w.Holder(rotation.StageCurrent), err)
	}
}

// stale is a Secrets Manager that answers for a while as before a rotation.
type stale struct {
	*rotationtest.SecretsManager
	w      *rotationtest.World
	before *secretsmanager.DescribeSecretOutput
	token  string
	until  time.Time
}

func (s stale) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	if s.w.Now().Before(s.until) {
		return s.before, nil
	}
	return s.SecretsManager.DescribeSecret(ctx, in)
}

func (s stale) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if s.w.Now().Before(s.until) && in.VersionId != nil {
		if *in.VersionId == s.token {
			return nil, &types.ResourceNotFoundException{}
		}
		in.VersionStage = nil // which it has not got any more
	}
	return s.SecretsManager.GetSecretValue(ctx, in)
}

// overtaken is a provider in whose call another delivery is faster.
type overtaken struct {
	apikeytest.Provider
	late  bool // the call comes after the other delivery
	other func()
}

func (o overtaken) Roll(ctx context.Context, account apikey.Account) (rotation.Value, error) {
	if o.late {
		o.other()
	}
	value, err := o.Provider.Roll(ctx, account)
	o.other()
	return value, err
}

// A key is not replaced with itself: no one could ask for another one then.
func TestAdminIsAnotherKey(t *testing.T) {
	for name, edit := range map[string]func(*rotationtest.Subject, *apikeytest.Ledger){
		"no admin": func(s *rotationtest.Subject, _ *apikeytest.Ledger) {
			s.Initial = `{"key_id":"first","api_key":"` + apikeytest.FirstKey + `"}`
		},
		"the admin's own": func(s *rotationtest.Subject, _ *apikeytest.Ledger) {
			s.Initial = strings.Replace(s.Initial, apikeytest.FirstKey, apikeytest.AdminKey, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, ledger := newWorld(t, edit)
			err := w.Deliver(w.Outside.Process(), requested(t, w), rotation.StepCreate)
			if got := rotation.CodeOf(err); got != rotation.CodeBadSecret {
				t.Errorf("got %v, want the code %q", err, rotation.CodeBadSecret)
			}
			if _, ok := ledger.Accepts(apikeytest.FirstKey); !ok {
				t.Error("the key was replaced")
			}
		})
	}
}

// K7: a pending key that a later one has replaced is given up, and the next
// rotation makes another.
func TestReplacedMeanwhile(t *testing.T) {
	w, ledger := newWorld(t, func(*rotationtest.Subject, *apikeytest.Ledger) {})
	token := requested(t, w)
	w.Outside.Plan(0, rotationtest.None)
	if err := w.Deliver(w.Outside.Process(), token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	calls := len(w.Outside.Calls())

	w.Pass(24 * time.Hour)
	token = requested(t, w)
	w.Outside.Plan(calls-1, rotationtest.KillBefore) // it is stored, and not yet proven
	_ = w.Deliver(w.Outside.Process(), token, rotation.StepCreate)
	w.Outside.Plan(0, rotationtest.None)
	ledger.Roll("first")
	if got := rotation.CodeOf(w.Deliver(w.Outside.Process(), token, rotation.StepSet)); got != rotation.CodeAuthRejected {
		t.Errorf("got the code %q, want %q", got, rotation.CodeAuthRejected)
	}
	if holder := w.Holder(rotation.StagePending); holder != "" {
		t.Errorf("AWSPENDING is left on %s", holder)
	}
	if err := w.Rotate(requested(t, w), 1); err != nil {
		t.Error(err)
	}
	if err := w.CurrentWorks(); err != nil {
		t.Error(err)
	}
}
