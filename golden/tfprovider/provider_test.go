package main

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func newProvider(t *testing.T) *provider {
	t.Helper()
	schema, err := parseSchema(recorded)
	if err != nil {
		t.Fatal(err)
	}
	return &provider{schema: schema}
}

// object is a resource, or a data source, with some attributes set and the others null.
func object(t *testing.T, schema *tfprotov6.Schema, set map[string]string) *tfprotov6.DynamicValue {
	t.Helper()
	kind := schema.ValueType().(tftypes.Object)
	all := make(map[string]tftypes.Value)
	for name, inner := range kind.AttributeTypes {
		switch {
		case set[name] != "":
			all[name] = tftypes.NewValue(inner, set[name])
		case inner.Is(tftypes.List{}), inner.Is(tftypes.Set{}):
			all[name] = tftypes.NewValue(inner, []tftypes.Value{})
		default:
			all[name] = tftypes.NewValue(inner, nil)
		}
	}
	value, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, all))
	if err != nil {
		t.Fatal(err)
	}
	return &value
}

// Versions of secrets go with the hundredth rotation after them; everything else stays.
func TestReadForgetsVersions(t *testing.T) {
	p := newProvider(t)
	for _, test := range []struct {
		resource, rotations string
		gone                bool
	}{
		{"aws_secretsmanager_secret_version", "", false},
		{"aws_secretsmanager_secret_version", "99", false},
		{"aws_secretsmanager_secret_version", "100", true},
		{"aws_secretsmanager_secret", "1096", false},
	} {
		t.Setenv(rotationsEnv, test.rotations)
		schema := p.schema.ResourceSchemas[test.resource]
		out, err := p.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{TypeName: test.resource, CurrentState: object(t, schema, map[string]string{"id": "x"})})
		if err != nil {
			t.Fatal(err)
		}
		state, err := out.NewState.Unmarshal(schema.ValueType())
		if err != nil || state.IsNull() != test.gone {
			t.Errorf("%+v: error %v, gone %t", test, err, state.IsNull())
		}
	}
}

// Every secret value is the sentinel, and no other value is.
func TestSecretsAreTheSentinel(t *testing.T) {
	p := newProvider(t)
	for name, want := range map[string]bool{"aws_secretsmanager_secret_version": true, "aws_secretsmanager_random_password": true, "aws_secretsmanager_secret": false} {
		schema := p.schema.DataSourceSchemas[name]
		out, err := p.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: name, Config: object(t, schema, nil)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(out.State.MsgPack), sentinel); got != want {
			t.Errorf("%s has the sentinel: %t", name, got)
		}
	}
}

func TestFunctionsDoNotCrash(t *testing.T) {
	p := newProvider(t)
	if _, err := p.GetFunctions(t.Context(), &tfprotov6.GetFunctionsRequest{}); err != nil {
		t.Error(err)
	}
	if out, err := p.CallFunction(t.Context(), &tfprotov6.CallFunctionRequest{Name: "arn_parse"}); err != nil || out.Result == nil {
		t.Errorf("%v, %v", out, err)
	}
}

func TestARNs(t *testing.T) {
	for text, want := range map[string]bool{
		"arn:aws:iam::111122223333:role/x": true, "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:x": true, "arn:aws:s3:::x": true,
		"x": false, "arn:aws:iam::1:role/x": false, "arn:aws:iam:europe:111122223333:role/x": false, "arn:aws:iam::111122223333": false, "arn:azure:iam::111122223333:x": false,
	} {
		if got := arn.MatchString(text); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}
