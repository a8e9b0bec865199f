package hclcheck

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Where evaluated configurations are deployed.
const (
	Region  = "eu-west-1"
	Account = "111122223333"
)

// madeUp begins what AWS would fill in and nothing depends on.
const madeUp = "made-up-"

// arns are what the ARNs of resources look like; %s is the resource's name.
var arns = map[string]string{
	"aws_cloudtrail":              "cloudtrail:" + Region + ":" + Account + ":trail/%s",
	"aws_cloudwatch_event_rule":   "events:" + Region + ":" + Account + ":rule/%s",
	"aws_cloudwatch_log_group":    "logs:" + Region + ":" + Account + ":log-group:%s",
	"aws_cloudwatch_metric_alarm": "cloudwatch:" + Region + ":" + Account + ":alarm:%s",
	"aws_iam_role":                "iam::" + Account + ":role/%s",
	"aws_kms_key":                 "kms:" + Region + ":" + Account + ":key/%s",
	"aws_lambda_function":         "lambda:" + Region + ":" + Account + ":function:%s",
	"aws_secretsmanager_secret":   "secretsmanager:" + Region + ":" + Account + ":secret:%s-AbCdEf",
	"aws_sns_topic":               "sns:" + Region + ":" + Account + ":%s",
	"aws_sqs_queue":               "sqs:" + Region + ":" + Account + ":%s",
}

// complete fills in what AWS would. label tells apart what has no name.
func complete(b *block, value cty.Value, kind, label string) cty.Value {
	name := label
	for _, attribute := range []string{"name", "function_name", "alarm_name"} {
		if value.Type().HasAttribute(attribute) && known(value.GetAttr(attribute)) {
			name = value.GetAttr(attribute).AsString()
		}
	}
	all := make(map[string]cty.Value)
	for attribute, inner := range b.kind.AttributeTypes() {
		switch a, ok := b.attributes[attribute]; {
		case value.Type().HasAttribute(attribute) && !value.GetAttr(attribute).IsNull():
			all[attribute] = value.GetAttr(attribute)
		case ok && a.computed && inner == cty.String:
			all[attribute] = cty.StringVal(fake(kind, attribute, name))
		case ok && a.computed:
			all[attribute] = cty.UnknownVal(inner)
		default:
			all[attribute] = cty.NullVal(inner)
		}
	}
	return cty.ObjectVal(all)
}

func known(v cty.Value) bool { return v.IsKnown() && !v.IsNull() && v.Type() == cty.String }

func fake(kind, attribute, name string) string {
	shape, ok := arns[kind]
	if !ok {
		shape = strings.ReplaceAll(strings.TrimPrefix(kind, "aws_"), "_", "-") + ":" + Region + ":" + Account + ":%s"
	}
	arn := "arn:aws:" + fmt.Sprintf(shape, name)
	switch {
	case attribute == "arn", attribute == "id" && kind == "aws_secretsmanager_secret", attribute == "id" && kind == "aws_sns_topic":
		return arn
	case attribute == "region", kind == "aws_region" && attribute == "name":
		return Region
	case attribute == "partition":
		return "aws"
	case attribute == "dns_suffix":
		return "amazonaws.com"
	case attribute == "account_id", attribute == "owner_id":
		return Account
	case attribute == "kms_key_id":
		return "arn:aws:kms:" + Region + ":" + Account + ":key/" + name
	case strings.HasSuffix(attribute, "_arn"):
		return arn + "/" + attribute
	case attribute == "json", strings.HasSuffix(attribute, "policy"):
		return "{}"
	case attribute == "id", attribute == "key_id", attribute == "name":
		return name
	default:
		return madeUp + attribute
	}
}
