package hclcheck

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
)

// checkValues judges what a deployment would consist of.
func (m *Module) checkValues(d *Deployment) {
	for _, i := range slices.Concat(d.Instances, d.absent) {
		_ = cty.Walk(i.Value, func(path cty.Path, value cty.Value) (bool, error) {
			if value.IsKnown() && !value.IsNull() && value.Type().IsPrimitiveType() {
				m.checkPrimitive(i, attributePath(path), text(value))
			}
			return value.IsKnown(), nil
		})
		switch i.Type {
		case "aws_secretsmanager_secret_rotation":
			m.checkRotation(i)
		case "aws_cloudwatch_event_rule":
			m.checkPattern(i)
		}
	}
}

func (m *Module) checkPrimitive(i Instance, attribute, value string) {
	full := i.Type + "." + attribute
	if strings.HasPrefix(value, madeUp) {
		return
	}
	if allowed := enums[full]; allowed != nil && !slices.Contains(allowed, value) {
		m.find(Enum, i.Where, "%s: %q is none of %s", full, value, strings.Join(allowed, ", "))
	}
	if span, ok := spans[full]; ok {
		if n, err := strconv.Atoi(value); err != nil || n < span[0] || n > span[1] {
			m.find(Enum, i.Where, "%s: %s is not within %d and %d", full, value, span[0], span[1])
		}
	}
	if wantsARN(full) || strings.HasPrefix(value, "arn:") {
		if err := checkARN(value); err != nil {
			m.find(ARN, i.Where, "%s: %q: %v", full, value, err)
		}
	}
	if (attribute == "policy" || strings.HasSuffix(attribute, "_policy")) && strings.HasPrefix(value, "{") {
		m.checkPolicy(i, full, value)
	}
}

// attributePath is a path without its indices: rotation_rules.duration.
func attributePath(path cty.Path) string {
	var names []string
	for _, step := range path {
		if attribute, ok := step.(cty.GetAttrStep); ok {
			names = append(names, attribute.Name)
		}
	}
	return strings.Join(names, ".")
}

func text(value cty.Value) string {
	switch value.Type() {
	case cty.String:
		return value.AsString()
	case cty.Number:
		return value.AsBigFloat().Text('f', -1)
	default:
		return strconv.FormatBool(value.True())
	}
}

// enums are the attributes whose values the provider's code compares with those
// that AWS knows, for what rotators deploy. The values are those of the API
// references: Lambda's CreateFunction, Logs' PutRetentionPolicy, KMS's CreateKey,
// EC2's CreateVpcEndpoint, CloudWatch's PutMetricAlarm, SNS's Subscribe.
var enums = map[string][]string{
	"aws_lambda_function.architectures":                        {"x86_64", "arm64"},
	"aws_lambda_function.runtime":                              {"provided.al2023"},
	"aws_lambda_function.package_type":                         {"Zip", "Image"},
	"aws_lambda_function.logging_config.log_format":            {"JSON", "Text"},
	"aws_lambda_function.logging_config.system_log_level":      {"DEBUG", "INFO", "WARN"},
	"aws_lambda_function.logging_config.application_log_level": {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"},
	"aws_lambda_function.tracing_config.mode":                  {"Active", "PassThrough"},
	"aws_lambda_permission.action":                             {"lambda:InvokeFunction"},
	"aws_cloudwatch_log_group.retention_in_days": {
		"0", "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731", "1096", "1827", "2192", "2557", "2922", "3288", "3653",
	},
	"aws_cloudwatch_metric_alarm.comparison_operator": {
		"GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold",
		"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold",
	},
	"aws_cloudwatch_metric_alarm.statistic":           {"SampleCount", "Average", "Sum", "Minimum", "Maximum"},
	"aws_cloudwatch_metric_alarm.treat_missing_data":  {"missing", "ignore", "breaching", "notBreaching"},
	"aws_cloudwatch_event_rule.state":                 {"ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"},
	"aws_kms_key.key_usage":                           {"ENCRYPT_DECRYPT"},
	"aws_kms_key.customer_master_key_spec":            {"SYMMETRIC_DEFAULT"},
	"aws_sns_topic_subscription.protocol":             {"sqs", "sms", "lambda", "firehose", "application", "email", "email-json", "http", "https"},
	"aws_vpc_endpoint.vpc_endpoint_type":              {"Interface", "Gateway", "GatewayLoadBalancer", "Resource", "ServiceNetwork"},
	"aws_vpc_endpoint.ip_address_type":                {"ipv4", "dualstack", "ipv6"},
	"aws_vpc_security_group_egress_rule.ip_protocol":  {"tcp", "udp", "icmp", "icmpv6", "-1"},
	"aws_vpc_security_group_ingress_rule.ip_protocol": {"tcp", "udp", "icmp", "icmpv6", "-1"},
}

// spans are the least and the most that the provider's code lets pass.
var spans = map[string][2]int{
	"aws_lambda_function.memory_size":                                            {128, 10240},
	"aws_lambda_function.timeout":                                                {1, 900},
	"aws_kms_key.deletion_window_in_days":                                        {7, 30},
	"aws_kms_key.rotation_period_in_days":                                        {90, 2560},
	"aws_secretsmanager_secret_rotation.rotation_rules.automatically_after_days": {1, 1000},
}

func wantsARN(full string) bool {
	return strings.HasSuffix(full, "_arn") || slices.Contains([]string{
		"aws_lambda_function.role", "aws_cloudwatch_event_target.arn", "aws_cloudwatch_metric_alarm.alarm_actions",
		"aws_cloudwatch_metric_alarm.ok_actions", "aws_lambda_function.layers",
	}, full)
}

// The parts of an ARN as the provider wants them.
// https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/verify/validate.go
var arnParts = [...]struct {
	name  string
	right *regexp.Regexp
}{
	{"prefix", regexp.MustCompile(`^arn$`)},
	{"partition", regexp.MustCompile(`^aws(-[a-z]+)*$`)},
	{"service", regexp.MustCompile(`^[a-z0-9-]+$`)},
	{"region", regexp.MustCompile(`^([a-z]{2}(-[a-z]+)+-\d)?$`)},
	{"account", regexp.MustCompile(`^(aws|aws-managed|third-party|\d{12}|cw.{10})?$`)},
	{"resource", regexp.MustCompile(`.`)},
}

func checkARN(arn string) error {
	parts := strings.SplitN(arn, ":", len(arnParts))
	if len(parts) < len(arnParts) {
		return fmt.Errorf("has %d parts, an ARN has %d", len(parts), len(arnParts))
	}
	for i, part := range arnParts {
		if !part.right.MatchString(parts[i]) {
			return fmt.Errorf("the %s is %q", part.name, parts[i])
		}
	}
	return nil
}

// checkRotation holds the rules of a rotation to the service's: one of days and
// an expression, at least four hours apart, whole hours.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
func (m *Module) checkRotation(i Instance) {
	rules := i.Value.GetAttr("rotation_rules")
	if !rules.IsKnown() || rules.IsNull() {
		return
	}
	for _, rule := range rules.AsValueSlice() {
		days, expression := rule.GetAttr("automatically_after_days"), rule.GetAttr("schedule_expression")
		if days.IsNull() == expression.IsNull() {
			m.find(Schedule, i.Where, "either automatically_after_days or schedule_expression is needed, and not both")
		}
		if known(expression) && !scheduled.MatchString(expression.AsString()) {
			m.find(Schedule, i.Where, "%q is no schedule of Secrets Manager's", expression.AsString())
		}
		if duration := rule.GetAttr("duration"); known(duration) && !hours.MatchString(duration.AsString()) {
			m.find(Schedule, i.Where, "a duration of %q", duration.AsString())
		}
	}
}

var (
	scheduled = regexp.MustCompile(`^(rate\((1 day|[1-9][0-9]* days|([4-9]|[1-9][0-9]+) hours)\)|cron\(0( \S+){4} \*\))$`)
	hours     = regexp.MustCompile(`^([1-9]|1[0-9]|2[0-4])h$`)
)

// checkPattern finds rules that wait for what is never sent. CloudTrail reports
// what the service does by itself as "AWS Service Event via CloudTrail", and
// Secrets Manager itself sends "Secret Label Updated".
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
func (m *Module) checkPattern(i Instance) {
	var pattern struct {
		Source     []string
		DetailType []string `json:"detail-type"`
		Detail     struct {
			EventName    []any
			LabelUpdated []any `json:"labelUpdated"`
		}
	}
	text := i.Text("event_pattern")
	if text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), &pattern); err != nil {
		m.find(Event, i.Where, "the pattern cannot be read: %v", err)
		return
	}
	if !slices.Contains(pattern.Source, "aws.secretsmanager") {
		return
	}
	var want string
	switch {
	case len(pattern.Detail.LabelUpdated) > 0:
		want = "Secret Label Updated"
	case slices.ContainsFunc(pattern.Detail.EventName, func(name any) bool { return strings.Contains(fmt.Sprint(name), "Rotation") }):
		want = "AWS Service Event via CloudTrail"
	default:
		return
	}
	if !slices.Equal(pattern.DetailType, []string{want}) {
		m.find(Event, i.Where, "events of this kind have the detail type %q, not %q", want, pattern.DetailType)
	}
}

// unnarrowed are the actions that may stand with every resource, because AWS has
// no resource for them or no narrower one, each with its source.
var unnarrowed = map[string]string{
	"ec2:AssignPrivateIpAddresses":   vpcExecution,
	"ec2:CreateNetworkInterface":     vpcExecution,
	"ec2:DeleteNetworkInterface":     vpcExecution,
	"ec2:DescribeNetworkInterfaces":  vpcExecution,
	"ec2:DescribeSubnets":            vpcExecution,
	"ec2:UnassignPrivateIpAddresses": vpcExecution,
	"xray:PutTelemetryRecords":       "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
	"xray:PutTraceSegments":          "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html",
}

const vpcExecution = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions"

// checkPolicy reads a policy, and refuses an identity's that names actions by a
// pattern or gives a right to everything that could be given to something.
func (m *Module) checkPolicy(i Instance, full, document string) {
	p, err := iam.Parse([]byte(document))
	if document == "{}" { // no policy
		return
	}
	if err != nil {
		m.find(Policy, i.Where, "%s: %v", full, err)
		return
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, action := range s.Action {
			// In a resource's own policy, * is that resource.
			if strings.Contains(action, "*") && s.Principal == nil {
				m.find(Policy, i.Where, "%s: statement %s allows %s", full, s.Sid, action)
			}
			if s.Principal == nil && unnarrowed[action] == "" && slices.ContainsFunc(s.Resource, wide) {
				m.find(Policy, i.Where, "%s: statement %s allows %s on %s", full, s.Sid, action, strings.Join(s.Resource, ", "))
			}
		}
	}
}

// wide reports whether a resource is more than one thing: everything, or all that
// begins like it. A log group's streams are its own.
func wide(resource string) bool {
	resource = strings.TrimSuffix(resource, ":*")
	return resource == "*" || strings.Contains(resource, "*")
}
