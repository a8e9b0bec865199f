package rehearsal

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// Access holds the callers of Front to the policy of a role, as AWS holds a
// rotation function to the role that it was deployed with: Check goes into
// Front.Before. Set the fields before the first call.
//
// Secrets Manager itself calls KMS with the caller's rights if a secret has a
// customer managed key. Those calls are judged too.
type Access struct {
	SecretsManager *rotationtest.SecretsManager
	Policy         *iam.Policy
	Keys           map[string]string   // by the secret's ARN: the key that encrypts its value
	ReplicaKeys    map[string][]string // by the secret's ARN: the keys that encrypt its replicas

	mu     sync.Mutex
	used   map[iam.Grant]bool
	denied []iam.Request
}

// Check decides a call and everything that Secrets Manager does on its behalf.
func (a *Access) Check(c Call) error {
	for _, request := range a.requests(c) {
		if err := a.Ask(request); err != nil {
			return err
		}
	}
	return nil
}

// Ask decides one request: Check does for Secrets Manager's, and a double of
// another service for its own.
func (a *Access) Ask(request iam.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	decision := a.Policy.Decide(request)
	if !decision.Allowed {
		a.denied = append(a.denied, request)
		return APIError("AccessDeniedException", "the role may not do "+request.String())
	}
	for _, statement := range decision.Because {
		for _, action := range statement.Action {
			if strings.EqualFold(action, request.Action) {
				a.use(iam.Grant{Sid: statement.Sid, Action: action})
			}
		}
	}
	return nil
}

func (a *Access) use(g iam.Grant) {
	if a.used == nil {
		a.used = make(map[iam.Grant]bool)
	}
	a.used[g] = true
}

// Denied returns the requests that were denied so far.
func (a *Access) Denied() []iam.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.denied)
}

// Unused returns what the policy allows and no request has needed so far.
func (a *Access) Unused() []iam.Grant {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(a.Policy.Grants(), func(g iam.Grant) bool { return a.used[g] })
}

// keyActions are the calls that Secrets Manager makes to KMS in an operation's
// course: a new value gets a data key, and is compared with the value that the
// same token may have stored.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
var keyActions = map[string][]string{
	"GetSecretValue": {"kms:Decrypt"},
	"PutSecretValue": {"kms:GenerateDataKey", "kms:Decrypt"},
}

// replicaActions are those that a new value's replication makes with the key of
// the replica.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets_troubleshoot.html
var replicaActions = []string{"kms:Encrypt", "kms:GenerateDataKey"}

// requests returns what a call asks of IAM.
func (a *Access) requests(c Call) []iam.Request {
	id, version, stage := subject(c.Input)
	arn := a.arn(id)
	common := func() map[string][]string {
		return map[string][]string{"lambda:SourceFunctionArn": {FunctionARN}, "aws:SecureTransport": {"true"}}
	}
	own := iam.Request{Action: "secretsmanager:" + c.Op, Resource: arn, Context: common()}
	own.Context["secretsmanager:SecretId"] = []string{arn}
	own.Context["secretsmanager:resource/AllowRotationLambdaArn"] = []string{FunctionARN}
	if stage != "" {
		own.Context["secretsmanager:VersionStage"] = []string{stage}
	}
	requests := []iam.Request{own}
	onBehalf := func(key, secret string, actions []string) {
		for _, action := range actions {
			r := iam.Request{Action: action, Resource: key, Context: common()}
			r.Context["kms:ViaService"] = []string{"secretsmanager." + regionOf(key) + ".amazonaws.com"}
			r.Context["kms:EncryptionContext:SecretARN"] = []string{secret}
			r.Context["kms:EncryptionContext:SecretVersionId"] = []string{version}
			r.Context["kms:EncryptionContextKeys"] = []string{"SecretARN", "SecretVersionId"}
			requests = append(requests, r)
		}
	}
	if key := a.Keys[arn]; key != "" {
		onBehalf(key, arn, keyActions[c.Op])
	}
	if c.Op == "PutSecretValue" {
		for _, key := range a.ReplicaKeys[arn] {
			// A replica has the secret's name and suffix, and a region of its own.
			onBehalf(key, strings.Replace(arn, ":"+regionOf(arn)+":", ":"+regionOf(key)+":", 1), replicaActions)
		}
	}
	return requests
}

// regionOf returns the region that an ARN names, "" if it names none.
func regionOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

// arn is the full ARN of a secret that is called by its name, or by its ARN.
func (a *Access) arn(id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	out, err := a.SecretsManager.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil { // there is none; the policy may speak of names to come
		return "arn:aws:secretsmanager:eu-west-1:111122223333:secret:" + id
	}
	return *out.ARN
}

// subject is what a request is about.
func subject(in any) (id, version, stage string) {
	switch in := in.(type) {
	case *secretsmanager.DescribeSecretInput:
		id = aws.ToString(in.SecretId)
	case *secretsmanager.GetSecretValueInput:
		return aws.ToString(in.SecretId), aws.ToString(in.VersionId), aws.ToString(in.VersionStage)
	case *secretsmanager.ListSecretVersionIdsInput:
		id = aws.ToString(in.SecretId)
	case *secretsmanager.PutSecretValueInput:
		return aws.ToString(in.SecretId), aws.ToString(in.ClientRequestToken), ""
	case *secretsmanager.UpdateSecretVersionStageInput:
		return aws.ToString(in.SecretId), aws.ToString(in.MoveToVersionId), aws.ToString(in.VersionStage)
	case *secretsmanager.RotateSecretInput:
		id = aws.ToString(in.SecretId)
	case *secretsmanager.CancelRotateSecretInput:
		id = aws.ToString(in.SecretId)
	}
	return id, "", ""
}
