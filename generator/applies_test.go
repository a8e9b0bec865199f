package generator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppliesTo(t *testing.T) {
	tests := []struct {
		key            string
		types, engines []string
	}{
		{"name", nil, nil},
		{"users", []string{"db-pair"}, nil},
		{"change_as", []string{"db-single"}, nil},
		{"mode", nil, []string{"beta"}},
		{"shared", nil, nil},
	}
	c := openTree(t, map[string]string{
		"strategies/common/strategy.yaml": "title: Shared\nquestions: [{key: shared, optional: true}]\n",
	})
	for _, test := range tests {
		for _, q := range c.Questions() {
			if q.Key != test.key {
				continue
			}
			types, engines := c.AppliesTo(q)
			if diff := cmp.Diff([][]string{test.types, test.engines}, [][]string{types, engines}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.key, diff)
			}
		}
	}
}
