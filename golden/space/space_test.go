package space

import (
	"slices"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/templates"
)

// OpenTofu judges few projects, which have every type and every answer that
// changes Terraform.
func TestCover(t *testing.T) {
	c, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Cover(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range Bases(c) {
		choices, err := Choices(c, base)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range choices {
			changes, err := changesTerraform(generator.NewRenderer(c), base, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, value := range o.Values {
				if changes && !slices.ContainsFunc(rows, func(row map[string]string) bool {
					return row["type"] == base["type"] && row["mode"] == base["mode"] && row[o.Key] == value
				}) {
					t.Errorf("%s %s never meets %s=%s", base["type"], base["mode"], o.Key, value)
				}
			}
		}
	}
	if len(rows) > 3*len(Bases(c))+3 {
		t.Errorf("%d rows for %d types and modes", len(rows), len(Bases(c)))
	}
}

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
