// Command verify waits until each secret was rotated, and says which step failed if one was not. Terraform and "make
// rotate" return before a rotation has begun: that they succeed says nothing of it.
//
//	go run ./verify -region REGION -log-group NAME ARN...
//
// It reads labels, dates and the function's log, and no value of a secret.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/orders-db/rotation"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	region := flags.String("region", "", "region of the secrets")
	group := flags.String("log-group", "", "name of the function's log group")
	patience := flags.Duration("wait", 10*time.Minute, "how long to wait; Secrets Manager repeats a rotation that failed")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no secret is named: deploy first")
	}
	sdk, err := config.LoadDefaultConfig(ctx, config.WithRegion(*region))
	if err != nil {
		return err
	}
	v := verifier{
		store: secretsmanager.NewFromConfig(sdk),
		log:   func(ctx context.Context, arn string) ([]string, error) { return readLog(ctx, *region, *group, arn) },
		out:   out,
		pause: 5 * time.Second,
	}
	ctx, cancel := context.WithTimeout(ctx, *patience)
	defer cancel()
	var errs []error
	for _, arn := range flags.Args() {
		errs = append(errs, v.verify(ctx, arn))
	}
	return errors.Join(errs...)
}

// readLog returns the lines of the last hour that name the secret. The AWS CLI is there anyway; its API for logs would
// be one more dependency of the function's module.
func readLog(ctx context.Context, region, group, arn string) ([]string, error) {
	text, err := exec.CommandContext(ctx, "aws", "--region", region, "logs", "filter-log-events",
		"--log-group-name", group,
		"--start-time", fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli()),
		"--filter-pattern", `"`+arn+`"`,
		"--query", "events[].message", "--output", "json").Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	return lines, json.Unmarshal(text, &lines)
}

type verifier struct {
	store interface {
		DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	}
	log   func(ctx context.Context, arn string) ([]string, error)
	out   io.Writer
	pause time.Duration
}

// verify returns nil once the secret is rotated. When time runs out the error says what it waited for and why.
func (v *verifier) verify(ctx context.Context, arn string) error {
	var said, pending string
	for {
		secret, err := v.store.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			waiting, version, err := judge(secret)
			if err != nil {
				return fmt.Errorf("%s: %w", arn, err)
			}
			if waiting == "" {
				rotated := secret.LastRotatedDate.UTC()
				if why := v.givenUpSince(ctx, arn, rotated); why != "" {
					return fmt.Errorf("%s: last rotated at %s, and the rotation that began since was given up: %s", arn, rotated.Format(time.RFC3339), why)
				}
				fmt.Fprintf(v.out, "%s: rotated at %s\n", arn, rotated.Format(time.RFC3339))
				return nil
			}
			if waiting != said {
				fmt.Fprintf(v.out, "%s: %s\n", arn, waiting)
				said, pending = waiting, version
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("%s: not rotated in time: %s\n%s", arn, said, v.cause(context.WithoutCancel(ctx), arn, pending))
		case <-time.After(v.pause):
		}
	}
}

// judge says what a rotation still waits for, "" if it is complete, and which version is pending. It fails on what no
// waiting cures.
func judge(secret *secretsmanager.DescribeSecretOutput) (waiting, pending string, err error) {
	holder := make(map[string]string)
	for version, labels := range secret.VersionIdsToStages {
		for _, label := range labels {
			holder[label] = version
		}
	}
	current, pending := holder[rotation.StageCurrent], holder[rotation.StagePending]
	switch {
	case current == "":
		return "", "", errors.New("it has no value: run \"make seed\"")
	case !aws.ToBool(secret.RotationEnabled):
		return "", "", errors.New("rotation is off: run \"make deploy\", which switches it on for a secret that has a value")
	case pending != "" && pending != current:
		return "a rotation is under way, to version " + pending, pending, nil
	case secret.LastRotatedDate == nil:
		return "no rotation has begun, or one has been given up: run \"make rotate\"", "", nil
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
	return waiting, "", errors.Join(failed...)
}

var steps = []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish}

// told is what the function's log says of a step.
type told struct {
	Time                                     time.Time
	Msg, Step, Secret, Version, Code, Detail string
}

func (t told) failed() bool { return t.Msg == "step failed" }

func (t told) String() string {
	return fmt.Sprintf("%s failed: %s: %s\nRUNBOOK.md has an entry for %s", t.Step, t.Code, t.Detail, t.Code)
}

// history returns what the log says of the steps of the secret's rotations, the latest last.
func (v *verifier) history(ctx context.Context, arn string) (list []told, err error) {
	lines, err := v.log(ctx, arn)
	for _, line := range lines {
		var next told
		if json.Unmarshal([]byte(line), &next) == nil && next.Secret == arn && slices.Contains(steps, next.Step) {
			list = append(list, next)
		}
	}
	return list, err
}

// givenUpSince says why the secret's last rotation, which began after a time and left no version pending, has not come to
// its end, "" if there was none. A log that cannot be read tells of none.
func (v *verifier) givenUpSince(ctx context.Context, arn string, since time.Time) string {
	list, _ := v.history(ctx, arn)
	for _, step := range slices.Backward(list) {
		if step.Time.After(since) && step.failed() {
			return step.String()
		}
	}
	return ""
}

// cause is what the function's log says of the rotation to a version, or of one that was given up if there is none.
func (v *verifier) cause(ctx context.Context, arn, version string) string {
	list, err := v.history(ctx, arn)
	if err != nil {
		return "the function's log cannot be read (" + err.Error() + "): see \"make logs\""
	}
	var last told
	for _, next := range list {
		switch {
		case version != "" && next.Version != version:
		case next.failed(), next.Msg == "step done" && version != "":
			last = next
		}
	}
	done := slices.Index(steps, last.Step)
	switch {
	case last.failed():
		return last.String()
	case version == "":
		return "no step has failed in the last hour"
	case last.Msg == "":
		return "the function has told nothing of it: Secrets Manager could not invoke it (\"make logs\"), or it was killed in createSecret"
	case done+1 == len(steps):
		return "every step is done: Secrets Manager has not taken note of it yet"
	}
	return last.Step + " is done, and " + steps[done+1] + " has told nothing: it was killed, most often by the function's timeout, or is running still"
}
