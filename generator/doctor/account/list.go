package account

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// searched are filters as the service knows them: each by itself, and by a beginning. [tagged] does the rest.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
func searched(filters []Filter) (list []types.Filter) {
	for _, f := range filters {
		list = append(list, types.Filter{Key: types.FilterNameStringTypeTagKey, Values: []string{f.Key}})
		if f.Value != "" {
			list = append(list, types.Filter{Key: types.FilterNameStringTypeTagValue, Values: []string{f.Value}})
		}
	}
	return list
}

// tagged reports whether a secret has a tag for each of the filters.
func tagged(entry *types.SecretListEntry, filters []Filter) bool {
	for _, f := range filters {
		if !slices.ContainsFunc(entry.Tags, func(tag types.Tag) bool {
			return aws.ToString(tag.Key) == f.Key && (f.Value == "" || aws.ToString(tag.Value) == f.Value)
		}) {
			return false
		}
	}
	return true
}

// described is an entry of a list in the form of a description.
func described(e *types.SecretListEntry) *secretsmanager.DescribeSecretOutput {
	return &secretsmanager.DescribeSecretOutput{
		ARN: e.ARN, Name: e.Name, Type: e.Type, OwningService: e.OwningService, PrimaryRegion: e.PrimaryRegion,
		RotationEnabled: e.RotationEnabled, RotationLambdaARN: e.RotationLambdaARN, RotationRules: e.RotationRules, KmsKeyId: e.KmsKeyId,
		CreatedDate: e.CreatedDate, LastChangedDate: e.LastChangedDate, LastRotatedDate: e.LastRotatedDate, LastAccessedDate: e.LastAccessedDate,
		NextRotationDate: e.NextRotationDate, DeletedDate: e.DeletedDate, VersionIdsToStages: e.SecretVersionsToStages,
	}
}
