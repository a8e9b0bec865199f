package generator

import (
	"strings"
	"testing"
)

func TestReplicas(t *testing.T) {
	for _, test := range []struct{ region, replicas, fault string }{
		{"", "", ""},
		{"", ",", ""},
		{"eu-west-1", "eu-central-1, us-east-1", ""},
		{"", "cn-north-1,cn-northwest-1", ""},
		{"us-gov-west-1", "us-gov-east-1", ""},
		{"eu-west-1", "eu-west-1", "is that of the secret itself"},
		{"", "eu-west-1,eu-central-1,eu-west-1", "is twice in replicas"},
		{"", "Frankfurt", `bad region "Frankfurt"`},
		{"eu-west-1", "cn-north-1", "different partitions"},
		{"", "us-east-1,us-gov-east-1", "different partitions"},
	} {
		q := named(t, "replicas")
		_, err := q.Validate(test.replicas, &Resolution{values: map[string]string{"region": test.region}})
		if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("replicas %q of %q: error %v, want %q", test.replicas, test.region, err, test.fault)
		}
	}
}
