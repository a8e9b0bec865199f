package generator

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	ratePattern = regexpOnce(`^rate\(([0-9]{1,5}) (hour|day)(s?)\)$`)
	cronPattern = regexpOnce(`^cron\(([^()]*)\)$`)
	hoursItem   = regexpOnce(`^(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[1-9][0-9]?)?$`)
	dayOfMonth  = regexpOnce(`^(\?|\*|L|[0-9]{1,2}W|[0-9*][0-9,*/-]*)$`)
	month       = regexpOnce(`^[0-9A-Z*][0-9A-Z,*/-]*$`)
	dayOfWeek   = regexpOnce(`^(\?|\*|L|[1-7A-Z*][0-9A-Z,*/#-]*)$`)
)

// validateSchedule refuses what Secrets Manager would.
func validateSchedule(value string, so *Resolution) error {
	_, err := so.parseSchedule(value)
	return err
}

// validateWindow refuses a window that Secrets Manager would refuse beside the schedule.
func validateWindow(value string, so *Resolution) error {
	const hint = "whole hours from 1h to 24h"
	digits, ok := strings.CutSuffix(value, "h")
	hours, err := strconv.Atoi(digits)
	if !ok || err != nil || strconv.Itoa(hours) != digits || hours < 1 || hours > 24 {
		return advise(hint, "bad window %q", value)
	}
	if s, err := so.Schedule(); err == nil && hours > s.longestWindow() {
		return advise(fmt.Sprintf("at most %dh with this schedule, or set schedule to another", s.longestWindow()),
			"window %q reaches into the next rotation window or the next day (UTC) of schedule %q", value, so.Get("schedule"))
	}
	return nil // a bad schedule is reported where it stands
}

// Schedule is a rotation schedule as Secrets Manager takes it.
type Schedule struct {
	Expression string // rate(...) or cron(...)
	everyHours int    // of a rate in hours, otherwise 0
	everyDays  int    // of a rate in days, otherwise 0
	hours      []int  // the hours of the day at which windows open, ascending
}

// longestWindow returns the hours until the next window or the next UTC day, whichever comes first: Secrets Manager refuses longer ones.
func (s *Schedule) longestWindow() int {
	if s.everyHours > 0 {
		return min(s.everyHours, 24)
	}
	most := 24 - s.hours[len(s.hours)-1]
	for i := 1; i < len(s.hours); i++ {
		most = min(most, s.hours[i]-s.hours[i-1])
	}
	return most
}

// ParseSchedule reads 30d, rate(N hours|days) and cron(...) by Secrets Manager's rules: UTC, on the hour, at most every four hours, at
// most 999 days apart.
func ParseSchedule(value string) (*Schedule, error) {
	const hint = "30d, rate(12 hours), rate(30 days) or cron(0 4 1 * ? *)"
	expr := value
	if digits, ok := strings.CutSuffix(value, "d"); ok {
		unit := " days)"
		if digits == "1" {
			unit = " day)"
		}
		expr = "rate(" + digits + unit
	}
	if m := ratePattern(expr); m != nil {
		n, _ := strconv.Atoi(m[1])
		if strconv.Itoa(n) != m[1] || (n == 1) != (m[3] == "") {
			return nil, advise(hint, "bad schedule %q", value)
		}
		switch {
		case m[2] == "day" && (n < 1 || n > 999):
			return nil, advise("from 1 to 999 days", "schedule %q is out of range", value)
		case m[2] == "hour" && (n < 4 || n > 999*24):
			return nil, advise("at least 4 hours and at most 999 days", "schedule %q is out of range", value)
		case m[2] == "hour":
			return &Schedule{Expression: expr, everyHours: n}, nil
		}
		return &Schedule{Expression: expr, everyDays: n, hours: []int{0}}, nil
	}
	if m := cronPattern(expr); m != nil {
		hours, err := parseCron(m[1])
		if err != nil {
			return nil, advise(hint, "bad schedule %q: %v", value, err)
		}
		return &Schedule{Expression: expr, hours: hours}, nil
	}
	return nil, advise(hint, "bad schedule %q", value)
}

// parseCron checks the six fields and returns the hours at which it opens a window.
func parseCron(fields string) ([]int, error) {
	f := strings.Split(fields, " ")
	if len(f) != 6 {
		return nil, errors.New("cron takes six fields, one space between: minutes hours day-of-month month day-of-week year")
	}
	switch {
	case f[0] != "0":
		return nil, errors.New("the minutes must be 0")
	case f[5] != "*":
		return nil, errors.New("the year must be *")
	case (f[2] == "?") == (f[4] == "?"):
		return nil, errors.New("one of day-of-month and day-of-week must be ?, and only one")
	case dayOfMonth(f[2]) == nil:
		return nil, fmt.Errorf("bad day-of-month %q", f[2])
	case month(f[3]) == nil:
		return nil, fmt.Errorf("bad month %q", f[3])
	case dayOfWeek(f[4]) == nil:
		return nil, fmt.Errorf("bad day-of-week %q", f[4])
	case !everOpens(f):
		return nil, errors.New("no such day ever comes")
	}
	return parseHours(f[1])
}

func parseHours(field string) ([]int, error) {
	var hours []int
	for item := range strings.SplitSeq(field, ",") {
		if hoursItem(item) == nil {
			return nil, fmt.Errorf("bad hours %q", field)
		}
		span, stepText, stepped := strings.Cut(item, "/")
		fromText, toText, ranged := strings.Cut(span, "-")
		if span == "*" {
			fromText = "0"
		}
		from, err1 := strconv.Atoi(fromText)
		to, step := from, 1
		var err2, err3 error
		switch {
		case ranged:
			to, err2 = strconv.Atoi(toText)
		case stepped || span == "*":
			to = 23
		}
		if stepped {
			step, err3 = strconv.Atoi(stepText)
		}
		if err := errors.Join(err1, err2, err3); err != nil || from < 0 || from > to || to > 23 || step < 1 {
			return nil, fmt.Errorf("bad hours %q", field)
		}
		for h := from; h <= to; h += step {
			hours = append(hours, h)
		}
	}
	slices.Sort(hours)
	hours = slices.Compact(hours)
	for i, h := range hours {
		next := hours[(i+1)%len(hours)]
		if len(hours) > 1 && (next-h+24)%24 < 4 {
			return nil, fmt.Errorf("hours %q come more often than every 4 hours", field)
		}
	}
	return hours, nil
}

// retryDays is how many days a failed rotation has for its retries before the alarm for overdue rotations fires.
const retryDays = 2

// OverdueAfterDays returns the age of the last rotation, in days, from which the next one is overdue.
func (s *Schedule) OverdueAfterDays() int {
	switch {
	case s.everyHours > 0:
		return (s.everyHours+23)/24 + retryDays
	case s.everyDays > 0:
		return s.everyDays + retryDays
	}
	return longestGap(strings.Split(cronPattern(s.Expression)[1], " ")) + retryDays
}

// longestGap returns the most days between two days on which the six fields of a cron expression open a window.
func longestGap(fields []string) int {
	gap, last := 0, -1
	for n := range daysWithWindow(fields) {
		if last >= 0 {
			gap = max(gap, n-last)
		}
		last = n
	}
	return gap
}

// everOpens reports whether the six fields of a cron expression open a window on any day at all.
func everOpens(fields []string) bool {
	for range daysWithWindow(fields) {
		return true
	}
	return false
}

// daysWithWindow counts through the days on which the six fields of a cron expression open a window.
func daysWithWindow(fields []string) iter.Seq[int] {
	opens := []onDay{
		anyItem(fields[3], inMonth),
		anyItem(fields[2], onDate),
		anyItem(fields[4], onWeekday),
	}
	return func(yield func(int) bool) {
		day := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		for n := range 29 * 366 { // after 28 years dates fall on the same days of the week again
			if !slices.ContainsFunc(opens, func(open onDay) bool { return !open(day) }) && !yield(n) {
				return
			}
			day = day.AddDate(0, 0, 1)
		}
	}
}

// onDay reports whether a field, or an item of it, has a day.
type onDay func(day time.Time) bool

func anyItem(field string, match func(item string) onDay) onDay {
	var items []onDay
	for item := range strings.SplitSeq(field, ",") {
		if item == "?" || item == "*" {
			return func(time.Time) bool { return true }
		}
		items = append(items, match(item))
	}
	return func(day time.Time) bool {
		return slices.ContainsFunc(items, func(has onDay) bool { return has(day) })
	}
}

func inMonth(item string) onDay {
	has := within(item, "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	return func(day time.Time) bool { return has(int(day.Month())) }
}

// onDate also knows L, the last day of a month, and 15W, the working day that is nearest to the 15th within its month.
func onDate(item string) onDay {
	if item == "L" {
		return func(day time.Time) bool { return day.AddDate(0, 0, 1).Day() == 1 }
	}
	near, ok := strings.CutSuffix(item, "W")
	if !ok {
		has := within(item, "")
		return func(day time.Time) bool { return has(day.Day()) }
	}
	wanted, _ := strconv.Atoi(near)
	return func(day time.Time) bool {
		switch off := wanted - day.Day(); day.Weekday() {
		case time.Saturday, time.Sunday:
			return false
		case time.Friday: // the 15th is a Saturday, or the month ends with this weekend
			return off == 0 || off == 1 || off == 2 && day.AddDate(0, 0, 3).Day() == 1
		case time.Monday: // the 15th was a Sunday, or the month began with this weekend
			return off == 0 || off == -1 || off == -2 && day.Day() == 3
		default:
			return off == 0
		}
	}
}

// onWeekday also knows 6L, the last Friday of a month, and 6#2, its second one; L alone is Saturday.
func onWeekday(item string) onDay {
	item, nth, counted := strings.Cut(item, "#")
	count, _ := strconv.Atoi(nth)
	name, last := strings.CutSuffix(item, "L")
	if name == "" {
		name, last = "SAT", false
	}
	has := within(name, "SUN MON TUE WED THU FRI SAT")
	return func(day time.Time) bool {
		return has(int(day.Weekday())+1) &&
			(!counted || (day.Day()+6)/7 == count) &&
			(!last || day.AddDate(0, 0, 7).Month() != day.Month())
	}
}

// within compiles one cron item, such as 5, 1-5, */2 or 1/3, into a predicate; names stand for the numbers from 1 on.
func within(item, names string) func(n int) bool {
	number := func(s string) int {
		if at := strings.Index(names, s); at >= 0 && len(s) == 3 {
			return at/4 + 1
		}
		value, _ := strconv.Atoi(s)
		return value
	}
	span, step, stepped := strings.Cut(item, "/")
	low, high, ranged := strings.Cut(span, "-")
	if span == "*" {
		low = "1"
	}
	from, to := number(low), number(low)
	switch {
	case ranged:
		to = number(high)
	case stepped:
		to = math.MaxInt
	}
	by := max(number(step), 1)
	if from > to { // FRI-MON
		return func(n int) bool { return from > 0 && (n >= from || n <= to) }
	}
	return func(n int) bool { return from > 0 && from <= n && n <= to && (n-from)%by == 0 }
}
