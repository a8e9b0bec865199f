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
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	failed, replicas := 0, 0
	if outcome != "success" {
		failed = 1
	}
	if r.Report.Replicas != nil {
		replicas = 1
	}
	line, err := json.Marshal(map[string]any{
		"_aws": map[string]any{
			"Timestamp": h.now().UnixMilli(),
			"CloudWatchMetrics": []directive{{
				Namespace:  Namespace,
				Dimensions: [][]string{{"SecretId", "Step"}},
				Metrics: []metric{
					{"Duration", "Milliseconds"},
					{"Failures", "Count"},
					{"CredentialGap", "Milliseconds"},
					{"ReplicaFailures", "Count"},
				},
			}},
		},
		"SecretId":        cmp.Or(oneLine(r.event.SecretID), "unknown"), // a dimension may not be empty
		"Step":            cmp.Or(oneLine(r.event.Step), "unknown"),
		"Outcome":         outcome,
		"Code":            code,
		"Candidate":       r.Report.Candidate,
		"Duration":        milliseconds(took),
		"Failures":        failed,
		"CredentialGap":   milliseconds(r.Report.Gap),
		"ReplicaFailures": replicas,
	})
	if err == nil {
		_, _ = h.metrics.Write(append(line, '\n'))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
