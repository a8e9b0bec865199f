package doctor

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
)

// stepNames are the steps of a rotation.
var stepNames = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

// Line adds what a line of the log says to l: a step of an emitted function if it is about the secret with that ARN, or
// the name of a known form. Nothing else of the line is kept.
func (l *Log) Line(at time.Time, text, arn string) {
	var ours struct{ Msg, Step, Secret, Version, Code, Detail string }
	if json.Unmarshal([]byte(text), &ours) == nil && slices.Contains(stepNames, ours.Step) && ours.Secret != "" {
		step := Step{At: at, Name: ours.Step, Version: Plain(ours.Version)}
		switch {
		case ours.Secret != arn:
			return
		case ours.Msg == "step failed" && isCode(ours.Code):
			step.Code, step.Detail = ours.Code, Plain(ours.Detail)
		case ours.Msg != "step done":
			return
		}
		l.Steps = append(l.Steps, step)
		return
	}
	for _, m := range marks {
		if slices.ContainsFunc(m.has, func(has string) bool { return strings.Contains(text, has) }) {
			l.Marks = append(l.Marks, Mark{At: at, Name: m.rule.code})
			return
		}
	}
}

// isCode reports whether a word has the form of a code.
func isCode(word string) bool {
	return word != "" && len(word) < 40 && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") == ""
}

// Plain is text from outside as one short line that a terminal shows as it is.
func Plain(text string) string {
	text = strings.Join(strings.Fields(printable(text)), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + " ..."
	}
	return text
}

// printable is text without what would steer a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}

// longest is how many characters of a text from outside are shown.
const longest = 300

// form is a known form of log line: the texts that tell it, of which one is enough, and the finding that it leads to.
type form struct {
	has  []string
	rule rule
}

// show is the command that shows the lines of the log.
const show = "aws logs tail {group} --since {since}"

// marks are the forms in which Lambda and the rotators of others say why a step failed; the first that fits counts.
// The sentences are those of AWS's own templates:
// https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas
var marks = []form{
	{[]string{"Unable to log into database using credentials in"}, rule{
		code: "admin-rejected", severity: Broken, says: "The server refused the administrator that the secret names (masterarn).",
		do: []string{"Correct the administrator's secret; the application's is not the cause."},
	}},
	{[]string{"Unable to log into database with previous, current, or pending secret"}, rule{
		code: "locked-out", severity: Broken, says: "No version's password logs in: it was changed outside of the secret, or the server was not reached.",
		do: []string{
			"See that the function reaches the server, and TLS: this function says the same for every failure.",
			"Then set the user's password to AWSCURRENT's, as an administrator of the server, and let the rotation go on.",
		},
	}},
	{[]string{"Unable to log into database with pending secret"}, rule{
		code: "pending-rejected", severity: Broken, says: "The server refused the password of AWSPENDING.",
		do: []string{"setSecret did not change it, or not on this server: see that host names the writer. The next try sets it again."},
	}},
	{[]string{"Attempting to modify user"}, rule{
		code: "tampered-user", severity: Broken, says: "AWSPENDING names another user than AWSCURRENT: the secret was changed while a rotation was under way.",
		do: []string{"The function refuses this version for ever; it has to be given up, as below."},
	}},
	{[]string{"Attempting to modify database host"}, rule{
		code: "tampered-host", severity: Broken, says: "AWSPENDING names another host than AWSCURRENT: the secret was changed while a rotation was under way.",
		do: []string{"The function refuses this version for ever; it has to be given up, as below."},
	}},
	{[]string{"is not the same host as/rds replica of master"}, rule{
		code: "other-master", severity: Broken, says: "The administrator's secret (masterarn) is of another server than the secret.",
		do: []string{"Let masterarn name the secret of this server's administrator."},
	}},
	{[]string{"Access to KMS is not allowed", "DecryptionFailure", "EncryptionFailure"}, rule{
		code: "store-key", severity: Broken, says: "KMS refuses the function's role the secret's key.",
		do: []string{"Allow kms:Decrypt and kms:GenerateDataKey on the key, in the role and in the key's policy."},
	}},
	{[]string{"LimitExceededException", "maximum number of versions"}, rule{
		code: "limit-exceeded", severity: Broken, says: "Secrets Manager refuses a further version or label: the secret has as many as it may.",
		do: []string{"Find what puts values over and over (CloudTrail, PutSecretValue): versions younger than a day are never removed."},
	}},
	{[]string{"AccessDeniedException", "is not authorized to perform"}, rule{
		code: "store-denied", severity: Broken, says: "IAM refuses the function a call.",
		do: []string{"The line names the action and the resource. A role needs the whole ARN of an administrator's secret, and a policy of the secret may deny."},
	}},
	{[]string{"SECRETS_MANAGER_ENDPOINT"}, rule{
		code: "no-endpoint-setting", severity: Broken, says: "The function lacks its setting SECRETS_MANAGER_ENDPOINT, or it is no address.",
		do: []string{"Set it to https://secretsmanager.{region}.amazonaws.com, or to the endpoint in the VPC."},
	}},
	{[]string{"Could not connect to the endpoint URL", "Connect timeout on endpoint URL", "EndpointConnectionError"}, rule{
		code: "store-unreachable", severity: Broken, says: "The function cannot reach Secrets Manager.",
		do: []string{"Its subnets need a NAT gateway, or an endpoint of Secrets Manager with private DNS; security groups let port 443 through."},
	}},
	{[]string{"ThrottlingException", "Rate exceeded", "TooManyRequestsException"}, rule{
		code: "throttled", severity: Broken, says: "AWS asked the function to slow down.",
		do: []string{"Look for what else calls in a loop, then let the rotation go on."},
	}},
	{[]string{"can't find the specified secret value for staging label: AWSPENDING"}, rule{
		code: "no-pending-value", severity: Broken, says: "A step found no value in AWSPENDING: createSecret has not stored one.",
		do: []string{"Mend what keeps createSecret from its work; the next try begins with it."},
	}},
	{[]string{"can't find the specified secret value for staging label: AWSCURRENT"}, rule{
		code: "nothing-to-rotate", severity: Broken, says: "The function found no value in AWSCURRENT: rotation was switched on before the secret had one.",
		do: []string{"Put the first value."},
	}},
	{[]string{"can't find the specified secret", "ResourceNotFoundException"}, rule{
		code: "secret-not-found", severity: Broken, says: "The function asks for a secret, or a version of one, that is not there: perhaps an administrator's (masterarn), or one in another region.",
		do: []string{"The line names it."},
	}},
	{[]string{"is not enabled for rotation"}, rule{
		code: "rotation-was-off", severity: Warning, says: "The function was invoked while rotation was off.",
		do: []string{"Begin rotations with rotate-secret, never by invoking the function."},
	}},
	{[]string{"has no stage for rotation of secret", "not set as AWSPENDING for rotation of secret"}, rule{
		code: "unknown-version", severity: Warning, says: "The function was invoked for a version that is not being rotated: by hand, or for a rotation that is over.",
		do: []string{"Begin rotations with rotate-secret, never by invoking the function."},
	}},
	{[]string{"A previous rotation isn't complete", "A previous rotation isn’t complete"}, rule{
		code: "previous-not-complete", severity: Warning, says: "A rotation was asked for while an earlier one was not complete: Secrets Manager goes on with that one.",
		do: []string{"Find why the earlier one failed: older lines of the log say so."},
	}},
	{[]string{"Database engine must be set to"}, rule{
		code: "wrong-engine", severity: Broken, says: "The engine that the secret names is not the one that this function is for.",
		do: []string{"Correct engine in the secret, or let the function of that engine rotate it."},
	}},
	{[]string{"KeyError", "key is missing from secret JSON", "is missing from the secret", "Invalid secret"}, rule{
		code: "bad-secret", severity: Broken, says: "The secret's value lacks a key that the function needs.",
		do: []string{"AWS's templates need engine, host, username and password, and masterarn where an administrator sets the password."},
	}},
	{[]string{"Runtime.ImportModuleError", "ModuleNotFoundError", "No module named", "Cannot find module"}, rule{
		code: "missing-module", severity: Broken, says: "The function's package lacks a module, often after its runtime was changed.",
		do: []string{"Build the package for the function's runtime and architecture, or deploy the newest one of the template."},
	}},
	{[]string{"Runtime.InvalidEntrypoint", "exec format error", "Runtime.HandlerNotFound"}, rule{
		code: "bad-package", severity: Broken, says: "The function's package has no program for its runtime or architecture.",
		do: []string{"Build and deploy it anew for the function's architecture; its file is named as the handler."},
	}},
	{[]string{"Runtime.OutOfMemory", "signal: killed"}, rule{
		code: "out-of-memory", severity: Broken, says: "A step was killed: it needed more memory than the function has.",
		do: []string{"Give the function more memory, then let the rotation go on."},
	}},
	{[]string{"Task timed out", `"status":"timeout"`, `"errorType":"Sandbox.Timedout"`}, rule{
		code: timedOut, severity: Broken, says: "A step was killed by the function's timeout.",
		do: []string{"A step that reaches nothing waits: look at the way to Secrets Manager, then to the server, and only then at the timeout."},
	}},
	{[]string{"Runtime.ExitError", "Runtime.Unknown"}, rule{
		code: "crashed", severity: Broken, says: "The function's process ended in the middle of a step.",
		do: []string{"The lines before it say why."},
	}},
	{[]string{"CERTIFICATE_VERIFY_FAILED", "certificate verify failed", "SSL SYSCALL", "SSL connection has been closed"}, rule{
		code: "tls", severity: Broken, says: "TLS to the server failed.",
		do: []string{"Let the function trust the server's authority (for RDS the global bundle), and host be the name in the certificate."},
	}},
	{[]string{"could not translate host name", "Name or service not known", "getaddrinfo", "Connection refused", "could not connect to server", "Can't connect to MySQL server"}, rule{
		code: "server-unreachable", severity: Broken, says: "The function cannot reach the server that the secret names.",
		do: []string{"Look at host and port in the secret, security groups in both directions, and the routes of the function's subnets."},
	}},
	{[]string{"password authentication failed", "Access denied for user", "AuthenticationFailed"}, rule{
		code: "auth-rejected", severity: Broken, says: "The server refused a password.",
		do: []string{"Set the user's password to what AWSCURRENT says, as an administrator of the server, and let the rotation go on."},
	}},
	{[]string{"[ERROR]", `"level":"ERROR"`, "Traceback (most recent call last)", "Unhandled"}, rule{
		code: "error-in-log", severity: Broken, says: "The function's log has an error of a form that is not known here.",
		do: []string{"Read it; lines that are not known are not shown here, as they may hold a password."},
	}},
}

// rulesOfSteps are about what an emitted function said.
var rulesOfSteps = []rule{
	{
		code: "step-failed", severity: Broken, when: func(f *facts) bool { return f.failure != nil && f.is(StateFailed) && f.open() },
		says:     "{failed-step} failed {failed-age} with {failed-code}: {failed-detail}",
		do:       []string{"{failed-do}"},
		commands: []string{`aws logs tail {group} --since {since} --filter-pattern '"step failed"'`},
		see:      "RUNBOOK.md#{failed-code}",
	},
	{
		code: "gave-up", severity: Warning, when: func(f *facts) bool { return f.gaveUp() && f.is(StateFailed) },
		says:     "{failed-step} failed {failed-age} with {failed-code}: {failed-detail}",
		because:  []string{"no version but AWSCURRENT's holds AWSPENDING: nothing stands in the way of a new rotation"},
		do:       []string{"{failed-do}"},
		commands: []string{rotate},
		see:      "RUNBOOK.md#{failed-code}",
	},
}

// rulesOfLog are the findings of the log: one of an emitted function, or one of the last known form of another's.
func rulesOfLog() []rule {
	list := slices.Clone(rulesOfSteps)
	for _, m := range marks {
		r := m.rule
		r.when = func(f *facts) bool { return f.marked(r.code) && !(r.code == timedOut && f.inVPC()) }
		r.because = []string{"the function's log says so {mark-age}"}
		r.commands = []string{show}
		list = append(list, r)
	}
	return list
}

// marked reports whether the log shows last a known form, and it matters.
func (f *facts) marked(name string) bool { return f.mark != nil && f.mark.Name == name && f.stuck() }

// timedOut is the form that has a finding of its own in a VPC.
const timedOut = "timed-out"

func (f *facts) inVPC() bool { return f.s.Function != nil && f.s.Function.VPC != "" }

// mustGo reports whether the open rotation's version can never be promoted.
func (f *facts) mustGo() bool {
	if f.failure != nil {
		return codes[f.failure.Code].giveUp
	}
	return f.mark != nil && (f.mark.Name == "tampered-user" || f.mark.Name == "tampered-host")
}
