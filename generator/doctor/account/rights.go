package account

import (
	"encoding/json"
	"strings"
)

// Policy is the IAM policy that allows all that is read here, in the partition of a region, and nothing else.
func Policy(region string) ([]byte, error) {
	type statement struct {
		Sid      string
		Effect   string
		Action   []string
		Resource string
	}
	arn := func(rest string) string { return "arn:" + partition(region) + ":" + rest }
	document := struct {
		Version   string
		Statement []statement
	}{"2012-10-17", []statement{
		{"Secrets", "Allow", []string{"secretsmanager:DescribeSecret", "secretsmanager:ListSecretVersionIds", "secretsmanager:GetResourcePolicy"}, arn("secretsmanager:*:*:secret:*")},
		{"Functions", "Allow", []string{"lambda:GetFunctionConfiguration", "lambda:GetPolicy", "lambda:GetFunctionConcurrency"}, arn("lambda:*:*:function:*")},
		{"Logs", "Allow", []string{"logs:FilterLogEvents"}, arn("logs:*:*:log-group:*")},
		{"Keys", "Allow", []string{"kms:DescribeKey"}, arn("kms:*:*:key/*")},
		{"Lists", "Allow", []string{"secretsmanager:ListSecrets", "cloudtrail:LookupEvents"}, "*"},
	}}
	text, err := json.MarshalIndent(document, "", "  ")
	return append(text, '\n'), err
}

// partition is the first part of ARNs in a region.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
