// Package account reads from an AWS account what package doctor diagnoses: a secret with everything that its rotation
// depends on, in at most eight calls, or all secrets of a region, a hundred a call.
//
// It never reads a value. Only the description of a secret has to be readable; every other section may be refused by
// itself, and the snapshot says so. [Policy] is what all of it takes.
package account

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/rotasmith/rotasmith/generator/doctor"
)

// ErrNoRegion is that nothing names a region.
var ErrNoRegion = errors.New("no region is set")

// Account is one region of an AWS account.
type Account struct {
	secrets *secretsmanager.Client
	config  aws.Config
	profile string

	// Now is the clock.
	Now func() time.Time
}

// Open returns the account that the environment or the profile has credentials for. Region and profile may be empty:
// then they are those of the environment. It makes no call.
func Open(ctx context.Context, region, profile string) (*Account, error) {
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // what matters comes back as an error
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if profile != "" {
		options = append(options, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, ErrNoRegion
	}
	return &Account{secrets: secretsmanager.NewFromConfig(cfg), config: cfg, profile: profile, Now: time.Now}, nil
}

// Region is the region that is read.
func (a *Account) Region() string { return a.config.Region }

// Secret reads the secret with a name or ARN, without the function's log if logs is false. The error is that of
// DescribeSecret.
func (a *Account) Secret(ctx context.Context, id string, logs bool) (*doctor.Snapshot, error) {
	described, err := a.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return nil, err
	}
	s := a.snapshot(id, described)
	a.read(ctx, s, a.sections(s))
	if group := a.logGroup(s); logs && group != "" {
		a.read(ctx, s, []section{a.log(s, group)})
	}
	return s, nil
}

// A section is what one call reads. It returns what to note of it.
type section struct {
	name, action string
	read         func(context.Context) (note func(*doctor.Snapshot), err error)
}

// sections are those that say something about a secret. Of a rotation that is open the labels say all that CloudTrail
// would, and the secret's policy may be why it fails; of any other only CloudTrail says whether it was abandoned.
func (a *Account) sections(s *doctor.Snapshot) []section {
	x := &s.Secret
	if x.Deleted != nil || x.PrimaryRegion != "" && x.PrimaryRegion != s.Region {
		return nil
	}
	list := []section{a.versions(x)}
	if key := x.KeyID; key != "" && !strings.HasSuffix(key, "alias/aws/secretsmanager") {
		list = append(list, a.key(key))
	}
	if x.OwningService != "" || x.Type != "" {
		return append(list, a.policy(x))
	}
	if x.Rotator != "" {
		list = append(list, a.function(x.Rotator), a.invocation(x), a.concurrency(x.Rotator))
	}
	if x.Enabled && !open(s.Versions) {
		return append(list, a.events(x))
	}
	return append(list, a.policy(x))
}

// open reports whether AWSPENDING is on a version of its own.
func open(versions []doctor.Version) bool {
	return slices.ContainsFunc(versions, func(v doctor.Version) bool {
		return slices.Contains(v.Labels, "AWSPENDING") && !slices.Contains(v.Labels, "AWSCURRENT")
	})
}

// read reads sections at the same time, and notes what they say or why they could not be read.
func (a *Account) read(ctx context.Context, s *doctor.Snapshot, sections []section) {
	notes, errs := make([]func(*doctor.Snapshot), len(sections)), make([]error, len(sections))
	var wg sync.WaitGroup
	for i, part := range sections {
		wg.Go(func() { notes[i], errs[i] = part.read(ctx) })
	}
	wg.Wait()
	for i, part := range sections {
		if errs[i] != nil {
			s.Unread = append(s.Unread, doctor.Unread{Section: part.name, Action: part.action, Why: why(part.action, errs[i])})
			continue
		}
		notes[i](s)
	}
}

// why says in a few words why a call did not succeed.
func why(action string, err error) string {
	api, answered := errors.AsType[smithy.APIError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case !answered:
		return "no answer"
	case strings.HasPrefix(api.ErrorCode(), "AccessDenied"):
		return "not allowed: " + action
	case throttled(api.ErrorCode()):
		return "AWS asked to slow down"
	}
	return doctor.Plain(api.ErrorCode())
}

func throttled(code string) bool {
	return strings.HasPrefix(code, "Throttl") || code == "TooManyRequestsException" || code == "LimitExceededException" || code == "RequestLimitExceeded"
}

// notFound reports whether what a call names does not exist.
func notFound(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && (api.ErrorCode() == "ResourceNotFoundException" || api.ErrorCode() == "NotFoundException")
}

// snapshot is what the description says.
func (a *Account) snapshot(id string, d *secretsmanager.DescribeSecretOutput) *doctor.Snapshot {
	s := &doctor.Snapshot{
		Format: doctor.Format, Taken: a.Now().UTC().Truncate(time.Second), Region: a.Region(), Profile: a.profile, ID: id,
		Secret: doctor.Secret{
			ARN: aws.ToString(d.ARN), Name: aws.ToString(d.Name), Type: aws.ToString(d.Type), OwningService: aws.ToString(d.OwningService),
			PrimaryRegion: aws.ToString(d.PrimaryRegion), Enabled: aws.ToBool(d.RotationEnabled), Rotator: aws.ToString(d.RotationLambdaARN),
			KeyID: aws.ToString(d.KmsKeyId), Created: d.CreatedDate, Changed: d.LastChangedDate, Rotated: d.LastRotatedDate,
			Accessed: d.LastAccessedDate, Next: d.NextRotationDate, Deleted: d.DeletedDate,
		},
	}
	if rules := d.RotationRules; rules != nil {
		s.Secret.Days = aws.ToInt64(rules.AutomaticallyAfterDays)
		s.Secret.Schedule, s.Secret.Window = aws.ToString(rules.ScheduleExpression), aws.ToString(rules.Duration)
	}
	for _, r := range d.ReplicationStatus {
		s.Secret.Replicas = append(s.Secret.Replicas, doctor.Replica{
			Region: aws.ToString(r.Region), Status: string(r.Status), Message: doctor.Plain(aws.ToString(r.StatusMessage)), KeyID: aws.ToString(r.KmsKeyId),
		})
	}
	for _, id := range slices.Sorted(maps.Keys(d.VersionIdsToStages)) {
		s.Versions = append(s.Versions, doctor.Version{ID: id, Labels: slices.Sorted(slices.Values(d.VersionIdsToStages[id]))})
	}
	return s
}

// versions are dated, and those without a label are among them.
func (a *Account) versions(x *doctor.Secret) section {
	return section{"versions", "secretsmanager:ListSecretVersionIds", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		out, err := a.secrets.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{
			SecretId: &x.ARN, IncludeDeprecated: new(true), MaxResults: new(int32(100)),
		})
		if err != nil {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			for _, v := range out.Versions {
				id := aws.ToString(v.VersionId)
				// The labels of the description stand: of two reads at two times, one is to be believed.
				i := slices.IndexFunc(s.Versions, func(known doctor.Version) bool { return known.ID == id })
				if i < 0 {
					s.Versions = append(s.Versions, doctor.Version{ID: id, Created: v.CreatedDate})
					continue
				}
				s.Versions[i].Created = v.CreatedDate
			}
		}, nil
	}}
}

// policy is the secret's own.
func (a *Account) policy(x *doctor.Secret) section {
	return section{"policy", "secretsmanager:GetResourcePolicy", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		out, err := a.secrets.GetResourcePolicy(ctx, &secretsmanager.GetResourcePolicyInput{SecretId: &x.ARN})
		if err != nil {
			return nil, err
		}
		statements, err := statementsOf(aws.ToString(out.ResourcePolicy))
		if err != nil {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			s.Policy = new(doctor.Policy)
			for _, st := range statements {
				s.Policy.Denies = s.Policy.Denies || st.Effect == "Deny"
				s.Policy.Public = s.Policy.Public || st.Effect == "Allow" && st.everyone() && len(st.Condition) == 0
			}
		}, nil
	}}
}

// Filter narrows a list of secrets to those that have a tag. An empty Value is any.
type Filter struct{ Key, Value string }

// Secrets lists the secrets of the region that are not scheduled for deletion, sorted by name. Of each there is what
// ListSecrets tells; it may be minutes behind.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
func (a *Account) Secrets(ctx context.Context, filters []Filter) ([]*doctor.Snapshot, error) {
	pages := secretsmanager.NewListSecretsPaginator(a.secrets, &secretsmanager.ListSecretsInput{
		MaxResults: new(int32(100)), Filters: searched(filters),
	})
	var list []*doctor.Snapshot
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for i := range page.SecretList {
			if entry := &page.SecretList[i]; tagged(entry, filters) {
				list = append(list, a.snapshot(aws.ToString(entry.Name), described(entry)))
			}
		}
	}
	slices.SortFunc(list, func(a, b *doctor.Snapshot) int { return cmp.Compare(a.Secret.Name, b.Secret.Name) })
	return list, nil
}
