package golden

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/golden/hclcheck"
	"github.com/rotasmith/rotasmith/golden/space"
)

// The most that AWS takes of what grows with the secrets of one function.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	mostEnvironment    = 4096
	mostFunctionPolicy = 20 * 1024
	mostRolePolicy     = 10240
)

// TestLimitsAreToldBeforehand deploys more and more secrets with one function: as long
// as nothing is refused, all is within the limits of Lambda and IAM, and what is
// refused says so. Some twenty-five secrets always fit.
func TestLimitsAreToldBeforehand(t *testing.T) {
	c, renderer := openTemplates(t)
	schema := schemaOf(t)
	for _, base := range space.Bases(c) {
		files := terraform(t, renderer, base) // with a key for the secrets, which takes the most rights
		for _, name := range []string{"s", "prod/orders-db/users"} {
			t.Run(fmt.Sprint(base["type"], base["mode"], " ", name), func(t *testing.T) {
				most := 0
				for _, n := range []int{25, 40, 50, 60} {
					m := schema.Parse(files)
					d := m.Evaluate(manySecrets(m, n, name))
					environment, function, role := consumption(t, d)
					fits := environment <= mostEnvironment && function <= mostFunctionPolicy && role <= mostRolePolicy
					switch {
					case len(d.Refused) == 0 && !fits:
						t.Errorf("%d secrets are not refused: environment %d, policies %d and %d", n, environment, function, role)
					case len(d.Refused) == 0:
						most = n
					case !strings.Contains(d.Refused[0], "a function of their own"):
						t.Fatalf("%d secrets: %q", n, d.Refused)
					}
				}
				if most < 25 || most == 60 {
					t.Errorf("%d secrets fit", most)
				}
			})
		}
	}
}

// manySecrets is a deployment of n secrets that share an administrator.
func manySecrets(m *hclcheck.Module, n int, name string) map[string]cty.Value {
	given := space.Deployment(m, "", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-admin-AbCdEf")
	one := given["secrets"].GetAttr("orders").AsValueMap()
	all := make(map[string]cty.Value)
	for i := range n {
		one["name"] = cty.StringVal(fmt.Sprint(name, i))
		if _, ok := one["username"]; ok {
			one["username"] = cty.StringVal(fmt.Sprint("orders_a", i))
		}
		if _, ok := one["alternate_username"]; ok {
			one["alternate_username"] = cty.StringVal(fmt.Sprint("orders_b", i))
		}
		all[fmt.Sprint("s", i)] = cty.ObjectVal(one)
	}
	given["secrets"] = cty.ObjectVal(all)
	return given
}

// consumption is how long the function's environment is, its policy as Lambda writes
// it, and what the role's policies have together.
func consumption(t *testing.T, d *hclcheck.Deployment) (environment, function, role int) {
	t.Helper()
	lambda := d.All("aws_lambda_function")[0]
	for name, value := range lambda.Value.GetAttr("environment").AsValueSlice()[0].GetAttr("variables").AsValueMap() {
		environment += len(name) + len(value.AsString())
	}
	function = len(`{"Version":"2012-10-17","Id":"default","Statement":[]}`)
	for _, p := range d.All("aws_lambda_permission") {
		condition := map[string]any{"ArnLike": map[string]string{"AWS:SourceArn": p.Text("source_arn")}}
		if account := p.Text("source_account"); account != "" {
			condition["StringEquals"] = map[string]string{"AWS:SourceAccount": account}
		}
		statement, err := json.Marshal(map[string]any{
			"Sid": p.Text("statement_id"), "Effect": "Allow", "Principal": map[string]string{"Service": p.Text("principal")},
			"Action": p.Text("action"), "Resource": lambda.Text("arn"), "Condition": condition,
		})
		if err != nil {
			t.Fatal(err)
		}
		function += len(statement) + len(",")
	}
	for _, p := range d.All("aws_iam_role_policy") {
		role += len(p.Text("policy"))
	}
	return environment, function, role
}
