package rotation

import "context"

// Preflight answers a preflight event: what a rotation would need, and whether
// it is there. Nothing is written to find out.
type Preflight struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

func (h *Handler) preflight(ctx context.Context, r *Rotation) Preflight {
	var report Preflight
	note := func(checks ...Check) {
		report.Checks = append(report.Checks, checks...)
	}
	err := r.describe(ctx)
	note(NewCheck("secret can be described", err))
	if err == nil {
		var current Version
		current, err = r.Current(ctx)
		note(NewCheck("AWSCURRENT can be read and is a JSON object", err))
		if err == nil {
			note(h.strategy.Preflight(ctx, r, current.Value)...)
		}
	}
	report.OK = true
	for _, check := range report.Checks {
		report.OK = report.OK && check.OK
	}
	return report
}
