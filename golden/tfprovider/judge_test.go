package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	adminARN  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-admin-AbCdEf"
	secretARN = "arn:aws:fake:eu-west-1:111122223333:aws_secretsmanager_secret"
	keyARN    = "arn:aws:kms:eu-west-1:111122223333:key/orders"
	newKeyARN = "arn:aws:fake:eu-west-1:111122223333:aws_kms_key"
	logARN    = "arn:aws:fake:eu-west-1:111122223333:aws_cloudwatch_log_group"
)

// secrets returns the variable of that name: one secret, with what every deployment has to say and more.
func secrets(more string) map[string]string {
	return map[string]string{"secrets": `{orders={host="db.example.com",dbname="orders",username="orders_a"` + more + `}}`}
}

const twoUsers = `,alternate_username="orders_b",admin_secret_arn="` + adminARN + `"`

// TestEmittedTerraform deploys emitted projects to nowhere: without a value of the secret, then with one.
func TestEmittedTerraform(t *testing.T) {
	t.Parallel()
	interfaces := map[string][]string{
		"*":                                      {"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"},
		"arn:aws:ec2:eu-west-1:111122223333:*/*": {"ec2:AssignPrivateIpAddresses", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"},
		// Of a new interface EC2 asks for each by itself, and knows the VPC of the latter two only. (A8)
		"arn:aws:ec2:eu-west-1:111122223333:network-interface/*": {"ec2:CreateNetworkInterface"},
		"arn:aws:ec2:eu-west-1:111122223333:security-group/*":    {"ec2:CreateNetworkInterface"},
		"arn:aws:ec2:eu-west-1:111122223333:subnet/*":            {"ec2:CreateNetworkInterface"},
	}
	admin := map[string][]string{adminARN: {"secretsmanager:GetSecretValue"}}
	inVPC := map[string]string{"subnet_ids": `["subnet-1"]`, "security_group_ids": `["sg-1"]`}
	for _, test := range []struct {
		name      string
		answers   []string
		variables []map[string]string
		settings  map[string]string // in the function's environment
		allowed   []map[string][]string
	}{
		{
			name:      "two-user-vpc",
			answers:   []string{"--type=rds-two-user", "--set=window=3h", "--set=region=eu-west-1"},
			variables: []map[string]string{secrets(twoUsers), inVPC},
			settings:  map[string]string{"SECRETS": `{"orders-admin-AbCdEf":{"` + secretARN + `":["orders_a","orders_b"]}}`, "USERS": "preprovisioned", "ALLOWED_SECRETS": secretARN + "," + adminARN},
			allowed:   []map[string][]string{admin, interfaces},
		},
		{
			name:      "two-user-public-clone",
			answers:   []string{"--type=rds-two-user", "--set=network=public", "--set=users=clone"},
			variables: []map[string]string{secrets(twoUsers)},
			settings:  map[string]string{"USERS": "clone", "MIN_ROTATION_AGE": "65m", "ALLOW_RECOVERY": "false"},
			allowed:   []map[string][]string{admin},
		},
		{
			name:      "single-user-vpc",
			answers:   []string{"--type=rds-single-user", "--set=schedule=cron(0 3 ? * SUN *)"},
			variables: []map[string]string{secrets(""), inVPC},
			settings:  map[string]string{"CHANGE_AS": "self", "RECOVERY_VERSIONS": "5", "ALLOWED_SECRETS": secretARN},
			allowed:   []map[string][]string{interfaces},
		},
		{
			name:      "single-user-public",
			answers:   []string{"--type=rds-single-user", "--set=network=public"},
			variables: []map[string]string{secrets("")},
			settings:  map[string]string{"CHANGE_AS": "self", "PASSWORD_LENGTH": "32", "ROTATION_DISABLED": "false"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := emit(t, test.answers...)
			p.ok(t, "fmt", "-check", "-recursive")
			p.validate(t)
			variables := join(test.variables...)

			p.ok(t, "apply", "-auto-approve", variables)
			before := p.state(t)
			if _, on := before["aws_secretsmanager_secret_rotation.this"]; on {
				t.Error("rotation is on before the secret has a value")
			}
			for address := range before {
				if strings.HasPrefix(address, "aws_secretsmanager_secret_version.") {
					t.Error("Terraform makes a version of the secret")
				}
			}

			p.ok(t, "apply", "-auto-approve", variables, `-var=seeded=["orders"]`)
			p.ok(t, "plan", "-detailed-exitcode", variables, `-var=seeded=["orders"]`)
			state := p.state(t)
			for _, order := range [][2]string{
				{"aws_secretsmanager_secret_rotation.this", "aws_lambda_permission.secrets_manager"},
				{"aws_secretsmanager_secret_rotation.this", "aws_iam_role_policy.this"},
				{"aws_lambda_function.this", "aws_iam_role_policy.this"},
				{"aws_lambda_function.this", "aws_cloudwatch_log_group.this"},
			} {
				if !slices.Contains(state[order[0]].DependsOn, order[1]) {
					t.Errorf("%s does not wait for %s", order[0], order[1])
				}
			}

			var function struct {
				Environment []struct{ Variables map[string]string }
			}
			state["aws_lambda_function.this"].read(t, &function)
			for name, want := range test.settings {
				if got := function.Environment[0].Variables[name]; got != want {
					t.Errorf("environment variable %s is %q, want %q", name, got, want)
				}
			}

			var permission struct {
				Principal     string
				SourceARN     string `json:"source_arn"`
				SourceAccount string `json:"source_account"`
			}
			state["aws_lambda_permission.secrets_manager"].read(t, &permission)
			if permission.Principal != "secretsmanager.amazonaws.com" || permission.SourceARN != secretARN || permission.SourceAccount != "111122223333" {
				t.Errorf("the function may be invoked by %+v", permission)
			}

			want := map[string][]string{
				secretARN: {
					"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue",
					"secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
				},
				newKeyARN:     {"kms:Decrypt", "kms:GenerateDataKey"},
				logARN + ":*": {"logs:CreateLogStream", "logs:PutLogEvents"},
			}
			if strings.HasPrefix(test.name, "single-user") { // which looks for previous versions
				want[secretARN] = append(want[secretARN], "secretsmanager:ListSecretVersionIds")
			}
			for _, more := range test.allowed {
				maps.Copy(want, more)
			}
			if got := allowed(t, state["aws_iam_role_policy.this"]); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the role may do\n%v\nwant\n%v", got, want)
			}
		})
	}
}

// TestEmittedTerraformRefuses shows that what cannot work is told before anything is deployed.
func TestEmittedTerraformRefuses(t *testing.T) {
	t.Parallel()
	two := emit(t, "--type=rds-two-user", "--set=network=public")
	two.more = twoUsers
	single := emit(t, "--type=rds-single-user", "--set=network=public", "--set=kms=aws")
	existing := emit(t, "--type=rds-single-user", "--set=network=public", "--set=secret=existing")
	users := emit(t, "--type=api-key", "--provider=aws-iam-user", "--set=network=public")
	user := func(account string) map[string]string {
		return map[string]string{"secrets": `{orders={account=` + account + `}}`}
	}
	keyed := emit(t, "--type=rds-single-user", "--set=network=public", "--set=kms=existing")
	for _, test := range []struct {
		name      string
		project   project
		variables map[string]string
		want      string
	}{
		{"one user twice", two, secrets(strings.ReplaceAll(twoUsers, "orders_b", "orders_a")), "different names"},
		{"two users without an administrator", two, secrets(`,alternate_username="orders_b"`), `attribute "admin_secret_arn" is required`},
		{"a user of two pairs", two, map[string]string{"secrets": `{a={username="a",alternate_username="b",admin_secret_arn="` + adminARN +
			`"},b={username="a",alternate_username="c",admin_secret_arn="` + adminARN + `"}}`}, "A user belongs to one pair"},
		{"an unknown origin of users", two, merge(secrets(twoUsers), map[string]string{"users": "guess"}), "preprovisioned or clone"},
		{"an administrator that is not named", single, map[string]string{"change_as": "admin"}, "admin_secret_arn names"},
		{"an ARN that is none", single, merge(secrets(`,admin_secret_arn="orders-admin"`), map[string]string{"change_as": "admin"}), "in full"},
		{"nothing to make the first value of", single, map[string]string{"secrets": `{orders={host="db"}}`}, "too little for its first value"},
		{"an ARN for a secret that is made here", single, secrets(`,arn="` + adminARN + `"`), "has no ARN to give"},
		{"a secret that exists without an ARN", existing, secrets(""), "needs the arn of a secret"},
		{"a key that is none", single, map[string]string{"secrets": `{"a b"={host="db",dbname="d",username="u"}}`}, "has a key of 1 to 40"},
		{"no secret", single, map[string]string{"secrets": `{}`}, "There is one secret or more"},
		{"a replica at home", single, map[string]string{"replicas": `{"eu-west-1"={}}`}, "can have no replica of it"},
		{"a key for a replica in another region", single, map[string]string{
			"replicas": `{"eu-central-1"={kms_key_arn="arn:aws:kms:eu-west-1:111122223333:key/k"}}`}, "in the replica's own region"},
		{"a replica without a key of yours", keyed, map[string]string{"replicas": `{"eu-central-1"={}}`, "kms_key_arn": keyARN}, "give each region in replicas a kms_key_arn"},
		{"a key in another region", keyed, map[string]string{"kms_key_arn": strings.Replace(keyARN, "west", "central", 1)}, "in another region than the secrets"},
		{"a reader of another account without a key", single, map[string]string{"reader_arns": `["arn:aws:iam::444455556666:role/r"]`}, "customer managed key"},
		{"no user", users, user(`{}`), "too little for its first value"},
		{"every user", users, user(`{user_name="*"}`), "has a user_name"},
		{"users of every path", users, user(`{user_name="orders",user_path="/*/"}`), "begins and ends with a slash"},
		{"half an account", users, map[string]string{"secrets": `{orders={account={user_name="orders"},admin_secret_arn="orders-admin"}}`}, "in full"},
		{"hours that run backwards", single, map[string]string{"schedule_expression": "cron(0 20-4 * * ? *)"}, "A range over midnight is two"},
		{"hours that are none", single, map[string]string{"schedule_expression": "cron(0 4,,5 * * ? *)"}, "numbers, ranges and steps"},
		{"two hours apart", single, map[string]string{"schedule_expression": "cron(0 4,6 * * ? *)"}, "more often than every 4 hours"},
		{"a window beyond the day", single, map[string]string{"schedule_expression": "cron(0 20 * * ? *)", "window": "5h"}, "at most 4h"},
		{"days for a schedule", single, map[string]string{"schedule_expression": "30d"}, "The schedule is a rate"},
		{"minutes for a window", single, map[string]string{"window": "30m"}, "number of hours"},
		// B17
		{"a guard that outlasts the schedule", two, map[string]string{"min_rotation_age": "4h", "schedule_expression": "rate(4 hours)", "overdue_after_days": "3"}, "min_rotation_age is shorter than the time between two rotations"},
		{"a guard that is none", two, map[string]string{"min_rotation_age": "65 minutes"}, "such as 65m"},
		{"a short password", two, map[string]string{"password_length": "12"}, "16 to"},
		{"a long password", two, map[string]string{"password_length": "4000"}, "16 to"},
		{"overdue before it is due", two, map[string]string{"schedule_expression": "rate(90 days)"}, "overdue_after_days is more than 90"},
		{"overdue before the week is over", two, map[string]string{"schedule_expression": "cron(0 4 ? * SUN *)", "overdue_after_days": "6"}, "overdue_after_days is more than 7"},
		{"no versions to look through", single, map[string]string{"recovery_versions": "-1"}, "0 to 100"},
		{"a path without slashes", two, map[string]string{"path": "rotation"}, "begins and ends with a slash"},
		// R11
		{"a key of secrets that was renamed", two, map[string]string{"seeded": `["invoices"]`}, "terraform state mv"},
		{"a key that was renamed, of a secret that exists", existing, map[string]string{"secrets": `{orders={arn="` + adminARN + `"}}`, "seeded": `["invoices"]`}, "terraform state mv"},
		// B14
		{"a package from two places", two, map[string]string{"package_path": "function.zip", "package_s3": `{bucket="b",key="k"}`}, "either package_path or package_s3"},
		{"a name that AWS refuses", single, map[string]string{"name": "Orders DB"}, "lower-case letters"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := test.project.tofu(t, "plan", join(secrets(test.project.more), test.variables))
			if err == nil || !strings.Contains(strings.Join(strings.Fields(out), " "), test.want) {
				t.Errorf("got error %v, want the words %q in:\n%s", err, test.want, out)
			}
		})
	}
	t.Run("more settings than Lambda takes", func(t *testing.T) {
		out, err := single.tofu(t, "apply", "-auto-approve", join(secrets(""), map[string]string{"environment": `{X="` + strings.Repeat("x", 4097) + `"}`}))
		if err == nil || !strings.Contains(out, "exceeds 4 KB") {
			t.Errorf("got error %v:\n%s", err, out)
		}
	})
	t.Run("no package", func(t *testing.T) {
		if err := os.Remove(filepath.Join(single.dir, "dist", "function.zip")); err != nil {
			t.Fatal(err)
		}
		out, err := single.tofu(t, "plan", join(secrets("")))
		if err == nil || !strings.Contains(out, `run "make package"`) {
			t.Errorf("got error %v:\n%s", err, out)
		}
	})
}

// TestShippedTests runs the tests that are emitted where answers that are no choice might fail them: they hold whatever
// stands in terraform.tfvars. TestCoveringSet runs those of all choices.
func TestShippedTests(t *testing.T) {
	t.Parallel()
	for _, answers := range [][]string{
		{"--type=rds-single-user", "--set=region=us-east-1", "--set=replicas=eu-west-1,us-west-2", "--set=schedule=rate(12 hours)", "--set=window=4h"},
		{"--type=api-key", "--provider=grafana", "--set=mode=overlap", "--set=kms=existing", "--set=schedule=cron(0 4 1 * ? *)", "--set=window=20h"},
	} {
		t.Run(strings.Join(answers, " "), func(t *testing.T) {
			t.Parallel()
			p := emit(t, answers...)
			p.ok(t, "fmt", "-check", "-recursive")
			p.validate(t)
			if out, err := p.tofu(t, "test", "-no-color"); err != nil || !strings.Contains(out, "0 failed") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// TestFaultsAreFound judges the judge: each of these would pass if the provider took everything.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"unknown argument":          `resource "aws_cloudwatch_log_group" "x" { retention = 3 }`,
		"unknown type":              `resource "aws_secret" "x" {}`,
		"missing argument":          `resource "aws_secretsmanager_secret_rotation" "x" { secret_id = "y" }`,
		"wrong type":                `resource "aws_cloudwatch_log_group" "x" { retention_in_days = "long" }`,
		"computed argument":         `resource "aws_secretsmanager_secret" "x" { arn = "arn:aws:secretsmanager:x" }`,
		"computed in a block":       "resource \"aws_lambda_function\" \"x\" {\n function_name = \"f\"\n role = \"arn:aws:iam::111122223333:role/r\"\n vpc_config {\n subnet_ids = []\n security_group_ids = []\n vpc_id = \"vpc-1\"\n}\n}",
		"a malformed ARN":           "resource \"aws_lambda_function\" \"x\" {\n function_name = \"f\"\n role = \"arn:aws:iam::1:role/r\"\n}",
		"text for an ARN":           "resource \"aws_lambda_function\" \"x\" {\n function_name = \"f\"\n role = \"admin\"\n}",
		"undeclared reference":      `output "x" { value = aws_iam_role.absent.arn }`,
		"unknown attribute":         "data \"aws_region\" \"x\" {}\noutput \"x\" { value = data.aws_region.x.place }",
		"computed in a data source": `data "aws_caller_identity" "x" { account_id = "1" }`,
	} {
		t.Run(name, func(t *testing.T) {
			p := project{dir: t.TempDir()}
			if err := os.Mkdir(filepath.Join(p.dir, "terraform"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(p.dir, "terraform", "main.tf"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := p.tofu(t, "validate"); err == nil {
				t.Errorf("passes:\n%s", out)
			}
		})
	}
}

type project struct {
	dir  string
	more string // what its secrets need to say beyond what all do
}

// emit makes a project with a package that is none.
func emit(t *testing.T, answers ...string) project {
	t.Helper()
	if os.Getenv("TOFU") == "" {
		t.Skip("TOFU does not name the program: run make terraform")
	}
	p := project{dir: filepath.Join(t.TempDir(), "orders-db")}
	args := append([]string{"run", "./cmd/rotasmith", "new", "orders-db", "--no-input", "--dir=" + p.dir}, answers...)
	if !slices.ContainsFunc(answers, func(a string) bool { return strings.HasPrefix(a, "--provider=") }) {
		args = append(args, "--engine=postgres")
	}
	rotasmith := exec.CommandContext(t.Context(), "go", args...)
	rotasmith.Dir = filepath.Join("..", "..")
	if out, err := rotasmith.CombinedOutput(); err != nil {
		t.Fatalf("rotasmith new: %v\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(p.dir, "dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "dist", "function.zip"), []byte("a zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// join returns -var arguments, separated by line ends.
func join(variables ...map[string]string) string {
	all := make(map[string]string)
	for _, some := range variables {
		maps.Copy(all, some)
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-var="+name+"="+all[name])
	}
	return strings.Join(args, "\n")
}

func merge(some, more map[string]string) map[string]string {
	all := maps.Clone(some)
	maps.Copy(all, more)
	return all
}

// tofu runs OpenTofu in the project with this package's provider.
func (p project) tofu(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return p.tofuWith(t, nil, args...)
}

func (p project) tofuWith(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	program := os.Getenv("TOFU")
	if program == "" {
		t.Skip("TOFU does not name the program: run make terraform")
	}
	args = strings.Split(strings.Join(args, "\n"), "\n")
	command := exec.CommandContext(t.Context(), program, append([]string{"-chdir=" + filepath.Join(p.dir, "terraform")}, args...)...)
	command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+cliConfig, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "TF_CLI_ARGS_plan=-no-color", "TF_CLI_ARGS_apply=-no-color")
	command.Env = append(command.Env, env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (p project) ok(t *testing.T, args ...string) {
	t.Helper()
	if out, err := p.tofu(t, args...); err != nil {
		t.Fatalf("tofu %s: %v\n%s", args[0], err, out)
	}
}

// validate fails on warnings too: a deprecated argument is one.
func (p project) validate(t *testing.T) {
	t.Helper()
	out, err := p.tofu(t, "validate", "-json")
	var report struct {
		Diagnostics []struct{ Severity, Summary, Detail string }
	}
	if jsonErr := json.Unmarshal([]byte(out), &report); jsonErr != nil {
		t.Fatalf("tofu validate: %v\n%s", errors.Join(err, jsonErr), out)
	}
	for _, diagnostic := range report.Diagnostics {
		if !strings.Contains(diagnostic.Summary, "development overrides") {
			t.Errorf("%s: %s: %s", diagnostic.Severity, diagnostic.Summary, diagnostic.Detail)
		}
	}
}

type resource struct {
	Type      string
	Name      string
	Values    json.RawMessage
	DependsOn []string `json:"depends_on"`
}

func (r resource) read(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(r.Values, into); err != nil {
		t.Fatal(err)
	}
}

// state returns the deployed resources by type and name, one of each.
func (p project) state(t *testing.T) map[string]resource {
	t.Helper()
	out, err := p.tofu(t, "show", "-json")
	if err != nil {
		t.Fatalf("tofu show: %v\n%s", err, out)
	}
	var state struct {
		Values struct {
			Root struct{ Resources []resource } `json:"root_module"`
		}
	}
	if err := json.Unmarshal([]byte(out), &state); err != nil {
		t.Fatal(err)
	}
	resources := make(map[string]resource)
	for _, r := range state.Values.Root.Resources {
		resources[r.Type+"."+r.Name] = r
	}
	return resources
}

// allowed returns what a policy allows on each ARN.
func allowed(t *testing.T, r resource) map[string][]string {
	t.Helper()
	var values struct{ Policy string }
	r.read(t, &values)
	var policy struct {
		Statement []struct {
			Effect           string
			Action, Resource []string
		}
	}
	if err := json.Unmarshal([]byte(values.Policy), &policy); err != nil {
		t.Fatal(err)
	}
	actions := make(map[string][]string)
	for _, statement := range policy.Statement {
		if statement.Effect != "Allow" {
			continue
		}
		for _, arn := range statement.Resource {
			actions[arn] = append(actions[arn], statement.Action...)
		}
	}
	return actions
}

// cliConfig makes OpenTofu take the provider from here instead of a registry.
var cliConfig string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tfprovider-")
	if err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "terraform-provider-aws"), ".")
	build.Stderr = os.Stderr
	cliConfig = filepath.Join(dir, "tofurc")
	config := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = %q\n  }\n  direct {}\n}\n", dir)
	if err := errors.Join(build.Run(), os.WriteFile(cliConfig, []byte(config), 0o600)); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
