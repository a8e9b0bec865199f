package iam_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
)

const (
	secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf"
	key    = "arn:aws:kms:eu-west-1:111122223333:key/1"
)

func TestDecide(t *testing.T) {
	get := iam.Request{Action: "secretsmanager:GetSecretValue", Resource: secret}
	decrypt := iam.Request{Action: "kms:Decrypt", Resource: key, Context: map[string][]string{
		"kms:EncryptionContext:SecretARN": {secret}, "kms:ViaService": {"secretsmanager.eu-west-1.amazonaws.com"},
	}}
	many := iam.Request{Action: "a:B", Resource: "*", Context: map[string][]string{"aws:TagKeys": {"one", "two"}}}
	const allow = `{"Effect":"Allow","Action":%q,"Resource":%q}`
	when := func(condition string) string {
		return `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}`
	}
	for _, test := range []struct {
		name       string
		statements string
		request    iam.Request
		want       bool
	}{
		{"nothing is allowed by itself", fmt.Sprintf(allow, "kms:Decrypt", "*"), get, false},
		{"by name", fmt.Sprintf(allow, get.Action, secret), get, true},
		{"lists", `{"Effect":"Allow","Action":["a:B","secretsmanager:GetSecretValue"],"Resource":["*"]}`, get, true},
		{"an action's case does not count", fmt.Sprintf(allow, "SecretsManager:getsecretvalue", secret), get, true},
		{"an ARN's does", fmt.Sprintf(allow, get.Action, strings.ToUpper(secret)), get, false},
		{"a star in an action", fmt.Sprintf(allow, "secretsmanager:Get*", secret), get, true},
		{"a star that does not reach", fmt.Sprintf(allow, "secretsmanager:Put*", secret), get, false},
		{"a star in a resource", fmt.Sprintf(allow, get.Action, strings.TrimSuffix(secret, "AbCdEf")+"*"), get, true},
		{"question marks", fmt.Sprintf(allow, get.Action, strings.TrimSuffix(secret, "AbCdEf")+"??????"), get, true},
		{"one question mark too few", fmt.Sprintf(allow, get.Action, strings.TrimSuffix(secret, "AbCdEf")+"?????"), get, false},
		{"two stars", fmt.Sprintf(allow, get.Action, "arn:*:*:*:*:secret:*Ef"), get, true},
		{"another resource", fmt.Sprintf(allow, get.Action, secret+"x"), get, false},
		{"a denial wins", fmt.Sprintf(allow, "*", "*") + `,{"Effect":"Deny","Action":"secretsmanager:*","Resource":"*"}`, get, false},
		{"a denial of something else", fmt.Sprintf(allow, "*", "*") + `,{"Effect":"Deny","Action":"kms:*","Resource":"*"}`, get, true},
		{"StringEquals", when(`"StringEquals":{"kms:EncryptionContext:SecretARN":"` + secret + `"}`), decrypt, true},
		{"StringEquals of several", when(`"StringEquals":{"kms:EncryptionContext:SecretARN":["x","` + secret + `"]}`), decrypt, true},
		{"StringEquals takes no star", when(`"StringEquals":{"kms:ViaService":"secretsmanager.*"}`), decrypt, false},
		{"a key's case does not count", when(`"StringEquals":{"KMS:viaservice":"secretsmanager.eu-west-1.amazonaws.com"}`), decrypt, true},
		{"StringLike", when(`"StringLike":{"kms:ViaService":"secretsmanager.*.amazonaws.com"}`), decrypt, true},
		{"a key that the request lacks", when(`"StringEquals":{"kms:ViaService":"x"}`), get, false},
		{"a key that it lacks, negated", when(`"StringNotEquals":{"kms:ViaService":"x"}`), get, true},
		{"a key that it lacks, if it exists", when(`"StringEqualsIfExists":{"kms:ViaService":"x"}`), get, true},
		{"a key that it has, if it exists", when(`"StringEqualsIfExists":{"kms:ViaService":"x"}`), decrypt, false},
		{"negated", when(`"StringNotEquals":{"kms:ViaService":["x","secretsmanager.eu-west-1.amazonaws.com"]}`), decrypt, false},
		{"two operators must both hold", when(`"StringLike":{"kms:ViaService":"*"},"StringEquals":{"kms:EncryptionContext:SecretARN":"x"}`), decrypt, false},
		{"two keys must both hold", when(`"StringLike":{"kms:ViaService":"*","kms:EncryptionContext:SecretARN":"x"}`), decrypt, false},
		{"ArnLike", when(`"ArnLike":{"kms:EncryptionContext:SecretARN":"arn:aws:secretsmanager:*:111122223333:secret:orders-*"}`), decrypt, true},
		{"ArnEquals is the same", when(`"ArnEquals":{"kms:EncryptionContext:SecretARN":"arn:aws:secretsmanager:*:111122223333:secret:orders-*"}`), decrypt, true},
		{"no star of an ARN crosses a colon", when(`"ArnLike":{"kms:EncryptionContext:SecretARN":"arn:aws:secretsmanager:*:secret:orders-AbCdEf"}`), decrypt, false},
		{"Null", when(`"Null":{"kms:ViaService":"true"}`), get, true},
		{"Null of what is there", when(`"Null":{"kms:ViaService":"true"}`), decrypt, false},
		{"any of many", when(`"ForAnyValue:StringEquals":{"aws:TagKeys":["two"]}`), many, true},
		{"all of many", when(`"ForAllValues:StringEquals":{"aws:TagKeys":["two"]}`), many, false},
		{"all of none", when(`"ForAllValues:StringEquals":{"aws:TagKeys":["two"]}`), get, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + test.statements + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Decide(test.request); got.Allowed != test.want {
				t.Errorf("allowed: %t, by %v", got.Allowed, got.Because)
			}
		})
	}
}

// A8: of a call that asks for several resources each sees just the condition keys that
// AWS lists for it, so a condition can hold for one and never for another.
func TestKeysByResource(t *testing.T) {
	const (
		ec2  = "arn:aws:ec2:eu-west-1:111122223333:"
		vpc  = ec2 + "vpc/vpc-1"
		only = `"Condition":{"ArnEquals":{"ec2:Vpc":"` + vpc + `"}}}`
	)
	everywhere := `{"Effect":"Allow","Action":"ec2:CreateNetworkInterface","Resource":"*",` + only
	apart := `{"Effect":"Allow","Action":"ec2:CreateNetworkInterface","Resource":"` + ec2 + `network-interface/*"},` +
		`{"Effect":"Allow","Action":"ec2:CreateNetworkInterface","Resource":["` + ec2 + `subnet/*","` + ec2 + `security-group/*"],` + only
	for _, test := range []struct {
		name, statements, resource, vpc string
		want                            bool
	}{
		{"the interface shows no VPC", everywhere, "network-interface/eni-1", vpc, false},
		{"the subnet shows it", everywhere, "subnet/subnet-1", vpc, true},
		{"the group shows it", everywhere, "security-group/sg-1", vpc, true},
		{"the interface needs none", apart, "network-interface/eni-1", vpc, true},
		{"the subnet's is that one", apart, "subnet/subnet-1", vpc, true},
		{"the subnet's is another", apart, "subnet/subnet-1", vpc + "2", false},
		{"not asked for", apart, "vpc/vpc-1", vpc, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + test.statements + `]}`))
			if err != nil {
				t.Fatal(err)
			}
			request := iam.Request{Action: "ec2:CreateNetworkInterface", Resource: ec2 + test.resource, Context: map[string][]string{"ec2:Vpc": {test.vpc}}}
			if got := p.Decide(request); got.Allowed != test.want {
				t.Errorf("allowed: %t, by %v", got.Allowed, got.Because)
			}
		})
	}
}

// A8: a statement whose condition AWS can never show is a fault, and so is an action
// that reference.json lacks.
func TestFaults(t *testing.T) {
	for statement, want := range map[string]string{
		`"Action":"ec2:CreateNetworkInterface","Resource":"*","Condition":{"ArnEquals":{"ec2:Vpc":"x"}}`:                                            "no ec2:Vpc to ec2:CreateNetworkInterface on arn:*:ec2:*:*:network-interface/*",
		`"Action":"ec2:CreateNetworkInterface","Resource":"arn:aws:ec2:eu-west-1:1:subnet/*","Condition":{"ArnEquals":{"ec2:Vpc":"x"}}`:             "",
		`"Action":"kms:Decrypt","Resource":"` + key + `","Condition":{"StringEquals":{"kms:ViaService":"x","kms:EncryptionContext:SecretARN":"x"}}`: "",
		`"Action":"kms:Decrypt","Resource":"` + key + `","Condition":{"StringEquals":{"secretsmanager:SecretId":"x"}}`:                              "no secretsmanager:SecretId to kms:Decrypt",
		`"Action":"sns:Publish","Resource":"*","Condition":{"ArnEquals":{"aws:SourceArn":"x"}}`:                                                     "",
		`"Action":"ec2:RunInstances","Resource":"*"`: "not in the reference",
	} {
		p, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + statement + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Faults(), "; "); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", statement, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const good = `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"Allow","Action":"a:B","Resource":"*"}]}`
	if _, err := iam.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, test := range [][3]string{
		{"2012-10-17", "2008-10-17", "version"},
		{`"Action"`, `"Actions"`, "unknown field"},
		{`"Action"`, `"NotAction"`, "unknown field"},
		{`"a:B"`, `"B"`, "service:Name"},
		{`"a:B"`, `[]`, "no action"},
		{`"*"`, `"orders"`, "no ARN"},
		{`"*"`, `[]`, "no resource"},
		{`"Allow"`, `"allow"`, "effect"},
		{`"Sid":"S"`, `"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, "IpAddress"},
		{good[30:], `[]}`, "Statement"},
	} {
		bad := strings.Replace(good, test[0], test[1], 1)
		if _, err := iam.Parse([]byte(bad)); err == nil || bad == good {
			t.Errorf("%s: error %v, want one about %q", bad, err, test[2])
		}
	}
}

func TestGrants(t *testing.T) {
	document, err := json.Marshal(map[string]any{"Version": iam.Version, "Statement": []map[string]any{
		{"Sid": "One", "Effect": "Allow", "Action": []string{"a:B", "a:C"}, "Resource": "*"},
		{"Sid": "Two", "Effect": "Allow", "Action": "a:B", "Resource": "*"},
		{"Sid": "No", "Effect": "Deny", "Action": "a:D", "Resource": "*"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := iam.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(p.Grants()), "[One a:B One a:C Two a:B]"; got != want {
		t.Errorf("grants %s, want %s", got, want)
	}
	if got := p.Actions(); !slices.Equal(got, []string{"a:B", "a:C"}) {
		t.Errorf("actions %q", got)
	}
	less := p.Without(iam.Grant{Sid: "One", Action: "a:C"})
	if less.Decide(iam.Request{Action: "a:C", Resource: "*"}).Allowed || !less.Decide(iam.Request{Action: "a:B", Resource: "*"}).Allowed {
		t.Error("the wrong grant is gone")
	}
	if !p.Decide(iam.Request{Action: "a:C", Resource: "*"}).Allowed {
		t.Error("the policy itself has changed")
	}
}
