package rehearsal

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

const (
	accessKey     = "arn:aws:kms:eu-west-1:111122223333:key/own"
	accessReplica = "arn:aws:kms:eu-central-1:111122223333:key/replica"
)

// newAccess returns the double with one secret, and its ARN.
func newAccess(t *testing.T, statements ...string) (*Access, string) {
	t.Helper()
	sm := &rotationtest.SecretsManager{}
	out, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("orders"), SecretString: aws.String("{}")})
	if err != nil {
		t.Fatal(err)
	}
	document := strings.ReplaceAll(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`, "SECRET", *out.ARN)
	policy, err := iam.Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return &Access{
		SecretsManager: sm, Policy: policy,
		Keys: map[string]string{*out.ARN: accessKey}, ReplicaKeys: map[string][]string{*out.ARN: {accessReplica}},
	}, *out.ARN
}

// A call asks for the operation, and for what Secrets Manager does with the key on the caller's behalf.
func TestAccessAsksForKeys(t *testing.T) {
	access, secret := newAccess(t, `{"Effect":"Allow","Action":"*","Resource":"*"}`)
	for _, test := range []struct {
		call Call
		want string
	}{
		{Call{"DescribeSecret", &secretsmanager.DescribeSecretInput{SecretId: &secret}}, "secretsmanager:DescribeSecret"},
		{Call{"DescribeSecret", &secretsmanager.DescribeSecretInput{SecretId: aws.String("orders")}}, "secretsmanager:DescribeSecret"},
		{Call{"GetSecretValue", &secretsmanager.GetSecretValueInput{SecretId: &secret}}, "secretsmanager:GetSecretValue kms:Decrypt"},
		{
			Call{"PutSecretValue", &secretsmanager.PutSecretValueInput{SecretId: &secret}},
			"secretsmanager:PutSecretValue kms:GenerateDataKey kms:Decrypt kms:Encrypt kms:GenerateDataKey",
		},
		{Call{"UpdateSecretVersionStage", &secretsmanager.UpdateSecretVersionStageInput{SecretId: &secret}}, "secretsmanager:UpdateSecretVersionStage"},
	} {
		var asked []string
		for _, request := range access.requests(test.call) {
			asked = append(asked, request.Action)
			region := regionOf(request.Resource)
			wanted := strings.Replace(secret, "eu-west-1", region, 1)
			if strings.HasPrefix(request.Action, "kms:") && (!slices.Equal(request.Context["kms:EncryptionContext:SecretARN"], []string{wanted}) ||
				!slices.Equal(request.Context["kms:ViaService"], []string{"secretsmanager." + region + ".amazonaws.com"})) {
				t.Errorf("%s with %v", request, request.Context)
			}
			if !strings.HasPrefix(request.Action, "kms:") && request.Resource != secret {
				t.Errorf("%s, want %s", request, secret)
			}
		}
		if got := strings.Join(asked, " "); got != test.want {
			t.Errorf("%s asks for %s, want %s", test.call.Op, got, test.want)
		}
	}
}

func TestAccessOverTheWire(t *testing.T) {
	access, secret := newAccess(t,
		`{"Sid":"Secret","Effect":"Allow","Action":["secretsmanager:GetSecretValue","secretsmanager:DescribeSecret"],"Resource":"SECRET"}`,
		`{"Sid":"Key","Effect":"Allow","Action":"kms:Decrypt","Resource":"`+accessKey+`","Condition":{"StringEquals":{"kms:EncryptionContext:SecretARN":"SECRET"}}}`,
		`{"Sid":"Log","Effect":"Allow","Action":"logs:PutLogEvents","Resource":"arn:aws:logs:eu-west-1:111122223333:log-group:x:*"}`)
	client, _ := newClient(t, &Front{SecretsManager: access.SecretsManager, Before: access.Check})
	if _, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &secret}); err != nil {
		t.Error(err)
	}
	_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &secret, SecretString: aws.String("{}")})
	if err == nil || !strings.Contains(err.Error(), "AccessDeniedException: the role may not do secretsmanager:PutSecretValue") {
		t.Errorf("error %v", err)
	}
	if got, want := fmt.Sprint(access.Denied()), "[secretsmanager:PutSecretValue on "+secret+"]"; got != want {
		t.Errorf("denied %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(access.Unused()), "[Secret secretsmanager:DescribeSecret Log logs:PutLogEvents]"; got != want {
		t.Errorf("unused %s, want %s", got, want)
	}
}
