package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/orders-db/rotationtest"
)

const value = `{"password": "value-sentinel"}`

// Whatever state a secret is in, verify ends well only after a whole rotation, and says what is missing otherwise.
func TestVerify(t *testing.T) {
	const token = "11111111-2222-4333-8444-555555555555"
	line := func(msg, step, more string) string {
		return `{"level":"INFO","msg":"` + msg + `","step":"` + step + `","secret":"ARN","version":"` + token + `"` + more + `}`
	}
	deploy := func(a *account) { a.put("seed", value, "AWSCURRENT"); a.enable() }
	begin := func(a *account) { deploy(a); a.rotate(token) }
	finish := func(a *account) {
		a.put(token, value+" ", "AWSPENDING")
		a.promote(token)
		a.must(a.RotationSucceeded("orders", token))
	}
	for name, test := range map[string]struct {
		before func(*account)
		later  func(*account) // after a minute
		log    []string
		logErr error
		want   []string // words of the error, none if it ends well
	}{
		"rotated":                {before: func(a *account) { begin(a); finish(a) }},
		"rotated while it waits": {before: begin, later: finish},
		"begun while it waits":   {before: deploy, later: func(a *account) { a.rotate(token); finish(a) }},
		"never seeded":           {before: func(*account) {}, want: []string{"no value", "make seed"}},
		"rotation is off":        {before: func(a *account) { a.put("seed", value, "AWSCURRENT") }, want: []string{"rotation is off", "make deploy"}},
		"never begun":            {before: deploy, want: []string{"no rotation has begun", "no step has failed"}},
		"only tested":            {before: deploy, log: []string{line("step done", "testSecret", "")}, want: []string{"no rotation has begun", "no step has failed"}},
		"given up": {
			before: deploy,
			log:    []string{line("step failed", "createSecret", `,"code":"disabled","detail":"unset it"`)},
			want:   []string{"given up", "createSecret failed: disabled: unset it"},
		},
		"given up after another": {
			before: func(a *account) { begin(a); finish(a) },
			log:    []string{line("step failed", "createSecret", `,"time":"2000-01-02T00:00:00Z","code":"too-soon","detail":"wait"`)},
			want:   []string{"last rotated at 2000-01-01", "given up: createSecret failed: too-soon: wait"},
		},
		"failed before it went well": {
			before: func(a *account) { begin(a); finish(a) },
			log: []string{
				line("step failed", "createSecret", `,"time":"1999-12-31T23:59:00Z","code":"store-throttle","detail":"slow down"`),
				line("step failed", "preflight", `,"time":"2000-01-02T00:00:00Z","code":"locked","detail":"no step"`),
			},
		},
		"a step failed": {
			before: begin,
			log: []string{
				line("step failed", "createSecret", `,"code":"unreachable","detail":"of another try"`), line("step done", "createSecret", ""), "START",
				line("step failed", "setSecret", `,"code":"permission","detail":"no right"`), `{"_aws":{},"SecretId":"ARN"}`,
			},
			want: []string{"under way, to version " + token, "setSecret failed: permission: no right", "RUNBOOK.md has an entry for permission"},
		},
		"killed in the middle": {
			before: begin,
			log:    []string{line("step done", "createSecret", ""), line("step done", "setSecret", "")},
			want:   []string{"setSecret is done, and testSecret has told nothing", "timeout"},
		},
		"not invoked":          {before: begin, want: []string{"could not invoke it"}},
		"the log is forbidden": {before: begin, logErr: errors.New("AccessDenied"), want: []string{"cannot be read (AccessDenied)", "make logs"}},
		"a replica follows":    {before: func(a *account) { begin(a); finish(a); a.replica(types.StatusTypeInProgress, types.StatusTypeInSync) }},
		"a replica failed":     {before: func(a *account) { begin(a); finish(a); a.replica(types.StatusTypeFailed) }, want: []string{"replica in eu-north-1 failed", "a right on the key"}},
		"two replicas failed": {before: func(a *account) {
			begin(a)
			finish(a)
			replica := func(region, message string) types.ReplicationStatusType {
				return types.ReplicationStatusType{Region: &region, Status: types.StatusTypeFailed, StatusMessage: &message}
			}
			a.must(a.ScriptReplication("orders", []types.ReplicationStatusType{replica("eu-north-1", "one reason"), replica("eu-west-2", "another")}))
		}, want: []string{"eu-north-1 failed: one reason", "eu-west-2 failed: another"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t)
				test.before(a)
				if test.later != nil {
					time.AfterFunc(time.Minute, func() { test.later(a) })
				}
				var out strings.Builder
				v := verifier{store: a, out: &out, pause: 5 * time.Second, log: func(context.Context, string) ([]string, error) {
					var lines []string
					for _, line := range test.log {
						lines = append(lines, strings.ReplaceAll(line, "ARN", a.arn))
					}
					return lines, test.logErr
				}}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				err := v.verify(ctx, a.arn)
				if (err == nil) != (test.want == nil) || err == nil && !strings.Contains(out.String(), "rotated at ") {
					t.Errorf("ends with %v, said:\n%s", err, out.String())
				}
				for _, words := range test.want {
					if err != nil && !strings.Contains(err.Error(), words) {
						t.Errorf("%q is not in: %v", words, err)
					}
				}
				if strings.Contains(out.String(), "value-sentinel") || err != nil && strings.Contains(err.Error(), "value-sentinel") {
					t.Error("a value of the secret is shown")
				}
			})
		})
	}
}

// On the wire it asks for descriptions and nothing else.
func TestRun(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target := r.Header.Get("X-Amz-Target"); target != "secretsmanager.DescribeSecret" {
			t.Errorf("it calls %s", target)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write([]byte(`{"ARN": "` + arn + `", "RotationEnabled": true, "LastRotatedDate": 1767225600,
			"VersionIdsToStages": {"b": ["AWSCURRENT", "AWSPENDING"], "a": ["AWSPREVIOUS"]}}`))
	}))
	defer server.Close()
	t.Setenv("PATH", "") // and no program reads the log
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	var out strings.Builder
	if err := run(t.Context(), []string{"-region", "eu-west-1", "-log-group", "group", arn}, &out); err != nil {
		t.Fatal(err)
	}
	if want := arn + ": rotated at 2026-01-01T00:00:00Z\n"; out.String() != want {
		t.Errorf("said %q, want %q", out.String(), want)
	}
}

// Nothing to verify is no success: it is what make passes on when Terraform has no outputs yet.
func TestVerifyNothing(t *testing.T) {
	if err := run(t.Context(), []string{"-region", "eu-west-1"}, &strings.Builder{}); err == nil {
		t.Error("nothing is verified, and all is well")
	}
}

// account is a Secrets Manager with the secret "orders".
type account struct {
	*rotationtest.SecretsManager
	t   *testing.T
	arn string
}

func newAccount(t *testing.T) *account {
	a := &account{SecretsManager: &rotationtest.SecretsManager{}, t: t}
	out, err := a.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("orders")})
	a.must(err)
	a.arn = aws.ToString(out.ARN)
	return a
}

func (a *account) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) put(token, value, label string) {
	_, err := a.PutSecretValue(context.Background(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("orders"), ClientRequestToken: &token, SecretString: &value, VersionStages: []string{label},
	})
	a.must(err)
}

// enable switches rotation on, which tests the credential and rotates nothing.
func (a *account) enable() {
	const test = "00000000-2222-4333-8444-555555555555"
	a.request(test, false)
	a.must(a.EndTest("orders", test))
}

func (a *account) rotate(token string) { a.request(token, true) }

func (a *account) request(token string, immediately bool) {
	_, err := a.RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("orders"), ClientRequestToken: &token, RotateImmediately: &immediately,
		RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:rotator"),
	})
	a.must(err)
}

func (a *account) promote(token string) {
	_, err := a.UpdateSecretVersionStage(context.Background(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("orders"), VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &token, RemoveFromVersionId: aws.String("seed"),
	})
	a.must(err)
}

func (a *account) replica(statuses ...types.StatusType) {
	var script [][]types.ReplicationStatusType
	for _, status := range statuses {
		script = append(script, []types.ReplicationStatusType{{Region: aws.String("eu-north-1"), Status: status, StatusMessage: aws.String("a right on the key")}})
	}
	a.must(a.ScriptReplication("orders", script...))
}
