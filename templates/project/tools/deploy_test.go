package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
)

// Secrets Manager is asked which rotations are on. A secret that fails keeps no other off, and none is taken from the list for
// it.
func TestEnable(t *testing.T) {
	t.Chdir(t.TempDir())
	a := newAccount(t)
	a.must(os.Mkdir("terraform", 0o750))
	for _, key := range []string{"good", "bad", "rotating", "empty"} {
		out, err := a.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(key)})
		a.must(err)
		a.arns[key] = aws.ToString(out.ARN)
		if key != "empty" {
			_, err := a.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: out.ARN, SecretString: aws.String(value), ClientRequestToken: aws.String("seed-" + key)})
			a.must(err)
		}
	}
	delete(a.arns, "orders")
	_, err := a.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("rotating"), RotationLambdaARN: aws.String(functionARN), RotateImmediately: aws.Bool(false)})
	a.must(err)

	if err := a.guard(t.Context()); err == nil || !strings.Contains(err.Error(), "rotating: its rotation is on") {
		t.Errorf("an apply that would switch a rotation off: %v", err)
	}
	cli := a.aws
	a.aws = func(ctx context.Context, args ...string) ([]byte, error) {
		a.answer = `{"ok": false}`
		if strings.Contains(strings.Join(args, " "), a.arns["good"]) {
			a.answer = `{"ok": true}`
		}
		return cli(ctx, args...)
	}
	err = a.enable(t.Context())
	for _, words := range []string{"bad: the preflight failed", "empty: it has no value", "rotating: the preflight failed"} {
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in: %v", words, err)
		}
	}
	a.isListed("good", "rotating")
	a.must(a.guard(t.Context()))

	a.aws = func(context.Context, ...string) ([]byte, error) { return nil, errors.New("no route") }
	if err := a.enable(t.Context()); err == nil {
		t.Error("no secret was tried, and all is well")
	}
	a.isListed("good", "rotating")
}

func (a *account) isListed(keys ...string) {
	a.t.Helper()
	text, err := os.ReadFile(enabledFile)
	a.must(err)
	want, _ := json.Marshal(map[string][]string{"seeded": keys})
	if diff := cmp.Diff(string(want)+"\n", string(text)); diff != "" {
		a.t.Errorf("the list (-want +got):\n%s", diff)
	}
	if others, err := filepath.Glob("terraform/.seeded-*"); err != nil || len(others) > 0 {
		a.t.Errorf("left behind: %v %v", others, err)
	}
}

// A function that fails, and one that cannot be invoked, are no success.
func TestPreflight(t *testing.T) {
	for answer, want := range map[string]string{
		"":                                  "cannot be invoked",
		"null":                              "preflight failed",
		"garbage":                           "the function's answer",
		`{"ok": false}`:                     "preflight failed",
		`{"errorMessage": "bad-config: x"}`: "bad-config: x",
		`{"ok": true}`:                      "",
	} {
		a := newAccount(t)
		a.answer = answer
		if err := a.preflight(t.Context(), "orders"); (err != nil) != (want != "") || !strings.Contains(errorText(err), want) {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// The list is never written in place: a command that is killed leaves the old list or the new one, and Terraform can read both.
func TestListIsReplaced(t *testing.T) {
	t.Chdir(t.TempDir())
	a := newAccount(t)
	a.must(os.Mkdir("terraform", 0o750))
	a.must(writeEnabled([]string{"a"}))
	a.must(os.Link(enabledFile, "before"))
	a.must(writeEnabled([]string{"a", "b"}))
	a.isListed("a", "b")
	before, err := os.ReadFile("before")
	a.must(err)
	if diff := cmp.Diff(`{"seeded":["a"]}`+"\n", string(before)); diff != "" {
		t.Errorf("the old list was written to:\n%s", diff)
	}
}
