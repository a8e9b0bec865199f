package account

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/generator/doctor"
	"github.com/rotasmith/rotasmith/generator/doctor/account/accounttest"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

const (
	name     = "prod/orders"
	function = "arn:aws:lambda:eu-west-1:111122223333:function:orders"
	keyARN   = "arn:aws:kms:eu-west-1:111122223333:key/1"
	pending  = "00000000-0000-4000-8000-00000000dead"
)

// world is an account with one secret whose second rotation is open.
type world struct {
	*Account
	server *accounttest.Server
	front  *rehearsal.Front
	arn    string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sm := new(rotationtest.SecretsManager)
	out, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: new(name), KmsKeyId: new(keyARN), SecretString: new("{}"), ClientRequestToken: new("first")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: new(name), RotationLambdaARN: new(function), ClientRequestToken: new(pending), RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: new(int64(30))},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := &rehearsal.Front{SecretsManager: sm, Listed: []string{name}}
	w := &world{front: front, arn: *out.ARN, server: &accounttest.Server{
		Secrets: front,
		Configuration: map[string]any{
			"State": "Active", "Runtime": "python3.7", "Timeout": 30, "VpcConfig": map[string]any{"VpcId": "vpc-1", "SubnetIds": []string{"subnet-1"}},
			"Environment": map[string]any{"Variables": map[string]any{"ROTATION_DISABLED": "1", "ALLOWED_SECRETS": "arn:*"}}, "LoggingConfig": map[string]any{"LogGroup": "/custom/group"},
		},
		Policy: fmt.Sprintf(`{"Statement":[{"Effect":"Allow","Principal":{"Service":"secretsmanager.amazonaws.com"},"Action":"lambda:InvokeFunction",
			"Condition":{"StringEquals":{"AWS:SourceAccount":"111122223333"},"ArnLike":{"AWS:SourceArn":%q}}}]}`, *out.ARN),
		Concurrency: map[string]any{"ReservedConcurrentExecutions": 5}, KeyState: "Disabled",
		Log: map[string]any{"events": []any{map[string]any{"timestamp": time.Now().UnixMilli(), "message": "Task timed out after 3 s"}}},
	}}
	server := httptest.NewServer(w.server)
	t.Cleanup(server.Close)
	accounttest.Setenv(t.Setenv, server.URL)
	if w.Account, err = Open(t.Context(), "", ""); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) secret(t *testing.T) *doctor.Snapshot {
	t.Helper()
	s, err := w.Secret(t.Context(), name, true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Everything is read in eight calls at most, each signed for its service and its region.
func TestEverySection(t *testing.T) {
	w := newWorld(t)
	s := w.secret(t)
	f := s.Function
	if f == nil || f.State != "Active" || f.Runtime != "python3.7" || f.Timeout != 30 || f.VPC != "vpc-1" || !slices.Equal(f.Subnets, []string{"subnet-1"}) ||
		!f.Disabled || !f.Ours || f.Invocation != doctor.Allowed || f.Reserved == nil || *f.Reserved != 5 {
		t.Errorf("function %+v", f)
	}
	if s.Key == nil || s.Key.State != "Disabled" || s.Policy == nil || s.Log == nil || s.Log.Group != "/custom/group" || len(s.Log.Marks) != 1 || len(s.Unread) > 0 {
		t.Errorf("%+v", s)
	}
	if len(s.Versions) != 2 || s.Versions[0].Created == nil || s.Versions[1].Created == nil {
		t.Errorf("versions %+v", s.Versions)
	}
	calls := w.server.Calls()
	if len(calls) > 8 {
		t.Errorf("%d calls: %v", len(calls), calls)
	}
	for _, c := range calls {
		service, _, _ := strings.Cut(c.Action, ":")
		if service != "secretsmanager" && c.Signature != "eu-west-1/"+service {
			t.Errorf("%s is signed for %s", c.Action, c.Signature)
		}
	}
	// Of a rotation that is over, CloudTrail is asked instead of the policy.
	if err := w.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server.Events = []any{
		map[string]any{"CloudTrailEvent": `{"eventTime":"2026-11-30T11:00:00Z","additionalEventData":{"SecretId":"arn:other"}}`},
		map[string]any{"CloudTrailEvent": `{"eventTime":"2026-11-30T10:00:00Z","additionalEventData":{"SecretId":"` + w.arn + `"}}`},
	}
	s = w.secret(t)
	if s.Events == nil || s.Events.Abandoned == nil || s.Events.Abandoned.Hour() != 10 || s.Policy != nil {
		t.Errorf("%+v", s.Events)
	}
	if more := len(w.server.Calls()) - len(calls); more > 8 {
		t.Errorf("%d calls", more)
	}
}

func (w *world) finish(ctx context.Context) error {
	_, err := w.front.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: new(name), ClientRequestToken: new(pending), SecretString: new(`{"a":"b"}`), VersionStages: []string{"AWSCURRENT"},
	})
	return err
}

// Each section may be refused by itself: the rest is read, and the missing right is named. The description alone is enough.
func TestEverySectionMayBeRefused(t *testing.T) {
	all := []string{
		"secretsmanager:ListSecretVersionIds", "secretsmanager:GetResourcePolicy", "lambda:GetFunctionConfiguration", "lambda:GetPolicy",
		"lambda:GetFunctionConcurrency", "kms:DescribeKey", "logs:FilterLogEvents",
	}
	for _, action := range append(slices.Clone(all), "everything") {
		t.Run(action, func(t *testing.T) {
			w := newWorld(t)
			w.server.Deny = func(asked string) bool {
				return asked == action || action == "everything" && asked != "secretsmanager:DescribeSecret"
			}
			s := w.secret(t)
			var refused []string
			for _, u := range s.Unread {
				if u.Why != "not allowed: "+u.Action {
					t.Errorf("%+v", u)
				}
				refused = append(refused, u.Action)
			}
			want := []string{action}
			if action == "everything" {
				want = all
			}
			slices.Sort(refused)
			if !slices.Equal(refused, slices.Sorted(slices.Values(want))) {
				t.Errorf("refused %v, want %v", refused, want)
			}
			if d := doctor.Diagnose(s); d.State != doctor.StateRunning && d.State != doctor.StateFailed {
				t.Errorf("state %s", d.State)
			}
		})
	}
	w := newWorld(t)
	if err := w.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.server.Deny = func(action string) bool { return action == "cloudtrail:LookupEvents" }
	if s := w.secret(t); len(s.Unread) != 1 || s.Unread[0].Why != "not allowed: cloudtrail:LookupEvents" || s.Events != nil {
		t.Errorf("%+v", s.Unread)
	}
	w.server.Deny = func(action string) bool { return action == "secretsmanager:DescribeSecret" }
	if _, err := w.Secret(t.Context(), name, true); err == nil {
		t.Error("a secret that cannot be described was read")
	}
}

// A failure that passes by itself is tried again; a thing that does not exist is an answer.
func TestPassingAndMissing(t *testing.T) {
	w := newWorld(t)
	w.server.Fail = map[string]int{"kms:DescribeKey": 2}
	w.server.Configuration, w.server.Policy, w.server.Concurrency = nil, "", map[string]any{}
	s := w.secret(t)
	if s.Key == nil || s.Key.State != "Disabled" || s.Function == nil || !s.Function.Missing || s.Log != nil || len(s.Unread) > 0 {
		t.Errorf("%+v %+v %v", s.Key, s.Function, s.Unread)
	}
	w = newWorld(t)
	w.server.KeyState, w.server.Log, w.server.Policy = "", nil, ""
	w.server.Fail = map[string]int{"lambda:GetFunctionConcurrency": 9}
	s = w.secret(t)
	if s.Key == nil || !s.Key.Missing || s.Log == nil || !s.Log.Missing || s.Function.Invocation != doctor.NotAllowed || len(s.Unread) != 1 {
		t.Errorf("%+v %+v %v", s.Key, s.Log, s.Unread)
	}
}

// B27: the policy that doctor prints allows each call that it makes, and each of its rights is used by one.
func TestPolicyIsExact(t *testing.T) {
	w := newWorld(t)
	w.secret(t)
	if err := w.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.secret(t)
	if _, err := w.Secrets(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	text, err := Policy(w.Region())
	if err != nil {
		t.Fatal(err)
	}
	policy, err := iam.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if faults := policy.Faults(); len(faults) > 0 {
		t.Error(faults)
	}
	allowed := func(p *iam.Policy) (denied []string) {
		for _, c := range w.server.Calls() {
			resource := c.Resource
			switch {
			case c.Action == "secretsmanager:ListSecrets" || c.Action == "cloudtrail:LookupEvents":
				resource = "*"
			case strings.HasPrefix(c.Action, "secretsmanager:"):
				resource = w.arn
			case strings.HasPrefix(c.Action, "logs:"):
				resource = "arn:aws:logs:eu-west-1:111122223333:log-group:" + resource
			}
			if !p.Decide(iam.Request{Action: c.Action, Resource: resource}).Allowed {
				denied = append(denied, c.Action+" on "+resource)
			}
		}
		return denied
	}
	if denied := allowed(policy); len(denied) > 0 {
		t.Errorf("denied: %v", denied)
	}
	for _, grant := range policy.Grants() {
		if len(allowed(policy.Without(grant))) == 0 {
			t.Errorf("nothing uses %s", grant)
		}
	}
	for _, action := range policy.Actions() {
		if !strings.Contains(action, ":Get") && !strings.Contains(action, ":List") && !strings.Contains(action, ":Describe") && !strings.Contains(action, ":Lookup") && !strings.Contains(action, ":Filter") || strings.Contains(action, "GetSecretValue") {
			t.Errorf("%s does more than read metadata", action)
		}
	}
	for region, want := range map[string]string{"cn-north-1": `"arn:aws-cn:kms`, "us-gov-west-1": `"arn:aws-us-gov:kms`} {
		if text, err := Policy(region); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v\n%s", region, err, text)
		}
	}
}

func TestInvocation(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-AbCdEf"
	allow := func(principal, action, condition string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":` + action + `,"Condition":` + condition + `}`
	}
	const service, invoke = `{"Service":["other","secretsmanager.amazonaws.com"]}`, `"lambda:InvokeFunction"`
	for _, test := range []struct {
		statement string
		want      doctor.Invocation
	}{
		{``, doctor.NotAllowed},
		{allow(service, invoke, `{}`), doctor.AllowedToAnyone},
		{allow(`"*"`, `["lambda:*"]`, `{}`), doctor.AllowedToAnyone},
		{allow(service, `"lambda:GetFunction"`, `{}`), doctor.NotAllowed},
		{allow(`{"Service":"events.amazonaws.com"}`, invoke, `{}`), doctor.NotAllowed},
		{allow(service, invoke, `{"StringEquals":{"aws:SourceAccount":"111122223333"}}`), doctor.Allowed},
		{allow(service, invoke, `{"StringEquals":{"aws:SourceAccount":"999999999999"}}`), doctor.AllowedElsewhere},
		{allow(service, invoke, `{"ArnLike":{"AWS:SourceArn":"arn:aws:secretsmanager:*:*:secret:prod*"}}`), doctor.Allowed},
		{allow(service, invoke, `{"ArnEquals":{"AWS:SourceArn":"arn:aws:secretsmanager:eu-west-1:111122223333:secret:x"}}`), doctor.AllowedElsewhere},
		{allow(service, invoke, `{"ArnEquals":{"AWS:SourceArn":"other"}}`) + `,` + allow(service, invoke, `{}`), doctor.AllowedToAnyone},
	} {
		statements, err := statementsOf(`{"Statement":[` + test.statement + `]}`)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := invocationOf(statements, arn); got != test.want {
			t.Errorf("%s: %s, want %s", test.statement, got, test.want)
		}
	}
	if one, err := statementsOf(`{"Statement":{"Effect":"Allow","Principal":{"AWS":["*"]}}}`); err != nil || len(one) != 1 || !one[0].everyone() {
		t.Errorf("%+v, %v", one, err)
	}
}

// Without an address of its own, a service has Secrets Manager's host in the region's partition.
func TestEndpoints(t *testing.T) {
	accounttest.Setenv(t.Setenv, "")
	for region, want := range map[string]string{"eu-west-1": "https://kms.eu-west-1.amazonaws.com", "cn-north-1": "https://kms.cn-north-1.amazonaws.com.cn"} {
		a, err := Open(t.Context(), region, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.endpoint(t.Context(), "kms"); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	t.Setenv("AWS_REGION", "")
	if _, err := Open(t.Context(), "", ""); err != ErrNoRegion {
		t.Errorf("without a region: %v", err)
	}
}

// ListSecrets finds by the beginnings of keys and of values; a filter here means one tag and all of it.
func TestFilter(t *testing.T) {
	entry := &types.SecretListEntry{Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("orders")}, {Key: aws.String("stage"), Value: aws.String("ord")}}}
	for filter, want := range map[Filter]bool{{"team", "orders"}: true, {"team", ""}: true, {"team", "ord"}: false, {"tea", ""}: false, {"stage", "orders"}: false} {
		if got := tagged(entry, []Filter{filter}); got != want {
			t.Errorf("%v: %v", filter, got)
		}
	}
}
