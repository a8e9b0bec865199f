package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

var steps = []string{rotation.StepCreate, rotation.StepSet, rotation.StepTest, rotation.StepFinish}

// told is a line of the function's log about a step.
type told struct {
	Time                                     time.Time
	Msg, Step, Secret, Version, Code, Detail string
}

func (t told) failed() bool { return t.Msg == "step failed" }

func (t told) String() string {
	return fmt.Sprintf("%s failed: %s: %s\nRUNBOOK.md has an entry for %s", t.Step, t.Code, t.Detail, t.Code)
}

// history returns what the function's log of a day, or since a time before, says of the steps of a secret's rotations, the latest
// last.
func (d *deployment) history(ctx context.Context, key string, since time.Time) (list []told, err error) {
	arn := d.arns[key]
	if day := time.Now().Add(-24 * time.Hour); since.IsZero() || since.After(day) {
		since = day
	}
	text, err := d.aws(ctx, "logs", "filter-log-events", "--log-group-name", d.logGroup, "--start-time", fmt.Sprint(since.UnixMilli()),
		"--filter-pattern", `"`+arn+`"`, "--query", "events[].message", "--output", "json")
	if err != nil {
		return nil, err
	}
	var lines []string
	if err := json.Unmarshal(text, &lines); err != nil {
		return nil, err
	}
	for _, line := range lines {
		var next told
		if json.Unmarshal([]byte(line), &next) == nil && next.Secret == arn && slices.Contains(steps, next.Step) {
			list = append(list, next)
		}
	}
	return list, nil
}

// failedSince says which step of the rotation to a version, or to any if it is "", failed last after a time, "" if none did.
func (d *deployment) failedSince(ctx context.Context, key, version string, since time.Time) (string, error) {
	list, err := d.history(ctx, key, since)
	for _, step := range slices.Backward(list) {
		if step.failed() && step.Time.After(since) && (version == "" || step.Version == version) {
			return step.String(), nil
		}
	}
	return "", err
}

// cause is what the function's log says of the rotation to a version, or of one that was given up if there is none.
func (d *deployment) cause(ctx context.Context, key, version string) string {
	list, err := d.history(ctx, key, time.Time{})
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
		return "no step has failed in the last day"
	case last.Msg == "":
		return "the function has logged nothing about it: Secrets Manager could not invoke it (\"make logs\"), or it was killed in createSecret"
	case done+1 == len(steps):
		return "every step is done: Secrets Manager has not recorded the rotation yet"
	}
	return last.Step + " is done, and " + steps[done+1] + " has logged nothing: it was killed, most often by the function's timeout, or is still running"
}
