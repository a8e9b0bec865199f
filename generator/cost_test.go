package generator

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A month has 730 hours, and so 30.4 days.
func TestRotationsAMonth(t *testing.T) {
	for schedule, want := range map[string]float64{
		"30d": 1.0139, "1d": 30.4167, "rate(1 day)": 30.4167, "rate(12 hours)": 60.8333,
		"cron(0 4 1 * ? *)": 30.4167, "cron(0 0,12 * * ? *)": 60.8333, // at most
	} {
		s, err := ParseSchedule(schedule)
		if err != nil {
			t.Fatal(err)
		}
		got := rotationsPerMonth(s)
		if math.Abs(got.Number-want) > 0.001 || (got.Note != "") != strings.HasPrefix(schedule, "cron") {
			t.Errorf("%s: %+v, want %.4f", schedule, got, want)
		}
	}
}

func TestCostOfLayers(t *testing.T) {
	const file = "project/cost.yaml"
	cost := func(manifest string, assume map[string]float64) (*Bill, error) {
		t.Helper()
		c := openTree(t, map[string]string{file: manifest})
		s, err := c.Resolve(pairAnswers()).Spec()
		if err != nil {
			t.Fatal(err)
		}
		plan, err := NewRenderer(c).Plan(s)
		if err != nil || strings.Contains(plan.String(), costFile) {
			t.Errorf("error %v, plan:\n%s", err, plan)
		}
		return c.Resolve(pairAnswers()).Bill(assume)
	}
	bill, err := cost(`
items:
  - { what: secrets, price: secret, count: 2, per: [secrets, zones] }
  - { what: keys, price: kms-key, count: 1, only: wanted }
  - { what: keys of many zones, price: kms-key, count: 1, if: hours }
  - { what: calls, price: secrets-manager-call, count: 2 }
  - { what: nothing, price: kms-key, count: 0 }
  - { what: another layer's, price: kms-key, count: 1, unless: project }
unknown: [this, this]
`, map[string]float64{"secrets": 3, "hours": 0})
	if err != nil {
		t.Fatal(err)
	}
	if got := bill.Total(); math.Abs(got-2*3*2*0.4-2*0.000005) > 1e-9 {
		t.Errorf("total %f", got)
	}
	table := CostTable{
		AsOf: bill.AsOf, Region: bill.Region, Total: "4.80", Unknown: []string{"this"},
		Lines:       []string{"secrets | 4.80", "calls | less than 0.01"},
		Conditional: []string{"keys, if wanted | 1.00"},
	}
	if diff := cmp.Diff(table, bill.Table()); diff != "" {
		t.Errorf("in words (-want +got):\n%s", diff)
	}
	if len(bill.Unknown) != 1 {
		t.Errorf("unknown: %q", bill.Unknown)
	}
	for manifest, want := range map[string]string{
		"items: [{what: x, price: gold, count: 1}]":                   `project/cost.yaml: x: unknown price "gold"`,
		"items: [{what: x, price: secret, count: 1, per: [planets]}]": `project/cost.yaml: x: unknown number "planets"`,
		"items: [{what: x, price: secret, amount: 1}]":                "project/cost.yaml: yaml: ",
	} {
		if _, err := cost(manifest, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", manifest, err, want)
		}
	}
}
