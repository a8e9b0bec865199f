// Package report says how a rehearsal went: as JSON, as JUnit's XML for CI, and as one
// HTML file that needs nothing beside it. It is pure: the same rehearsal gives the same
// bytes.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Format is the version of the JSON: fields are added, and none is renamed or removed.
const Format = 1

// A Rehearsal is all that was tried of one project, in order. Times are milliseconds
// from the beginning of the run that they belong to.
type Rehearsal struct {
	Format  int    `json:"format"`
	Project string `json:"project"`
	Answers string `json:"answers"` // SHA-256 of the project's recorded answers, in hexadecimal
	Target  Target `json:"target"`
	// EndedEarly says why not all was tried that should have been.
	EndedEarly string   `json:"ended_early,omitempty"`
	Notes      []string `json:"notes,omitempty"` // of what was left out, and why
	Runs       []Run    `json:"runs"`
	App        *App     `json:"app,omitempty"`
}

// Target is where it was tried.
type Target struct {
	Kind    string `json:"kind"`    // such as "a server started here", or "model, no server"
	Version string `json:"version"` // of the server, in its own words
}

// Outcome is what became of a run.
type Outcome string

// The outcomes. An inconclusive run failed by a deadline alone: so does a rotator on a
// machine that is too busy, and it is right to.
const (
	Held         Outcome = "held"
	Broken       Outcome = "broken"
	Inconclusive Outcome = "inconclusive"
)

// A Run is one rotation with one fault, and what it took to come to its end.
type Run struct {
	Phase     string     `json:"phase"` // such as kill
	Name      string     `json:"name"`  // such as kill:17; the same name is the same fault again
	Fault     string     `json:"fault"` // in words
	Outcome   Outcome    `json:"outcome"`
	Invariant string     `json:"invariant,omitempty"` // that did not hold, and how
	Replay    string     `json:"replay,omitempty"`    // the command that tries this run alone
	Length    float64    `json:"length_ms"`
	Gap       [2]float64 `json:"gap_ms"` // AWSCURRENT was refused for at least and at most so long
	Steps     []Step     `json:"steps"`
	Calls     []Call     `json:"calls"`
	Labels    []Label    `json:"labels"`
	Logins    []Login    `json:"logins"`
	Marks     []Mark     `json:"marks"`
}

// A Step is one invocation of the rotation function.
type Step struct {
	Name    string  `json:"name"`
	Attempt int     `json:"attempt"`
	From    float64 `json:"from_ms"`
	To      float64 `json:"to_ms"`
	Error   string  `json:"error,omitempty"`
}

// A Call is what the function asked of Secrets Manager or of the server.
type Call struct {
	Op   string  `json:"op"`
	Kind string  `json:"kind"` // read, write (to Secrets Manager) or change (of a password)
	From float64 `json:"from_ms"`
	To   float64 `json:"to_ms"`
}

// A Label is the time for which a staging label was on a version.
type Label struct {
	Stage   string  `json:"stage"`
	Version int     `json:"version"` // from 1, in the order in which they came to be
	From    float64 `json:"from_ms"`
	To      float64 `json:"to_ms"`
}

// A Login is a row of log-ins with one version that had the same end. Between two rows
// the end is not known.
type Login struct {
	Version int     `json:"version"`
	OK      bool    `json:"ok"`
	From    float64 `json:"from_ms"`
	To      float64 `json:"to_ms"`
}

// A Mark is a moment at which something was done to the rotation.
type Mark struct {
	At   float64 `json:"at_ms"`
	Text string  `json:"text"`
}

// App is how an application fared while its secret was rotated.
type App struct {
	Requests       int     `json:"requests"`
	Failed         int     `json:"failed"`
	Allowed        int     `json:"allowed"` // failed requests that were allowed
	LongestMS      float64 `json:"longest_ms"`
	Refused        int     `json:"refused"`  // log-ins of the application that the server refused
	SMCalls        int     `json:"sm_calls"` // calls of Secrets Manager by the application
	Rotations      int     `json:"rotations"`
	FailedRotation string  `json:"failed_rotation,omitempty"` // the first rotation that failed, and how
	FirstFailure   string  `json:"first_failure,omitempty"`   // the first failed request
}

// Outcome is broken if the application lost more requests than it may.
func (a *App) Outcome() Outcome {
	if a.Failed > a.Allowed || a.FailedRotation != "" {
		return Broken
	}
	return Held
}

// Count returns how many runs had an outcome, the application's among them.
func (r *Rehearsal) Count(o Outcome) (n int) {
	for _, run := range r.Runs {
		if run.Outcome == o {
			n++
		}
	}
	if r.App != nil && r.App.Outcome() == o {
		n++
	}
	return n
}

// JSON returns the rehearsal for programs.
func JSON(r *Rehearsal) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(r)
	return b.Bytes(), err
}

// errNotFinite is for times that no picture can show.
var errNotFinite = errors.New("a time is no finite number")

// Check refuses what cannot be told: times that are not numbers or below zero, spans
// that end before they begin, and another format.
func Check(r *Rehearsal) error {
	if r.Format != Format {
		return fmt.Errorf("format %d is not %d", r.Format, Format)
	}
	for _, run := range r.Runs {
		spans := [][2]float64{{0, run.Length}, run.Gap}
		for _, s := range run.Steps {
			spans = append(spans, [2]float64{s.From, s.To})
		}
		for _, c := range run.Calls {
			spans = append(spans, [2]float64{c.From, c.To})
		}
		for _, l := range run.Labels {
			spans = append(spans, [2]float64{l.From, l.To})
		}
		for _, l := range run.Logins {
			spans = append(spans, [2]float64{l.From, l.To})
		}
		for _, m := range run.Marks {
			spans = append(spans, [2]float64{m.At, m.At})
		}
		for _, span := range spans {
			if math.IsNaN(span[0]) || math.IsNaN(span[1]) || math.IsInf(span[0], 0) || math.IsInf(span[1], 0) {
				return fmt.Errorf("%s: %w", run.Name, errNotFinite)
			}
			if span[0] < 0 || span[1] < span[0] {
				return fmt.Errorf("%s: from %g to %g ms", run.Name, span[0], span[1])
			}
		}
	}
	if r.App != nil && (math.IsNaN(r.App.LongestMS) || math.IsInf(r.App.LongestMS, 0)) {
		return errNotFinite
	}
	return nil
}

// Gap returns for how long AWSCURRENT did not log in: at least from the first refusal
// to the last, and at most from the log-in before to the one after.
func Gap(run *Run) (gap [2]float64) {
	for _, span := range refusals(run) {
		gap[0] += span.to - span.from
		gap[1] += span.atMost - span.atLeast
	}
	return gap
}

// refusal is a time in which AWSCURRENT did not log in.
type refusal struct{ from, to, atLeast, atMost float64 }

// refusals returns them in the order of the labels.
func refusals(run *Run) (all []refusal) {
	for _, label := range run.Labels {
		if label.Stage != "AWSCURRENT" {
			continue
		}
		var own []Login
		for _, l := range run.Logins {
			if l.Version == label.Version {
				own = append(own, l)
			}
		}
		slices.SortFunc(own, func(a, b Login) int { return int(math.Copysign(1, a.From-b.From)) })
		for i, l := range own {
			before, after := label.From, label.To
			if i > 0 {
				before = own[i-1].To
			}
			if i+1 < len(own) {
				after = own[i+1].From
			}
			r := refusal{max(l.From, label.From), min(l.To, label.To), max(before, label.From), min(after, label.To)}
			if !l.OK && l.From <= label.To && l.To >= label.From && r.from <= r.to {
				all = append(all, r)
			}
		}
	}
	return all
}
