package rotation

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// The staging labels of Secrets Manager.
const (
	StageCurrent  = "AWSCURRENT"
	StagePending  = "AWSPENDING"
	StagePrevious = "AWSPREVIOUS"
)

// errNoValue says that a version exists without a value, or not at all:
// RotateSecret registers the pending version before the first step runs.
var errNoValue = Errorf(CodeNoPendingValue, "the version has no value")

// errNoLabel says that a version did not hold the label that the step had found on
// it: the label has moved on, or the read is older than the one that found it.
var errNoLabel = Errorf(CodeNotPending, "the version does not hold the label any more")

// errPromoted says that another delivery of the same event was faster.
var errPromoted = errors.New("the token's version holds AWSCURRENT")

// errConflict says that AWSCURRENT was not where the step had found it.
var errConflict = Errorf(CodeCurrentMoved, "AWSCURRENT moved while the step ran")

// Rotation is one delivery of one step: what the labels said when it began, and
// the calls to Secrets Manager that strategies may make.
type Rotation struct {
	Log    *slog.Logger
	Report *Report

	h     *Handler
	event Event
	// The holders of the labels as last described, "" for none.
	current, previous string
	due               time.Time // the next rotation, zero if that is not known
	end               time.Time // of the invocation, zero if it has none

	checked time.Time // the last Recheck that found all well
	held    string    // the holder of AWSCURRENT then
	unclear bool      // whether a request may have moved AWSCURRENT, or yet may
}

// Version is a stored value and the id under which Secrets Manager keeps it.
type Version struct {
	ID    string
	Value Value
}

// Current returns the version that holds AWSCURRENT.
func (r *Rotation) Current(ctx context.Context) (Version, error) {
	if r.current == "" {
		return Version{}, Errorf(CodeNoCurrent, "no version holds AWSCURRENT: give the secret a value before rotating it")
	}
	v, err := r.version(ctx, r.current, StageCurrent)
	if errors.Is(err, errNoValue) {
		err = Errorf(CodeNoCurrent, "the version that holds AWSCURRENT has no value: someone moved the label there").Because(errNoValue)
	}
	return v, err
}

// Pending returns the version that the event's token names, as long as it holds
// AWSPENDING.
func (r *Rotation) Pending(ctx context.Context) (Version, error) {
	return r.version(ctx, r.event.ClientRequestToken, StagePending)
}

// Previous returns the version that holds AWSPREVIOUS. ok is false if there is none
// or if it cannot be read: the rotation goes on without it.
func (r *Rotation) Previous(ctx context.Context) (v Version, ok bool) {
	if r.previous == "" {
		return Version{}, false
	}
	v, err := r.version(ctx, r.previous, StagePrevious)
	if err != nil {
		r.Log.WarnContext(ctx, "AWSPREVIOUS cannot be read", "code", CodeOf(err))
	}
	return v, err == nil
}

// Deprecated returns up to limit versions that no label names any more and that
// are usable, newest first. They stay readable for at least 24 hours. Empty and
// unreadable ones are skipped.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (r *Rotation) Deprecated(ctx context.Context, limit int, usable func(Value) bool) ([]Version, error) {
	if limit <= 0 {
		return nil, nil
	}
	var entries []types.SecretVersionsListEntry
	pages := secretsmanager.NewListSecretVersionIdsPaginator(r.h.store, &secretsmanager.ListSecretVersionIdsInput{
		SecretId:          &r.event.SecretID,
		IncludeDeprecated: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, storeError(ctx, "ListSecretVersionIds", err)
		}
		for _, entry := range page.Versions {
			if len(entry.VersionStages) == 0 {
				entries = append(entries, entry)
			}
		}
	}
	slices.SortStableFunc(entries, func(a, b types.SecretVersionsListEntry) int {
		return cmp.Or(
			aws.ToTime(b.CreatedDate).Compare(aws.ToTime(a.CreatedDate)),
			cmp.Compare(aws.ToString(a.VersionId), aws.ToString(b.VersionId)),
		)
	})
	var versions []Version
	for _, entry := range entries {
		if len(versions) == limit {
			break
		}
		v, err := r.version(ctx, aws.ToString(entry.VersionId), "")
		switch CodeOf(err) {
		case "":
			if usable(v.Value) {
				versions = append(versions, v)
			}
		case CodeNoPendingValue, CodeBadSecret, CodeStoreKey, CodeStoreDenied:
			r.Log.WarnContext(ctx, "a previous version cannot be read", "previous", aws.ToString(entry.VersionId), "code", CodeOf(err))
		default:
			return nil, err
		}
	}
	return versions, nil
}

// Labelled reads the labels afresh and returns the version that holds each. It
// leaves out versions that have no value yet, and those that are no JSON object and
// hold neither AWSCURRENT nor AWSPENDING (C4). Any other that cannot be read is an
// error, since its credential may be in use. Labels from before this delivery's own
// promotion are read again (C22): if they never show it, [CodeCurrentMoved] says
// that AWSCURRENT went elsewhere. [Rotation.Recheck] and [Rotation.Promote] still
// compare with the labels that the step found when it began.
func (r *Rotation) Labelled(ctx context.Context) (map[string]Version, error) {
	stages, err := r.stages(ctx)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]Version)
	for id, labels := range stages {
		v, err := r.version(ctx, id, "")
		current := slices.Contains(labels, StageCurrent)
		needed := current || slices.Contains(labels, StagePending)
		if errors.Is(err, errNoValue) && !current || CodeOf(err) == CodeBadSecret && !needed {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, label := range labels {
			versions[label] = v
		}
	}
	return versions, nil
}

// stages reads the labels, by version.
func (r *Rotation) stages(ctx context.Context) (map[string][]string, error) {
	for began := r.Now(); ; {
		secret, err := r.h.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.event.SecretID})
		if err != nil {
			return nil, storeError(ctx, "DescribeSecret", err)
		}
		if !r.promoted() || slices.Contains(secret.VersionIdsToStages[r.current], StageCurrent) {
			return secret.VersionIdsToStages, nil
		}
		if !r.h.again(ctx, began, ReadsLag) {
			return nil, Errorf(CodeCurrentMoved, "AWSCURRENT is not on this rotation's version any more")
		}
	}
}

// Secret returns the AWSCURRENT value of another secret, such as an admin's.
// The function's own list must name it, whatever the rotated secret says.
func (r *Rotation) Secret(ctx context.Context, arn string) (Value, error) {
	if !r.h.config.allows(arn) {
		return Value{}, Errorf(CodeSecretNotAllowed, "%s is not in ALLOWED_SECRETS", oneLine(arn))
	}
	out, err := r.h.store.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return Value{}, storeError(ctx, "GetSecretValue of "+oneLine(arn), err)
	}
	return valueOf(out)
}

// Recheck reads the labels again and fails unless the token still holds
// AWSPENDING and AWSCURRENT is where the step found it. Strategies call it after
// they log in and before they change anything, so that a frozen process or a second
// delivery does not act on outdated labels.
func (r *Rotation) Recheck(ctx context.Context) error {
	current := r.current
	err := r.describe(ctx)
	switch {
	case err != nil:
		return err
	case r.promoted():
		return errPromoted
	case r.current != current:
		return errConflict
	default:
		r.checked, r.held = r.Now(), r.current
		return nil
	}
}

// Settling returns a context for undoing and cleaning up: it outlives ctx and ends
// just before the invocation does.
func (r *Rotation) Settling(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if r.end.IsZero() {
		return context.WithTimeout(ctx, settleMargin)
	}
	return context.WithDeadline(ctx, r.end.Add(-settleMargin/8))
}

// Wait pauses for d or until ctx ends.
func (r *Rotation) Wait(ctx context.Context, d time.Duration) error { return r.h.sleep(ctx, d) }

// SecretARN names the secret.
func (r *Rotation) SecretARN() string { return r.event.SecretID }

// Token names the rotation and its version.
func (r *Rotation) Token() string { return r.event.ClientRequestToken }

// Due is when Secrets Manager rotates next after this rotation, zero if it has not
// said so.
func (r *Rotation) Due() time.Time { return r.due }

// dueAfter returns when the next rotation is due. NextRotationDate may still be the
// date of this rotation, so AutomaticallyAfterDays from now counts if it is later.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
func (r *Rotation) dueAfter(out *secretsmanager.DescribeSecretOutput) time.Time {
	due := aws.ToTime(out.NextRotationDate)
	if rules := out.RotationRules; rules != nil && rules.AutomaticallyAfterDays != nil {
		if counted := r.Now().AddDate(0, 0, int(*rules.AutomaticallyAfterDays)); counted.After(due) {
			return counted
		}
	}
	return due
}

// age is how long ago the last rotation succeeded. A secret that was never rotated
// may be old when its rotation is switched on: its age is 0 until the first rotation
// is due, and counts from its creation after that.
func (r *Rotation) age(out *secretsmanager.DescribeSecretOutput) time.Duration {
	if out.LastRotatedDate == nil && aws.ToTime(out.NextRotationDate).After(r.h.now()) {
		return 0
	}
	return r.h.now().Sub(*cmp.Or(out.LastRotatedDate, out.CreatedDate, new(r.h.now())))
}

// Now is the function's clock.
func (r *Rotation) Now() time.Time { return r.h.now() }

// promoted reports whether the token's version holds AWSCURRENT.
func (r *Rotation) promoted() bool { return r.current == r.event.ClientRequestToken }

// replaced reports whether guard refuses a late delivery: its rotation is complete,
// and its version has become AWSPREVIOUS since.
func (r *Rotation) replaced(guard error) bool {
	return CodeOf(guard) == CodeNotPending && r.previous == r.event.ClientRequestToken
}

// describe reads the labels and says whether the step may go on (C1). One whose
// version holds AWSCURRENT may: only the cleanup of its rotation is left.
func (r *Rotation) describe(ctx context.Context) error {
	_, err := r.describeSecret(ctx)
	return err
}

// describeSecret is describe that also returns the service's answer, nil only if
// there was none.
func (r *Rotation) describeSecret(ctx context.Context) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := r.h.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.event.SecretID})
	if err != nil {
		return nil, storeError(ctx, "DescribeSecret", err)
	}
	r.current, r.previous, r.due = "", "", r.dueAfter(out)
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, StageCurrent) {
			r.current = version
		}
		if slices.Contains(stages, StagePrevious) {
			r.previous = version
		}
	}
	if r.event.ClientRequestToken == "" { // the event is about no version
		r.Report.Age = new(r.age(out))
		return out, nil
	}
	stages, known := out.VersionIdsToStages[r.event.ClientRequestToken]
	switch {
	case !aws.ToBool(out.RotationEnabled):
		return out, Errorf(CodeRotationOff, "rotation is not enabled for the secret")
	case !known:
		return out, Errorf(CodeUnknownToken, "the secret has no labelled version %s", oneLine(r.event.ClientRequestToken))
	case !r.promoted() && !slices.Contains(stages, StagePending):
		return out, Errorf(CodeNotPending, "version %s does not hold AWSPENDING", oneLine(r.event.ClientRequestToken))
	}
	return out, nil
}

// version reads a value by its id and, if stage is given, only while the
// version holds that label. Values never change under an id, so a process
// reads each once.
func (r *Rotation) version(ctx context.Context, id, stage string) (Version, error) {
	key := r.event.SecretID + "#" + id
	if value, ok := r.h.values[key]; ok {
		return Version{id, value}, nil
	}
	input := &secretsmanager.GetSecretValueInput{SecretId: &r.event.SecretID, VersionId: &id}
	if stage != "" {
		input.VersionStage = &stage
	}
	out, err := r.h.store.GetSecretValue(ctx, input)
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); ok {
		return Version{}, errNoValue
	}
	if _, ok := errors.AsType[*types.InvalidRequestException](err); ok && stage != "" {
		return Version{}, errNoLabel
	}
	if err != nil {
		return Version{}, storeError(ctx, "GetSecretValue", err)
	}
	value, err := valueOf(out)
	if err != nil {
		return Version{}, err
	}
	r.remember(key, value)
	return Version{id, value}, nil
}

// remember keeps a value for the life of the process. A function that serves
// many secrets forgets them all now and then rather than grow.
func (r *Rotation) remember(key string, value Value) {
	const enough = 64
	if len(r.h.values) >= enough {
		clear(r.h.values)
	}
	r.h.values[key] = value
}

func valueOf(out *secretsmanager.GetSecretValueOutput) (Value, error) {
	if out.SecretString == nil {
		return Value{}, Errorf(CodeBadSecret, "the value is binary, not a JSON object")
	}
	return ParseValue(NewSensitive(*out.SecretString))
}
