package generator

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// retryDays is what a rotation that fails at first has for coming about, before somebody is told that it is overdue.
const retryDays = 2

// overdueAfterDays returns the age of the last rotation, in days, from which the next one is overdue.
func (s schedule) overdueAfterDays() int {
	if m := ratePattern(s.expression); m != nil {
		days, _ := strconv.Atoi(m[1])
		if m[2] == "hour" {
			days = (days + 23) / 24
		}
		return days + retryDays
	}
	return longestGap(strings.Split(cronPattern(s.expression)[1], " ")) + retryDays
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

// within returns what reports whether a number is 5, in 1-5, */2 or 1/3; names stand for the numbers from 1 on.
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
