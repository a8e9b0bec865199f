package golden

import (
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/golden/space"
)

// TestBillsCountWhatIsDeployed holds what a bill counts a month to what Terraform
// makes of the same answers, one secret and no variable that makes more.
func TestBillsCountWhatIsDeployed(t *testing.T) {
	words := map[string]string{"aws_cloudwatch_metric_alarm": "alarms", "aws_cloudwatch_dashboard": "dashboard", "aws_kms_key": "key"}
	c, renderer := openTemplates(t)
	schema := schemaOf(t)
	rows, err := space.Cover(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, replicas := range []string{"", "eu-central-1,eu-north-1"} {
			answers := maps.Clone(row)
			answers["replicas"] = replicas
			if replicas != "" && (row["secret"] == "existing" || row["kms"] == "existing") {
				continue // not made by the project, and not counted
			}
			bill, err := c.Resolve(generator.Texts(answers)).Bill(nil)
			if err != nil {
				t.Fatal(err)
			}
			m := schema.Parse(terraform(t, renderer, answers))
			given := space.Deployment(m, doubleARN(t, roleSecret), doubleARN(t, roleAdmin))
			given["seeded"] = space.Seeded(m)
			for _, name := range []string{"replicas", "consumer_endpoints"} { // those of terraform.tfvars
				delete(given, name)
			}
			d := m.Evaluate(given)
			if findings := m.Findings(); len(findings) > 0 || len(d.Refused) > 0 {
				t.Fatalf("%v: %v %v", answers, findings, d.Refused)
			}
			for kind, word := range words {
				counted := 0.0
				for _, line := range bill.Lines {
					if strings.Contains(line.What, word) && line.Price.Unit == "a month" && (line.Only == "" || row["alerts"] == "none") {
						counted += line.Count
					}
				}
				if made := float64(len(d.All(kind))); math.Abs(counted-made) > 1e-9 {
					t.Errorf("%v: %v of %s are made, and %v counted", answers, made, kind, counted)
				}
			}
		}
	}
}
