package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// sentinel stands for every value of a secret.
const sentinel = "s3ntinel"

// account is Secrets Manager behind its wire protocol, with one secret, as the SDK's environment names it.
func account(t *testing.T, value string) *rehearsal.Front {
	t.Helper()
	sm := new(rotationtest.SecretsManager)
	_, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String("prod/orders"), KmsKeyId: aws.String("arn:aws:kms:eu-west-1:123456789012:key/1"), SecretString: aws.String(value),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = sm.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: aws.String("prod/orders"), RotationLambdaARN: aws.String(rehearsal.FunctionARN),
		RotationRules: &types.RotationRulesType{ScheduleExpression: aws.String("rate(10 days)"), Duration: aws.String("3h")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sm.ScriptReplication("prod/orders", []types.ReplicationStatusType{{Region: aws.String("us-east-1")}, {Region: aws.String("eu-west-2")}}); err != nil {
		t.Fatal(err)
	}
	front := &rehearsal.Front{SecretsManager: sm}
	server := httptest.NewServer(front)
	t.Cleanup(server.Close)
	endpoint(t, server.URL)
	return front
}

// describedWith is front with further fields in what it tells of a secret: those of secrets that the in-memory service never has.
func describedWith(front http.Handler, fields map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		front.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		if r.Header.Get("X-Amz-Target") == "secretsmanager.DescribeSecret" {
			var described map[string]any
			if err := json.Unmarshal(body, &described); err == nil {
				maps.Copy(described, fields)
				body, _ = json.Marshal(described)
			}
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
	}
}

func endpoint(t *testing.T, url string) {
	t.Helper()
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": url, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": sentinel,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(key, value)
	}
}

// secretValue is what AWS's own templates keep, every value but the engine a sentinel.
func secretValue(engine string, keys ...string) string {
	value := fmt.Sprintf(`{"engine":%q,"host":%q,"username":%q,"password":%q`, engine, sentinel, sentinel, sentinel)
	for _, key := range keys {
		value += fmt.Sprintf(",%q:%q", key, sentinel)
	}
	return value + "}"
}

// noValue fails when a value of the secret is in what was printed or written.
func noValue(t *testing.T, printed string) {
	t.Helper()
	if strings.Contains(printed, sentinel) {
		t.Errorf("a value was printed:\n%s", printed)
	}
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), sentinel) {
			t.Errorf("a value is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFromSecret(t *testing.T) {
	described := map[string]string{"secret": "existing", "kms": "existing", "replicas": "eu-west-2,us-east-1", "secret_name": "prod/orders"}
	rotated := map[string]string{"schedule": "rate(10 days)", "window": "3h"}
	tests := []struct {
		name, value string
		args        []string
		want        []map[string]string // answers, as far as there are such questions
	}{
		{
			"two users", secretValue("aurora-postgresql", "masterarn", "alternate_username"), nil,
			[]map[string]string{described, rotated, {"type": "rds-two-user", "engine": "postgres", "users": "preprovisioned"}},
		},
		{
			"an administrator", secretValue("mysql", "masterarn"), []string{"--type", "rds-single-user"},
			[]map[string]string{described, rotated, {"engine": "mysql", "change_as": "admin"}},
		},
		{
			"explicit answers win", secretValue("postgres", "alternate_username"),
			[]string{"--type", "rds-single-user", "--engine", "mysql", "--set", "schedule=7d", "--set", "window="},
			[]map[string]string{described, {"type": "rds-single-user", "engine": "mysql", "schedule": "7d", "window": "", "change_as": "self"}},
		},
	}
	catalog, err := openTemplates()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			account(t, test.value)
			t.Chdir(t.TempDir())
			args := append([]string{"new", "orders-db", "--from-secret", "prod/orders", "--no-input", "--json"}, test.args...)
			code, out, errOut := rotate(t, args...)
			var doc struct{ Answers map[string]string }
			if err := json.Unmarshal([]byte(out), &doc); code != 0 || err != nil {
				t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errOut)
			}
			for _, want := range test.want {
				for key, value := range want {
					asked := slices.ContainsFunc(catalog.Questions, func(q generator.Question) bool { return q.Key == key })
					if asked && doc.Answers[key] != value {
						t.Errorf("%s is %q, want %q", key, doc.Answers[key], value)
					}
				}
			}
			if !strings.HasPrefix(errOut, `rotasmith: --from-secret "prod/orders" answers `) {
				t.Errorf("stderr %q", errOut)
			}
			noValue(t, out+errOut)
		})
	}
}

// A secret that cannot be read is one line and a hint; if only its value cannot be read, the rest is still used.
func TestFromSecretRefuses(t *testing.T) {
	denied := func(op string) func(rehearsal.Call) error {
		return func(c rehearsal.Call) error {
			if c.Op == op {
				return rehearsal.APIError("AccessDeniedException", "not authorized to perform: secretsmanager:"+op)
			}
			return nil
		}
	}
	tests := []struct {
		name, id, value string
		before          func(rehearsal.Call) error
		code            int
		want            string
	}{
		{"empty", "", "{}", nil, exitUsage, "rotasmith: error: --from-secret is empty\nrotasmith: hint: give the name"},
		{"none such", "prod/other", "{}", nil, exitUsage, "rotasmith: error: --from-secret: cannot read \"prod/other\": "},
		{"not described", "prod/orders", "{}", denied("DescribeSecret"), exitFailed, "rotasmith: hint: it takes secretsmanager:DescribeSecret"},
		{
			"dropped", "prod/orders", "{}", func(rehearsal.Call) error { return rehearsal.ErrDrop }, exitFailed,
			"rotasmith: hint: aws sts get-caller-identity",
		},
		{"not read", "prod/orders", secretValue("postgres"), denied("GetSecretValue"), exitUsage, "its value cannot be read: not authorized"},
		{"no JSON", "prod/orders", sentinel, nil, exitUsage, "its value is no JSON object; what only its value says stays open"},
		{"no engine of ours", "prod/orders", secretValue(sentinel), nil, exitUsage, "no answer to \"engine\""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			account(t, test.value).Before = test.before
			t.Chdir(t.TempDir())
			code, out, errOut := rotate(t, "new", "orders-db", "--from-secret", test.id, "--type", "rds-two-user", "--no-input")
			if code != test.code || !strings.Contains(errOut, test.want) || out != "" {
				t.Errorf("exit code %d, stdout %q, want %q in\n%s", code, out, test.want, errOut)
			}
			noValue(t, out+errOut)
			wantNothingHere(t)
		})
	}
}

// R10: a secret that no function may rotate, or not here, is refused with the reason and the cure.
func TestFromSecretRefusesWhatCannotBeRotated(t *testing.T) {
	replica := "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-ABCDEF"
	tests := []struct {
		name   string
		fields map[string]any
		want   string
	}{
		{
			"of RDS", map[string]any{"OwningService": "rds"},
			"rotasmith: error: --from-secret: \"prod/orders\" is managed by the AWS service rds: no function may rotate it\nrotasmith: hint: leave it to rds,",
		},
		{
			"managed external", map[string]any{"Type": "SalesforceClientSecret"},
			"rotasmith: error: --from-secret: \"prod/orders\" is a managed external secret (SalesforceClientSecret), which Secrets Manager rotates itself\nrotasmith: hint: ",
		},
		{
			"a replica", map[string]any{"ARN": replica, "PrimaryRegion": "us-east-1"},
			"rotasmith: error: --from-secret: \"prod/orders\" in eu-west-1 is a replica, and only the secret in us-east-1 can be rotated\n" +
				"rotasmith: hint: --from-secret arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/orders-ABCDEF\n",
		},
		{
			"marked for deletion", map[string]any{"ARN": replica, "DeletedDate": 1767225600},
			"rotasmith: error: --from-secret: \"prod/orders\" is marked for deletion\nrotasmith: hint: restore it first: aws secretsmanager restore-secret --secret-id " + replica + "\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(describedWith(account(t, secretValue("postgres")), test.fields))
			defer server.Close()
			endpoint(t, server.URL)
			t.Chdir(t.TempDir())
			code, out, errOut := rotate(t, "new", "orders-db", "--from-secret", "prod/orders", "--type", "rds-single-user", "--no-input")
			if code != exitUsage || !strings.HasPrefix(errOut, test.want) || out != "" {
				t.Errorf("exit code %d, stdout %q, want %q in\n%s", code, out, test.want, errOut)
			}
			noValue(t, out+errOut)
			wantNothingHere(t)
		})
	}
}

// R10: the hints of a secret that the project does not take are named, with the reason.
func TestFromSecretSaysWhatItDoesNotTake(t *testing.T) {
	days := func(n int) map[string]any { return map[string]any{"AutomaticallyAfterDays": n} }
	rate := func(text string) map[string]any { return map[string]any{"ScheduleExpression": text} }
	own := secretValue("postgres")
	tests := []struct {
		name, value string
		rules       map[string]any
		args        []string
		want        string // empty: everything is taken
	}{
		{"every day", own, rate("rate(1 day)"), nil, ""},
		{"a plural", own, rate("rate(1 days)"), nil, `does not answer schedule: bad schedule "rate(1 days)" (30d, rate(12 hours)`},
		{"1000 days", own, days(1000), nil, `does not answer schedule: schedule "1000d" is out of range (from 1 to 999 days)`},
		{"answered", own, rate("rate(10 days)"), []string{"--set", "schedule=7d"}, "does not answer schedule: it says rate(10 days), and the answer is 7d"},
		{"answered alike", own, rate("rate(10 days)"), []string{"--set", "schedule=rate(10 days)"}, ""},
		{"another engine", own, days(9), []string{"--engine", "mysql"}, "does not answer engine: it says postgres, and the answer is mysql"},
		{"another type", secretValue("postgres", "alternate_username"), days(9), nil, "does not answer type: it says rds-two-user, and the answer is rds-single-user"},
		{"no question", secretValue("postgres", "alternate_username"), days(9), nil, "does not answer users: it says preprovisioned, and a project of type rds-single-user is not asked"},
		{"no engine of ours", secretValue(sentinel), days(9), []string{"--engine", "mysql"}, "its value names an engine that rotasmith does not know"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(describedWith(account(t, test.value), map[string]any{"RotationRules": test.rules}))
			defer server.Close()
			endpoint(t, server.URL)
			t.Chdir(t.TempDir())
			args := append([]string{"new", "orders-db", "--from-secret", "prod/orders", "--type", "rds-single-user", "--no-input"}, test.args...)
			code, out, errOut := rotate(t, args...)
			said := strings.Contains(errOut, test.want)
			if test.want == "" {
				said = strings.Contains(errOut, "does not answer")
			}
			if code != 0 || said != (test.want != "") {
				t.Errorf("exit code %d, want %q in\n%s", code, test.want, errOut)
			}
			noValue(t, out+errOut)
		})
	}
}

// One line says that it was no answer, for everything that the network may send.
func TestFromSecretMeetsAStranger(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "<html>%s\n", sentinel) }))
	defer server.Close()
	endpoint(t, server.URL)
	t.Chdir(t.TempDir())
	code, _, errOut := rotate(t, "new", "orders-db", "--from-secret", "x", "--no-input")
	if code != exitFailed || strings.Count(errOut, "\n") != 2 {
		t.Errorf("exit code %d, stderr %q", code, errOut)
	}
	noValue(t, errOut)
}

// Ctrl-C ends the wait for an answer.
func TestFromSecretIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	front := account(t, "{}")
	front.Before = func(rehearsal.Call) error {
		interrupt()
		return rehearsal.ErrDrop
	}
	t.Chdir(t.TempDir())
	a := &app{System: System{In: strings.NewReader(""), Out: new(strings.Builder), Err: new(strings.Builder), Getenv: func(string) string { return "" }}, open: openTemplates}
	if code := a.run(ctx, []string{"new", "orders-db", "--from-secret", "prod/orders"}); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}
