package generator

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/module"
)

// The patterns that editors also check, as part of the schema.
const (
	nameExpr       = `^[a-z][a-z0-9-]{0,39}$`
	secretNameExpr = `^[A-Za-z0-9/_+=.@-]{1,512}$`
	regionExpr     = `^[a-z]{2,4}(-[a-z]+)*-(central|(north|south)?(east|west)|north|south)-[0-9]{1,2}$`
)

var (
	namePattern       = regexpOnce(nameExpr)
	secretNamePattern = regexpOnce(secretNameExpr)
	regionPattern     = regexpOnce(regionExpr)
	ratePattern       = regexpOnce(`^rate\(([0-9]{1,5}) (hour|day)(s?)\)$`)
	cronPattern       = regexpOnce(`^cron\(([^()]*)\)$`)
	hoursItem         = regexpOnce(`^(\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[1-9][0-9]?)?$`)
	dayOfMonth        = regexpOnce(`^(\?|\*|L|[0-9]{1,2}W|[0-9*][0-9,*/-]*)$`)
	month             = regexpOnce(`^[0-9A-Z*][0-9A-Z,*/-]*$`)
	dayOfWeek         = regexpOnce(`^(\?|\*|L|[1-7A-Z*][0-9A-Z,*/#-]*)$`)
)

// regexpOnce compiles on first use: start-up pays for none of these.
func regexpOnce(expr string) func(string) []string {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
	return func(s string) []string { return compiled().FindStringSubmatch(s) }
}

func checkName(value string, _ Lookup) error {
	if namePattern(value) == nil {
		return advise("1 to 40 lower-case letters, digits and hyphens, beginning with a letter", "bad name %q", value)
	}
	if reserved(value) {
		return advise("choose another", "name %q is a device on Windows", value)
	}
	return nil
}

func checkModule(value string, _ Lookup) error {
	if _, path, ok := strings.Cut(value, "://"); ok {
		return advise(fmt.Sprintf("a Go module path has no scheme: %s", strings.TrimSuffix(path, ".git")), "bad module path %q", value)
	}
	if err := module.CheckPath(value); err != nil {
		if invalid, ok := errors.AsType[*module.InvalidPathError](err); ok {
			err = invalid.Err
		}
		return advise("a Go module path such as example.com/team/project", "bad module path %q: %v", value, err)
	}
	return nil
}

func checkSecretName(value string, _ Lookup) error {
	if secretNamePattern(value) == nil {
		return advise("1 to 512 letters, digits and /_+=.@-", "bad secret_name %q", value)
	}
	return nil
}

func checkRegion(value string, _ Lookup) error {
	if regionPattern(value) == nil {
		return advise("the name of an AWS region such as eu-west-1", "bad region %q", value)
	}
	return nil
}

func checkKeep(value string, _ Lookup) error {
	for _, pattern := range SplitList(value) {
		if _, err := path.Match(pattern, ""); err != nil || !filepath.IsLocal(filepath.FromSlash(pattern)) {
			return advise("patterns of paths inside the project, such as README.md or docs/*.md", "bad pattern %q in keep", pattern)
		}
	}
	return nil
}

func checkSchedule(value string, _ Lookup) error {
	_, err := parseSchedule(value)
	return err
}

func checkWindow(value string, get Lookup) error {
	const hint = "whole hours from 1h to 24h"
	digits, ok := strings.CutSuffix(value, "h")
	hours, err := strconv.Atoi(digits)
	if !ok || err != nil || strconv.Itoa(hours) != digits || hours < 1 || hours > 24 {
		return advise(hint, "bad window %q", value)
	}
	if s, err := parseSchedule(get("schedule")); err == nil && hours > s.longestWindow() {
		return advise(fmt.Sprintf("at most %dh with this schedule, or set schedule to another", s.longestWindow()),
			"window %q reaches into the next rotation window or the next day (UTC) of schedule %q", value, get("schedule"))
	}
	return nil // a bad schedule is reported where it stands
}

// schedule is a rotation schedule as Secrets Manager takes it.
type schedule struct {
	expression string // rate(...) or cron(...)
	everyHours int    // rate in hours, otherwise 0
	hours      []int  // the hours of the day at which windows open, ascending
}

// longestWindow returns the hours until the next window or the next UTC day, whichever comes first: Secrets Manager refuses longer ones.
func (s schedule) longestWindow() int {
	if s.everyHours > 0 {
		return min(s.everyHours, 24)
	}
	most := 24 - s.hours[len(s.hours)-1]
	for i := 1; i < len(s.hours); i++ {
		most = min(most, s.hours[i]-s.hours[i-1])
	}
	return most
}

// parseSchedule reads 30d, rate(N hours|days) and cron(...) by Secrets Manager's rules: UTC, on the hour, at most every four hours, at
// most 999 days apart.
func parseSchedule(value string) (schedule, error) {
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
			return schedule{}, advise(hint, "bad schedule %q", value)
		}
		switch {
		case m[2] == "day" && (n < 1 || n > 999):
			return schedule{}, advise("from 1 to 999 days", "schedule %q is out of range", value)
		case m[2] == "hour" && (n < 4 || n > 999*24):
			return schedule{}, advise("at least 4 hours and at most 999 days", "schedule %q is out of range", value)
		case m[2] == "hour":
			return schedule{expression: expr, everyHours: n}, nil
		}
		return schedule{expression: expr, hours: []int{0}}, nil
	}
	if m := cronPattern(expr); m != nil {
		hours, err := parseCron(m[1])
		if err != nil {
			return schedule{}, advise(hint, "bad schedule %q: %v", value, err)
		}
		return schedule{expression: expr, hours: hours}, nil
	}
	return schedule{}, advise(hint, "bad schedule %q", value)
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
