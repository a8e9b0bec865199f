// Package awsiamuser makes, proves and ends access keys of an IAM user.
//
// The function's own role does it: there is no admin secret. Access keys bear no name,
// so those of the user must all belong to this one rotation. A user has two at the
// most, whether they are active or not: at the beginning of a rotation the previous one
// goes.
//
// From AWS's documentation:
//   - https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html (the
//     answer has the secret access key, no other does; LimitExceeded), with
//     API_ListAccessKeys.html, API_UpdateAccessKey.html, API_DeleteAccessKey.html
//   - https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (two
//     access keys a user, which cannot be raised)
//   - https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
//     (what is new is not known everywhere at once)
//   - https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
//     (needs no right, and cannot be denied)
package awsiamuser

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// KeyUser is the secret's key with the user's name.
const KeyUser = "user_name"

// Provider is IAM.
type Provider struct {
	config aws.Config
	iam    *iam.Client
}

// New returns the provider that calls AWS as config says.
func New(config aws.Config) *Provider { return &Provider{config, iam.NewFromConfig(config)} }

// Credential is the secret access key and the access key's id.
func (*Provider) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

// Unlabelled is true: the user's access keys are this rotation's alone.
func (*Provider) Unlabelled() bool { return true }

// Verify asks AWS whose access key it is, with the access key itself.
func (p *Provider) Verify(ctx context.Context, value rotation.Value) (scopes []string, err error) {
	id, err := apikey.Text(value, apikey.KeyID)
	if err != nil {
		return nil, err
	}
	secret, err := apikey.Text(value, apikey.KeyValue)
	if err != nil {
		return nil, err
	}
	user, err := apikey.Text(value, KeyUser)
	if err != nil {
		return nil, err
	}
	caller := sts.NewFromConfig(p.config, func(o *sts.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id.Reveal(), SecretAccessKey: secret.Reveal()}, nil
		})
	})
	who, err := caller.GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, classify(ctx, "sts:GetCallerIdentity", err)
	}
	switch arn := aws.ToString(who.Arn); {
	case arn == "":
		return nil, rotation.Errorf(rotation.CodeBadAnswer, "AWS does not say whose the access key is")
	case !strings.Contains(arn, ":user/") || !strings.HasSuffix(arn, "/"+user.Reveal()):
		return nil, rotation.Errorf(rotation.CodeIdentity, "the access key is not one of the user that %q names", KeyUser)
	}
	return nil, nil
}

// List returns the user's access keys, inactive ones too: they take up room.
func (p *Provider) List(ctx context.Context, account apikey.Account) (keys []apikey.Key, err error) {
	user, err := apikey.Text(account.Secret, KeyUser)
	if err != nil {
		return nil, err
	}
	pages := iam.NewListAccessKeysPaginator(p.iam, &iam.ListAccessKeysInput{UserName: aws.String(user.Reveal())})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(ctx, "iam:ListAccessKeys", err)
		}
		for _, k := range page.AccessKeyMetadata {
			keys = append(keys, apikey.Key{ID: aws.ToString(k.AccessKeyId), Created: aws.ToTime(k.CreateDate)})
		}
	}
	return keys, nil
}

// Create makes an access key. It is tried once: a second arrival would make another.
func (p *Provider) Create(ctx context.Context, account apikey.Account, _ apikey.Name) (rotation.Value, error) {
	user, err := apikey.Text(account.Secret, KeyUser)
	if err != nil {
		return rotation.Value{}, err
	}
	made, err := p.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(user.Reveal())},
		func(o *iam.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return rotation.Value{}, classify(ctx, "iam:CreateAccessKey", err)
	}
	if made.AccessKey == nil || aws.ToString(made.AccessKey.AccessKeyId) == "" || aws.ToString(made.AccessKey.SecretAccessKey) == "" {
		return rotation.Value{}, rotation.Errorf(rotation.CodeBadAnswer, "IAM has made an access key and not said what it is")
	}
	return account.Secret.With(apikey.KeyID, *made.AccessKey.AccessKeyId).With(apikey.KeyValue, *made.AccessKey.SecretAccessKey), nil
}

// Revoke deactivates an access key, which ends it, and deletes it.
func (p *Provider) Revoke(ctx context.Context, account apikey.Account, id string) error {
	user, err := apikey.Text(account.Secret, KeyUser)
	if err != nil {
		return err
	}
	_, err = p.iam.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{
		UserName: aws.String(user.Reveal()), AccessKeyId: aws.String(id), Status: types.StatusTypeInactive,
	})
	if err != nil {
		return apihttp.Found(classify(ctx, "iam:UpdateAccessKey", err))
	}
	_, err = p.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String(user.Reveal()), AccessKeyId: aws.String(id)})
	return apihttp.Found(classify(ctx, "iam:DeleteAccessKey", err))
}
