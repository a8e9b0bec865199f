package overlap_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// K8: two secrets that two functions rotate share a provider. Before each rotation one
// is given the other's value by mistake, which is put right; their steps alternate. No
// key is ever revoked that either secret names, and none is left in the end.
func TestSharedProvider(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	other := b.neighbour()
	for round := range 4 {
		b.Pass(24 * time.Hour)
		if round%2 == 0 {
			b.confuse(b.Secret, other)
		} else {
			b.confuse(other, b.Secret)
		}
		tokens := map[string]string{b.Secret: b.Token(), other: b.Token()}
		for secret, token := range tokens {
			b.do(b.Store.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
				SecretId: &secret, ClientRequestToken: &token, RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:" + token),
			}))
		}
		for _, step := range rotationtest.Steps {
			for secret, token := range tokens {
				if err := b.handle(secret, token, step); err != nil {
					t.Fatalf("%s of %s: %v", step, secret, err)
				}
				b.wantKeysOf(b.Secret, other)
			}
		}
	}
	b.wantAlive("key5", "key6", "key7", "key8")
}

// neighbour seeds another secret with a key of its own and returns its ARN.
func (b *bench) neighbour() string {
	b.t.Helper()
	value, err := b.Value(rotation.StageCurrent)
	if err != nil {
		b.t.Fatal(err)
	}
	b.ledger.Register("second", "key-sentinel-second", "made by hand")
	return b.Seed("other", value.With(apikey.KeyID, "second").With(apikey.KeyValue, "key-sentinel-second").Text().Reveal())
}

// handle has a function of its own, which is told nothing of the other, do a step.
func (b *bench) handle(secret, token, step string) error {
	strategy := overlap.New(apikeytest.Provider{Ledger: b.ledger, Process: new(rotationtest.Outside).Process()}, overlap.Config{})
	config := rotation.Config{AllowedSecrets: []string{secret, "arn:*:secret:admin-*"}}
	handler := rotation.New(b.Store, strategy, config, rotation.WithOutput(b), rotation.WithClock(b.Now, b.Pause))
	_, err := handler.Handle(context.Background(), fmt.Appendf(nil, `{"Step":%q,"SecretId":%q,"ClientRequestToken":%q}`, step, secret, token))
	return err
}

// confuse puts what one secret holds into another, and then what was there.
func (b *bench) confuse(from, to string) {
	b.t.Helper()
	for _, value := range []rotation.Value{b.held(from, rotation.StageCurrent), b.held(to, rotation.StageCurrent)} {
		b.do(b.Store.PutSecretValue(b.t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: &to, ClientRequestToken: aws.String(b.Token()), SecretString: aws.String(value.Text().Reveal()),
		}))
	}
}

func (b *bench) held(secret, stage string) rotation.Value {
	b.t.Helper()
	out, err := b.Store.GetSecretValue(b.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &secret, VersionStage: &stage})
	if err != nil {
		b.t.Fatal(err)
	}
	value, err := rotation.ParseValue(rotation.NewSensitive(aws.ToString(out.SecretString)))
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// wantKeysOf holds the book to the keys that the secrets hold.
func (b *bench) wantKeysOf(secrets ...string) {
	b.t.Helper()
	for _, secret := range secrets {
		if err := b.Works(b.held(secret, rotation.StageCurrent)); err != nil {
			b.t.Fatal(errors.Join(errors.New(secret), err))
		}
	}
}

func (b *bench) do(_ any, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}
