package database_test

import (
	"strings"
	"testing"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"

// T7 (B3): the configuration has one administrator for a secret, and says which.
func TestMandates(t *testing.T) {
	read := func(secrets string) (database.Mandates, error) {
		env := rotation.NewEnv(func(name string) (string, bool) { return secrets, name == "SECRETS" })
		mandates := database.MandatesFromEnv(env)
		return mandates, env.Err()
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"x":{}}`, `{"x":{"":[]}}`, `{"":{"a":[]}}`, `{"x":{"a":[]},"y":{"a":[]}}`, `{"x":{"a":[]}} y`,
	} {
		if _, err := read(bad); rotation.CodeOf(err) != rotation.CodeBadConfig || !strings.Contains(err.Error(), "SECRETS") {
			t.Errorf("%s: got %v, want it refused", bad, err)
		}
	}
	mandates, err := read(`{"root-AbCdEf":{"team/orders-AbCdEf":["orders_a","orders_b"]},"other-AbCdEf":{"bills-AbCdEf":[]}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		secret, admin, user string
		want                rotation.Code
	}{
		{arn + "team/orders-AbCdEf", arn + "root-AbCdEf", "orders_b", ""},
		{arn + "team/orders-AbCdEf", "", "orders_b", ""},
		{arn + "team/orders-AbCdEf", arn + "root-AbCdEf", "root", rotation.CodeBadUsers},
		{arn + "team/orders-AbCdEf", arn + "other-AbCdEf", "orders_a", rotation.CodeSecretNotAllowed},
		{arn + "team/orders-AbCdEf", "root-AbCdEf", "orders_a", rotation.CodeSecretNotAllowed},
		{arn + "bills-AbCdEf", arn + "other-AbCdEf", "any", ""},
		{arn + "orders-AbCdEf", arn + "root-AbCdEf", "orders_a", rotation.CodeSecretNotAllowed},
		{"team/orders-AbCdEf", arn + "root-AbCdEf", "orders_a", rotation.CodeSecretNotAllowed},
	} {
		mandate, err := mandates.Of(test.secret)
		if err == nil {
			err = mandate.Allows(database.Account{AdminARN: test.admin, User: test.user})
		}
		if rotation.CodeOf(err) != test.want {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}
