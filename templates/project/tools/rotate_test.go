package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

const (
	value       = `{"password": "value-sentinel"}`
	functionARN = "arn:aws:lambda:eu-west-1:111122223333:function:rotator"
)

// In every state of a secret, verify ends well only after a whole rotation, and says what is missing otherwise.
func TestVerify(t *testing.T) {
	const token = "11111111-2222-4333-8444-555555555555"
	line := func(msg, step, more string) string {
		return `{"level":"INFO","msg":"` + msg + `","step":"` + step + `","secret":"ARN","version":"` + token + `"` + more + `}`
	}
	deploy := func(a *account) { a.put("seed", value, "AWSCURRENT"); a.enableRotation() }
	begin := func(a *account) { deploy(a); a.request(token, true) }
	finish := func(a *account) { a.finish(token) }
	for name, test := range map[string]struct {
		before func(*account)
		later  func(*account) // after a minute
		log    []string
		logErr error
		want   []string // words of the error, none if it ends well
	}{
		"rotated":                {before: func(a *account) { begin(a); finish(a) }},
		"rotated while it waits": {before: begin, later: finish},
		"begun while it waits":   {before: deploy, later: func(a *account) { a.request(token, true); finish(a) }},
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
			want:   []string{"setSecret is done, and testSecret has logged nothing", "timeout"},
		},
		"not invoked":                       {before: begin, want: []string{"could not invoke it"}},
		"the log is forbidden":              {before: begin, logErr: errors.New("AccessDenied"), want: []string{"cannot be read (AccessDenied)", "make logs"}},
		"rotated, and the log is forbidden": {before: func(a *account) { begin(a); finish(a) }, logErr: errors.New("AccessDenied"), want: []string{"AccessDenied"}},
		"a replica follows":                 {before: func(a *account) { begin(a); finish(a); a.replica(types.StatusTypeInProgress, types.StatusTypeInSync) }},
		"a replica failed":                  {before: func(a *account) { begin(a); finish(a); a.replica(types.StatusTypeFailed) }, want: []string{"replica in eu-north-1 failed", "a right on the key"}},
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
				a.log, a.logErr = test.log, test.logErr
				a.end(a.verify(t.Context()), test.want)
			})
		})
	}
}

// rotate ends well only when the rotation that it asked for has come to its end: a description that is older than that, and the
// end of another rotation, prove nothing.
func TestRotate(t *testing.T) {
	const old, test = "11111111-2222-4333-8444-555555555555", "00000000-2222-4333-8444-555555555555"
	rotated := func(a *account) { // a month ago
		a.put("seed", value, "AWSCURRENT")
		a.enableRotation()
		a.request(old, true)
		a.finish(old)
		time.Sleep(30 * 24 * time.Hour) //nolint:forbidigo // in a bubble
	}
	after := func(n int, do func()) { time.AfterFunc(time.Duration(n)*time.Minute, do) }
	for name, test := range map[string]struct {
		before func(*account)
		want   []string
	}{
		"rotated": {before: func(a *account) {
			rotated(a)
			after(1, func() { a.finish(a.InFlight("orders")) })
		}},
		"described as it was before": {before: func(a *account) {
			rotated(a)
			a.stale = 1000
			after(1, func() { a.finish(a.InFlight("orders")) })
		}, want: []string{"not rotated in time"}},
		"while switching it on is tested": {before: func(a *account) {
			a.put("seed", value, "AWSCURRENT")
			a.request(test, false)
			after(1, func() { a.must(a.EndTest("orders", test)) })
			after(2, func() { a.finish(a.InFlight("orders")) })
		}},
		"while an earlier one is under way": {before: func(a *account) {
			a.put("seed", value, "AWSCURRENT")
			a.enableRotation()
			a.request(old, true)
			after(1, func() { a.finish(old) })
		}},
		"given up": {before: func(a *account) {
			rotated(a)
			after(1, func() {
				version := a.InFlight("orders")
				a.log = []string{`{"msg":"step failed","step":"createSecret","secret":"ARN","version":"` + version + `","time":"2000-02-01T00:00:00Z","code":"too-soon","detail":"wait"}`}
				_, err := a.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: aws.String("orders"), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: &version,
				})
				a.must(err)
			})
		}, want: []string{"given up", "createSecret failed: too-soon: wait"}},
		"never finished":  {before: rotated, want: []string{"not rotated in time", "could not invoke it"}},
		"rotation is off": {before: func(a *account) { a.put("seed", value, "AWSCURRENT") }, want: []string{"No Lambda rotation function"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(t)
				test.before(a)
				a.end(a.deployment.rotate(t.Context()), test.want)
			})
		})
	}
}

// Which of several secrets is to be rotated has to be said.
func TestRotateOneOfSeveral(t *testing.T) {
	d := &deployment{arns: map[string]string{"a": "arn:a", "b": "arn:b"}}
	if err := d.rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "KEY is one of a, b") {
		t.Error(err)
	}
	d.key = "c"
	if err := d.rotate(t.Context()); err == nil || !strings.Contains(err.Error(), `no secret "c", only a, b`) {
		t.Error(err)
	}
}

// account is a deployment with the secret "orders", whose function answers and logs as it is told.
type account struct {
	*deployment
	*rotationtest.SecretsManager
	t      *testing.T
	said   strings.Builder
	arn    string
	answer string // of the function
	log    []string
	logErr error
	stale  int // how many descriptions after a RotateSecret show what was before it
	before *secretsmanager.DescribeSecretOutput
	calls  []string
}

func newAccount(t *testing.T) *account {
	a := &account{SecretsManager: &rotationtest.SecretsManager{}, t: t}
	out, err := a.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("orders")})
	a.must(err)
	a.arn = aws.ToString(out.ARN)
	a.deployment = &deployment{
		region: "eu-west-1", function: "rotator", logGroup: "logs", seedKeys: []string{"password"},
		arns: map[string]string{"orders": a.arn}, firstValues: map[string]json.RawMessage{"orders": json.RawMessage(`{"host": "h", "port": 1}`)},
		store: staleStore{a.SecretsManager, a}, aws: a.cli, out: &a.said,
	}
	return a
}

// staleStore describes a secret as it was before RotateSecret, for a while.
type staleStore struct {
	*rotationtest.SecretsManager
	account *account
}

func (s staleStore) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	if a := s.account; a.before != nil && a.stale > 0 {
		a.stale--
		return a.before, nil
	}
	return s.SecretsManager.DescribeSecret(ctx, in)
}

func (s staleStore) RotateSecret(ctx context.Context, in *secretsmanager.RotateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error) {
	before, err := s.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: in.SecretId})
	s.account.must(err)
	s.account.before = before
	return s.SecretsManager.RotateSecret(ctx, in)
}

// cli stands in for the AWS CLI.
func (a *account) cli(_ context.Context, args ...string) ([]byte, error) {
	a.calls = append(a.calls, strings.Join(args, " "))
	if slices.Contains(args, "invoke") {
		if a.answer == "" {
			return nil, errors.New("the function cannot be invoked")
		}
		return nil, os.WriteFile(args[len(args)-1], []byte(a.answer), 0o600)
	}
	lines := slices.Clone(a.log)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "ARN", a.arn)
	}
	text, err := json.Marshal(lines)
	return text, errors.Join(err, a.logErr)
}

// end holds the end of a wait to the words of its error, to success if there are none.
func (a *account) end(err error, want []string) {
	a.t.Helper()
	said := a.said.String()
	if (err == nil) != (want == nil) || err == nil && !strings.Contains(said, "rotated at ") {
		a.t.Errorf("ends with %v, said:\n%s", err, said)
	}
	for _, words := range want {
		if err != nil && !strings.Contains(err.Error(), words) {
			a.t.Errorf("%q is not in: %v", words, err)
		}
	}
	if strings.Contains(said, "value-sentinel") || err != nil && strings.Contains(err.Error(), "value-sentinel") {
		a.t.Error("a value of the secret is shown")
	}
}

// finish does what the function's steps and Secrets Manager do at the end of a rotation.
func (a *account) finish(token string) {
	a.put(token, value+" ", "AWSPENDING")
	a.promote(token)
	a.must(a.RotationSucceeded("orders", token))
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

// enableRotation switches rotation on, which tests the credential and rotates nothing.
func (a *account) enableRotation() {
	const test = "00000000-2222-4333-8444-555555555555"
	a.request(test, false)
	a.must(a.EndTest("orders", test))
}

func (a *account) request(token string, immediately bool) {
	_, err := a.RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("orders"), ClientRequestToken: &token, RotateImmediately: &immediately,
		RotationLambdaARN: aws.String(functionARN),
	})
	a.must(err)
}

func (a *account) promote(token string) {
	secret, err := a.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("orders")})
	a.must(err)
	_, err = a.UpdateSecretVersionStage(context.Background(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("orders"), VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &token, RemoveFromVersionId: aws.String(holders(secret)["AWSCURRENT"]),
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
