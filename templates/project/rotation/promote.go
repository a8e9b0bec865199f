package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// once keeps the SDK from repeating a request by itself: the answer to the second
// would say nothing about the first.
// https://docs.aws.amazon.com/sdk-for-go/v2/developer-guide/configure-retries-timeouts.html
func once(o *secretsmanager.Options) { o.Retryer = aws.NopRetryer{} }

// Promote moves AWSCURRENT to the pending version by compare-and-swap. While
// Secrets Manager does not answer, or refuses for a reason that may pass, it tries
// again until ctx ends: applications may be waiting for it (C23). Where the answer
// was lost, or another delivery was faster, it finds out. After a failure
// [Rotation.Decided] tells whether a change may be put back.
func (r *Rotation) Promote(ctx context.Context) error { return r.PromoteWhile(ctx, func() {}) }

// PromoteWhile is [Rotation.Promote] that calls meanwhile between two tries, such as
// to keep an idle session open.
func (r *Rotation) PromoteWhile(ctx context.Context, meanwhile func()) error {
	holder := r.current
	asking, cancel := r.Settling(ctx) // or the end of ctx leaves open what became of a request
	defer cancel()
	for {
		_, err := r.h.store.UpdateSecretVersionStage(asking, &secretsmanager.UpdateSecretVersionStageInput{
			SecretId:            &r.event.SecretID,
			VersionStage:        aws.String(StageCurrent),
			MoveToVersionId:     &r.event.ClientRequestToken,
			RemoveFromVersionId: &holder,
		}, once)
		if err == nil {
			r.current, r.previous = r.event.ClientRequestToken, holder
			return nil
		}
		failure := storeError(asking, "UpdateSecretVersionStage", err)
		r.unclear = r.unclear || !refused(err) || elsewhere(err)
		switch secret, guard := r.describeSecret(ctx); {
		case secret != nil && r.promoted():
			return nil
		case secret != nil && guard != nil:
			return notPending(guard)
		case secret != nil && r.current != holder:
			return errConflict
		case !passing(failure) && r.Now().Sub(r.checked) >= ReadsLag, r.Wait(ctx, lookPause) != nil:
			return failure
		}
		meanwhile()
	}
}

// notPending is the error of a step whose version lost AWSPENDING while it ran.
func notPending(guard error) error {
	if CodeOf(guard) != CodeUnknownToken && CodeOf(guard) != CodeNotPending {
		return guard
	}
	return Errorf(CodeCurrentMoved, "AWSCURRENT went elsewhere and the version is not pending any more").Because(guard)
}

// Decided reports whether it is certain which version AWSCURRENT is on, and that no
// delivery of this event will move it, so that a change may be undone (C22). For
// that, each request of this delivery must have a clear answer, and the last
// [Rotation.Recheck], which strategies call while they keep other rotations from the
// credential, must be [ReadsLag] ago, so that reads show the labels from then. Or
// the version has lost AWSPENDING.
func (r *Rotation) Decided(ctx context.Context) bool {
	secret, guard := r.describeSecret(ctx)
	switch {
	case secret == nil || r.promoted():
		return false
	case guard != nil:
		return r.current != r.held || !r.unclear
	default:
		return r.current == r.held && !r.unclear && r.Now().Sub(r.checked) >= ReadsLag
	}
}

// Superseded reports whether err says that another delivery of the same event
// has promoted the pending version already: there is nothing left to do.
func Superseded(err error) bool { return errors.Is(err, errPromoted) }

// GiveUp takes AWSPENDING off the token's version, so that the next rotation
// starts with a new value, and returns why. Strategies call it only when it is
// proven that the pending credential is not in force.
func (r *Rotation) GiveUp(ctx context.Context, why error) error {
	if err := r.abandon(ctx); err != nil {
		r.Log.ErrorContext(ctx, "AWSPENDING could not be taken off", "code", CodeOf(err), "detail", printable(err).Detail)
	}
	return why
}

// abandon takes AWSPENDING off the token's version. Already gone is as good.
func (r *Rotation) abandon(ctx context.Context) error {
	return r.Unlabel(ctx, StagePending, r.event.ClientRequestToken)
}

// Unlabel takes a label off a version. Already gone is as good. A failure that may
// pass is tried again until ctx ends.
func (r *Rotation) Unlabel(ctx context.Context, label, version string) error {
	for {
		_, err := r.h.store.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
			SecretId:            &r.event.SecretID,
			VersionStage:        &label,
			RemoveFromVersionId: &version,
		})
		if err == nil || elsewhere(err) {
			return nil
		}
		failure := storeError(ctx, "UpdateSecretVersionStage", err)
		if secret, _ := r.describeSecret(ctx); secret != nil && !slices.Contains(secret.VersionIdsToStages[version], label) {
			return nil
		}
		if !passing(failure) || r.Wait(ctx, lookPause) != nil {
			return failure
		}
	}
}

// replicaPause is the time between two looks at replicas.
const replicaPause = time.Second

// patience bounds the wait for replicas: a strategy that cleans up afterwards needs
// half of the time that is left.
func (h *Handler) patience(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if _, cleans := h.strategy.(Cleaner); !ok || !cleans {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-time.Until(end)/2))
}

// awaitReplicas waits until every replica has the new version. A status does not
// say which version it is of, and one from before the promotion may be read for
// ReadsLag: until then none is believed.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicationStatusType.html
func (h *Handler) awaitReplicas(ctx context.Context, r *Rotation) error {
	for began := h.now(); ; {
		known := h.now().Sub(began) >= ReadsLag
		out, err := h.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.event.SecretID})
		if err != nil {
			return storeError(ctx, "DescribeSecret", err)
		}
		copying, behind := replicasBehind(out.ReplicationStatus)
		if known && !copying || h.sleep(ctx, replicaPause) != nil {
			return behind
		}
	}
}

// replicasBehind says which replicas are not in sync and why, and whether one of
// them is still being copied to.
func replicasBehind(replicas []types.ReplicationStatusType) (copying bool, err error) {
	var behind []string
	for _, replica := range replicas {
		region := aws.ToString(replica.Region)
		switch replica.Status {
		case types.StatusTypeInSync:
		case types.StatusTypeFailed:
			behind = append(behind, fmt.Sprintf("%s failed (%s)", region, oneLine(aws.ToString(replica.StatusMessage))))
		default:
			copying = true
			behind = append(behind, region+" is in progress")
		}
	}
	if behind != nil {
		err = Errorf(CodeReplicaFailed, "not in sync: %s", strings.Join(behind, "; "))
	}
	return copying, err
}
