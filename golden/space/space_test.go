package space

import (
	"slices"
	"testing"
)

func TestPairsMeet(t *testing.T) {
	all := []Option{{"a", []string{"1", "2", "3"}}, {"b", []string{"1", "2"}}, {"c", []string{"1", "2", "3"}}, {"d", []string{"1"}}, {"e", []string{"1", "2"}}}
	rows := Pairs(all)
	for i, a := range all {
		for _, b := range all[i+1:] {
			for _, x := range a.Values {
				for _, y := range b.Values {
					if !slices.ContainsFunc(rows, func(row map[string]string) bool { return row[a.Key] == x && row[b.Key] == y }) {
						t.Errorf("%s=%s never meets %s=%s", a.Key, x, b.Key, y)
					}
				}
			}
		}
	}
	if len(rows) > 12 {
		t.Errorf("%d rows, 9 would do", len(rows))
	}
}
