package hclcheck_test

import (
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/golden/hclcheck"
)

func schema(t *testing.T) *hclcheck.Schema {
	t.Helper()
	data, err := os.ReadFile("../tfprovider/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := hclcheck.ParseSchema(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each configuration is as the provider's documentation has it, or one word off.
func TestCheck(t *testing.T) {
	s := schema(t)
	for _, test := range []struct {
		name, config string
		want         string // the check that finds something, "" for none
	}{
		{"nothing", ``, ""},
		{"twice", "locals {\n  a = 1\n}\n\nlocals {\n  a = 2\n}\n", hclcheck.Reference},
		{"a circle", "locals {\n  a = local.b\n  b = local.a\n}\n\nresource \"aws_sns_topic\" \"x\" {\n  name = local.a\n}\n", hclcheck.Reference},
		{"an argument outside", "a = 1\n", hclcheck.Syntax},
		{"counted", "resource \"aws_sns_topic\" \"x\" {\n  count = 2\n  name  = \"x${count.index}\"\n}\n\noutput \"x\" {\n  value = aws_sns_topic.x[0].arn\n}\n", ""},
		{"counted, as one", "resource \"aws_sns_topic\" \"x\" {\n  count = 2\n}\n\noutput \"x\" {\n  value = aws_sns_topic.x.arn\n}\n", hclcheck.Reference},
		{"counted, all", "resource \"aws_sns_topic\" \"x\" {\n  count = 2\n}\n\noutput \"x\" {\n  value = aws_sns_topic.x[*].arn\n}\n", ""},
		{"each", "resource \"aws_sns_topic\" \"x\" {\n  for_each = toset([\"a\"])\n  name     = each.key\n}\n\noutput \"x\" {\n  value = { for key, topic in aws_sns_topic.x : key => topic.arn }\n}\n", ""},
		{"each without for_each", "resource \"aws_sns_topic\" \"x\" {\n  name = each.key\n}\n", hclcheck.Reference},
		{"a nested attribute", "data \"aws_caller_identity\" \"x\" {}\n\noutput \"x\" {\n  value = data.aws_caller_identity.x.account_id.x\n}\n", hclcheck.Reference},
		{"a dynamic block", "resource \"aws_lambda_function\" \"x\" {\n  function_name = \"x\"\n  role          = \"arn:aws:iam::111122223333:role/x\"\n\n  dynamic \"vpc_config\" {\n    for_each = [1]\n\n    content {\n      subnet_ids         = [vpc_config.value]\n      security_group_ids = []\n    }\n  }\n}\n", ""},
		{"its iterator elsewhere", "resource \"aws_sns_topic\" \"x\" {\n  name = vpc_config.value\n}\n", hclcheck.Reference},
		{"a fault in the branch not taken", "variable \"x\" {\n  type    = bool\n  default = false\n}\n\nresource \"aws_sns_topic\" \"x\" {\n  name = var.x ? length(5) : \"x\"\n}\n", hclcheck.Structure},
		{"a fault where there is none of it", "resource \"aws_cloudwatch_log_group\" \"x\" {\n  count             = 0\n  retention_in_days = 2\n}\n", hclcheck.Enum},
		{"an object's attribute", "variable \"x\" {\n  type = object({ a = string })\n}\n\noutput \"x\" {\n  value = var.x.b\n}\n", hclcheck.Reference},
		{"a default of another type", "variable \"x\" {\n  type    = number\n  default = \"x\"\n}\n", hclcheck.Structure},
		{"a condition", "variable \"x\" {\n  type = string\n\n  validation {\n    condition     = var.y != \"\"\n    error_message = \"x\"\n  }\n}\n", hclcheck.Reference},
		{"ignored changes", "resource \"aws_sns_topic\" \"x\" {\n  lifecycle {\n    ignore_changes = [tags]\n  }\n}\n", ""},
		{"a policy of another version", "resource \"aws_iam_role_policy\" \"x\" {\n  role = \"x\"\n\n  policy = jsonencode({\n    Version   = \"2008-10-17\"\n    Statement = [{ Effect = \"Allow\", Action = \"sns:Publish\", Resource = \"arn:aws:sns:::x\" }]\n  })\n}\n", hclcheck.Policy},
		{"a resource's own policy", "resource \"aws_kms_key\" \"x\" {\n  policy = jsonencode({\n    Version   = \"2012-10-17\"\n    Statement = [{ Effect = \"Allow\", Action = \"kms:*\", Resource = \"*\", Principal = { AWS = \"arn:aws:iam::111122223333:root\" } }]\n  })\n}\n", ""},
		{"a label of a rotation", "resource \"aws_cloudwatch_event_rule\" \"x\" {\n  event_pattern = jsonencode({\n    source        = [\"aws.secretsmanager\"]\n    \"detail-type\" = [\"AWS Service Event via CloudTrail\"]\n    detail        = { labelUpdated = [\"AWSCURRENT\"] }\n  })\n}\n", hclcheck.Event},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := s.Check(map[string][]byte{"main.tf": []byte(test.config)})
			if (test.want == "") != (len(found) == 0) {
				t.Fatalf("want %q, got %v", test.want, found)
			}
			for _, f := range found {
				if f.Check != test.want {
					t.Errorf("want %q, got %s", test.want, f)
				}
			}
		})
	}
}

// A deployment is computed from defaults, a .tfvars file and what is given, in that order.
func TestEvaluate(t *testing.T) {
	m := schema(t).Parse(map[string][]byte{
		"main.tf": []byte(`
variable "a" {
  default = "default"
}
variable "b" {
  default = "default"
}
variable "c" {
  default = "default"
}
variable "d_arn" {
  type = string
}
resource "aws_sns_topic" "x" {
  for_each = { one = var.a, two = var.b }
  name     = "${each.key}-${each.value}-${var.c}"
  lifecycle {
    precondition {
      condition     = each.key != "two"
      error_message = "No ${each.key}."
    }
  }
}
output "x" {
  value = jsonencode([aws_sns_topic.x["one"].arn, var.d_arn])
}
`),
		"x.tfvars": []byte("b = \"file\"\nc = \"file\"\n"),
	})
	d := m.Evaluate(map[string]cty.Value{"c": cty.StringVal("given")})
	if findings := m.Findings(); len(findings) > 0 {
		t.Errorf("found %v", findings)
	}
	var names []string
	for _, i := range d.All("aws_sns_topic") {
		names = append(names, i.Text("name"))
	}
	if got, want := strings.Join(names, " "), "one-default-given two-file-given"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
	if got, want := d.Outputs["x"].AsString(), `["arn:aws:sns:eu-west-1:111122223333:one-default-given","arn:aws:sample:eu-west-1:111122223333:d_arn"]`; got != want {
		t.Errorf("output %s, want %s", got, want)
	}
	if got, want := strings.Join(d.Refused, " "), "No two."; got != want {
		t.Errorf("refused %q, want %q", got, want)
	}
}
