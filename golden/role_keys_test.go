package golden

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
	"github.com/rotasmith/rotasmith/golden/hclcheck"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/aws-iam-user/common/awsiamuser"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

const (
	firstKey = "first-key-sentinel-11bb"
	adminKey = "admin-key-sentinel-77aa"
)

// book is a provider of API keys.
type book struct {
	room int // how many keys there can be, 0 for as many as one likes
	made int
	keys map[string]apikey.Key
	text map[string]string // the keys themselves, by id
}

func newBook(room int) *book {
	return &book{room: room, keys: map[string]apikey.Key{"first": {ID: "first", Created: time.Unix(0, 0)}}, text: map[string]string{"first": firstKey}}
}

func (b *book) create(label string) (apikey.Key, bool) {
	if b.room > 0 && len(b.keys) >= b.room {
		return apikey.Key{}, false
	}
	b.made++
	key := apikey.Key{ID: fmt.Sprint("key", b.made), Label: label, Created: time.Unix(int64(b.made), 0)}
	b.keys[key.ID], b.text[key.ID] = key, fmt.Sprint("key-sentinel-5c5c-", b.made)
	return key, true
}

// put returns a value with a key of the book.
func (b *book) put(value rotation.Value, id string) rotation.Value {
	return value.With(apikey.KeyID, id).With(apikey.KeyValue, b.text[id])
}

// tidy says whether no more keys are alive than are in use. That the rest is not
// revoked does not fail a rotation.
func (b *book) tidy() error {
	if len(b.keys) > 2 {
		return fmt.Errorf("%d keys are alive after some rotations", len(b.keys))
	}
	return nil
}

// anyKeys is what every strategy asks of a provider with an admin.
type anyKeys struct{ *book }

func (anyKeys) Credential() []string { return []string{apikey.KeyID, apikey.KeyValue} }

func (k anyKeys) Verify(_ context.Context, value rotation.Value) ([]string, error) {
	text, _ := value.Get(apikey.KeyValue)
	if _, alive := k.keys[apikey.ID(value)]; !alive || k.text[apikey.ID(value)] != text.Reveal() {
		return nil, rotation.Errorf(rotation.CodeAuthRejected, "the key is refused")
	}
	return nil, nil
}

func asAdmin(account apikey.Account) error {
	if key, ok := account.Admin.Get(apikey.KeyValue); !ok || key.Reveal() != adminKey {
		return rotation.Errorf(rotation.CodeAuthRejected, "the admin's key is refused")
	}
	return nil
}

type manyKeys struct{ anyKeys }

func (k manyKeys) List(_ context.Context, account apikey.Account) ([]apikey.Key, error) {
	return slices.Collect(maps.Values(k.keys)), asAdmin(account)
}

func (k manyKeys) Create(_ context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	key, _ := k.create(name.Label)
	return k.put(account.Secret, key.ID), asAdmin(account)
}

func (k manyKeys) Revoke(_ context.Context, account apikey.Account, id string) error {
	delete(k.keys, id)
	return asAdmin(account)
}

type oneKey struct{ anyKeys }

func (oneKey) TryAdmin(_ context.Context, account apikey.Account) error { return asAdmin(account) }

func (k oneKey) Roll(_ context.Context, account apikey.Account) (rotation.Value, error) {
	k.made++
	k.text["first"] = fmt.Sprint("key-sentinel-5c5c-", k.made)
	return k.put(account.Secret, "first"), asAdmin(account)
}

type handMade struct{ anyKeys }

func (k handMade) Revoke(_ context.Context, account apikey.Account) error {
	delete(k.keys, apikey.ID(account.Secret))
	return asAdmin(account)
}

// keyStrategy returns the strategy that rotates keys of the book, with the provider
// that the role is made for: only one has rights of its own.
func (a *actors) keyStrategy(env *rotation.Env) (rotation.Strategy, error) {
	keys := anyKeys{a.book}
	switch a.role.strategy {
	case "overlap":
		config, err := overlap.ConfigFromEnv(env)
		if a.role.managesUsers() {
			return overlap.New(awsiamuser.New(a.aws()), config), err
		}
		return overlap.New(manyKeys{keys}, config), err
	case "roll":
		return roll.New(oneKey{keys}), nil
	case "assisted":
		return assisted.New(handMade{keys}), nil
	}
	return nil, fmt.Errorf("no strategy %s is known: add it", a.role.strategy)
}

func (r role) managesUsers() bool {
	return slices.ContainsFunc(r.policy.Actions(), func(action string) bool { return strings.HasPrefix(action, "iam:") })
}

// seedKeys stores the first key and the admin's.
func (a *actors) seedKeys() (value, admin string) {
	room := 0
	if a.role.managesUsers() {
		room = 2
	}
	a.book = newBook(room)
	return fmt.Sprintf(`{"key_id":"first","api_key":%q,"user_name":"orders","admin_arn":%q}`, firstKey, doubleOr(a.role.admin)),
		fmt.Sprintf(`{"api_key":%q}`, adminKey)
}

// supply is what a person does who makes keys by hand: each rotation wants one.
func (a *actors) supply() error {
	if a.role.strategy != "assisted" {
		return nil
	}
	key, _ := a.book.create("made by hand")
	text := fmt.Sprintf(`{"supplied":"true","key_id":%q,"api_key":%q}`, key.ID, a.book.text[key.ID])
	_, err := a.secrets.PutSecretValue(context.Background(), &secretsmanager.PutSecretValueInput{
		SecretId: &a.role.secret, SecretString: &text, VersionStages: []string{assisted.LabelSupplied},
	})
	return err
}

// preflightOfSupply asks whether a supplied key would be taken.
func (a *actors) preflightOfSupply() error {
	return errors.Join(a.supply(), a.preflight())
}

// aws is where the function finds IAM and STS, which answer from the book.
func (a *actors) aws() aws.Config {
	return aws.Config{Region: hclcheck.Region, APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("the double", a.answer), middleware.Before)
	}}}
}

func (a *actors) answer(_ context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler) (out middleware.InitializeOutput, _ middleware.Metadata, err error) {
	switch in := in.Parameters.(type) {
	case *sts.GetCallerIdentityInput: // needs no right, and is asked with the key itself
		out.Result = &sts.GetCallerIdentityOutput{Arn: aws.String("arn:aws:iam::" + hclcheck.Account + ":user/orders")}
	case *awsiam.ListAccessKeysInput:
		err = a.ask("ListAccessKeys", in.UserName)
		var all []iamtypes.AccessKeyMetadata
		for id, key := range a.book.keys {
			all = append(all, iamtypes.AccessKeyMetadata{AccessKeyId: &id, CreateDate: &key.Created})
		}
		out.Result = &awsiam.ListAccessKeysOutput{AccessKeyMetadata: all}
	case *awsiam.CreateAccessKeyInput:
		if err = a.ask("CreateAccessKey", in.UserName); err != nil {
			break
		}
		key, ok := a.book.create("")
		if !ok {
			err = refusal(http.StatusConflict, rehearsal.APIError("LimitExceeded", "there is no room for another key"))
		}
		out.Result = &awsiam.CreateAccessKeyOutput{AccessKey: &iamtypes.AccessKey{AccessKeyId: &key.ID, SecretAccessKey: aws.String(a.book.text[key.ID])}}
	case *awsiam.UpdateAccessKeyInput:
		err = a.ask("UpdateAccessKey", in.UserName)
		out.Result = &awsiam.UpdateAccessKeyOutput{}
	case *awsiam.DeleteAccessKeyInput:
		if err = a.ask("DeleteAccessKey", in.UserName); err == nil {
			delete(a.book.keys, *in.AccessKeyId)
		}
		out.Result = &awsiam.DeleteAccessKeyOutput{}
	default:
		err = fmt.Errorf("the double does not know %T: add it", in)
	}
	return out, middleware.Metadata{}, err
}

// ask holds a call of IAM to the role's policy.
func (a *actors) ask(op string, user *string) error {
	err := a.access.Ask(iam.Request{Action: "iam:" + op, Resource: userARN(*user)})
	if err != nil {
		return refusal(http.StatusForbidden, err)
	}
	return nil
}

func userARN(name string) string { return "arn:aws:iam::" + hclcheck.Account + ":user/" + name }

func refusal(status int, err error) error {
	return &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err}
}
