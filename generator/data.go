package generator

import "strings"

// GoVersion is the Go release that emitted projects are built with, as go.mod's go line and container tags name it.
const GoVersion = "1.26"

// Data is what a template may refer to. It is flat:
//
//	every question by its key in camel case: Name Type Engine Provider Mode Module SecretName Schedule Window Region Secret Secrets Replicas KMS Network Alerts Refresh CI Keep,
//	and those of the layers (such as Users): the recorded answer, empty when the question does not apply; a list for list questions
//	TypeTitle           the title of the type
//	Strategy            the strategy's folder below strategies/
//	EngineTitle         the engine's proper name, and for a provider ProviderTitle; empty for the other
//	ScheduleExpression  the schedule as Secrets Manager takes it: "rate(30 days)" or "cron(...)"
//	OverdueAfterDays    the age of the last rotation, in days, from which the next one is overdue
//	Command             the command line that makes this project again, quoted for a POSIX shell
//	Cost                the bill of a month, the only field with parts: see CostTable
//	GoVersion           "1.26"
//
// A template that refers to anything else does not render.
type Data map[string]any

// newData returns the fields for the templates of a project. questions are those of the whole tree.
func newData(questions []Question, s *Spec, bill *Bill) Data {
	d := make(Data)
	for _, key := range append(TargetKinds(), modeKey) { // whether the tree has anything to choose or not
		d[camel(key)] = ""
	}
	for _, q := range questions {
		if q.List {
			d[camel(q.Key)] = SplitList(s.Get(q.Key))
		} else {
			d[camel(q.Key)] = s.Get(q.Key)
		}
	}
	d["TypeTitle"] = s.Type.Title
	d["Strategy"] = s.Strategy
	for _, kind := range TargetKinds() {
		d[camel(kind)+"Title"] = ""
	}
	d[camel(s.Target.Kind)+"Title"] = s.Target.Title
	d["Command"] = s.Command("")
	d["GoVersion"] = GoVersion
	d["ScheduleExpression"] = s.Schedule.Expression
	d["OverdueAfterDays"] = s.Schedule.OverdueAfterDays()
	d["Cost"] = bill.Table()
	return d
}

// camel turns secret_name into SecretName, and ci into CI as Go spells it.
func camel(key string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(key, "_") {
		switch word {
		case "ci", "kms":
			b.WriteString(strings.ToUpper(word))
		default:
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
