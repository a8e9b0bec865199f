package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

const (
	patience = 10 * time.Minute // Secrets Manager repeats a rotation that failed
	pause    = 5 * time.Second  // between two looks at a secret
)

// rotate begins a rotation of one secret, and waits for its end.
func (d *deployment) rotate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return d.one(ctx, d.rotateSecret)
}

// verify waits until no rotation of a secret is under way, and fails unless the last one came to its end.
func (d *deployment) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return d.each(ctx, func(ctx context.Context, key string) error {
		return (&watch{deployment: d, key: key}).wait(ctx)
	})
}

// rotateSecret asks for a rotation and follows it to its end. If an earlier one is not complete, Secrets Manager refuses
// and tries that one again. Then rotateSecret follows that one, and asks again if it ends without a rotation, as the test
// does that Secrets Manager begins when rotation is switched on.
func (d *deployment) rotateSecret(ctx context.Context, key string) error {
	for {
		before, err := d.describe(ctx, key)
		if err != nil {
			return err
		}
		w := &watch{deployment: d, key: key, rotated: aws.ToTime(before.LastRotatedDate)}
		asked, err := d.store.RotateSecret(ctx, &secretsmanager.RotateSecretInput{SecretId: aws.String(d.arns[key])})
		if err == nil {
			w.version = aws.ToString(asked.VersionId)
			return w.wait(ctx)
		}
		if refused, ok := errors.AsType[*types.InvalidRequestException](err); !ok || !strings.Contains(refused.ErrorMessage(), "previous rotation") {
			return err
		}
		if w.version = inFlight(before); w.version != "" {
			w.earlier = true
			if err := w.wait(ctx); !errors.Is(err, errGone) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// holders returns which version has which label.
func holders(secret *secretsmanager.DescribeSecretOutput) map[string]string {
	holder := make(map[string]string)
	for version, labels := range secret.VersionIdsToStages {
		for _, label := range labels {
			holder[label] = version
		}
	}
	return holder
}

// inFlight returns the version of the rotation that is not complete, "" if there is none.
func inFlight(secret *secretsmanager.DescribeSecretOutput) string {
	holder := holders(secret)
	if holder[rotation.StagePending] == holder[rotation.StageCurrent] {
		return ""
	}
	return holder[rotation.StagePending]
}

// watch follows a rotation to its end.
type watch struct {
	*deployment
	key     string
	version string    // that is rotated to; "" follows the last rotation, whichever it is
	rotated time.Time // LastRotatedDate before the rotation was asked for
	earlier bool      // the rotation is not the one that was asked for, and may go without a trace
}

// errGone says that the version of an earlier rotation has lost its label, and has not become AWSCURRENT.
var errGone = errors.New("the earlier rotation is gone")

// wait returns nil once the secret is rotated. When time runs out the error says what it waited for and why.
func (w *watch) wait(ctx context.Context) error {
	said, pending := "", w.version
	for {
		secret, err := w.describe(ctx, w.key)
		if err == nil {
			waiting, err := w.judge(ctx, secret)
			if err != nil {
				return err
			}
			if waiting == "" {
				fmt.Fprintf(w.out, "%s: rotated at %s\n", w.key, secret.LastRotatedDate.UTC().Format(time.RFC3339))
				return nil
			}
			if waiting != said {
				fmt.Fprintf(w.out, "%s: %s\n", w.key, waiting)
				said = waiting
			}
			if w.version == "" {
				pending = inFlight(secret)
			}
		} else if ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("not rotated in time: %s\n%s", said, w.cause(context.WithoutCancel(ctx), w.key, pending))
		case <-time.After(pause):
		}
	}
}

// judge says what the rotation still waits for, "" if it is complete. It fails if waiting cannot help. A description may be
// older than what it describes, so only the version and the date of the rotation itself prove that it came to its end.
func (w *watch) judge(ctx context.Context, secret *secretsmanager.DescribeSecretOutput) (waiting string, err error) {
	holder, pending, rotated := holders(secret), inFlight(secret), aws.ToTime(secret.LastRotatedDate)
	current := holder[rotation.StageCurrent]
	switch {
	case current == "":
		return "", errors.New("it has no value: run \"make seed\"")
	case !aws.ToBool(secret.RotationEnabled):
		return "", errors.New("rotation is off: run \"make deploy\", which switches it on for a secret that has a value")
	case pending != "" && (w.version == "" || w.version == pending):
		return "a rotation is under way, to version " + pending, nil
	case w.version == "" && rotated.IsZero():
		return "no rotation has begun, or one has been given up: run \"make rotate\"", nil
	case w.version == "":
		failed, err := w.failedSince(ctx, w.key, "", rotated)
		if err != nil {
			return "", err
		}
		if failed != "" {
			return "", fmt.Errorf("last rotated at %s; a rotation after that has been given up: %s", rotated.UTC().Format(time.RFC3339), failed)
		}
	case w.version != current && w.version != holder[rotation.StagePrevious] && w.earlier:
		return "", errGone
	case w.version != current && w.version != holder[rotation.StagePrevious]:
		failed, err := w.failedSince(ctx, w.key, w.version, time.Time{})
		if failed != "" {
			err = fmt.Errorf("the rotation to version %s has been given up: %s", w.version, failed)
		}
		return "a rotation was asked for, to version " + w.version, err
	case rotated.Equal(w.rotated):
		return "version " + w.version + " is AWSCURRENT, and finishSecret goes on", nil
	}
	var failed []error
	for _, replica := range secret.ReplicationStatus {
		switch replica.Status {
		case types.StatusTypeInSync:
		case types.StatusTypeFailed:
			failed = append(failed, fmt.Errorf("rotated, but the replica in %s failed: %s", aws.ToString(replica.Region), aws.ToString(replica.StatusMessage)))
		default:
			waiting = "rotated; the replica in " + aws.ToString(replica.Region) + " follows"
		}
	}
	return waiting, errors.Join(failed...)
}
