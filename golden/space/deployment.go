package space

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/golden/hclcheck"
)

// The keys of a deployment.
const (
	keyARN     = "arn:aws:kms:eu-west-1:111122223333:key/"
	AdminKey   = keyARN + "admin"
	ReplicaKey = "arn:aws:kms:eu-central-1:111122223333:key/replica"
)

// Deployment is what one deployment with everything says, for those of the
// variables that there are: what the tests that ship say, which know what the
// target needs, and more. secret and admin are the ARNs of the secrets that exist
// already.
func Deployment(m *hclcheck.Module, secret, admin string) map[string]cty.Value {
	given := m.Tested()
	one := make(map[string]cty.Value)
	if tested, ok := given["secrets"]; ok {
		one = tested.GetAttr("first").AsValueMap()
	}
	say := m.Type("secrets").ElementType()
	for name, text := range map[string]string{
		"arn": secret, "name": "orders", "host": "db.example.com", "dbname": "orders", "username": "orders_a", "alternate_username": "orders_b",
		"admin_secret_arn": admin, "admin_kms_key_arn": AdminKey, "kms_key_arn": keyARN + "secret",
	} {
		if say.HasAttribute(name) {
			one[name] = cty.StringVal(text)
		}
		if name != "name" && m.Declares(name) {
			given[name] = cty.StringVal(text)
		}
	}
	put := func(name string, value cty.Value) {
		if m.Declares(name) {
			given[name] = value
		}
	}
	put("subnet_ids", cty.TupleVal([]cty.Value{cty.StringVal("subnet-0a1b2c3d"), cty.StringVal("subnet-4e5f6a7b")}))
	put("security_group_ids", cty.TupleVal([]cty.Value{cty.StringVal("sg-0a1b2c3d")}))
	put("interface_endpoint", cty.True)
	put("alert_emails", cty.TupleVal([]cty.Value{cty.StringVal("on-call@example.com")}))
	put("trail", cty.StringVal("create"))
	put("reader_arns", cty.TupleVal([]cty.Value{cty.StringVal("arn:aws:iam::" + hclcheck.Account + ":role/orders")}))
	put("consumer_endpoints", cty.ObjectVal(map[string]cty.Value{"eu-central-1": cty.ObjectVal(map[string]cty.Value{
		"vpc_id":             cty.StringVal("vpc-0a1b2c3d"),
		"subnet_ids":         cty.TupleVal([]cty.Value{cty.StringVal("subnet-8c9d0e1f")}),
		"security_group_ids": cty.TupleVal([]cty.Value{cty.StringVal("sg-8c9d0e1f")}),
	})}))
	if m.Creates("aws_secretsmanager_secret") {
		delete(one, "arn")
	} else {
		delete(one, "name") // which its ARN says
	}
	put("secrets", cty.ObjectVal(map[string]cty.Value{"orders": cty.ObjectVal(one)}))
	put("replicas", cty.ObjectVal(map[string]cty.Value{"eu-central-1": cty.ObjectVal(map[string]cty.Value{"kms_key_arn": cty.StringVal(ReplicaKey)})}))
	return given
}

// Seeded is what a deployment says once its secret has a value: that it has, or
// which of the secrets have.
func Seeded(m *hclcheck.Module) cty.Value {
	if m.Type("seeded") == cty.Bool {
		return cty.True
	}
	return cty.TupleVal([]cty.Value{cty.StringVal("orders")})
}
