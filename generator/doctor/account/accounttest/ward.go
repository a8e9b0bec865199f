package accounttest

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// The versions of the secret of [Ward] that hold AWSCURRENT and AWSPENDING.
const (
	Current = "00000000-0000-4000-8000-00000000cafe"
	Pending = "00000000-0000-4000-8000-00000000dead"
)

// Ward is an account whose secret prod/orders was rotated ten days ago, and whose next rotation began two days ago and
// failed. A sentinel stands wherever a text may be that is to be seen by no one else: in the description, in a tag, in
// the function's environment, in the log.
func Ward(t testing.TB, value, sentinel string) *Server {
	t.Helper()
	now := time.Now().Add(-10 * 24 * time.Hour)
	sm := &rotationtest.SecretsManager{Now: func() time.Time { return now }}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name := aws.String("prod/orders")
	created, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: name, Description: &sentinel, SecretString: &value, KmsKeyId: aws.String("arn:aws:kms:eu-west-1:111122223333:key/1"),
	})
	must(err)
	rotate := func(token string) {
		_, err := sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
			SecretId: name, ClientRequestToken: &token, RotationLambdaARN: aws.String(rehearsal.FunctionARN),
			RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(5)},
		})
		must(err)
	}
	rotate(Current)
	_, err = sm.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: name, ClientRequestToken: aws.String(Current), SecretString: aws.String(value + " ")})
	must(err)
	must(sm.RotationSucceeded(*name, Current))
	now = now.Add(8*24*time.Hour - time.Minute)
	rotate(Pending)
	failure := fmt.Sprintf(`{"msg":"step failed","step":"testSecret","secret":%q,"version":%q,"code":"auth-rejected",`+
		`"detail":"the new credential: the server refused it at log-in","password":%q}`, *created.ARN, Pending, sentinel)
	var lines []any
	for i, text := range []string{sentinel, "Attempting to modify user " + sentinel, failure} {
		lines = append(lines, map[string]any{"timestamp": now.Add(time.Duration(i) * time.Second).UnixMilli(), "message": text})
	}
	return &Server{
		Secrets: &rehearsal.Front{SecretsManager: sm, Listed: []string{*name}},
		Configuration: map[string]any{
			"State": "Active", "Runtime": "provided.al2023", "Timeout": 60, "Description": sentinel,
			"Environment": map[string]any{"Variables": map[string]any{"ALLOWED_SECRETS": *created.ARN, "PASSWORD": sentinel}},
		},
		Policy: `{"Statement":{"Effect":"Allow","Principal":{"Service":"secretsmanager.amazonaws.com"},"Action":"lambda:InvokeFunction",` +
			`"Condition":{"StringEquals":{"aws:SourceAccount":"111122223333"}}}}`,
		Tags:     map[string]string{"team": "orders", "note": sentinel},
		KeyState: "Enabled",
		Log:      map[string]any{"events": lines},
	}
}
