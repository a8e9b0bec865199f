package main

import (
	"context"
	"fmt"
)

// status shows which version of a secret has which label.
func (d *deployment) status(_ context.Context, key string) error {
	return d.show("secretsmanager", "describe-secret", "--secret-id", d.arns[key], "--query",
		"{Name: Name, Enabled: RotationEnabled, LastRotated: LastRotatedDate, Next: NextRotationDate, Labels: VersionIdsToStages, Replicas: ReplicationStatus}")
}

// logs shows the function's log of the last hour.
func (d *deployment) logs(context.Context) error {
	return d.show("logs", "tail", d.logGroup, "--since", "1h", "--format", "short")
}

// trails lists the CloudTrail trails that record the region.
func (d *deployment) trails(context.Context) error {
	return d.show("cloudtrail", "describe-trails", "--output", "table", "--query",
		"trailList[].{Name: Name, Region: HomeRegion, EveryRegion: IsMultiRegionTrail, Organization: IsOrganizationTrail}")
}

func (d *deployment) printARN(_ context.Context, key string) error {
	_, err := fmt.Fprintln(d.out, d.arns[key])
	return err
}
