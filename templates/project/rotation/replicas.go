package rotation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

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
