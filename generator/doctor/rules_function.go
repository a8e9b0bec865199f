package doctor

// describeFunction is the command that shows a function's state.
const describeFunction = "aws lambda get-function-configuration --function-name {rotator} --query '[State,StateReason,LastUpdateStatus,LastUpdateStatusReason]'"

// function makes a condition on the function of a secret that is rotated by one.
func function(when func(*facts, *Function) bool) func(*facts) bool {
	return func(f *facts) bool {
		return f.rotates() && f.s.Function != nil && !f.s.Function.Missing && when(f, f.s.Function)
	}
}

// outOfSupport are runtimes of Lambda that get no more security updates.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
var outOfSupport = map[string]bool{
	"dotnetcore2.1": true, "dotnetcore3.1": true, "dotnet6": true, "dotnet7": true, "go1.x": true, "java8": true,
	"nodejs10.x": true, "nodejs12.x": true, "nodejs14.x": true, "nodejs16.x": true, "nodejs18.x": true, "nodejs20.x": true, "provided": true,
	"python2.7": true, "python3.6": true, "python3.7": true, "python3.8": true, "python3.9": true, "ruby2.5": true, "ruby2.7": true,
}

var rulesOfFunction = []rule{
	{
		code: "function-missing", severity: Broken,
		when: func(f *facts) bool { return f.rotates() && f.s.Function != nil && f.s.Function.Missing },
		says: "The rotation function does not exist any more.", because: []string{"{rotator-arn}"},
		do:       []string{"Deploy it again, or name the function that took its place:"},
		commands: []string{"aws secretsmanager rotate-secret --secret-id {id} --rotation-lambda-arn FUNCTION_ARN"},
	},
	{
		code: "function-failed", severity: Broken,
		when: function(func(_ *facts, fn *Function) bool { return fn.State == "Failed" }),
		says: "The function is in state Failed and cannot run.", because: []string{"{function-reason}"},
		do:       []string{"Mend what the reason says and deploy the function again."},
		commands: []string{describeFunction},
	},
	{
		code: "function-inactive", severity: Warning,
		when: function(func(_ *facts, fn *Function) bool { return fn.State == "Inactive" }),
		says: "The function was not used for weeks and is in state Inactive: its first invocation fails, and the retry goes through.",
	},
	{
		code: "function-pending", severity: Note,
		when: function(func(_ *facts, fn *Function) bool { return fn.State == "Pending" }),
		says: "The function is being created or restored, and cannot run yet.",
	},
	{
		code: "update-failed", severity: Warning,
		when: function(func(_ *facts, fn *Function) bool { return fn.Update == "Failed" }),
		says: "The last update of the function failed: it runs with what it had before.",
		do:   []string{"Deploy it again, once the reason is mended."}, commands: []string{describeFunction},
	},
	{
		code: "not-invokable", severity: Broken,
		when: function(func(_ *facts, fn *Function) bool { return fn.Invocation == NotAllowed }),
		says: "Secrets Manager may not invoke the function: no statement of its policy allows it.",
		commands: []string{"aws lambda add-permission --function-name {rotator} --statement-id {statement} --action lambda:InvokeFunction " +
			"--principal secretsmanager.amazonaws.com --source-account {account}"},
	},
	{
		code: "invokable-for-another", severity: Broken,
		when: function(func(_ *facts, fn *Function) bool { return fn.Invocation == AllowedElsewhere }),
		says: "The function's policy lets Secrets Manager invoke it, but for another account or secret only.", because: []string{"it names {invocation-for}"},
		commands: []string{"aws lambda add-permission --function-name {rotator} --statement-id {statement} --action lambda:InvokeFunction " +
			"--principal secretsmanager.amazonaws.com --source-account {account}"},
	},
	{
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
		code: "confused-deputy", severity: Warning,
		when: function(func(_ *facts, fn *Function) bool { return fn.Invocation == AllowedToAnyone }),
		says: "The function's policy lets Secrets Manager invoke it for any account: no condition names yours.",
		do:   []string{"Give the statement the condition aws:SourceAccount, {account}."},
	},
	{
		code: "no-concurrency", severity: Broken,
		when:     function(func(_ *facts, fn *Function) bool { return fn.Reserved != nil && *fn.Reserved == 0 }),
		says:     "The function has a reserved concurrency of 0: every invocation is refused.",
		do:       []string{"Set a reserved concurrency of 10 or more, or take it away in Terraform."},
		commands: []string{"aws lambda put-function-concurrency --function-name {rotator} --reserved-concurrent-executions 10"},
	},
	{
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
		code: "low-concurrency", severity: Warning,
		when: function(func(_ *facts, fn *Function) bool { return fn.Reserved != nil && *fn.Reserved > 0 && *fn.Reserved < 10 }),
		says: "The function has a reserved concurrency of {reserved}. With less than 10, rotations may be throttled.",
	},
	{
		code: "short-timeout", severity: Warning,
		when:     function(func(_ *facts, fn *Function) bool { return fn.Timeout > 0 && fn.Timeout <= 3 }),
		says:     "The function's timeout is {timeout} s, Lambda's default. A log-in with TLS and a few calls need more.",
		commands: []string{"aws lambda update-function-configuration --function-name {rotator} --timeout 30"},
	},
	{
		code: "old-runtime", severity: Warning,
		when: function(func(_ *facts, fn *Function) bool { return outOfSupport[fn.Runtime] }),
		says: "The function's runtime {runtime} gets no more security updates.",
		do:   []string{"Move it to a runtime of today, with a package that is built for it."},
	},
	{
		code: "no-way-out", severity: Broken,
		when: func(f *facts) bool { return f.marked(timedOut) && f.inVPC() },
		says: "A step was killed by the function's timeout, in a VPC: most often there is no way to Secrets Manager, or to the server.", because: []string{"the function's log says so {mark-age}"},
		do: []string{"The way takes an endpoint with private DNS, or a NAT gateway in the routes of the function's subnets:"},
		commands: []string{
			`aws ec2 describe-vpc-endpoints --filters Name=vpc-id,Values={vpc} --query 'VpcEndpoints[].[ServiceName,State]'`,
			`aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnets} --query 'RouteTables[].Routes[].NatGatewayId'`,
		},
	},
	{
		code: "kill-switch", severity: Warning,
		when: function(func(_ *facts, fn *Function) bool { return fn.Disabled }),
		says: "ROTATION_DISABLED is set: the function begins no rotation.",
		do:   []string{"Set rotation_disabled to false and run make deploy."}, see: "RUNBOOK.md#disabled",
	},
	{
		code: "no-log", severity: Warning,
		when: func(f *facts) bool { return f.stuck() && f.s.Log != nil && f.s.Log.Missing },
		says: "There is no log group {group}: the function has never run, or may not write its log.",
		do:   []string{"If Secrets Manager may invoke it, its role lacks logs:CreateLogStream and logs:PutLogEvents."},
	},
	{
		code: "silent", severity: Warning,
		when: func(f *facts) bool {
			return f.is(StateFailed) && f.open() && f.s.Log != nil && !f.s.Log.Missing && !f.s.Log.Partial && f.failure == nil && f.mark == nil && len(f.s.Log.Steps) == 0
		},
		says:     "The function's log has nothing of this rotation that is known here: it was not invoked, or was killed before it said anything.",
		commands: []string{show},
	},
	{
		code: "cut-short", severity: Warning,
		when: func(f *facts) bool {
			return f.is(StateFailed) && f.open() && f.failure == nil && f.mark == nil && len(f.steps()) > 0
		},
		says:     "The function said of no step that it failed: the last one was killed, most often by the function's timeout, or lost its answer.",
		do:       []string{"Every step may be repeated: let the rotation go on."},
		commands: []string{show}, see: "RUNBOOK.md#a-step-was-killed",
	},
}

// key makes a condition on the encryption key.
func key(when func(*Key) bool) func(*facts) bool {
	return func(f *facts) bool { return f.s.Key != nil && !f.is(StateDeleted) && when(f.s.Key) }
}

func inState(state string) func(*facts) bool {
	return key(func(k *Key) bool { return !k.Missing && k.State == state })
}

const describeKey = "aws kms describe-key --key-id {key} --query 'KeyMetadata.[KeyState,DeletionDate]'"

// rulesOfKey go by the states of a key.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
var rulesOfKey = []rule{
	{
		code: "key-missing", severity: Broken, when: key(func(k *Key) bool { return k.Missing }),
		says:     "The encryption key {key} does not exist: no version of the secret can be read.",
		do:       []string{"The values are lost with the key. Choose another key, and put a new value while you still know one that works."},
		commands: []string{describeKey},
	},
	{
		code: "key-pending-deletion", severity: Broken, when: inState("PendingDeletion"),
		says:     "The encryption key is scheduled for deletion: the secret cannot be read, and is lost when the key is.",
		commands: []string{"aws kms cancel-key-deletion --key-id {key}", "aws kms enable-key --key-id {key}"},
	},
	{
		code: "key-disabled", severity: Broken, when: inState("Disabled"),
		says:     "The encryption key is disabled: the secret can neither be read nor written.",
		do:       []string{"Enable it, after finding out who disabled it and why."},
		commands: []string{"aws kms enable-key --key-id {key}"},
	},
	{
		code: "key-pending-import", severity: Broken, when: inState("PendingImport"),
		says:     "The encryption key waits for its key material to be imported: the secret cannot be read.",
		do:       []string{"Import the material of the key again."},
		commands: []string{describeKey},
	},
	{
		code: "key-unavailable", severity: Broken,
		when: key(func(k *Key) bool {
			switch k.State {
			case "", "Enabled", "Disabled", "PendingDeletion", "PendingImport":
				return false
			}
			return !k.Missing
		}),
		says:     "The encryption key is in state {key-state}: the secret cannot be read.",
		do:       []string{"A key in another key store needs that store to be connected."},
		commands: []string{describeKey},
	},
}
