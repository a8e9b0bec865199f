package doctor

import "slices"

// The commands that most findings end with. Where a rotation is not complete, rotate-secret answers with an error and
// Secrets Manager goes on with that one.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
const (
	rotate   = "aws secretsmanager rotate-secret --secret-id {id}"
	giveUp   = "aws secretsmanager update-secret-version-stage --secret-id {id} --version-stage AWSPENDING --remove-from-version-id {pending}"
	switchOn = "aws secretsmanager rotate-secret --secret-id {id} --rotation-lambda-arn {rotator-arn} --rotation-rules {rules}"
	putValue = "aws secretsmanager put-secret-value --secret-id {id} --secret-string file:///dev/stdin"
	whoPut   = "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=PutSecretValue --query 'Events[].[EventTime,Username]' --output text"
	whoMoved = "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=UpdateSecretVersionStage --query 'Events[].[EventTime,Username]' --output text"
)

// preflight is how an emitted project looks whether AWSCURRENT logs in.
const preflight = "{preflight}"

// firstSee stands before every command that takes AWSPENDING off a version.
const firstSee = "First see whether AWSCURRENT logs in: the value of AWSPENDING may be in force. If it does, take the label off and begin anew; if not, first set the user's password to AWSCURRENT's."

const firstPut = "Put the first value: type it as JSON and end it with Ctrl-D. Not by Terraform, whose later runs would put it back. In an emitted project: make seed."

var rulesOfLabels = []rule{
	{
		code: "deleted", severity: Broken, when: func(f *facts) bool { return f.is(StateDeleted) },
		says: "The secret is scheduled for deletion: nothing can read or rotate it.",
		do:   []string{"If something still needs it, take the deletion back."}, commands: []string{"aws secretsmanager restore-secret --secret-id {id}"},
	},
	{
		code: "replica", severity: Note, when: func(f *facts) bool { return f.is(StateReplica) },
		says: "Labels, rotation and function are those of the secret in {primary}.", commands: []string{"rotasmith doctor {primary-arn}"},
	},
	{
		code: "managed", severity: Note, when: func(f *facts) bool { return f.is(StateManaged) && !f.overdue() },
		says: "{owner} is responsible for its rotation; no function may rotate it.",
	},
	{
		code: "managed-overdue", severity: Broken, when: func(f *facts) bool { return f.is(StateManaged) && f.overdue() },
		says: "{owner} was to rotate it {next-age} and has not.",
		do:   []string{"Look at the service's own events for why, then ask for a rotation:"}, commands: []string{rotate},
	},
	{
		code: "no-current", severity: Broken, when: func(f *facts) bool { return f.is(StateNoValue) && !f.s.Secret.Enabled },
		says: "The secret has no value: there is nothing to read.", do: []string{firstPut}, commands: []string{putValue},
	},
	{
		code: "rotated-without-value", severity: Broken, when: func(f *facts) bool { return f.is(StateNoValue) && f.s.Secret.Enabled },
		says: "Rotation was switched on before the secret had a value: there is nothing to read and nothing to rotate.",
		do:   []string{firstPut, "Then let the rotation go on."}, commands: []string{putValue, rotate}, see: "RUNBOOK.md#no-current",
	},
	{
		code: "pending-stuck", severity: Broken, when: func(f *facts) bool { return f.is(StateFailed) && f.open() && !f.mustGo() },
		says:     "AWSPENDING is on a version of its own, and Secrets Manager goes on with that one only.",
		do:       []string{"Mend the cause, then let that version go on. The answer that a previous rotation isn't complete is as it should be."},
		commands: []string{rotate}, see: "RUNBOOK.md#awspending-is-stuck",
	},
	{
		code: "must-be-given-up", severity: Broken, when: func(f *facts) bool { return f.is(StateFailed) && f.open() && f.mustGo() },
		says:     "This version can never be promoted, and stands in the way of others.",
		do:       []string{firstSee, preflight},
		commands: []string{giveUp, rotate}, see: "RUNBOOK.md#awspending-is-stuck",
	},
	{
		// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CancelRotateSecret.html
		code: "cancelled-midway", severity: Broken, when: func(f *facts) bool { return f.is(StateCancelled) && f.s.Secret.Rotator != "" },
		says:     "Rotation was switched off in the middle of a rotation: the value of AWSPENDING may be in force.",
		do:       []string{firstSee, preflight, "The last command switches rotation on, which rotates at once."},
		commands: []string{giveUp, switchOn},
	},
	{
		code: "cancelled-without-rotator", severity: Broken, when: func(f *facts) bool { return f.is(StateCancelled) && f.s.Secret.Rotator == "" },
		says: "A rotation is half done, and no function is named any more that could go on with it.",
		do:   []string{firstSee}, commands: []string{giveUp},
	},
	{
		code: "rotation-off", severity: Warning, when: func(f *facts) bool { return f.is(StateOff) && f.s.Secret.Rotator != "" },
		says: "Rotation is switched off.", because: []string{"the secret was last changed {changed-age}"},
		do: []string{"Switch it on again, which rotates at once. In an emitted project: make deploy."}, commands: []string{switchOn},
	},
	{
		code: "no-rotator", severity: Warning, when: func(f *facts) bool { return f.is(StateOff) && f.s.Secret.Rotator == "" },
		says: "Nothing rotates this secret.", because: []string{"the secret was last changed {changed-age}"},
		do: []string{"Write a project that does:"}, commands: []string{"rotasmith new --from-secret {id}"},
	},
	{
		code: "abandoned", severity: Broken, when: func(f *facts) bool { return f.is(StateAbandoned) },
		says:    "The value that the abandoned rotation made may be in force, while AWSCURRENT has another one.",
		because: []string{"versions without a label still have theirs: {candidates}"},
		do: []string{
			"See whether AWSCURRENT logs in.", preflight, "If it does not, set the user's password to it, as an administrator of the server.",
			"Then rotate. The last command says who put values, in the time of CloudTrail, which may be a quarter of an hour late.",
		},
		commands: []string{rotate, whoPut},
	},
	{
		code: "never-rotated", severity: Warning,
		when: func(f *facts) bool {
			return f.is(StateNever) && (f.s.Secret.Created == nil || f.since(f.s.Secret.Created) >= day)
		},
		says: "Rotation is on, and none has ever come to its end.", because: []string{"the secret was made {created-age}"},
		do: []string{"Rotate once while you look on."}, commands: []string{rotate},
	},
	{
		code: "not-rotated-yet", severity: Note,
		when: func(f *facts) bool {
			return f.is(StateNever) && f.s.Secret.Created != nil && f.since(f.s.Secret.Created) < day
		},
		says: "The secret is new, and its first rotation has not come to its end yet.", commands: []string{rotate},
	},
	{
		code: "current-went-back", severity: Broken, when: (*facts).wentBack,
		says:    "AWSCURRENT is on a version that is older than the last rotation: it was moved back, often by Terraform that keeps the first value. Its password is no longer in force.",
		because: []string{"AWSCURRENT is on {current}, made {current-age}; the last rotation was {rotated-age}"},
		do: []string{
			"See whether AWSCURRENT logs in.", preflight, "If it does not, set the user's password to it, as an administrator of the server; then rotate.",
			"Take the value out of Terraform (aws_secretsmanager_secret_version), or the next apply moves it back again.",
		},
		commands: []string{rotate, whoMoved},
	},
	{
		code: "end-not-noted", severity: Note,
		when: func(f *facts) bool {
			return f.is(StateComplete) && f.current.Created != nil && f.s.Secret.Rotated != nil && f.current.Created.Sub(*f.s.Secret.Rotated) > stepTime
		},
		says: "AWSCURRENT is newer than the last rotation that Secrets Manager has noted: a value was put by hand, or the last step was done and its answer lost.",
	},
	{
		code: "pending-on-current", severity: Note,
		when: func(f *facts) bool { return f.is(StateComplete) && f.pending != nil && f.pending.ID == f.current.ID },
		says: "AWSPENDING is on AWSCURRENT's version: that is a complete rotation, and does no harm.",
	},
	{
		code: "previous-is-current", severity: Warning,
		when: func(f *facts) bool { return f.previous != nil && f.current != nil && f.previous.ID == f.current.ID },
		says: "AWSPREVIOUS and AWSCURRENT are on the same version: labels were moved by hand, and there is nothing to go back to.",
	},
	{
		code: "no-previous", severity: Note,
		when: func(f *facts) bool { return f.is(StateComplete) && f.previous == nil },
		says: "No version holds AWSPREVIOUS: there is nothing to go back to.",
	},
	{
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
		code: "labels-used-up", severity: Warning, when: func(f *facts) bool { return f.labels() >= 18 },
		says: "The secret has {labels} staging labels of the 20 that it may have: a rotation needs room for AWSPENDING.",
		do:   []string{"Take off those that your own programs have put and do not use."},
	},
	{
		code: "candidates", severity: Note, when: func(f *facts) bool { return f.is(StateFailed) && f.words["candidates"] != "" },
		says: "Versions without a label keep their values for a day or more. If nothing logs in, one of these may.", because: []string{"{candidates}"},
	},
	{
		code: "supply-waits", severity: Note,
		when: func(f *facts) bool {
			return slices.ContainsFunc(f.s.Versions, func(v Version) bool { return slices.Contains(v.Labels, labelSupplied) })
		},
		says: "A supplied key waits for a rotation.", commands: []string{rotate},
	},
}

// wentBack reports whether AWSCURRENT is on a version that was made long before the last rotation ended.
func (f *facts) wentBack() bool {
	x := f.s.Secret
	return f.is(StateComplete) && f.current.Created != nil && x.Rotated != nil && x.Rotated.Sub(*f.current.Created) > longRotation
}

// longRotation is more than a rotation takes from its first version to its end, tries of days included.
const longRotation = 7 * day
