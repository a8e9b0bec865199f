package cmd

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/generator/doctor"
	"github.com/rotasmith/rotasmith/generator/doctor/account/accounttest"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
)

// ward is an account whose secret prod/orders has a rotation that failed, with a sentinel wherever a text may be that is
// to be seen by no one else.
func ward(t *testing.T) *accounttest.Server {
	t.Helper()
	server := accounttest.Ward(t, secretValue("postgres"), sentinel)
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	accounttest.Setenv(t.Setenv, listener.URL)
	return server
}

// One cause takes one screen of 24 lines by 80 columns, and its commands can be pasted.
func TestDoctor(t *testing.T) {
	ward(t)
	t.Chdir(t.TempDir())
	code, out, errOut := rotate(t, "doctor", "prod/orders")
	t.Logf("\n%s", out)
	if code != exitDifferent || errOut != "" {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	for _, want := range []string{
		"prod/orders in eu-west-1: failed (", "AWSPENDING   " + accounttest.Pending + "  2 days ago\n", "testSecret failed 2 days ago with auth-rejected: the new credential",
		"  aws secretsmanager rotate-secret --secret-id prod/orders --region eu-west-1\n", "RUNBOOK.md#auth-rejected.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	noValue(t, out+errOut)
}

// The findings with the longest commands fit on one screen too.
func TestDoctorOnOneScreen(t *testing.T) {
	taken := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	began := taken.Add(-48 * time.Hour)
	for code, change := range map[string]func(*doctor.Snapshot){
		"must-be-given-up": func(s *doctor.Snapshot) {
			s.Log = &doctor.Log{Group: "/aws/lambda/orders-db", Steps: []doctor.Step{{At: began, Name: "setSecret", Version: accounttest.Pending, Code: "tampered", Detail: "AWSPENDING differs from AWSCURRENT in host: only password may differ"}}}
		},
		"cancelled-midway": func(s *doctor.Snapshot) { s.Secret.Enabled = false },
		"abandoned": func(s *doctor.Snapshot) {
			s.Versions, s.Events = s.Versions[:1], &doctor.Events{Abandoned: &began}
		},
		"no-way-out": func(s *doctor.Snapshot) {
			s.Function.VPC, s.Function.Subnets = "vpc-0123456789abcdef0", []string{"subnet-0123456789abcdef0"}
			s.Log = &doctor.Log{Group: "/aws/lambda/orders-db", Marks: []doctor.Mark{{At: began, Name: "timed-out"}}}
		},
	} {
		s := &doctor.Snapshot{
			Taken: taken, Region: "eu-west-1", ID: "orders-db",
			Secret: doctor.Secret{
				ARN: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-db-AbCdEf", Name: "orders-db", Enabled: true, Days: 30,
				Rotator: "arn:aws:lambda:eu-west-1:111122223333:function:orders-db",
			},
			Versions: []doctor.Version{{ID: "current", Labels: []string{"AWSCURRENT"}, Created: &began}, {ID: accounttest.Pending, Labels: []string{"AWSPENDING"}, Created: &began}},
			Function: &doctor.Function{Ours: true},
		}
		change(s)
		text := string(diagnosisText(s, doctor.Diagnose(s), 80))
		if n := strings.Count(text, "\n"); n > 24 || !slices.ContainsFunc(doctor.Diagnose(s).Findings, func(f doctor.Finding) bool { return f.Code == code }) {
			t.Errorf("%s: %d lines\n%s", code, n, text)
		}
	}
}

// No value, and no text of a description, an environment or a stranger's log, is in anything that is printed or saved; what is
// saved gives the same diagnosis.
func TestDoctorSaysNothingSecret(t *testing.T) {
	ward(t)
	t.Chdir(t.TempDir())
	_, online, _ := rotate(t, "doctor", "prod/orders", "--save", "snapshot.json")
	code, offline, errOut := rotate(t, "doctor", "--offline", "snapshot.json")
	if online != offline || code != exitDifferent || errOut != "" {
		t.Errorf("exit code %d, %s\n%s\n%s", code, errOut, online, offline)
	}
	all := online
	for _, args := range [][]string{
		{"doctor", "prod/orders", "--json"}, {"doctor", "--offline", "snapshot.json", "--json"}, {"doctor", "--all"}, {"doctor", "--all", "--deep"}, {"doctor", "--all", "--json"},
		{"doctor", "--all", "--deep", "--format", "csv"}, {"doctor", "--all", "--deep", "--format", "sarif"}, {"doctor", "--all", "--deep", "--format", "json"},
	} {
		code, out, errOut := rotate(t, args...)
		if code != exitDifferent || errOut != "" {
			t.Errorf("%v: exit code %d, %s", args, code, errOut)
		}
		all += out
	}
	noValue(t, all)
	if code, _, errOut := rotate(t, "doctor", "prod/orders", "--save", "snapshot.json"); code != exitUsage || !strings.Contains(errOut, `--save: "snapshot.json" is there already`) {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}

// Whatever may not be read, the description alone is enough for a state and a command.
func TestDoctorWithTheDescriptionAlone(t *testing.T) {
	server := ward(t)
	server.Deny = func(action string) bool { return action != "secretsmanager:DescribeSecret" }
	code, out, errOut := rotate(t, "doctor", "prod/orders")
	if code != exitDifferent || errOut != "" {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	for _, want := range []string{": failed (", "rotate-secret", "not allowed: lambda:GetPolicy", "rotasmith doctor --policy"} {
		if !strings.Contains(oneLine(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	server.Deny = func(string) bool { return true }
	code, out, errOut = rotate(t, "doctor", "prod/orders")
	if code != exitFailed || out != "" || !strings.Contains(errOut, "rotasmith: error: cannot read \"prod/orders\": ") || !strings.Contains(errOut, "rotasmith: hint: it takes secretsmanager:DescribeSecret;") {
		t.Errorf("exit code %d, %s%s", code, out, errOut)
	}
	server.Deny = nil
	if code, _, errOut := rotate(t, "doctor", "prod/other"); code != exitUsage || !strings.Contains(errOut, "give its name or ARN") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
}

// A wrong question is refused in one line with its cure, before any call.
func TestDoctorRefuses(t *testing.T) {
	server := ward(t)
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"empty.json": "{}", "newer.json": `{"format":99,"secret":{"arn":"a"}}`, "no.json": "no"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{
		"", "x y", "x --all", "--all --policy", "--offline empty.json", "--offline newer.json", "--offline no.json", "--offline none.json", "x --deep", "x --format csv",
		"--all --format xml", "--all --format csv --json", "--all --filter team=orders", "--all --filter tag:=x", "--all --save f", "--all --region a --regions b", "--policy --save f",
	} {
		code, out, errOut := rotate(t, append([]string{"doctor"}, strings.Fields(args)...)...)
		if code != exitUsage || out != "" || !strings.Contains(errOut, "\nrotasmith: hint: ") {
			t.Errorf("doctor %s: exit code %d, %q, %s", args, code, out, errOut)
		}
	}
	if code, _, errOut := rotate(t, "doctor", ""); code != exitUsage || !strings.Contains(errOut, "is empty") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	t.Setenv("AWS_REGION", "")
	if code, _, errOut := rotate(t, "doctor", "x"); code != exitUsage || !strings.Contains(errOut, "hint: name it by --region") {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	if calls := server.Calls(); len(calls) > 0 {
		t.Errorf("calls: %v", calls)
	}
}

// The region of an ARN is the one that is asked, unless another is named.
func TestDoctorRegion(t *testing.T) {
	server := ward(t)
	for region, args := range map[string][]string{
		"us-east-1": {"arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf"}, "eu-west-2": {"arn:aws:secretsmanager:us-east-1:111122223333:secret:x-AbCdEf", "--region", "eu-west-2"},
	} {
		rotate(t, append([]string{"doctor"}, args...)...)
		calls := server.Calls()
		if got := calls[len(calls)-1].Signature; got != region+"/secretsmanager" {
			t.Errorf("signed for %s, want %s", got, region)
		}
	}
}

// fleetOf is an account with many secrets, of which one is broken and nothing rotates the others.
func fleetOf(t *testing.T, n int) *accounttest.Server {
	t.Helper()
	server := ward(t)
	front := server.Secrets.(*rehearsal.Front)
	for i := range n - 1 {
		name := fmt.Sprintf("team/secret-%04d", i)
		if _, err := front.SecretsManager.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String(sentinel)}); err != nil {
			t.Fatal(err)
		}
		front.Listed = append(front.Listed, name)
	}
	return server
}

// D: a thousand secrets are read in ten calls.
func TestDoctorAll(t *testing.T) {
	server := fleetOf(t, 1000)
	t.Chdir(t.TempDir())
	code, out, errOut := rotate(t, "doctor", "--all")
	if code != exitDifferent || errOut != "" {
		t.Errorf("exit code %d, %s", code, errOut)
	}
	if calls := server.Calls(); len(calls) != 10 {
		t.Errorf("%d calls", len(calls))
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) < 1000 || !strings.HasPrefix(lines[0], "NAME ") || !strings.HasPrefix(lines[1], "prod/orders ") || !strings.Contains(out, "\n1000 secrets, 1 broken, 999 with warnings\n") {
		t.Errorf("%d lines\n%.400s\n%s", len(lines), out, strings.Join(lines[len(lines)-3:], "\n"))
	}
	t.Logf("\n%s", strings.Join(slices.Concat(lines[:6], lines[len(lines)-4:]), "\n"))
	noValue(t, out)
}

// The formats for programs hold what the table does.
func TestDoctorAllFormats(t *testing.T) {
	fleetOf(t, 3)
	schema := sarifSchema(t)
	_, out, _ := rotate(t, "doctor", "--all", "--format", "sarif")
	var document any
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(document); err != nil {
		t.Error(err)
	}
	_, out, _ = rotate(t, "doctor", "--all", "--format", "csv")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) < 4 || rows[1][0] != "prod/orders" || rows[1][8] != "pending-stuck" || !strings.HasPrefix(rows[1][10], "aws secretsmanager rotate-secret") {
		t.Errorf("%v\n%s", err, out)
	}
	_, out, _ = rotate(t, "doctor", "--all", "--json")
	var doc struct {
		Secrets []struct {
			Name, State string
			Findings    []struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Secrets) != 3 || doc.Secrets[0].State != "failed" || doc.Secrets[2].Findings[0].Code != "no-rotator" {
		t.Errorf("%v\n%s", err, out)
	}
}

// A filter is one tag and all of it: the service finds by beginnings.
func TestDoctorAllFilter(t *testing.T) {
	ward(t)
	for filter, want := range map[string]int{"tag:team=orders": 1, "tag:team": 1, "tag:team=ord": 0, "tag:tea": 0, "tag:note=orders": 0} {
		_, out, errOut := rotate(t, "doctor", "--all", "--filter", filter)
		if got := strings.Count(out, "prod/orders"); got != want || errOut != "" {
			t.Errorf("%s: %d secrets, want %d\n%s%s", filter, got, want, out, errOut)
		}
	}
}

// A region that cannot be listed is an error.
func TestDoctorAllRegions(t *testing.T) {
	server := ward(t)
	code, out, errOut := rotate(t, "doctor", "--all", "--regions", "eu-west-1,us-east-1")
	if code != exitDifferent || strings.Count(out, "prod/orders") != 2 || !strings.Contains(out, "us-east-1") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	server.Deny = func(string) bool { return true }
	code, out, errOut = rotate(t, "doctor", "--all")
	if code != exitFailed || out != "" || !strings.Contains(errOut, `cannot list the secrets in "eu-west-1"`) || !strings.Contains(errOut, "hint: it takes secretsmanager:ListSecrets") {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

// The README shows what is printed.
func TestDoctorInReadme(t *testing.T) {
	taken := time.Date(2026, 11, 30, 3, 12, 0, 0, time.UTC)
	before := func(d time.Duration) *time.Time { return new(taken.Add(-d)) }
	const pending, day = "c4d0b7a2-7a4e-4f5e-8f0d-5b7c1a9e6e21", 24 * time.Hour
	s := &doctor.Snapshot{
		Taken: taken, Region: "eu-west-1", ID: "prod/orders",
		Secret: doctor.Secret{Name: "prod/orders", ARN: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-AbCdEf", Enabled: true, Days: 30, Rotated: before(30 * day)},
		Versions: []doctor.Version{
			{ID: "6f1c5a1e-3f0e-4d1b-9a51-0f8e2f4f7d10", Labels: []string{"AWSCURRENT"}, Created: before(30 * day)},
			{ID: pending, Labels: []string{"AWSPENDING"}, Created: before(3*time.Hour + time.Minute)},
			{ID: "1b9f6c3d-2e7a-4c8f-b6d4-9a0e3c5d7f42", Labels: []string{"AWSPREVIOUS"}, Created: before(60 * day)},
		},
		Log: &doctor.Log{Group: "/aws/lambda/orders-db", Steps: []doctor.Step{
			{At: *before(3 * time.Hour), Name: "testSecret", Version: pending, Code: "auth-rejected", Detail: "the new credential: the server refused it at log-in"},
		}},
	}
	shown, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if text := "$ rotasmith doctor prod/orders\n" + string(diagnosisText(s, doctor.Diagnose(s), 80)) + "```\n"; !strings.Contains(string(shown), text) {
		t.Errorf("the README does not show\n%s", text)
	}
}

// In a narrow window the table leaves columns out, and no name; what AWS rotates by itself has a line of its own.
func TestDoctorTable(t *testing.T) {
	f := &fleet{managed: make(map[string]int)}
	for i, name := range []string{"prod/orders", "prod/billing", "rds!db-1", "rds!db-2", "datadog"} {
		s := &doctor.Snapshot{Taken: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), Region: "eu-west-1", Secret: doctor.Secret{Name: name, Rotator: "arn:aws:lambda:eu-west-1:1:function:a-function-with-a-long-name"}}
		switch i {
		case 2, 3:
			s.Secret.OwningService = "rds"
		case 4:
			s.Secret.Type = "DatadogApiKey"
		}
		f.add(&patient{s, doctor.Diagnose(s)})
	}
	for width, columns := range map[int]string{0: "NAME STATE FIRST FINDING ROTATED NEXT ROTATOR", 80: "NAME STATE FIRST FINDING ROTATED NEXT", 20: "NAME STATE FIRST FINDING"} {
		var b strings.Builder
		w := bufio.NewWriter(&b)
		f.text(w, width)
		w.Flush()
		first, rest, _ := strings.Cut(b.String(), "\n")
		if oneLine(first) != columns || !strings.Contains(rest, "prod/billing ") || strings.Contains(rest, "rds!db") || !strings.Contains(rest, "\n2 secrets, 2 broken, 0 with warnings\nrotated by AWS itself: DatadogApiKey 1, rds 2\n") {
			t.Errorf("%d columns:\n%s", width, b.String())
		}
	}
}
