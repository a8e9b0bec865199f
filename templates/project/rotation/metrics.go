package rotation

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
)

// Namespace is where CloudWatch keeps the function's metrics.
const Namespace = "Rotasmith"

// tell writes one log line and one set of metrics about a finished step.
func (h *Handler) tell(ctx context.Context, r *Rotation, took time.Duration, err error) {
	outcome := "success"
	attrs := []any{"duration_ms", took.Milliseconds()}
	if r.Report.Candidate != "" {
		attrs = append(attrs, "candidate", r.Report.Candidate)
	}
	if r.Report.Replicas != nil {
		safe := printable(r.Report.Replicas)
		r.Log.ErrorContext(ctx, "a replica does not have the new version", "code", safe.Code, "detail", safe.Detail)
	}
	if r.Report.Degraded != nil {
		safe := printable(r.Report.Degraded)
		r.Log.WarnContext(ctx, "the step does less than it should", "code", safe.Code, "detail", safe.Detail)
	}
	if err == nil {
		r.Log.InfoContext(ctx, "step done", attrs...)
	} else {
		outcome = "failure"
		safe := printable(err)
		r.Log.ErrorContext(ctx, "step failed", append(attrs, "code", safe.Code, "detail", safe.Detail)...)
	}
	h.measure(r, outcome, CodeOf(err), took)
}

// measure writes the metrics in CloudWatch's embedded format, which Lambda's
// log group turns into metrics without a call and without a right.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func (h *Handler) measure(r *Rotation, outcome string, code Code, took time.Duration) {
	type metric struct {
		Name  string
		Unit  string
		value any
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	metrics := []metric{
		{"Duration", "Milliseconds", milliseconds(took)},
		{"Failures", "Count", count(outcome != "success")},
		{"Degraded", "Count", count(r.Report.Degraded != nil)},
		{"ReplicaFailures", "Count", count(r.Report.Replicas != nil)},
	}
	if r.Report.Gap != nil {
		metrics = append(metrics, metric{"CredentialGap", "Milliseconds", milliseconds(*r.Report.Gap)})
	}
	directives := []directive{}
	if r.event.Age {
		metrics = nil // no alarm reads them of an age event, and each metric costs
	} else {
		directives = append(directives, directive{Namespace, [][]string{{"SecretId", "Step"}}, metrics})
	}
	if r.Report.Age != nil { // an alarm reads it by the secret alone
		age := metric{"RotationAge", "Seconds", r.Report.Age.Seconds()}
		directives = append(directives, directive{Namespace, [][]string{{"SecretId"}}, []metric{age}})
		metrics = append(metrics, age) // for its value
	}
	line := map[string]any{
		"_aws": map[string]any{
			"Timestamp":         h.now().UnixMilli(),
			"CloudWatchMetrics": directives,
		},
		"SecretId":  cmp.Or(oneLine(r.event.SecretID), "unknown"), // a dimension may not be empty
		"Step":      cmp.Or(oneLine(r.event.Step), "unknown"),
		"Outcome":   outcome,
		"Code":      code,
		"Candidate": r.Report.Candidate,
	}
	for _, m := range metrics {
		line[m.Name] = m.value
	}
	if text, err := json.Marshal(line); err == nil {
		_, _ = h.metrics.Write(append(text, '\n'))
	}
}

func count(it bool) int {
	if it {
		return 1
	}
	return 0
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
