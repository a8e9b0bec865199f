package golden

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
	"github.com/rotasmith/rotasmith/golden/space"
)

// deploys are the actions of the provider that make, read, change and delete a
// resource of a type, beside those on its tags: first those that act on the
// resource, then, after "|", those that look at all there are.
// https://github.com/hashicorp/terraform-provider-aws/tree/main/internal/service
var deploys = map[string]string{
	"aws_cloudtrail":                        "cloudtrail: CreateTrail DeleteTrail GetEventSelectors GetInsightSelectors GetTrailStatus ListTags PutEventSelectors StartLogging StopLogging UpdateTrail AddTags RemoveTags | DescribeTrails",
	"aws_cloudwatch_dashboard":              "cloudwatch: DeleteDashboards PutDashboard | GetDashboard",
	"aws_cloudwatch_event_rule":             "events: DeleteRule DescribeRule ListTagsForResource PutRule TagResource UntagResource",
	"aws_cloudwatch_event_target":           "events: ListTargetsByRule PutTargets RemoveTargets",
	"aws_cloudwatch_log_group":              "logs: AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteRetentionPolicy DisassociateKmsKey ListTagsForResource PutRetentionPolicy TagResource UntagResource | DescribeLogGroups",
	"aws_cloudwatch_metric_alarm":           "cloudwatch: DeleteAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource | DescribeAlarms",
	"aws_iam_role":                          "iam: CreateRole DeleteRole DeleteRolePermissionsBoundary GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies PassRole PutRolePermissionsBoundary TagRole UntagRole UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
	"aws_iam_role_policy":                   "iam: DeleteRolePolicy GetRolePolicy PutRolePolicy",
	"aws_kms_alias":                         "kms: | CreateAlias DeleteAlias ListAliases UpdateAlias",
	"aws_kms_key":                           "kms: | CreateKey DescribeKey EnableKeyRotation GetKeyPolicy GetKeyRotationStatus ListResourceTags PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource UpdateKeyDescription",
	"aws_lambda_function":                   "lambda: CreateFunction DeleteFunction DeleteFunctionCodeSigningConfig GetFunction GetFunctionCodeSigningConfig ListVersionsByFunction PutFunctionCodeSigningConfig TagResource UntagResource UpdateFunctionCode UpdateFunctionConfiguration",
	"aws_lambda_permission":                 "lambda: AddPermission GetPolicy RemovePermission",
	"aws_s3_bucket":                         "s3: CreateBucket DeleteBucket DeleteObject DeleteObjectVersion GetAccelerateConfiguration GetBucket* GetEncryptionConfiguration GetReplicationConfiguration ListBucket ListBucketVersions PutBucketTagging",
	"aws_s3_bucket_lifecycle_configuration": "s3: GetLifecycleConfiguration PutLifecycleConfiguration",
	"aws_s3_bucket_policy":                  "s3: DeleteBucketPolicy PutBucketPolicy",
	"aws_s3_bucket_public_access_block":     "s3: PutBucketPublicAccessBlock",
	"aws_secretsmanager_secret":             "secretsmanager: CreateSecret DeleteSecret DescribeSecret GetResourcePolicy RemoveRegionsFromReplication ReplicateSecretToRegions TagResource UntagResource UpdateSecret",
	"aws_secretsmanager_secret_policy":      "secretsmanager: DeleteResourcePolicy GetResourcePolicy PutResourcePolicy ValidateResourcePolicy",
	"aws_secretsmanager_secret_rotation":    "secretsmanager: CancelRotateSecret DescribeSecret RotateSecret",
	"aws_security_group":                    "ec2: | CreateSecurityGroup DeleteSecurityGroup DescribeNetworkInterfaces DescribeSecurityGroups DescribeVpcs RevokeSecurityGroupEgress RevokeSecurityGroupIngress CreateTags DeleteTags",
	"aws_sns_topic":                         "sns: CreateTopic DeleteTopic GetTopicAttributes ListTagsForResource SetTopicAttributes TagResource UntagResource",
	"aws_sns_topic_policy":                  "sns: GetTopicAttributes SetTopicAttributes",
	"aws_sns_topic_subscription":            "sns: GetSubscriptionAttributes Subscribe Unsubscribe",
	"aws_sqs_queue":                         "sqs: CreateQueue DeleteQueue GetQueueAttributes ListQueueTags SetQueueAttributes TagQueue UntagQueue",
	"aws_sqs_queue_policy":                  "sqs: GetQueueAttributes SetQueueAttributes",
	"aws_vpc_endpoint":                      "ec2: | CreateVpcEndpoint DeleteVpcEndpoints DescribePrefixLists DescribeVpcEndpoints ModifyVpcEndpoint CreateTags DeleteTags",
	"aws_vpc_security_group_egress_rule":    "ec2: | AuthorizeSecurityGroupEgress DescribeSecurityGroupRules ModifySecurityGroupRules RevokeSecurityGroupEgress",
	"aws_vpc_security_group_ingress_rule":   "ec2: | AuthorizeSecurityGroupIngress DescribeSecurityGroupRules ModifySecurityGroupRules RevokeSecurityGroupIngress",
	"data.aws_kms_key":                      "kms: | DescribeKey",
	"data.aws_secretsmanager_secret":        "secretsmanager: DescribeSecret GetResourcePolicy",
	"data.aws_subnet":                       "ec2: | DescribeSubnets",
	"data.aws_caller_identity":              "sts:",
	"data.aws_partition":                    "sts:",
	"data.aws_region":                       "sts:",
}

// byMake are what "make" does beside Terraform. Secrets Manager asks for rights on
// the key with the rights of the caller.
var byMake = []string{
	"cloudtrail:DescribeTrails", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "lambda:InvokeFunction", "logs:FilterLogEvents",
	"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
}

// B27: deployer-policy.json allows what Terraform does with each resource of the
// project, on the resources that it names, and nothing that the project has no use
// for.
func TestDeployerPolicyIsExact(t *testing.T) {
	c, renderer := openTemplates(t)
	schema := schemaOf(t)
	rows, err := space.Cover(c)
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string][]string{"iam:PassedToService": {"lambda.amazonaws.com"}}
	for _, row := range rows {
		answers := maps.Clone(row)
		answers["secret_name"] = "orders"
		if row["secret"] == "existing" {
			delete(answers, "secret_name")
		}
		files := terraform(t, renderer, answers)
		policy, err := iam.Parse(files["deployer-policy.json"])
		if err != nil {
			t.Fatalf("%v: %v", answers, err)
		}
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
		if size := len(strings.Join(strings.Fields(string(files["deployer-policy.json"])), "")); size > 6144 {
			t.Errorf("%v: %d characters, of which a managed policy has 6144", answers, size)
		}
		m := schema.Parse(files)
		given := space.Deployment(m, doubleARN(t, roleSecret), doubleARN(t, roleAdmin))
		given["seeded"] = space.Seeded(m)
		deployment := m.Evaluate(given)
		used := slices.Clone(byMake)
		for _, kind := range m.Kinds() {
			text, known := deploys[kind]
			if !known {
				t.Fatalf("nothing says what %s takes to deploy", kind)
			}
			service, names, _ := strings.Cut(text, ":")
			named, all, _ := strings.Cut(names, "|")
			for _, name := range append(strings.Fields(named), strings.Fields(all)...) {
				used = append(used, service+":"+name)
			}
			for _, made := range deployment.All(kind) {
				arn := ""
				if made.Value.Type().HasAttribute("arn") {
					arn = made.Text("arn")
				}
				for name := range strings.FieldsSeq(named) {
					r := iam.Request{Action: service + ":" + name, Resource: arn, Context: passed}
					if strings.HasPrefix(arn, "arn:aws:"+service+":") && !policy.Decide(r).Allowed {
						t.Errorf("%v: %s needs %s", answers, kind, r)
					}
				}
			}
		}
		for _, action := range policy.Actions() {
			if !slices.Contains(used, action) {
				t.Errorf("%v: %s is allowed, and nothing needs it", answers, action)
			}
		}
		for _, action := range used {
			if !slices.Contains(policy.Actions(), action) && !(row["secret"] == "existing" && action == "secretsmanager:PutSecretValue") && !(row["alerts"] == "none" && action == "cloudtrail:DescribeTrails") {
				t.Errorf("%v: %s is needed, and not allowed", answers, action)
			}
		}
	}
}
