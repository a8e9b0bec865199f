package generator

import (
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
	first := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range 29 * 366 { // after 28 years dates fall on the same days of the week again
		if !opens(fields, first.AddDate(0, 0, n)) {
			continue
		}
		if last >= 0 {
			gap = max(gap, n-last)
		}
		last = n
	}
	return gap
}

func opens(fields []string, day time.Time) bool {
	month := func(item string) bool {
		return within(item, int(day.Month()), "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	}
	return anyItem(fields[3], month) &&
		anyItem(fields[2], func(item string) bool { return onDate(item, day) }) &&
		anyItem(fields[4], func(item string) bool { return onWeekday(item, day) })
}

func anyItem(field string, match func(item string) bool) bool {
	for item := range strings.SplitSeq(field, ",") {
		if item == "?" || item == "*" || match(item) {
			return true
		}
	}
	return false
}

// onDate also knows L, the last day of a month, and 15W, the working day that is nearest to the 15th within its month.
func onDate(item string, day time.Time) bool {
	lastOfMonth := day.AddDate(0, 0, 1).Day() == 1
	if item == "L" {
		return lastOfMonth
	}
	near, ok := strings.CutSuffix(item, "W")
	if !ok {
		return within(item, day.Day(), "")
	}
	wanted, _ := strconv.Atoi(near)
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

// onWeekday also knows 6L, the last Friday of a month, and 6#2, its second one; L alone is Saturday.
func onWeekday(item string, day time.Time) bool {
	const names = "SUN MON TUE WED THU FRI SAT"
	weekday := int(day.Weekday()) + 1
	if name, nth, ok := strings.Cut(item, "#"); ok {
		return within(name, weekday, names) && strconv.Itoa((day.Day()+6)/7) == nth
	}
	if name, ok := strings.CutSuffix(item, "L"); ok && name != "" {
		return within(name, weekday, names) && day.AddDate(0, 0, 7).Month() != day.Month()
	} else if ok {
		return weekday == 7
	}
	return within(item, weekday, names)
}

// within reports whether n is 5, in 1-5, */2 or 1/3; names stand for the numbers from 1 on.
func within(item string, n int, names string) bool {
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
		to = n
	}
	by := max(number(step), 1)
	if from > to { // FRI-MON
		return from > 0 && (n >= from || n <= to)
	}
	return from > 0 && from <= n && n <= to && (n-from)%by == 0
}
