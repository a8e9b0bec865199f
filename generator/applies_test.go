package generator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppliesTo(t *testing.T) {
	tests := []struct {
		key  string
		want []Only
	}{
		{"name", nil},
		{"engine", []Only{{"type", []string{"db-pair", "db-single"}}}},
		{"provider", []Only{{"type", []string{"key"}}}},
		{"mode", []Only{{"type", []string{"key"}}}},
		{"users", []Only{{"type", []string{"db-pair"}}}},
		{"change_as", []Only{{"type", []string{"db-single"}}}},
		{"kind", []Only{{"engine", []string{"beta"}}}},
		{"shared", []Only{{"type", []string{"db-pair", "db-single"}}}},
		{"grace", []Only{{"mode", []string{"both"}}}},
		{"zone", []Only{{"provider", []string{"zeta"}}}},
	}
	c := openTree(t, map[string]string{
		"strategies/common/strategy.yaml": "title: Shared\nquestions: [{key: shared, optional: true}]\n",
		"strategies/both/strategy.yaml":   "mode: both\nincludes: [keys]\nquestions: [{key: grace, optional: true}]\n",
		"providers/zeta/provider.yaml":    "name: zeta\nquestions: [{key: zone, optional: true}]\n",
	})
	seen := 0
	for _, test := range tests {
		for _, q := range c.Questions {
			if q.Key != test.key {
				continue
			}
			seen++
			if diff := cmp.Diff(test.want, c.AppliesTo(q)); diff != "" && len(test.want)+len(c.AppliesTo(q)) > 0 {
				t.Errorf("%s (-want +got):\n%s", test.key, diff)
			}
		}
	}
	if seen != len(tests) {
		t.Errorf("%d of %d questions are asked", seen, len(tests))
	}
}
