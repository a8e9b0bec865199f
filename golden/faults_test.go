package golden

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/rotasmith/rotasmith/golden/hclcheck"
)

// Checks beside those of hclcheck.
const (
	roleLacks  = "role lacks"   // what some path needs
	roleExceed = "role exceeds" // what the paths need
)

// TestPlantedFaults plants faults one by one in an emitted tree. Each is caught,
// by the check that is for it and by no other.
func TestPlantedFaults(t *testing.T) {
	_, renderer := openTemplates(t)
	sound := terraform(t, renderer, map[string]string{"name": "orders", "type": "rds-two-user", "engine": "postgres"})
	if got := judge(t, sound); len(got) > 0 {
		t.Fatalf("the sound tree is not: %v", got)
	}
	for _, fault := range []struct {
		name, old, new string // a regular expression, what takes its place
		check          string
	}{
		{"no format", `(?m)^  (retention_in_days)`, "    $1", hclcheck.Format},
		{"no HCL", `retention_in_days +=`, "retention_in_days", hclcheck.Syntax},
		{"an unknown block", `resource "aws_iam_role" `, `resourse "aws_iam_role" `, hclcheck.Syntax},
		{"an unknown attribute", `retention_in_days( +=)`, "retention_days$1", hclcheck.Structure},
		{"an unknown nested block", `logging_config {`, "log_config {", hclcheck.Structure},
		{"an unknown resource type", `aws_cloudwatch_log_group`, `aws_log_group`, hclcheck.Structure},
		{"an argument that only AWS sets", `retention_in_days( +=.*)`, "retention_in_days$1\narn = \"arn:aws:logs:::x\"", hclcheck.Structure},
		{"a missing argument", `(?m)^  role +=.*arn$`, "", hclcheck.Structure},
		{"a wrong type", `retention_in_days( +=) .*`, `retention_in_days$1 "long"`, hclcheck.Structure},
		{"an unknown function", `jsonencode\(`, "toJson(", hclcheck.Structure},
		{"an unknown argument of a variable", `(variable "seeded" {)`, "$1\nnullabel = false\n", hclcheck.Structure},
		{"a value of the wrong type for a variable", `(?m)^name( +=) .*$`, `name$1 ["orders"]`, hclcheck.Structure},
		{"a reference to no resource", `aws_iam_role\.this\.arn`, "aws_iam_role.that.arn", hclcheck.Reference},
		{"a reference to no attribute", `aws_lambda_function\.this\.arn`, "aws_lambda_function.this.arm", hclcheck.Reference},
		{"a reference to no variable", `var\.seeded`, "var.seedet", hclcheck.Reference},
		{"a reference to no local value", `local\.package`, "local.packet", hclcheck.Reference},
		{"a reference to no data source", `data\.aws_caller_identity\.current`, "data.aws_caller_identity.present", hclcheck.Reference},
		{"one of what is not many", `aws_iam_role\.this\.arn`, "aws_iam_role.this[0].arn", hclcheck.Reference},
		{"a value for no variable", `(?m)^name( +=)`, "nome$1", hclcheck.Reference},
		{"an architecture that AWS does not know", `"arm64"`, `"arm65"`, hclcheck.Enum},
		{"a retention that AWS does not know", `retention_in_days( +=) .*`, "retention_in_days$1 91", hclcheck.Enum},
		{"more memory than there is", `memory_size( +=) .*`, `memory_size$1 20480`, hclcheck.Enum},
		{"a malformed ARN", `(?m)^  role( +=).*arn$`, `  role$1 "arn:aws:iam::111122223333"`, hclcheck.ARN},
		{"a name for an ARN", `(?m)^  role( +=).*arn$`, `  role$1 "orders"`, hclcheck.ARN},
		{"both forms of a schedule", `(?m)^    schedule_expression`, "    automatically_after_days = 30\nschedule_expression", hclcheck.Schedule},
		{"a schedule that is too fast", `(?m)^    schedule_expression( +=).*`, `    schedule_expression$1 "rate(3 hours)"`, hclcheck.Schedule},
		{"a wrong detail type", `"AWS Service Event via CloudTrail"`, `"AWS API Call via CloudTrail"`, hclcheck.Event},
		{"a widened resource", `(Sid +=) "Secret"([^}]+Resource +=) .*`, `$1 "Secret"$2 ["*"]`, hclcheck.Policy},
		{"a resource widened to what begins like it", `(Sid +=) "Secret"([^}]+Resource +=) .*`, `$1 "Secret"$2 ["arn:aws:secretsmanager:*:*:secret:orders-*"]`, hclcheck.Policy},
		{"actions by a pattern", `"secretsmanager:PutSecretValue"`, `"secretsmanager:Put*"`, hclcheck.Policy},
		{"a dropped action", `(?m)^ +"secretsmanager:PutSecretValue",$`, "", roleLacks},
		{"a dropped right on the administrator's secret", `(Sid +=) "AdminSecret"([^}]+Action +=) .*`, `$1 "AdminSecret"$2 ["secretsmanager:DescribeSecret"]`, roleLacks},
		{"an action too many", `(?m)^( +"secretsmanager:PutSecretValue",)$`, "$1\n\"secretsmanager:DeleteSecret\",", roleExceed},
	} {
		t.Run(fault.name, func(t *testing.T) {
			planted, changed := plant(sound, regexp.MustCompile(fault.old), fault.new, fault.check)
			if !changed {
				t.Fatal("the tree has no place for it")
			}
			got := judge(t, planted)
			if !slices.Equal(set(slices.Collect(maps.Keys(got))), []string{fault.check}) {
				t.Errorf("want %q, got %v", fault.check, got)
			}
		})
	}
}

// plant changes the files, formatted unless that is the fault.
func plant(sound map[string][]byte, old *regexp.Regexp, with, check string) (planted map[string][]byte, changed bool) {
	planted = maps.Clone(sound)
	for name, data := range sound {
		if !old.Match(data) {
			continue
		}
		changed = true
		planted[name] = old.ReplaceAll(data, []byte(with))
		if check != hclcheck.Format {
			planted[name] = hclwrite.Format(planted[name])
		}
	}
	return planted, changed
}

// judge returns what is found, by check.
func judge(t *testing.T, files map[string][]byte) map[string][]string {
	t.Helper()
	schema := schemaOf(t)
	found := make(map[string][]string)
	for _, f := range schema.Check(files) {
		found[f.Check] = append(found[f.Check], f.String())
	}
	if len(found) > 0 {
		return found
	}
	r := roleOf(t, "two-user", files)
	access, err := r.walk(r.policy)
	if err != nil {
		found[roleLacks] = append(found[roleLacks], err.Error())
		return found
	}
	for _, grant := range access.Unused() {
		found[roleExceed] = append(found[roleExceed], grant.String())
	}
	for _, request := range r.forbidden() {
		if r.policy.Decide(request).Allowed {
			found[roleExceed] = append(found[roleExceed], request.String())
		}
	}
	return found
}
