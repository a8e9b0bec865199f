package rotationtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
)

// The double must fit wherever the client fits, method by method.
type secretsManagerAPI interface {
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
	ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error)
	RotateSecret(context.Context, *secretsmanager.RotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RotateSecretOutput, error)
	CancelRotateSecret(context.Context, *secretsmanager.CancelRotateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CancelRotateSecretOutput, error)
	GetRandomPassword(context.Context, *secretsmanager.GetRandomPasswordInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetRandomPasswordOutput, error)
}

var (
	_ secretsManagerAPI = (*secretsmanager.Client)(nil)
	_ secretsManagerAPI = (*SecretsManager)(nil)
)

// An account is a SecretsManager with one secret, "db", whose version v1 is "one".
type account struct {
	*SecretsManager
	ctx  context.Context
	time time.Time
}

func newAccount(t *testing.T) *account {
	t.Helper()
	a := &account{ctx: t.Context(), time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	a.SecretsManager = &SecretsManager{Now: func() time.Time { return a.time }}
	_, err := a.CreateSecret(a.ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String("db"), SecretString: aws.String("one"), ClientRequestToken: aws.String("v1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (a *account) put(token, value string, stages ...string) error {
	_, err := a.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("db"), ClientRequestToken: optional(token), SecretString: optional(value), VersionStages: stages,
	})
	return err
}

func (a *account) get(id, stage string) (string, error) {
	out, err := a.GetSecretValue(a.ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String("db"), VersionId: optional(id), VersionStage: optional(stage),
	})
	if err != nil {
		return "", err
	}
	return *out.SecretString, nil
}

func (a *account) rotate(token string) error {
	_, err := a.RotateSecret(a.ctx, &secretsmanager.RotateSecretInput{
		SecretId: aws.String("db"), ClientRequestToken: optional(token), RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:r"),
	})
	return err
}

func (a *account) test(token string) error {
	_, err := a.RotateSecret(a.ctx, &secretsmanager.RotateSecretInput{
		SecretId: aws.String("db"), ClientRequestToken: optional(token), RotationLambdaARN: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:r"),
		RotateImmediately: aws.Bool(false),
	})
	return err
}

func (a *account) move(stage, to, from string) error {
	_, err := a.UpdateSecretVersionStage(a.ctx, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String("db"), VersionStage: aws.String(stage), MoveToVersionId: optional(to), RemoveFromVersionId: optional(from),
	})
	return err
}

func (a *account) describe(t *testing.T) *secretsmanager.DescribeSecretOutput {
	t.Helper()
	out, err := a.DescribeSecret(a.ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("db")})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// list is the ids of all pages of one version each.
func (a *account) list(t *testing.T, deprecated bool) []string {
	t.Helper()
	var ids []string
	pages := secretsmanager.NewListSecretVersionIdsPaginator(a, &secretsmanager.ListSecretVersionIdsInput{
		SecretId: aws.String("db"), IncludeDeprecated: aws.Bool(deprecated), MaxResults: aws.Int32(1),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(a.ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			ids = append(ids, *v.VersionId)
		}
	}
	return ids
}

// try runs the calls of a story, all of which must succeed.
func try(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func checkError(t *testing.T, err error, code, message string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), message) {
		t.Fatalf("error = %v, want %s with %q", err, code, message)
	}
}

func TestSecretsManagerLabels(t *testing.T) {
	const (
		exists     = "ResourceExistsException"
		missing    = "ResourceNotFoundException"
		request    = "InvalidRequestException"
		parameter  = "InvalidParameterException"
		tooMany    = "LimitExceededException"
		incomplete = "A previous rotation isn't complete. That rotation will be reattempted."
	)
	tests := []struct {
		name    string
		before  func(a *account) error
		do      func(a *account) error
		code    string
		message string
		want    map[string][]string
	}{
		{
			name: "put without stages moves AWSCURRENT",
			do:   func(a *account) error { return a.put("v2", "two") },
			want: map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT"}},
		},
		{
			name:   "AWSPREVIOUS follows AWSCURRENT",
			before: func(a *account) error { return a.put("v2", "two") },
			do:     func(a *account) error { return a.put("v3", "three") },
			want:   map[string][]string{"v2": {"AWSPREVIOUS"}, "v3": {"AWSCURRENT"}},
		},
		{
			name: "put with AWSPENDING leaves AWSCURRENT",
			do:   func(a *account) error { return a.put("v2", "two", "AWSPENDING") },
			want: map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name:   "put takes custom labels from other versions",
			before: func(a *account) error { return a.put("v2", "two", "x", "y") },
			do:     func(a *account) error { return a.put("v3", "three", "y") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"x"}, "v3": {"y"}},
		},
		{
			name:   "put of the same value again does nothing, whatever the stages",
			before: func(a *account) error { return a.put("v2", "two", "AWSPENDING") },
			do:     func(a *account) error { return a.put("v2", "two", "AWSCURRENT") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name:   "put of another value under the same token",
			before: func(a *account) error { return a.put("v2", "two", "AWSPENDING") },
			do:     func(a *account) error { return a.put("v2", "other", "AWSPENDING") },
			code:   exists, message: "You can't use ClientRequestToken v2",
			want: map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name: "put of an empty value",
			do:   func(a *account) error { return a.put("v2", "") },
			code: request, message: "You must provide either SecretString or SecretBinary.",
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name: "more labels than a secret may have",
			do: func(a *account) error {
				for i := range maxLabels - 1 {
					if err := a.move(fmt.Sprint("label", i), "v1", ""); err != nil {
						return fmt.Errorf("label %d: %v", i, err)
					}
				}
				return a.put("v2", "two", "one-more")
			},
			code: tooMany,
		},
		{
			name: "rotate registers the version",
			do:   func(a *account) error { return a.rotate("v2") },
			want: map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name:   "put fills the registered version",
			before: func(a *account) error { return a.rotate("v2") },
			do:     func(a *account) error { return a.put("v2", "two", "AWSPENDING") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name:   "a rotator that forgets the stages promotes at once",
			before: func(a *account) error { return a.rotate("v2") },
			do:     func(a *account) error { return a.put("v2", "two") },
			want:   map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT", "AWSPENDING"}},
		},
		{
			name:   "a value put by hand abandons the rotation",
			before: func(a *account) error { return errors.Join(a.rotate("v2"), a.put("v2", "two", "AWSPENDING")) },
			do:     func(a *account) error { return a.put("v3", "three") },
			want:   map[string][]string{"v1": {"AWSPREVIOUS"}, "v3": {"AWSCURRENT"}},
		},
		{
			name: "a value put by hand clears what a rotation left",
			before: func(a *account) error {
				return errors.Join(a.rotate("v2"), a.put("v2", "two", "AWSPENDING"), a.move("AWSCURRENT", "v2", "v1"))
			},
			do:   func(a *account) error { return a.put("v3", "three") },
			want: map[string][]string{"v2": {"AWSPREVIOUS"}, "v3": {"AWSCURRENT"}},
		},
		{
			name:   "rotate refuses while another rotation is under way",
			before: func(a *account) error { return a.rotate("v2") },
			do:     func(a *account) error { return a.rotate("v3") },
			code:   request, message: incomplete,
			want: map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name:   "rotate with the token under way is the same request again",
			before: func(a *account) error { return a.rotate("v2") },
			do:     func(a *account) error { return a.rotate("v2") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name: "rotate with the token of a finished rotation",
			do:   func(a *account) error { return a.rotate("v1") },
			code: request, message: "already in use",
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name: "rotate after a rotation that left AWSPENDING on AWSCURRENT",
			before: func(a *account) error {
				return errors.Join(a.rotate("v2"), a.put("v2", "two", "AWSPENDING"), a.move("AWSCURRENT", "v2", "v1"))
			},
			do:   func(a *account) error { return a.rotate("v3") },
			want: map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}},
		},
		{
			name:   "rotate after a lost label",
			before: func(a *account) error { return errors.Join(a.rotate("v2"), a.move("AWSPENDING", "", "v2")) },
			do:     func(a *account) error { return a.rotate("v3") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v3": {"AWSPENDING"}},
		},
		{
			name: "rotate without a function",
			do: func(a *account) error {
				_, err := a.RotateSecret(a.ctx, &secretsmanager.RotateSecretInput{SecretId: aws.String("db")})
				return err
			},
			code: request, message: "No Lambda rotation function ARN is associated with this secret.",
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name:   "moving AWSCURRENT moves AWSPREVIOUS and leaves AWSPENDING",
			before: func(a *account) error { return a.put("v2", "two", "AWSPENDING") },
			do:     func(a *account) error { return a.move("AWSCURRENT", "v2", "v1") },
			want:   map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT", "AWSPENDING"}},
		},
		{
			name:   "moving AWSCURRENT back swaps it with AWSPREVIOUS",
			before: func(a *account) error { return a.put("v2", "two") },
			do:     func(a *account) error { return a.move("AWSCURRENT", "v1", "v2") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPREVIOUS"}},
		},
		{
			name:   "moving AWSCURRENT to a version without labels",
			before: func(a *account) error { return errors.Join(a.put("v2", "two"), a.put("v3", "three")) },
			do:     func(a *account) error { return a.move("AWSCURRENT", "v1", "v3") },
			want:   map[string][]string{"v1": {"AWSCURRENT"}, "v3": {"AWSPREVIOUS"}},
		},
		{
			name:   "moving a label from a version that does not hold it",
			before: func(a *account) error { return errors.Join(a.put("v2", "two"), a.put("v3", "three", "AWSPENDING")) },
			do:     func(a *account) error { return a.move("AWSCURRENT", "v3", "v1") },
			code:   parameter, message: "must be set to the version that currently has the staging label AWSCURRENT",
			want: map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}},
		},
		{
			name:   "moving a label without saying from where",
			before: func(a *account) error { return a.put("v2", "two", "AWSPENDING") },
			do:     func(a *account) error { return a.move("AWSCURRENT", "v2", "") },
			code:   parameter, message: "Staging label AWSCURRENT is currently attached to version v1,",
			want: map[string][]string{"v1": {"AWSCURRENT"}, "v2": {"AWSPENDING"}},
		},
		{
			name: "putting a label where it is",
			do:   func(a *account) error { return a.move("AWSCURRENT", "v1", "") },
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name: "moving a label to a version that is not there",
			do:   func(a *account) error { return a.move("AWSCURRENT", "v9", "v1") },
			code: missing,
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name: "removing AWSCURRENT",
			do:   func(a *account) error { return a.move("AWSCURRENT", "", "v1") },
			code: parameter, message: "You can only move staging label AWSCURRENT to a different secret version.",
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name: "removing a label that the version does not hold",
			do:   func(a *account) error { return a.move("AWSPENDING", "", "v1") },
			code: parameter,
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
		{
			name: "an update that says nothing",
			do:   func(a *account) error { return a.move("AWSPENDING", "", "") },
			code: parameter,
			want: map[string][]string{"v1": {"AWSCURRENT"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t)
			if tt.before != nil {
				try(t, tt.before(a))
			}
			checkError(t, tt.do(a), tt.code, tt.message)
			if tt.want == nil {
				return
			}
			if diff := cmp.Diff(tt.want, a.describe(t).VersionIdsToStages); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretsManagerGetSecretValue(t *testing.T) {
	tests := []struct {
		name          string
		id, stage     string
		want          string
		code, message string
	}{
		{name: "AWSCURRENT by default", want: "one"},
		{name: "by id", id: "v1", want: "one"},
		{name: "by both", id: "v1", stage: "AWSCURRENT", want: "one"},
		{name: "empty version by stage", stage: "AWSPENDING", code: "ResourceNotFoundException",
			message: "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"},
		{name: "empty version by id", id: "v2", code: "ResourceNotFoundException"},
		{name: "empty version by both", id: "v2", stage: "AWSPENDING", code: "ResourceNotFoundException"},
		{name: "no such stage", stage: "AWSPREVIOUS", code: "ResourceNotFoundException"},
		{name: "no such version", id: "v9", code: "ResourceNotFoundException"},
		{name: "stage of another version", id: "v1", stage: "AWSPENDING", code: "InvalidRequestException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t)
			try(t, a.rotate("v2"))
			got, err := a.get(tt.id, tt.stage)
			checkError(t, err, tt.code, tt.message)
			if got != tt.want {
				t.Errorf("value = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSecretsManagerSecretID(t *testing.T) {
	m := &SecretsManager{}
	arns := map[string]string{}
	for _, name := range []string{"db", "db-secret"} {
		out, err := m.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		arns[name] = *out.ARN
	}
	if arns["db"] != "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-PPOCLU" {
		t.Errorf("ARN = %s: it must be the same in every run", arns["db"])
	}
	tests := []struct {
		name, id, want string
	}{
		{"name", "db", "db"},
		{"ARN", arns["db"], "db"},
		{"partial ARN", strings.TrimSuffix(arns["db"], arns["db"][len(arns["db"])-7:]), "db"},
		{"partial ARN that looks complete", strings.TrimSuffix(arns["db-secret"], arns["db-secret"][len(arns["db-secret"])-7:]), ""},
		{"other name", "d", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := m.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &tt.id})
			if tt.want == "" {
				checkError(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
				return
			}
			if err != nil || *out.Name != tt.want {
				t.Errorf("found %v, %v, want %s", out, err, tt.want)
			}
		})
	}
}

func TestSecretsManagerCreateSecret(t *testing.T) {
	tests := []struct {
		name         string
		token, value string
		code         string
	}{
		{name: "the same request again", token: "v1", value: "one"},
		{name: "another value", token: "v1", value: "two", code: "ResourceExistsException"},
		{name: "another token", token: "v2", value: "one", code: "ResourceExistsException"},
		{name: "a token of the client's own making", value: "one", code: "ResourceExistsException"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccount(t)
			_, err := a.CreateSecret(a.ctx, &secretsmanager.CreateSecretInput{
				Name: aws.String("db"), SecretString: &tt.value, ClientRequestToken: optional(tt.token),
			})
			checkError(t, err, tt.code, "")
		})
	}
}

// A secret without a value has no version; the first one put gets AWSCURRENT
// whatever the labels asked for.
func TestSecretsManagerFirstVersion(t *testing.T) {
	m := &SecretsManager{}
	out, err := m.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("db")})
	if err != nil || out.VersionId != nil {
		t.Fatalf("create = %v, %v, want no version", out.VersionId, err)
	}
	put, err := m.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("db"), SecretBinary: []byte{0, 255}, VersionStages: []string{"AWSPENDING"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AWSCURRENT", "AWSPENDING"}, put.VersionStages); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestSecretsManagerTestVersion(t *testing.T) {
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprintf("empty=%t", empty), func(t *testing.T) {
			a := newAccount(t)
			a.EmptyTestVersion = empty
			before := a.describe(t).VersionIdsToStages
			try(t, a.test("v2"))

			got, err := a.get("v2", "AWSPENDING")
			if empty {
				checkError(t, err, "ResourceNotFoundException", "AWSPENDING")
			} else if err != nil || got != "one" {
				t.Errorf("value = %q, %v, want a copy of AWSCURRENT", got, err)
			}
			try(t, a.EndTest("db", "v2"))
			if diff := cmp.Diff(before, a.describe(t).VersionIdsToStages); diff != "" {
				t.Errorf("labels after the test (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"v1"}, a.list(t, true)); diff != "" {
				t.Errorf("versions after the test (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("promoted by its test", func(t *testing.T) {
		a := newAccount(t)
		try(t, a.test("v2"), a.move("AWSCURRENT", "v2", "v1"))
		if err := a.EndTest("db", "v2"); err == nil {
			t.Error("no error, though the rotator promoted a version it was only to test")
		}
	})
}

func TestSecretsManagerRotation(t *testing.T) {
	a := newAccount(t)
	out := a.describe(t)
	if out.RotationEnabled != nil || out.LastRotatedDate != nil || out.NextRotationDate != nil {
		t.Errorf("before: %v %v %v, want none", out.RotationEnabled, out.LastRotatedDate, out.NextRotationDate)
	}
	_, err := a.RotateSecret(a.ctx, &secretsmanager.RotateSecretInput{
		SecretId: aws.String("db"), ClientRequestToken: aws.String("v2"), RotationLambdaARN: aws.String("arn:r"),
		RotationRules: &types.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)},
	})
	try(t, err, a.put("v2", "two", "AWSPENDING"))
	if got := a.InFlight("db"); got != "v2" {
		t.Errorf("in flight = %q, want v2", got)
	}
	if err := a.RotationSucceeded("db", "v2"); err == nil {
		t.Error("a rotation succeeded before AWSCURRENT moved")
	}
	a.time = a.time.Add(time.Minute)
	try(t, a.move("AWSCURRENT", "v2", "v1"))
	if got := a.describe(t).LastRotatedDate; got != nil {
		t.Errorf("the move of a label set LastRotatedDate to %v", got)
	}
	try(t, a.RotationSucceeded("db", "v2"))
	if got := a.InFlight("db"); got != "" {
		t.Errorf("in flight = %q after the rotation, want none", got)
	}

	out = a.describe(t)
	if !aws.ToBool(out.RotationEnabled) || !aws.ToTime(out.LastRotatedDate).Equal(a.time) {
		t.Errorf("after: enabled %v, rotated %v, want true, %v", out.RotationEnabled, out.LastRotatedDate, a.time)
	}
	if want := a.time.Add(-time.Minute).AddDate(0, 0, 30); !aws.ToTime(out.NextRotationDate).Equal(want) {
		t.Errorf("next rotation %v, want %v", out.NextRotationDate, want)
	}

	try(t, a.rotate("v3"))
	cancel, err := a.CancelRotateSecret(a.ctx, &secretsmanager.CancelRotateSecretInput{SecretId: aws.String("db")})
	if err != nil || aws.ToString(cancel.VersionId) != "v3" {
		t.Errorf("cancel = %v, %v, want the version under way", aws.ToString(cancel.VersionId), err)
	}
	out = a.describe(t)
	if *out.RotationEnabled || out.LastRotatedDate != nil || out.NextRotationDate != nil || out.RotationRules == nil {
		t.Errorf("cancelled: %v %v %v %v", *out.RotationEnabled, out.LastRotatedDate, out.NextRotationDate, out.RotationRules)
	}
	if diff := cmp.Diff(map[string][]string{"v1": {"AWSPREVIOUS"}, "v2": {"AWSCURRENT"}, "v3": {"AWSPENDING"}}, out.VersionIdsToStages); diff != "" {
		t.Errorf("labels after cancelling (-want +got):\n%s", diff)
	}
}

func TestSecretsManagerListSecretVersionIds(t *testing.T) {
	a := newAccount(t)
	try(t, a.put("v2", "two"), a.put("v3", "three"))
	if diff := cmp.Diff([]string{"v2", "v3"}, a.list(t, false)); diff != "" {
		t.Errorf("labelled versions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"v1", "v2", "v3"}, a.list(t, true)); diff != "" {
		t.Errorf("all versions (-want +got):\n%s", diff)
	}
	first, err := a.ListSecretVersionIds(a.ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("db"), MaxResults: aws.Int32(1)})
	if err != nil || len(first.Versions) != 0 || first.NextToken == nil {
		t.Errorf("the page of v1 = %v, %v, want it empty and not the last", first, err)
	}
	_, err = a.ListSecretVersionIds(a.ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("db"), NextToken: aws.String("v1")})
	checkError(t, err, "InvalidNextTokenException", "")
	_, err = a.ListSecretVersionIds(a.ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: aws.String("db"), MaxResults: aws.Int32(0)})
	checkError(t, err, "InvalidParameterException", "")
}

// Versions without a label go when there are more than a hundred and they are
// older than a day, not before.
func TestSecretsManagerDeprecatedVersions(t *testing.T) {
	a := newAccount(t)
	for i := range keepVersions + 5 {
		a.time = a.time.Add(time.Second)
		try(t, a.put(fmt.Sprintf("n%03d", i), "x"))
	}
	if got := len(a.list(t, true)); got != keepVersions+6 {
		t.Errorf("%d versions in the first day, want all %d", got, keepVersions+6)
	}
	if got, err := a.get("v1", ""); err != nil || got != "one" {
		t.Errorf("v1 = %q, %v, want it readable without a label", got, err)
	}
	a.time = a.time.Add(keepFor)
	ids := a.list(t, true)
	if len(ids) != keepVersions || ids[0] != "n005" {
		t.Errorf("%d versions from %s after a day, want %d from n005", len(ids), ids[0], keepVersions)
	}
	_, err := a.get("v1", "")
	checkError(t, err, "ResourceNotFoundException", "VersionId: v1")
}

func TestSecretsManagerReplication(t *testing.T) {
	a := newAccount(t)
	status := func(s types.StatusType) []types.ReplicationStatusType {
		return []types.ReplicationStatusType{{Region: aws.String("us-east-1"), Status: s}}
	}
	try(t, a.ScriptReplication("db", status(types.StatusTypeInProgress), status(types.StatusTypeInSync)))
	for _, want := range []types.StatusType{types.StatusTypeInProgress, types.StatusTypeInSync, types.StatusTypeInSync} {
		if got := a.describe(t).ReplicationStatus; len(got) != 1 || got[0].Status != want {
			t.Errorf("replication = %v, want %s", got, want)
		}
	}
}

// The status of the replicas lags behind a move of AWSCURRENT.
func TestSecretsManagerReplicationLag(t *testing.T) {
	a := newAccount(t)
	a.ReplicationLag = time.Second
	status := func(s types.StatusType) []types.ReplicationStatusType {
		return []types.ReplicationStatusType{{Region: aws.String("us-east-1"), Status: s}}
	}
	try(t, a.ScriptReplication("db", status(types.StatusTypeInSync), status(types.StatusTypeInProgress)))
	a.describe(t)
	try(t, a.put("v2", "two"))
	for range 2 {
		if got := a.describe(t).ReplicationStatus[0].Status; got != types.StatusTypeInSync {
			t.Errorf("right after the move: %s", got)
		}
	}
	a.time = a.time.Add(time.Second)
	if got := a.describe(t).ReplicationStatus[0].Status; got != types.StatusTypeInProgress {
		t.Errorf("a second after the move: %s", got)
	}
}

func TestSecretsManagerGetRandomPassword(t *testing.T) {
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	tests := []struct {
		name     string
		in       secretsmanager.GetRandomPasswordInput
		length   int
		must     []string
		mustNot  string
		wantCode string
	}{
		{name: "default", length: 32, must: []string{lower, upper, digits, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}, mustNot: " "},
		{name: "as short as can be", in: secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(4)}, length: 4, must: []string{lower, upper, digits}},
		{name: "excluded", length: 32, must: []string{lower}, mustNot: upper + digits + "/", in: secretsmanager.GetRandomPasswordInput{
			ExcludeUppercase: aws.Bool(true), ExcludeNumbers: aws.Bool(true), ExcludeCharacters: aws.String("/"),
		}},
		{name: "too short", in: secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(3)}, wantCode: "InvalidParameterException"},
		{name: "too long", in: secretsmanager.GetRandomPasswordInput{PasswordLength: aws.Int64(4097)}, wantCode: "InvalidParameterException"},
		{name: "nothing left", wantCode: "InvalidParameterException", in: secretsmanager.GetRandomPasswordInput{
			ExcludeUppercase: aws.Bool(true), ExcludeLowercase: aws.Bool(true), ExcludeNumbers: aws.Bool(true), ExcludePunctuation: aws.Bool(true),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := (&SecretsManager{}).GetRandomPassword(t.Context(), &tt.in)
			checkError(t, err, tt.wantCode, "")
			if err != nil {
				return
			}
			got := *out.RandomPassword
			if len(got) != tt.length {
				t.Errorf("length = %d, want %d", len(got), tt.length)
			}
			for _, chars := range tt.must {
				if !strings.ContainsAny(got, chars) {
					t.Errorf("%q has none of %q", got, chars)
				}
			}
			if tt.mustNot != "" && strings.ContainsAny(got, tt.mustNot) {
				t.Errorf("%q has some of %q", got, tt.mustNot)
			}
		})
	}
}

// Nothing that goes in or comes out is shared with what is kept.
func TestSecretsManagerCopies(t *testing.T) {
	a := newAccount(t)
	in := []byte{1, 2}
	_, err := a.PutSecretValue(a.ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String("db"), ClientRequestToken: aws.String("v2"), SecretBinary: in, VersionStages: []string{"AWSPENDING"},
	})
	try(t, err, a.rotate("v2"))
	in[0] = 9
	get := func() *secretsmanager.GetSecretValueOutput {
		out, err := a.GetSecretValue(a.ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("db"), VersionId: aws.String("v2")})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want, wantDescribed := get(), a.describe(t)
	if want.SecretBinary[0] != 1 {
		t.Error("the caller's bytes are the stored ones")
	}
	got, described := get(), a.describe(t)
	got.SecretBinary[1], got.VersionStages[0] = 9, "x"
	described.VersionIdsToStages["v1"][0] = "x"
	if now := get(); !bytes.Equal(now.SecretBinary, want.SecretBinary) || !slices.Equal(now.VersionStages, want.VersionStages) {
		t.Errorf("value = %v %v, want %v %v", now.SecretBinary, now.VersionStages, want.SecretBinary, want.VersionStages)
	}
	if diff := cmp.Diff(wantDescribed.VersionIdsToStages, a.describe(t).VersionIdsToStages); diff != "" {
		t.Errorf("labels (-before +after):\n%s", diff)
	}
}

func TestSecretsManagerCancelledContext(t *testing.T) {
	a := newAccount(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a.ctx = ctx
	if err := a.put("v2", "two"); !errors.Is(err, context.Canceled) {
		t.Errorf("put = %v, want %v", err, context.Canceled)
	}
}

// Two creates of one version at once: one value wins, the other is told so.
func TestSecretsManagerConcurrentPut(t *testing.T) {
	a := newAccount(t)
	try(t, a.rotate("v2"))
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = a.put("v2", fmt.Sprint("value", i), "AWSPENDING") })
	}
	wg.Wait()
	stored, err := a.get("v2", "AWSPENDING")
	try(t, err)
	for i, err := range errs {
		var exists *types.ResourceExistsException
		if won := stored == fmt.Sprint("value", i); won != (err == nil) || !won && !errors.As(err, &exists) {
			t.Errorf("put %d: %v, stored %s", i, err, stored)
		}
	}
}
