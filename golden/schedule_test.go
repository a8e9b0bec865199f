package golden

import (
	"maps"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/generator"
)

// TestSchedulesAreJudgedAlike holds what Terraform takes for a schedule and a window
// to what the generator takes: a value that was right when it was asked for is right
// when it is deployed, and one that is edited later is held to the same rules.
func TestSchedulesAreJudgedAlike(t *testing.T) {
	c, renderer := openTemplates(t)
	schema := schemaOf(t)
	answers := map[string]string{"name": "orders", "type": "rds-two-user", "engine": "postgres"}
	files := terraform(t, renderer, answers)
	for _, test := range []struct {
		schedule, window string
		right            bool
	}{
		{"rate(30 days)", "", true},
		{"rate(1 day)", "24h", true},
		{"rate(1 days)", "", false},
		{"rate(30 day)", "", false},
		{"rate(999 days)", "", true},
		{"rate(1000 days)", "", false},
		{"rate(0 days)", "", false},
		{"rate(030 days)", "", false},
		{"rate(4 hours)", "4h", true},
		{"rate(4 hours)", "5h", false},
		{"rate(3 hours)", "", false},
		{"rate(23976 hours)", "24h", true},
		{"rate(23977 hours)", "", false},
		{"rate(30 minutes)", "", false},
		{"cron(0 3 ? * SUN *)", "21h", true},
		{"cron(0 3 ? * SUN *)", "22h", false},
		{"cron(0 3 ? * SUN *)", "0h", false},
		{"cron(0 3 ? * SUN *)", "25h", false},
		{"cron(0 3 ? * SUN *)", "90m", false},
		{"cron(30 3 ? * SUN *)", "", false},
		{"cron(0 3 1 * SUN *)", "", false},
		{"cron(0 3 ? * ? *)", "", false},
		{"cron(0 3 1 * ? 2027)", "", false},
		{"cron(0  3 1 * ? *)", "", false},
		{"cron(0 3 1 * ?)", "", false},
		{"cron(0 3 L * ? *)", "", true},
		{"cron(0 3 15W * ? *)", "", true},
		{"cron(0 3 1 JAN-JUN/2 ? *)", "", true},
		{"cron(0 3 first * ? *)", "", false},
		{"cron(0 3 ? * 2#1 *)", "", true},
		{"cron(0 3 ? * 0 *)", "", false},
		{"cron(0 3 ? january MON *)", "", false},
		{"cron(0 4,16 * * ? *)", "8h", true},
		{"cron(0 4,16 * * ? *)", "9h", false},
		{"cron(0 16,4,16 * * ? *)", "8h", true},
		{"cron(0 4-20/8 * * ? *)", "4h", true},
		{"cron(0 */4 * * ? *)", "4h", true},
		{"cron(0 2/6 * * ? *)", "4h", true},
		{"cron(0 2/6 * * ? *)", "5h", false},
		{"cron(0 */3 * * ? *)", "", false},
		{"cron(0 22,1 * * ? *)", "", false},
		{"cron(0 * * * ? *)", "", false},
		{"cron(0 20-4 * * ? *)", "", false},
		{"cron(0 20-4/4 * * ? *)", "", false},
		{"cron(0 20-23/4,0-4/4 * * ? *)", "4h", true},
		{"cron(0 24 * * ? *)", "", false},
		{"cron(0 4,,16 * * ? *)", "", false},
		{"cron(0 4/0 * * ? *)", "", false},
		{"cron(0 +4 * * ? *)", "", false},
		{"cron(0 004 * * ? *)", "", false},
		{"every sunday", "", false},
	} {
		t.Run(test.schedule+" "+test.window, func(t *testing.T) {
			asked := map[string]string{"schedule": test.schedule, "window": test.window}
			given := map[string]cty.Value{
				"schedule_expression": cty.StringVal(test.schedule), "window": cty.StringVal(test.window), "overdue_after_days": cty.NumberIntVal(1001),
			}
			if test.window == "" {
				delete(asked, "window")
				given["window"] = cty.NullVal(cty.String)
			}
			maps.Copy(asked, answers)
			if _, err := c.Resolve(generator.Texts(asked)).Spec(); (err == nil) != test.right {
				t.Errorf("the generator says %v", err)
			}
			m := schema.Parse(files)
			refused := m.Evaluate(given).Refused
			if (len(refused) == 0) != test.right {
				t.Errorf("Terraform says %q", refused)
			}
			if findings := m.Findings(); test.right && len(findings) > 0 {
				t.Errorf("Terraform fails without a reason: %v", findings)
			}
		})
	}
}
