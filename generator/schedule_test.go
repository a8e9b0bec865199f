package generator

import "testing"

// An alarm must allow for the longest time between two windows, in every year.
func TestOverdueAfterDays(t *testing.T) {
	for value, want := range map[string]int{
		"30d":                              30 + 2,
		"rate(12 hours)":                   1 + 2,
		"rate(25 hours)":                   2 + 2,
		"cron(0 4 ? * * *)":                1 + 2,
		"cron(0 4 ? * SUN *)":              7 + 2,
		"cron(0 4 ? * MON-FRI *)":          3 + 2,
		"cron(0 4 ? * FRI-MON *)":          4 + 2,
		"cron(0 4 ? * L *)":                7 + 2,
		"cron(0 4 ? * 6L *)":               35 + 2,
		"cron(0 4 ? * 6#2 *)":              35 + 2,
		"cron(0 4 ? * SUN#5 *)":            119 + 2,
		"cron(0 4 ? * SUN#1,SUN#3 *)":      21 + 2,
		"cron(0 4 1 * ? *)":                31 + 2,
		"cron(0 4 1,15 * ? *)":             17 + 2,
		"cron(0 4 */10 * ? *)":             10 + 2,
		"cron(0 4 L * ? *)":                31 + 2,
		"cron(0 4 15W * ? *)":              32 + 2,
		"cron(0 4 31 * ? *)":               61 + 2,
		"cron(0 4 1 1/3 ? *)":              92 + 2,
		"cron(0 4 1 JAN ? *)":              366 + 2,
		"cron(0 4 29 2 ? *)":               1461 + 2,
		"cron(0 4-20/8 ? JAN-DEC SUN#1 *)": 35 + 2,
		"cron(0 4 ? DEC-JAN MON *)":        315 + 2,
	} {
		s, err := ParseSchedule(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.OverdueAfterDays(); got != want {
			t.Errorf("%s: overdue after %d days, want %d", value, got, want)
		}
	}
}
