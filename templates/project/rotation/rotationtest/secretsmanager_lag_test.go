package rotationtest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// C22: a read is as old as its operation lags, by time or by reads, and no other's is.
func TestLagging(t *testing.T) {
	for name, test := range map[string]struct {
		lag  rotationtest.Lag
		want []bool // whether reads a second apart see what was put just before the first
	}{
		"none":         {rotationtest.Lag{}, []bool{true, true}},
		"two seconds":  {rotationtest.Lag{For: 2 * time.Second}, []bool{false, false, true, true}},
		"two reads":    {rotationtest.Lag{Reads: 2}, []bool{false, false, true, true}},
		"the later of": {rotationtest.Lag{For: time.Second, Reads: 2}, []bool{false, false, false, true}},
	} {
		for _, op := range []string{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds"} {
			t.Run(name+"/"+op, func(t *testing.T) {
				now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				m := &rotationtest.SecretsManager{Now: func() time.Time { return now }}
				l := &rotationtest.Lagging{SecretsManager: m, Lags: map[string]rotationtest.Lag{op: test.lag}}
				_, err := m.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("old"), ClientRequestToken: aws.String("first")})
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(time.Hour)
				_, err = m.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("s"), SecretString: aws.String("new"), ClientRequestToken: aws.String("second")})
				if err != nil {
					t.Fatal(err)
				}
				reads := map[string]func() bool{
					"DescribeSecret": func() bool {
						out, err := l.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
						return err == nil && slices.Contains(out.VersionIdsToStages["second"], "AWSCURRENT")
					},
					"GetSecretValue": func() bool {
						out, err := l.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
						return err == nil && *out.SecretString == "new"
					},
					"ListSecretVersionIds": func() bool {
						out, err := l.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("s")})
						return err == nil && len(out.Versions) == 2
					},
				}
				for i, want := range test.want {
					for other, read := range reads {
						if got := read(); got != (want || other != op) {
							t.Errorf("read %d by %s sees the change: %t", i+1, other, got)
						}
					}
					now = now.Add(time.Second)
				}
			})
		}
	}
}

// C22: after a lost answer, the SDK sends the request again, unless it was told not
// to, and returns the answer to the second one.
func TestRepeat(t *testing.T) {
	never := func(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }
	for name, options := range map[string][]func(*secretsmanager.Options){"repeated": nil, "sent once": {never}} {
		t.Run(name, func(t *testing.T) {
			outside, m := new(rotationtest.Outside), new(rotationtest.SecretsManager)
			_, err := m.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("old"), ClientRequestToken: aws.String("first")})
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
				SecretId: aws.String("s"), SecretString: aws.String("new"), ClientRequestToken: aws.String("second"), VersionStages: []string{"AWSPENDING"},
			})
			if err != nil {
				t.Fatal(err)
			}
			outside.Plan(1, rotationtest.Repeat)
			_, err = outside.Process().Store(m).UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: aws.String("s"), VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String("second"), RemoveFromVersionId: aws.String("first"),
			}, options...)
			refused := errors.As(err, new(*types.InvalidParameterException))
			if err == nil || refused != (options == nil) {
				t.Errorf("got %v", err)
			}
			out, err := m.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
			if err != nil || *out.VersionId != "second" {
				t.Errorf("AWSCURRENT has not moved: %v", err)
			}
		})
	}
}

// C23: an outage lasts for a while, on the side where it began.
func TestOutage(t *testing.T) {
	broken := errors.New("broken")
	for _, fault := range []rotationtest.Fault{rotationtest.Outage, rotationtest.Throttle, rotationtest.Ill} {
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		outside := &rotationtest.Outside{Now: func() time.Time { return now }}
		p, m := outside.Process(), new(rotationtest.SecretsManager)
		_, err := m.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v")})
		if err != nil {
			t.Fatal(err)
		}
		outside.Plan(1, fault)
		for _, past := range []bool{false, false, true} {
			if past {
				now = now.Add(rotationtest.OutageTime)
			}
			_, err := p.Store(m).DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("s")})
			if (err == nil) != past {
				t.Errorf("%s: Secrets Manager answers %v", fault, err)
			}
			if err := p.Call("log in", broken, func() error { return nil }); err != nil {
				t.Errorf("%s: the other side answers %v", fault, err)
			}
		}
	}
}
