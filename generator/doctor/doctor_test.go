package doctor

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *time.Time { return new(now.Add(-d)) }

const (
	currentID = "aaaaaaaa-0000-4000-8000-000000000001"
	pendingID = "cccccccc-0000-4000-8000-000000000003"
)

// healthy is a secret with nothing to find.
func healthy() *Snapshot {
	const function = "arn:aws:lambda:eu-west-1:111122223333:function:orders-db"
	return &Snapshot{
		Format: Format, Taken: now, Region: "eu-west-1", ID: "orders-db",
		Secret: Secret{
			ARN: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-db-AbCdEf", Name: "orders-db", Enabled: true, Rotator: function, Days: 30,
			Created: before(300 * day), Rotated: before(5 * day), Changed: before(5 * day), Accessed: before(day), Next: before(-25 * day),
		},
		Versions: []Version{
			{ID: currentID, Labels: []string{"AWSCURRENT"}, Created: before(5 * day)},
			{ID: "bbbbbbbb-0000-4000-8000-000000000002", Labels: []string{"AWSPREVIOUS"}, Created: before(35 * day)},
		},
		Function: &Function{State: "Active", Update: "Successful", Timeout: 60, Runtime: "provided.al2023", Invocation: Allowed},
		Policy:   &Policy{}, Log: &Log{Group: "/aws/lambda/orders-db"}, Events: &Events{},
	}
}

func pend(s *Snapshot, age time.Duration) {
	s.Versions = append(s.Versions, Version{ID: pendingID, Labels: []string{"AWSPENDING"}, Created: before(age)})
}

func fail(s *Snapshot, age time.Duration, step, code string) {
	s.Log.Steps = append(s.Log.Steps, Step{At: *before(age), Name: step, Version: pendingID, Code: code, Detail: "why"})
}

// stuck is a rotation of two days ago with a line of the log.
func stuck(line string) func(*Snapshot) {
	return func(s *Snapshot) {
		pend(s, 2*day)
		s.Log.Line(*before(47 * time.Hour), line, s.Secret.ARN)
	}
}

var table = []struct {
	name  string
	make  func(*Snapshot)
	state State
	codes string
}{
	{"healthy", func(*Snapshot) {}, StateComplete, ""},
	{"AWSPENDING is left on AWSCURRENT", func(s *Snapshot) { s.Versions[0].Labels = append(s.Versions[0].Labels, "AWSPENDING") }, StateComplete, "pending-on-current"},
	{"running", func(s *Snapshot) { pend(s, 2*time.Minute) }, StateRunning, ""},
	{"running since long, a step was done just now", func(s *Snapshot) { pend(s, 2*day); fail(s, time.Minute, "setSecret", "") }, StateRunning, ""},
	{"running, by its labels alone", func(s *Snapshot) {
		pend(s, 0)
		s.Versions[2].Created, s.Secret.Changed = nil, before(time.Minute)
	}, StateRunning, ""},
	{"stuck, by its labels alone", func(s *Snapshot) { pend(s, 0); s.Versions[2].Created, s.Log = nil, nil }, StateFailed, "pending-stuck"},
	{"stuck, and the log has nothing", func(s *Snapshot) { pend(s, 2*day) }, StateFailed, "pending-stuck silent"},
	{"stuck, and there is no log", func(s *Snapshot) { pend(s, 2*day); s.Log = &Log{Group: "g", Missing: true} }, StateFailed, "pending-stuck no-log"},
	{"stuck, and the log was read in part", func(s *Snapshot) { pend(s, 2*day); s.Log.Partial = true }, StateFailed, "pending-stuck log-read-in-part"},
	{"stuck, and a step was cut short", func(s *Snapshot) { pend(s, 2*day); fail(s, 2*day, "createSecret", "") }, StateFailed, "pending-stuck cut-short"},
	{"a step failed just now", func(s *Snapshot) { pend(s, 2*time.Minute); fail(s, time.Minute, "testSecret", "auth-rejected") }, StateFailed, "step-failed pending-stuck"},
	{"a step failed two days ago", func(s *Snapshot) { pend(s, 2*day); fail(s, 47*time.Hour, "testSecret", "auth-rejected") }, StateFailed, "step-failed pending-stuck"},
	{"a step failed and was done later", func(s *Snapshot) {
		pend(s, 2*day)
		fail(s, 47*time.Hour, "setSecret", "unreachable")
		fail(s, 46*time.Hour, "setSecret", "")
	}, StateFailed, "pending-stuck cut-short"},
	{"a step failed with a code of another version", func(s *Snapshot) { pend(s, 2*day); fail(s, 47*time.Hour, "testSecret", "newer-code") }, StateFailed, "step-failed pending-stuck"},
	{"tampered", func(s *Snapshot) { pend(s, 2*day); fail(s, 47*time.Hour, "setSecret", "tampered") }, StateFailed, "step-failed must-be-given-up"},
	{"given up by the function", func(s *Snapshot) {
		fail(s, 2*time.Hour, "createSecret", "too-soon")
		fail(s, time.Hour, "createSecret", "not-pending")
	}, StateFailed, "gave-up"},
	{"failed before the last rotation", func(s *Snapshot) { fail(s, 6*day, "setSecret", "unreachable") }, StateComplete, ""},
	{"candidates", func(s *Snapshot) {
		pend(s, 2*day)
		fail(s, 47*time.Hour, "setSecret", "locked-out")
		s.Versions = append(s.Versions, Version{ID: "d", Created: before(3 * day)})
	}, StateFailed, "step-failed pending-stuck candidates"},

	{"AWS's template: nothing logs in", stuck("[ERROR] setSecret: Unable to log into database with previous, current, or pending secret of secret arn x"), StateFailed, "locked-out pending-stuck"},
	{"AWS's template: testSecret", stuck("testSecret: Unable to log into database with pending secret of secret ARN x"), StateFailed, "pending-rejected pending-stuck"},
	{"AWS's template: administrator", stuck("setSecret: Unable to log into database using credentials in master secret x"), StateFailed, "admin-rejected pending-stuck"},
	{"AWS's template: another user", stuck("setSecret: Attempting to modify user a other than current user b"), StateFailed, "tampered-user must-be-given-up"},
	{"AWS's template: another host", stuck("setSecret: Attempting to modify database host a other than current database host b"), StateFailed, "tampered-host must-be-given-up"},
	{"AWS's template: another master", stuck("setSecret: Current database host a is not the same host as/rds replica of master b"), StateFailed, "other-master pending-stuck"},
	{"AWS's template: engine", stuck("KeyError: \"Database engine must be set to 'postgres' in order to use this rotation lambda\""), StateFailed, "wrong-engine pending-stuck"},
	{"AWS's template: key", stuck("KeyError: 'masterarn key is missing from secret JSON'"), StateFailed, "bad-secret pending-stuck"},
	{"AWS's template: endpoint", stuck("[ERROR] KeyError: 'SECRETS_MANAGER_ENDPOINT'"), StateFailed, "no-endpoint-setting pending-stuck"},
	{"AWS's template: empty", stuck("ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING"), StateFailed, "no-pending-value pending-stuck"},
	{"not found", stuck("botocore.errorfactory.ResourceNotFoundException: Secrets Manager can't find the specified secret."), StateFailed, "secret-not-found pending-stuck"},
	{"KMS", stuck("An error occurred (AccessDeniedException): Access to KMS is not allowed"), StateFailed, "store-key pending-stuck"},
	{"IAM", stuck("An error occurred (AccessDeniedException) when calling the GetSecretValue operation"), StateFailed, "store-denied pending-stuck"},
	{"limit", stuck("An error occurred (LimitExceededException) when calling the PutSecretValue operation"), StateFailed, "limit-exceeded pending-stuck"},
	{"throttled", stuck("An error occurred (ThrottlingException): Rate exceeded"), StateFailed, "throttled pending-stuck"},
	{"no way to Secrets Manager", stuck("botocore.exceptions.ConnectTimeoutError: Connect timeout on endpoint URL: \"https://secretsmanager\""), StateFailed, "store-unreachable pending-stuck"},
	{"invoked while off", stuck("Secret x is not enabled for rotation"), StateFailed, "pending-stuck rotation-was-off"},
	{"invoked by hand", stuck("Secret version v has no stage for rotation of secret x."), StateFailed, "pending-stuck unknown-version"},
	{"previous rotation", stuck("A previous rotation isn't complete. That rotation will be reattempted."), StateFailed, "pending-stuck previous-not-complete"},
	{"module", stuck("Runtime.ImportModuleError: Unable to import module 'lambda_function': No module named '_pg'"), StateFailed, "missing-module pending-stuck"},
	{"package", stuck("fork/exec /var/task/bootstrap: exec format error"), StateFailed, "bad-package pending-stuck"},
	{"memory", stuck("RequestId: x Error: Runtime exited with error: signal: killed"), StateFailed, "out-of-memory pending-stuck"},
	{"timeout", stuck("2026-11-28T12:00:00Z x Task timed out after 30.03 seconds"), StateFailed, "timed-out pending-stuck"},
	{"timeout in a VPC, in JSON", func(s *Snapshot) {
		stuck(`{"type":"platform.report","record":{"requestId":"x","status":"timeout"}}`)(s)
		s.Function.VPC, s.Function.Subnets = "vpc-1", []string{"subnet-1", "subnet-2"}
	}, StateFailed, "no-way-out pending-stuck"},
	{"crash", stuck("RequestId: x Error: Runtime.ExitError"), StateFailed, "crashed pending-stuck"},
	{"TLS", stuck("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), StateFailed, "tls pending-stuck"},
	{"server unreachable", stuck("could not translate host name \"db\" to address"), StateFailed, "server-unreachable pending-stuck"},
	{"password", stuck("FATAL: password authentication failed for user \"orders\""), StateFailed, "auth-rejected pending-stuck"},
	{"unknown error", stuck("[ERROR] something"), StateFailed, "error-in-log pending-stuck"},

	{"never rotated, new", func(s *Snapshot) { s.Secret.Rotated, s.Secret.Created = nil, before(time.Hour) }, StateNever, "not-rotated-yet"},
	{"never rotated, old", func(s *Snapshot) { s.Secret.Rotated = nil }, StateNever, "never-rotated"},
	{"first rotation fails, first value is there", func(s *Snapshot) {
		s.Secret.Rotated = nil
		s.Log.Line(*before(time.Hour), "can't find the specified secret value for staging label: AWSCURRENT", "")
	}, StateNever, "nothing-to-rotate never-rotated"},
	{"rotation off", func(s *Snapshot) { s.Secret.Enabled, s.Secret.Next = false, nil }, StateOff, "rotation-off"},
	{"never had a rotator", func(s *Snapshot) { s.Secret.Enabled, s.Secret.Rotator, s.Function = false, "", nil }, StateOff, "no-rotator"},
	{"cancelled midway", func(s *Snapshot) { s.Secret.Enabled = false; pend(s, day) }, StateCancelled, "cancelled-midway"},
	{"cancelled, and the function is gone", func(s *Snapshot) { s.Secret.Enabled, s.Secret.Rotator = false, ""; pend(s, day) }, StateCancelled, "cancelled-without-rotator"},
	{"no value, rotation on", func(s *Snapshot) { s.Versions = nil; pend(s, day) }, StateNoValue, "rotated-without-value"},
	{"no value at all", func(s *Snapshot) { s.Versions, s.Secret.Enabled = nil, false }, StateNoValue, "no-current"},
	{"scheduled for deletion", func(s *Snapshot) { s.Secret.Deleted = before(-7 * day) }, StateDeleted, "deleted"},
	{"replica", func(s *Snapshot) { s.Secret.PrimaryRegion = "us-east-1" }, StateReplica, "replica"},
	{"managed by a service", func(s *Snapshot) { s.Secret.OwningService = "rds" }, StateManaged, "managed"},
	{"managed external", func(s *Snapshot) { s.Secret.Type = "DatadogApiKey" }, StateManaged, "managed"},
	{"managed and late", func(s *Snapshot) { s.Secret.OwningService, s.Secret.Next = "rds", before(3*day) }, StateManaged, "managed-overdue"},
	{"abandoned", func(s *Snapshot) { s.Events.Abandoned = before(3 * time.Hour) }, StateAbandoned, "abandoned"},
	{"abandoned, then succeeded", func(s *Snapshot) { s.Events.Abandoned = before(6 * day) }, StateComplete, ""},
	{"AWSCURRENT went back", func(s *Snapshot) { s.Versions[0].Created = before(300 * day) }, StateComplete, "current-went-back"},
	{"a value was put by hand", func(s *Snapshot) { s.Versions[0].Created = before(day) }, StateComplete, "end-not-noted"},
	{"no AWSPREVIOUS", func(s *Snapshot) { s.Versions = s.Versions[:1] }, StateComplete, "no-previous"},
	{"AWSPREVIOUS on AWSCURRENT", func(s *Snapshot) {
		s.Versions[0].Labels = []string{"AWSCURRENT", "AWSPREVIOUS"}
		s.Versions = s.Versions[:1]
	}, StateComplete, "previous-is-current"},
	{"labels used up", func(s *Snapshot) {
		for i := range 17 {
			s.Versions[0].Labels = append(s.Versions[0].Labels, fmt.Sprint("L", i))
		}
	}, StateComplete, "labels-used-up"},
	{"supply waits", func(s *Snapshot) {
		s.Versions = append(s.Versions, Version{ID: "e", Labels: []string{"ROTATOR_SUPPLIED"}, Created: before(time.Hour)})
	}, StateComplete, "supply-waits"},

	{"function gone", func(s *Snapshot) { s.Function = &Function{Missing: true} }, StateComplete, "function-missing"},
	{"function failed", func(s *Snapshot) { s.Function.State, s.Function.Reason = "Failed", "no addresses" }, StateComplete, "function-failed"},
	{"function inactive", func(s *Snapshot) { s.Function.State = "Inactive" }, StateComplete, "function-inactive"},
	{"function pending", func(s *Snapshot) { s.Function.State = "Pending" }, StateComplete, "function-pending"},
	{"update failed", func(s *Snapshot) { s.Function.Update = "Failed" }, StateComplete, "update-failed"},
	{"not invokable", func(s *Snapshot) { s.Function.Invocation = NotAllowed }, StateComplete, "not-invokable"},
	{"invokable for another secret", func(s *Snapshot) { s.Function.Invocation, s.Function.InvocationFor = AllowedElsewhere, "arn:other" }, StateComplete, "invokable-for-another"},
	{"invokable for any account", func(s *Snapshot) { s.Function.Invocation = AllowedToAnyone }, StateComplete, "confused-deputy"},
	{"concurrency 0", func(s *Snapshot) { s.Function.Reserved = new(0) }, StateComplete, "no-concurrency"},
	{"concurrency 1", func(s *Snapshot) { s.Function.Reserved = new(1) }, StateComplete, "low-concurrency"},
	{"timeout of 3 s", func(s *Snapshot) { s.Function.Timeout = 3 }, StateComplete, "short-timeout"},
	{"old runtime", func(s *Snapshot) { s.Function.Runtime = "python3.7" }, StateComplete, "old-runtime"},
	{"kill switch", func(s *Snapshot) { s.Function.Disabled = true }, StateComplete, "kill-switch"},

	{"key gone", func(s *Snapshot) { s.Key = &Key{ID: "k", Missing: true} }, StateComplete, "key-missing"},
	{"key disabled", func(s *Snapshot) { s.Key = &Key{ID: "k", State: "Disabled"} }, StateComplete, "key-disabled"},
	{"key pending deletion", func(s *Snapshot) { s.Key = &Key{ID: "k", State: "PendingDeletion"} }, StateComplete, "key-pending-deletion"},
	{"key pending import", func(s *Snapshot) { s.Key = &Key{ID: "k", State: "PendingImport"} }, StateComplete, "key-pending-import"},
	{"key unavailable", func(s *Snapshot) { s.Key = &Key{ID: "k", State: "Unavailable"} }, StateComplete, "key-unavailable"},

	{"overdue", func(s *Snapshot) { s.Secret.Next = before(9 * day) }, StateComplete, "overdue"},
	{"overdue by its schedule", func(s *Snapshot) { s.Secret.Next, s.Secret.Days, s.Secret.Schedule = nil, 0, "rate(2 days)" }, StateComplete, "overdue-by-schedule"},
	{"no schedule", func(s *Snapshot) { s.Secret.Days, s.Secret.Next = 0, nil }, StateComplete, "no-schedule"},
	{"every 2 hours", func(s *Snapshot) { s.Secret.Schedule = "rate(2 hours)" }, StateComplete, "too-often"},
	{"every 6 hours", func(s *Snapshot) { s.Secret.Schedule = "rate(6 hours)" }, StateComplete, "often"},
	{"every 400 days", func(s *Snapshot) { s.Secret.Days = 400 }, StateComplete, "seldom"},
	{"cron", func(s *Snapshot) { s.Secret.Schedule = "cron(0 4 1 * ? *)" }, StateComplete, ""},
	{"versions pile up", func(s *Snapshot) {
		for i := range 30 {
			s.Versions = append(s.Versions, Version{ID: fmt.Sprint(i), Created: before(time.Hour)})
		}
	}, StateComplete, "versions-piling-up"},

	{"replica failed", func(s *Snapshot) {
		s.Secret.Replicas = []Replica{{Region: "us-east-1", Status: "Failed", Message: "no right on the key", KeyID: "k"}}
	}, StateComplete, "replica-failed"},
	{"replica in progress", func(s *Snapshot) { s.Secret.Replicas = []Replica{{Region: "us-east-1", Status: "InProgress"}} }, StateComplete, "replica-in-progress"},
	{"public", func(s *Snapshot) { s.Policy.Public = true }, StateComplete, "public"},
	{"denies", func(s *Snapshot) { s.Policy.Denies = true; s.Secret.Rotated = nil }, StateNever, "never-rotated denies"},
	{"unused", func(s *Snapshot) { s.Secret.Accessed = before(200 * day) }, StateComplete, "unused"},
	{"only described", func(s *Snapshot) {
		s.Function, s.Policy, s.Log, s.Events = nil, nil, nil, nil
		s.Unread = []Unread{{"function", "lambda:GetFunctionConfiguration", "not allowed: lambda:GetFunctionConfiguration"}}
	}, StateComplete, "not-read"},
}

func diagnosed(make func(*Snapshot)) (*Snapshot, *Diagnosis) {
	s := healthy()
	make(s)
	return s, Diagnose(s)
}

func codesIn(d *Diagnosis) string {
	var list []string
	for _, f := range d.Findings {
		list = append(list, f.Code)
	}
	return strings.Join(list, " ")
}

// Every state and every rule is met by a row, and a row finds what it says and nothing else.
func TestDiagnose(t *testing.T) {
	met := make(map[string]bool)
	for _, test := range table {
		t.Run(test.name, func(t *testing.T) {
			s, d := diagnosed(test.make)
			if got := codesIn(d); d.State != test.state || got != test.codes {
				t.Errorf("state %s, findings %q; want %s, %q", d.State, got, test.state, test.codes)
			}
			sound(t, s, d)
			met[string(d.State)] = true
			for _, f := range d.Findings {
				met[f.Code] = true
			}
		})
	}
	for _, code := range Codes() {
		if !met[code] {
			t.Errorf("no row meets %s", code)
		}
	}
	for _, name := range States() {
		if !met[string(name)] {
			t.Errorf("no row is %s", name)
		}
	}
	if len(table) < 55 {
		t.Errorf("%d rows", len(table))
	}
}

// forbidden are parts of commands that read a value or destroy something.
var forbidden = regexp.MustCompile(`get-secret-value|batch-get|SecretString|delete|disable|remove-|cancel-rotate|schedule-key`)

// allowed are the exceptions, of which the second stands behind firstSee.
var allowed = regexp.MustCompile(`cancel-key-deletion|--remove-from-version-id`)

// sound fails the test if a diagnosis has a hole in a sentence, a dangerous command, a broken finding without a command, or
// advice to take AWSPENDING off without the advice to look first.
func sound(t *testing.T, s *Snapshot, d *Diagnosis) {
	t.Helper()
	sentence := func(text string) {
		if text == "" || strings.Contains(text, "  ") || strings.ContainsAny(text, "{}") || strings.Contains(text, " .") || strings.Contains(text, " ,") {
			t.Errorf("%s: %q", d.State, text)
		}
	}
	if !slices.Contains(States(), d.State) {
		t.Errorf("state %q", d.State)
	}
	sentence(d.Says)
	for _, f := range d.Findings {
		for _, text := range slices.Concat([]string{f.Code, f.Says}, f.Because, f.Do) {
			sentence(text)
		}
		if f.Severity == Broken && len(f.Commands) == 0 {
			t.Errorf("%s is broken, and no command says what to do", f.Code)
		}
		for _, command := range f.Commands {
			if forbidden.MatchString(allowed.ReplaceAllString(command, "")) {
				t.Errorf("%s: %s", f.Code, command)
			}
			if strings.Contains(command, "AWSPENDING --remove") && !slices.Contains(f.Do, firstSee) {
				t.Errorf("%s: %s without advice to look first", f.Code, command)
			}
			if strings.HasPrefix(command, "aws ") != strings.HasSuffix(command, " --region "+s.Region) {
				t.Errorf("%s: %s", f.Code, command)
			}
		}
	}
}

// Whatever is combined, there is one state, and nothing that [sound] refuses.
func TestEveryCombination(t *testing.T) {
	n := 0
	labels := []func(*Snapshot){
		func(*Snapshot) {},
		func(s *Snapshot) { s.Versions = nil },
		func(s *Snapshot) { s.Versions[0].Labels = []string{"AWSCURRENT", "AWSPENDING"} },
		func(s *Snapshot) { pend(s, time.Minute) },
		func(s *Snapshot) { pend(s, 3*day) },
		func(s *Snapshot) { s.Versions = nil; pend(s, 3*day) },
		func(s *Snapshot) { pend(s, 0); s.Versions[2].Created, s.Versions[0].Created = nil, nil },
		func(s *Snapshot) { s.Versions[0].Created = before(300 * day) },
	}
	dates := []func(*Snapshot){
		func(*Snapshot) {},
		func(s *Snapshot) { s.Secret.Rotated, s.Secret.Next = nil, nil },
		func(s *Snapshot) { s.Secret.Next = before(3 * day) },
		func(s *Snapshot) {
			s.Secret.Created, s.Secret.Changed, s.Secret.Rotated, s.Secret.Accessed, s.Secret.Next = nil, nil, nil, nil, nil
		},
	}
	logs := []func(*Snapshot){
		func(*Snapshot) {},
		func(s *Snapshot) { s.Log = nil },
		func(s *Snapshot) { s.Log = &Log{Group: "g", Missing: true} },
		func(s *Snapshot) { fail(s, time.Minute, "setSecret", "") },
		func(s *Snapshot) { fail(s, time.Minute, "setSecret", "unreachable") },
		func(s *Snapshot) { fail(s, time.Minute, "setSecret", "tampered") },
		func(s *Snapshot) { s.Log.Line(*before(time.Minute), "Task timed out", "") },
		func(s *Snapshot) { s.Log.Line(*before(time.Minute), "Attempting to modify user", "") },
	}
	functions := []func(*Snapshot){
		func(*Snapshot) {},
		func(s *Snapshot) { s.Function = nil },
		func(s *Snapshot) { s.Function = &Function{Missing: true} },
		func(s *Snapshot) { s.Function, s.Secret.Rotator = nil, "" },
		func(s *Snapshot) { s.Function.Ours = true },
	}
	for _, label := range labels {
		for _, date := range dates {
			for _, log := range logs {
				for _, function := range functions {
					for _, bits := range []int{0, 1, 2, 4, 8, 9, 16, 17} {
						s := healthy()
						label(s)
						date(s)
						log(s)
						function(s)
						s.Secret.Enabled = bits&1 == 0
						if bits&2 != 0 {
							s.Secret.Deleted = before(-day)
						}
						if bits&4 != 0 {
							s.Secret.PrimaryRegion = "us-east-1"
						}
						if bits&8 != 0 {
							s.Secret.OwningService = "rds"
						}
						if bits&16 != 0 {
							s.Events.Abandoned = before(time.Hour)
						}
						sound(t, s, Diagnose(s))
						if t.Failed() {
							t.Fatalf("%+v", s)
						}
						n++
					}
				}
			}
		}
	}
	t.Logf("%d combinations", n)
}

// Each code of emitted functions has a cure here, and no cure is for a code that they do not have. The runbook has an entry for each.
func TestEveryCodeHasACure(t *testing.T) {
	source, err := os.ReadFile("../../templates/project/rotation/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	emitted := make(map[string]bool)
	for _, found := range regexp.MustCompile(`(?m)^\tCode\w+ +Code = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		emitted[found[1]] = true
		if codes[found[1]].do == "" {
			t.Errorf("no cure for %s", found[1])
		}
	}
	for name := range codes {
		if !emitted[name] {
			t.Errorf("no function says %s", name)
		}
	}
}

// Text from outside cannot steer a terminal, and of a line of the log only a known form is kept.
func TestNothingOfAStrangersLine(t *testing.T) {
	const sentinel = "s3ntinel"
	l := new(Log)
	for _, line := range []string{
		"Attempting to modify user " + sentinel, "password=" + sentinel, `{"msg":"step failed","password":"` + sentinel + `"}`,
		`{"msg":"step failed","step":"setSecret","secret":"other","code":"tls","detail":"` + sentinel + `"}`,
		`{"msg":"` + sentinel + `","step":"setSecret","secret":"mine"}`, `{"msg":"step failed","step":"setSecret","secret":"mine","code":"` + sentinel + `!"}`,
	} {
		l.Line(now, line, "mine")
	}
	l.Line(now, `{"msg":"step failed","step":"setSecret","secret":"mine","version":"v","code":"tls","detail":"a\u001b[2Jb\nc"}`, "mine")
	if got := fmt.Sprintf("%+v", l); strings.Contains(got, sentinel) || strings.Contains(got, "\x1b") || len(l.Marks) != 1 || len(l.Steps) != 1 {
		t.Error(got)
	}
}

// A text that a shell could take for more than a word is quoted.
func TestCommandsAreQuoted(t *testing.T) {
	_, d := diagnosed(func(s *Snapshot) { pend(s, 2*day); s.ID, s.Profile = "a;b'$(c)", "d e" })
	command := d.Findings[0].Commands[0]
	if want := `aws secretsmanager rotate-secret --secret-id 'a;b'\''$(c)' --region eu-west-1 --profile 'd e'`; command != want {
		t.Errorf("%s, want %s", command, want)
	}
}

// Every entry of the runbook that a finding names is there, in the runbook of a project.
func TestRunbookHasEveryEntry(t *testing.T) {
	runbook, err := os.ReadFile("../../golden/rds-two-user-postgres/want/RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	entries := make(map[string]bool)
	for _, found := range regexp.MustCompile("(?m)^#+ `?(.+?)`?$").FindAllStringSubmatch(string(runbook), -1) {
		entries["RUNBOOK.md#"+strings.ReplaceAll(strings.ToLower(found[1]), " ", "-")] = true
	}
	// A version is given up for those codes for which the runbook says so.
	for name, code := range codes {
		_, rest, _ := strings.Cut(string(runbook), "\n### `"+name+"`\n")
		entry, _, _ := strings.Cut(rest, "\n#")
		if says := strings.Contains(strings.Join(strings.Fields(entry), " "), "give that rotation up"); says != code.giveUp {
			t.Errorf("%s: the runbook gives the version up: %v", name, says)
		}
	}
	named := 0
	for _, r := range rules() {
		if r.see == "" || strings.Contains(r.see, "{") { // the codes are in TestEveryCodeHasACure
			continue
		}
		if named++; !entries[r.see] {
			t.Errorf("%s names %s", r.code, r.see)
		}
	}
	if named < 5 {
		t.Errorf("%d entries are named", named)
	}
}

// FuzzDiagnose: a file of --offline may come from anywhere. It gets one state, and nothing in it steers a terminal.
func FuzzDiagnose(f *testing.F) {
	for _, test := range table {
		s := healthy()
		test.make(s)
		text, err := json.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"id":"x","region":"\u001b[2J","profile":"\u001b[2J","secret":{"name":"\u001b[2J"},"unread":[{"why":"\u0007"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := new(Snapshot)
		if json.Unmarshal(text, s) != nil {
			return
		}
		d := Diagnose(s)
		if !slices.Contains(States(), d.State) || d.Says == "" {
			t.Errorf("%+v", d)
		}
		for _, finding := range d.Findings {
			for _, text := range slices.Concat([]string{finding.Says, finding.See}, finding.Because, finding.Do, finding.Commands) {
				if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%q", text)
				}
			}
		}
	})
}
