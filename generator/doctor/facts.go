package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The staging labels that Secrets Manager gives a meaning, and the one that emitted functions give to a supplied key.
const (
	labelCurrent  = "AWSCURRENT"
	labelPending  = "AWSPENDING"
	labelPrevious = "AWSPREVIOUS"
	labelSupplied = "ROTATOR_SUPPLIED"
)

const day = 24 * time.Hour

// facts are what a snapshot shows, for rules to ask and for texts to name.
type facts struct {
	s                          *Snapshot
	current, pending, previous *Version
	failure                    *Step // the one that stands for why the rotation failed
	mark                       *Mark // the last one since the rotation began
	state                      state
	words                      map[string]string
}

func newFacts(s *Snapshot) *facts {
	f := &facts{s: s, current: s.with(labelCurrent), pending: s.with(labelPending), previous: s.with(labelPrevious)}
	f.failure = f.lastFailure()
	f.mark = f.lastMark()
	f.state = states[slices.IndexFunc(states, func(st state) bool { return st.when(f) })]
	f.words = f.vocabulary()
	return f
}

func (s *Snapshot) with(label string) *Version {
	for i, v := range s.Versions {
		if slices.Contains(v.Labels, label) {
			return &s.Versions[i]
		}
	}
	return nil
}

func (f *facts) is(names ...State) bool { return slices.Contains(names, f.state.name) }

func (f *facts) deleted() bool { return f.s.Secret.Deleted != nil }

func (f *facts) replica() bool {
	return f.s.Secret.PrimaryRegion != "" && f.s.Secret.PrimaryRegion != f.s.Region
}

func (f *facts) managed() bool { return f.s.Secret.OwningService != "" || f.s.Secret.Type != "" }

func (f *facts) noValue() bool { return f.current == nil }

// open reports whether a rotation was begun and not ended: AWSPENDING is on a version of its own.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
func (f *facts) open() bool {
	return f.pending != nil && f.current != nil && f.pending.ID != f.current.ID
}

// stepTime is how long a step may run: Lambda's longest timeout.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const stepTime = 15 * time.Minute

// busy reports whether the open rotation may be running now. An emitted function says when one has failed; without its
// word, a step may run for stepTime after the last thing that happened.
func (f *facts) busy() bool {
	if f.failure != nil {
		return false
	}
	last := f.pending.Created
	if last == nil {
		last = f.s.Secret.Changed // RotateSecret is a change
	}
	for _, step := range f.steps() {
		if step.Version == f.pending.ID && (last == nil || step.At.After(*last)) {
			last = &step.At
		}
	}
	return last != nil && f.s.Taken.Sub(*last) < stepTime
}

func (f *facts) steps() []Step {
	if f.s.Log == nil {
		return nil
	}
	return f.s.Log.Steps
}

// ours reports whether the function is one that rotasmith has written.
func (f *facts) ours() bool { return f.s.Function != nil && f.s.Function.Ours || len(f.steps()) > 0 }

// begun is when the rotation began that the log is asked about: the open one, or any after the last that ended.
func (f *facts) begun() time.Time {
	switch {
	case f.pending != nil && f.pending.Created != nil && (f.open() || f.current == nil):
		return *f.pending.Created
	case f.s.Secret.Rotated != nil:
		return *f.s.Secret.Rotated
	}
	return time.Time{}
}

// followUps are the codes of what fails only because an earlier step of the same version failed and gave it up.
var followUps = []string{"unknown-token", "not-pending"}

// lastFailure returns the failure of the rotation's last try, unless a later step was done. Of a version that was given
// up, it is the one for which it was.
func (f *facts) lastFailure() *Step {
	if !f.s.Secret.Enabled {
		return nil
	}
	var last *Step
	steps := f.steps()
	for i := range steps {
		step := &steps[i]
		switch {
		case step.At.Before(f.begun()), f.open() && step.Version != f.pending.ID:
		case step.Code == "":
			last = nil
		case last == nil || step.Version != last.Version || !slices.Contains(followUps, step.Code):
			last = step
		}
	}
	return last
}

func (f *facts) lastMark() *Mark {
	if f.s.Log == nil || f.failure != nil || len(f.s.Log.Marks) == 0 {
		return nil
	}
	mark := &f.s.Log.Marks[len(f.s.Log.Marks)-1]
	if mark.At.Before(f.begun()) {
		return nil
	}
	return mark
}

// gaveUp reports whether an emitted function has failed and taken AWSPENDING off the version.
func (f *facts) gaveUp() bool { return f.failure != nil && !f.open() }

func (f *facts) abandoned() bool {
	e := f.s.Events
	return e != nil && e.Abandoned != nil && (f.s.Secret.Rotated == nil || e.Abandoned.After(*f.s.Secret.Rotated))
}

// rotates reports whether Secrets Manager invokes a function for this secret.
func (f *facts) rotates() bool {
	return f.s.Secret.Enabled && !f.is(StateDeleted, StateReplica, StateManaged)
}

// stuck reports whether a rotation does not come to its end, so that the log is to say why.
func (f *facts) stuck() bool {
	return f.is(StateFailed, StateNever, StateAbandoned) || f.is(StateNoValue) && f.s.Secret.Enabled || f.overdue()
}

// overdue reports whether the next rotation is a day late, or the last one too old for the schedule. AWS lets a window
// of the schedule last to the end of its day.
func (f *facts) overdue() bool {
	x := f.s.Secret
	if !x.Enabled || f.is(StateDeleted, StateReplica, StateNoValue, StateRunning) {
		return false
	}
	if x.Next != nil {
		return f.since(x.Next) > day
	}
	return x.period() > 0 && x.Rotated != nil && f.since(x.Rotated) > x.period()+2*day
}

// period is the time between two rotations by the schedule, 0 if there is none or it is of another form than rate.
func (x *Secret) period() time.Duration {
	if x.Schedule == "" {
		return time.Duration(x.Days) * day
	}
	inner, ok := strings.CutPrefix(x.Schedule, "rate(")
	number, unit, _ := strings.Cut(strings.TrimSuffix(inner, ")"), " ")
	n, err := strconv.Atoi(number)
	switch {
	case !ok || err != nil:
		return 0
	case strings.HasPrefix(unit, "hour"):
		return time.Duration(n) * time.Hour
	case strings.HasPrefix(unit, "day"):
		return time.Duration(n) * day
	}
	return 0
}

// versionsOfToday counts the versions that were made within a day.
func (f *facts) versionsOfToday() (n int) {
	for _, v := range f.s.Versions {
		if v.Created != nil && f.since(v.Created) < day {
			n++
		}
	}
	return n
}

// labels counts the staging labels on all versions.
func (f *facts) labels() (n int) {
	for _, v := range f.s.Versions {
		n += len(v.Labels)
	}
	return n
}

func (f *facts) since(t *time.Time) time.Duration { return f.s.Taken.Sub(*t) }

// age says how long ago t was, or in how long it will be.
func (f *facts) age(t *time.Time) string {
	if t == nil {
		return ""
	}
	d := f.since(t)
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	count := func(n time.Duration, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case d < 2*time.Minute:
		return count(d/time.Second, "second")
	case d < 2*time.Hour:
		return count(d/time.Minute, "minute")
	case d < 2*day:
		return count(d/time.Hour, "hour")
	}
	return count(d/day, "day")
}

// Age says how long before the snapshot was taken a time was, or how long after it will be.
func (s *Snapshot) Age(t *time.Time) string { return (&facts{s: s}).age(t) }

// vocabulary is what texts may name. A fact that is not known is empty or missing.
func (f *facts) vocabulary() map[string]string {
	x := &f.s.Secret
	w := map[string]string{
		"id": f.s.ID, "name": x.Name, "region": f.s.Region, "profile": f.s.Profile, "account": field(x.ARN, 4), "rotator": x.rotator(),
		"owner": x.OwningService + x.Type, "rules": x.rules(), "rotator-arn": x.Rotator,
		"rotated-age": f.age(x.Rotated), "changed-age": f.age(x.Changed), "next-age": f.age(x.Next), "created-age": f.age(x.Created),
		"versions-of-today": strconv.Itoa(f.versionsOfToday()), "labels": strconv.Itoa(f.labels()), "since": f.sinceForLogs(),
		"statement": statementID(x.Name),
	}
	if x.Deleted != nil {
		w["deleted"] = x.Deleted.Format(time.DateOnly)
	}
	if f.replica() {
		w["primary"] = x.PrimaryRegion
		w["primary-arn"] = strings.Replace(x.ARN, ":"+f.s.Region+":", ":"+x.PrimaryRegion+":", 1)
	}
	if x.Accessed != nil {
		w["accessed"] = x.Accessed.Format(time.DateOnly)
	}
	if f.s.Key != nil {
		w["key"], w["key-state"] = f.s.Key.ID, f.s.Key.State
	}
	if p := x.period(); p > 0 {
		w["period"] = span(p)
	}
	f.describeVersions(w)
	f.describeFunction(w)
	f.describeReplicas(w)
	f.describeLog(w)
	f.describeUnread(w)
	for name, text := range w {
		w[name] = printable(text) // a saved snapshot comes from anywhere
	}
	return w
}

func (f *facts) describeVersions(w map[string]string) {
	for name, v := range map[string]*Version{"current": f.current, "pending": f.pending, "previous": f.previous} {
		if v != nil {
			w[name], w[name+"-age"] = v.ID, f.age(v.Created)
		}
	}
	if f.pending != nil && f.pending.Created == nil {
		w["pending-age"] = f.age(f.s.Secret.Changed)
	}
	if f.open() && w["pending-age"] == "" {
		w["pending-age"] = "at an unknown time"
	}
	if f.abandoned() {
		w["abandoned-age"] = f.age(f.s.Events.Abandoned)
	}
	var unlabelled []Version
	for _, v := range f.s.Versions {
		if len(v.Labels) == 0 && v.Created != nil {
			unlabelled = append(unlabelled, v)
		}
	}
	slices.SortFunc(unlabelled, func(a, b Version) int { return b.Created.Compare(*a.Created) })
	var list []string
	for _, v := range unlabelled[:min(3, len(unlabelled))] {
		list = append(list, v.ID+", made "+f.age(v.Created))
	}
	w["candidates"] = strings.Join(list, "; ")
}

func (f *facts) describeFunction(w map[string]string) {
	fn := f.s.Function
	if fn == nil {
		return
	}
	w["function-state"], w["function-reason"], w["runtime"] = fn.State, fn.Reason, fn.Runtime
	w["timeout"], w["vpc"], w["subnets"], w["invocation-for"] = strconv.Itoa(fn.Timeout), fn.VPC, strings.Join(fn.Subnets, ","), fn.InvocationFor
	if fn.Reserved != nil {
		w["reserved"] = strconv.Itoa(*fn.Reserved)
	}
	if fn.Ours && !fn.Missing {
		w["preflight"] = "make preflight, in its project, says so."
	}
}

func (f *facts) describeReplicas(w map[string]string) {
	var failed []string
	for _, r := range f.s.Secret.Replicas {
		switch r.Status {
		case "Failed":
			failed = append(failed, r.Region)
			w["replica-message"], w["replica"] = r.Message, "Region="+r.Region
			if r.KeyID != "" {
				w["replica"] += ",KmsKeyId=" + r.KeyID
			}
		case "InProgress":
			w["replica-in-progress"] = r.Region
		}
	}
	w["replicas-failed"] = strings.Join(failed, ", ")
}

func (f *facts) describeLog(w map[string]string) {
	if f.s.Log != nil {
		w["group"] = f.s.Log.Group
	}
	if f.failure != nil {
		w["failed-step"], w["failed-code"], w["failed-detail"] = f.failure.Name, f.failure.Code, f.failure.Detail
		w["failed-age"], w["failed-do"] = f.age(&f.failure.At), codes[f.failure.Code].do
	}
	if f.mark != nil {
		w["mark-age"] = f.age(&f.mark.At)
	}
}

func (f *facts) describeUnread(w map[string]string) {
	var list []string
	for _, u := range f.s.Unread {
		list = append(list, u.Section+" ("+u.Why+")")
	}
	w["unread"] = strings.Join(list, ", ")
}

// sinceForLogs reaches back behind the failure, in the words of aws logs tail.
func (f *facts) sinceForLogs() string {
	at := f.begun()
	if f.failure != nil {
		at = f.failure.At
	}
	hours := 24
	if !at.IsZero() {
		hours = min(int(f.s.Taken.Sub(at)/time.Hour)+1, 90*24)
	}
	return strconv.Itoa(max(1, hours)) + "h"
}

// rotator names the function for a command: by its name if it is in the secret's own account.
func (x *Secret) rotator() string {
	if name := field(x.Rotator, 6); name != "" && field(x.Rotator, 4) == field(x.ARN, 4) {
		return name
	}
	return x.Rotator
}

// rules are the rotation rules in the form that rotate-secret takes.
func (x *Secret) rules() string {
	rules := map[string]any{"AutomaticallyAfterDays": max(x.Days, 0)}
	if x.Days == 0 {
		rules["AutomaticallyAfterDays"] = 30
	}
	if x.Schedule != "" {
		rules = map[string]any{"ScheduleExpression": x.Schedule}
	}
	if x.Window != "" {
		rules["Duration"] = x.Window
	}
	text, err := json.Marshal(rules)
	if err != nil {
		return ""
	}
	return string(text)
}

// field returns a part of an ARN, counted from 0.
func field(arn string, n int) string {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) <= n {
		return ""
	}
	return parts[n]
}

// statementID is a name for a statement of a function's policy, which takes letters, digits, - and _.
func statementID(name string) string {
	return "SecretsManager-" + strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, name[:min(80, len(name))])
}
