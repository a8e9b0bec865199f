package doctor

import "time"

// rulesOfSchedule are about when rotations happen.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
var rulesOfSchedule = []rule{
	{
		code: "overdue", severity: Broken,
		when: func(f *facts) bool { return f.overdue() && f.s.Secret.Next != nil && f.rotates() && !f.open() },
		says: "The next rotation was due {next-age}: rotations fail, or are not begun.", because: []string{"the last one that came to its end was {rotated-age}"},
		do: []string{"Rotate while you look on."}, commands: []string{rotate},
	},
	{
		code: "overdue-by-schedule", severity: Broken,
		when: func(f *facts) bool { return f.overdue() && f.s.Secret.Next == nil && f.rotates() && !f.open() },
		says: "The last rotation was {rotated-age}, and the schedule says every {period}.",
		do:   []string{"Rotate while you look on."}, commands: []string{rotate},
	},
	{
		code: "no-schedule", severity: Warning,
		when: func(f *facts) bool { return f.rotates() && f.s.Secret.Schedule == "" && f.s.Secret.Days == 0 },
		says: "Rotation is on without a schedule: it rotates only when someone asks for it.",
		do:   []string{"Give it one, which rotates at once:"}, commands: []string{switchOn},
	},
	{
		code: "too-often", severity: Warning,
		when: func(f *facts) bool { p := f.s.Secret.period(); return f.rotates() && p > 0 && p < 4*time.Hour },
		says: "The schedule asks for a rotation every {period}. Secrets Manager allows one in 4 hours.",
	},
	{
		code: "often", severity: Note,
		when: func(f *facts) bool { p := f.s.Secret.period(); return f.rotates() && p >= 4*time.Hour && p < day },
		says: "It rotates every {period}: applications have to read the secret more often than that, and common caches keep it for an hour.",
	},
	{
		code: "seldom", severity: Note,
		when: func(f *facts) bool { return f.rotates() && f.s.Secret.period() > 90*day },
		says: "It rotates every {period}. AWS's own checks (Security Hub, SecretsManager.4) ask for 90 days or less.",
	},
	{
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
		code: "versions-piling-up", severity: Warning, when: func(f *facts) bool { return f.versionsOfToday() > 20 },
		says:     "{versions-of-today} versions were made within a day: something puts values or rotates over and over. Versions younger than a day are never removed, and at some 100 Secrets Manager refuses new ones.",
		commands: []string{whoPut},
	},
}

// rulesOfSecret are about the secret itself, and about what was not read.
var rulesOfSecret = []rule{
	{
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets_troubleshoot.html
		code: "replica-failed", severity: Broken, when: func(f *facts) bool { return f.words["replicas-failed"] != "" && !f.is(StateDeleted) },
		says: "The replica in {replicas-failed} was not brought up to date: applications there read the previous value.", because: []string{"{replica-message}"},
		do:       []string{"Most often the function's role lacks kms:GenerateDataKey and kms:Encrypt on that region's key, in IAM or in the key's policy; or a secret of that name is there."},
		commands: []string{"aws secretsmanager replicate-secret-to-regions --secret-id {id} --add-replica-regions {replica}"}, see: "RUNBOOK.md#replica-failed",
	},
	{
		code: "replica-in-progress", severity: Note, when: func(f *facts) bool { return f.words["replica-in-progress"] != "" },
		says: "The replica in {replica-in-progress} is being brought up to date.",
	},
	{
		code: "public", severity: Broken, when: func(f *facts) bool { return f.s.Policy != nil && f.s.Policy.Public },
		says:     "The secret's own policy allows everyone, without a condition.",
		do:       []string{"Narrow it to the principals that need the secret."},
		commands: []string{"aws secretsmanager get-resource-policy --secret-id {id}"},
	},
	{
		code: "denies", severity: Note, when: func(f *facts) bool { return f.s.Policy != nil && f.s.Policy.Denies && f.stuck() },
		says:     "The secret's own policy denies calls: the function's may be among them.",
		commands: []string{"aws secretsmanager get-resource-policy --secret-id {id}"},
	},
	{
		code: "unused", severity: Note, when: func(f *facts) bool { return f.s.Secret.Accessed != nil && f.since(f.s.Secret.Accessed) > 90*day },
		says: "No value of the secret was read since {accessed}.",
	},
	{
		code: "log-read-in-part", severity: Note, when: func(f *facts) bool { return f.s.Log != nil && f.s.Log.Partial && f.stuck() },
		says: "The function's log has more than was read: what it says last may not be the last.", commands: []string{show},
	},
	{
		code: "not-read", severity: Note, when: func(f *facts) bool { return len(f.s.Unread) > 0 },
		says: "Not looked at: {unread}.", do: []string{"rotasmith doctor --policy prints a policy that allows all of it."},
	},
}
