package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// apply deploys an emitted project to nowhere and returns what it made.
func (p project) apply(t *testing.T, variables ...map[string]string) map[string]resource {
	t.Helper()
	p.ok(t, "apply", "-auto-approve", join(variables...))
	return p.state(t)
}

// B13: a role's name is the account's, so the region is in it. Each resource that a project matches by a pattern is its
// own and not that of a project whose name begins with its name.
func TestNamesAreTheProjectsOwn(t *testing.T) {
	t.Parallel()
	p := emit(t, "--type=rds-two-user", "--set=network=public")
	state := p.apply(t, secrets(twoUsers), map[string]string{
		"path": "/rotation/", "permissions_boundary": "arn:aws:iam::111122223333:policy/boundary", "dashboard": "true", "seeded": `["orders"]`})
	var role struct {
		Name, Path          string
		PermissionsBoundary string `json:"permissions_boundary"`
	}
	state["aws_iam_role.this"].read(t, &role)
	if role.Name != "orders-db-eu-west-1" || role.Path != "/rotation/" || !strings.HasSuffix(role.PermissionsBoundary, ":policy/boundary") {
		t.Errorf("the role is %+v", role)
	}
	if dashboard := string(state["aws_cloudwatch_dashboard.this"].Values); !strings.Contains(dashboard, `"dashboard_name":"orders-db-eu-west-1"`) {
		t.Errorf("dashboards have names of the account, not of the region: %.200s", dashboard)
	}
	for address, r := range state {
		if strings.Contains(string(r.Values), "orders-db-*") {
			t.Errorf("%s also matches orders-db-2: %s", address, r.Values)
		}
	}
}

// B12: a destroy leaves no bucket behind, and its files do not pile up.
func TestTrailCanBeTakenDown(t *testing.T) {
	t.Parallel()
	p := emit(t, "--type=rds-two-user", "--set=network=public")
	variables := join(secrets(twoUsers), map[string]string{"trail": "create", "seeded": `["orders"]`})
	p.ok(t, "apply", "-auto-approve", variables)
	state := p.state(t)
	if bucket := string(state["aws_s3_bucket.trail"].Values); !strings.Contains(bucket, `"force_destroy":true`) {
		t.Error("destroy would fail with BucketNotEmpty")
	}
	if lifecycle := string(state["aws_s3_bucket_lifecycle_configuration.trail"].Values); !strings.Contains(lifecycle, `"days":7`) {
		t.Errorf("the bucket grows for ever: %s", lifecycle)
	}
	p.ok(t, "destroy", "-auto-approve", variables)
	if left := p.state(t); len(left) > 0 {
		t.Errorf("destroy leaves %d resources", len(left))
	}
}

// B14: without provider.tf the folder is a module of another configuration, with the package from a path or from S3.
func TestFolderIsAModule(t *testing.T) {
	t.Parallel()
	p := emit(t, "--type=rds-two-user", "--set=network=public")
	for _, name := range []string{"terraform/provider.tf", "dist/function.zip"} {
		if err := os.Remove(filepath.Join(p.dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	zip := filepath.Join(t.TempDir(), "built.zip")
	if err := os.WriteFile(zip, []byte("a zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{
		"path": fmt.Sprintf("package_path = %q", zip),
		"S3":   `package_s3 = { bucket = "builds", key = "orders-db.zip", version = "v1" }`,
	} {
		t.Run(name, func(t *testing.T) {
			parent := project{dir: t.TempDir()}
			if err := os.Mkdir(filepath.Join(parent.dir, "terraform"), 0o755); err != nil {
				t.Fatal(err)
			}
			config := fmt.Sprintf(`
provider "aws" {}

module "rotators" {
  for_each = { orders = "orders_a", invoices = "invoices_a" }
  source   = %q

  name                = each.key
  secrets             = { db = { host = "db.example.com", dbname = each.key, username = each.value, alternate_username = "b", admin_secret_arn = %q } }
  users               = "preprovisioned"
  schedule_expression = "rate(30 days)"
  overdue_after_days  = 32
  trail               = "existing"
  seeded              = ["db"]
  %s
}
`, filepath.Join(p.dir, "terraform"), adminARN, from)
			if err := os.WriteFile(filepath.Join(parent.dir, "terraform", "main.tf"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			parent.ok(t, "get")
			parent.validate(t)
			parent.ok(t, "apply", "-auto-approve")
			parent.ok(t, "plan", "-detailed-exitcode")
			out, err := parent.tofu(t, "state", "list")
			if err != nil || strings.Count(out, "aws_secretsmanager_secret_rotation.this") != 2 {
				t.Errorf("error %v, state:\n%s", err, out)
			}
		})
	}
}

// The defaults are cheap: topics have no key of their own, and a dashboard is made when it is asked for.
func TestDefaultsAreCheap(t *testing.T) {
	t.Parallel()
	for kms, want := range map[string]string{"create": `"kms_master_key_id":"` + newKeyARN + `"`, "aws": `"kms_master_key_id":null`, "existing": `"kms_master_key_id":null`} {
		t.Run(kms, func(t *testing.T) {
			t.Parallel()
			p := emit(t, "--type=rds-two-user", "--set=network=public", "--set=kms="+kms)
			variables := secrets(twoUsers)
			if kms == "existing" {
				variables["kms_key_arn"] = keyARN
			}
			state := p.apply(t, variables)
			for _, address := range []string{"aws_cloudwatch_dashboard.this", "aws_kms_key.topics"} {
				if _, made := state[address]; made {
					t.Errorf("%s is made", address)
				}
			}
			for _, address := range []string{"aws_sns_topic.alerts", "aws_sns_topic.refresh"} {
				if topic := string(state[address].Values); !strings.Contains(topic, want) {
					t.Errorf("%s: want %s in %s", address, want, topic)
				}
			}
			if kms != "create" {
				return
			}
			key := string(state["aws_kms_key.this"].Values)
			for _, name := range []string{"cloudwatch.amazonaws.com", "events.amazonaws.com", "kms:EncryptionContext:aws:sns:topicArn", ":orders-db-alerts", ":orders-db-refresh"} {
				if !strings.Contains(key, name) {
					t.Errorf("the key's policy lacks %s: %s", name, key)
				}
			}
		})
	}
}

// The security groups that let the function reach its database are made where the database's own group is told, and the
// function's group is taken as given where it is told.
func TestDatabaseLetsTheFunctionIn(t *testing.T) {
	t.Parallel()
	subnets := map[string]string{"subnet_ids": `["subnet-1"]`}
	for name, test := range map[string]struct {
		answers []string
		given   map[string]string
		want    []string // groups and rules
	}{
		"a group of its own": {
			[]string{"--type=rds-two-user"},
			map[string]string{"database_security_group_id": "sg-db"},
			[]string{"aws_security_group.function", "aws_vpc_security_group_egress_rule.https", "aws_vpc_security_group_egress_rule.database", "aws_vpc_security_group_ingress_rule.database"},
		},
		"a group of yours, and the rule": {
			[]string{"--type=rds-two-user"},
			map[string]string{"database_security_group_id": "sg-db", "security_group_ids": `["sg-1"]`},
			[]string{"aws_vpc_security_group_ingress_rule.database"},
		},
		"a group of yours": {
			[]string{"--type=rds-two-user"},
			map[string]string{"security_group_ids": `["sg-1"]`},
			nil,
		},
		"a provider": {
			[]string{"--type=api-key", "--provider=openai", "--set=network=vpc"},
			map[string]string{"secrets": `{orders={account={project_id="p",service_account_id="s"},admin_secret_arn="` + adminARN + `"}}`},
			[]string{"aws_security_group.function", "aws_vpc_security_group_egress_rule.https"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := emit(t, test.answers...)
			variables := join(secrets(twoUsers), subnets, test.given)
			p.ok(t, "apply", "-auto-approve", variables)
			p.ok(t, "plan", "-detailed-exitcode", variables)
			state := p.state(t)
			var made []string
			for address := range state {
				if strings.Contains(address, "security_group") {
					made = append(made, address)
				}
			}
			slices.Sort(made)
			slices.Sort(test.want)
			if !slices.Equal(made, test.want) {
				t.Errorf("made %q, want %q", made, test.want)
			}
			if rule, ok := state["aws_vpc_security_group_ingress_rule.database"]; ok && !strings.Contains(string(rule.Values), `"from_port":5432`) {
				t.Errorf("the database's port is not let in: %s", rule.Values)
			}
		})
	}
	p := emit(t, "--type=rds-two-user")
	if out, err := p.tofu(t, "plan", join(secrets(twoUsers), subnets)); err == nil || !strings.Contains(out, "database_security_group_id") {
		t.Errorf("neither group is told: error %v:\n%s", err, out)
	}
}

// An interface endpoint with private DNS serves its whole VPC, so its policy admits credentials of this account only.
func TestEndpointsAdmitThisAccount(t *testing.T) {
	t.Parallel()
	p := emit(t, "--type=rds-two-user", "--set=replicas=eu-central-1")
	state := p.apply(t, secrets(twoUsers), map[string]string{
		"subnet_ids": `["subnet-1"]`, "security_group_ids": `["sg-1"]`, "interface_endpoint": "true",
		"consumer_endpoints": `{"eu-central-1"={vpc_id="vpc-1",subnet_ids=["subnet-2"],security_group_ids=["sg-2"]}}`})
	for _, name := range []string{"secrets_manager", "consumers"} {
		if endpoint := string(state["aws_vpc_endpoint."+name].Values); !strings.Contains(endpoint, "aws:PrincipalAccount") {
			t.Errorf("%s: %s", name, endpoint)
		}
	}
}
