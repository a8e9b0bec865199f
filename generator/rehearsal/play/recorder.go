package play

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/report"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// recorder writes down what happens in one run.
type recorder struct {
	isChange func(op string) bool

	mu       sync.Mutex
	began    time.Time
	run      report.Run
	versions []string       // ids, in the order in which they came to be
	open     map[int]int    // by number: calls whose end is not known
	labels   map[string]int // by stage: the label that is in force
	logins   map[int]int    // by version: the last row
}

func newRecorder(isChange func(string) bool) *recorder {
	return &recorder{isChange: isChange, began: time.Now(), open: map[int]int{}, labels: map[string]int{}, logins: map[int]int{}}
}

func (r *recorder) at(moment time.Time) float64 {
	return max(0, float64(moment.Sub(r.began).Microseconds())/1e3)
}

// call is told of each call before it has its effect and after.
func (r *recorder) call(n int, op string, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.at(time.Now())
	if i, ok := r.open[n]; done && ok {
		r.run.Calls[i].To = now
		delete(r.open, n)
	} else if !done {
		kind := "read"
		switch {
		case r.isChange(op):
			kind = "change"
		case op == "PutSecretValue", op == "UpdateSecretVersionStage":
			kind = "write"
		}
		r.open[n] = len(r.run.Calls)
		r.run.Calls = append(r.run.Calls, report.Call{Op: op, Kind: kind, From: now, To: now})
	}
}

// step is told of each step when it is over.
func (r *recorder) step(s rehearsal.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := report.Step{Name: s.Name, Attempt: s.Attempt, From: r.at(s.Started), To: r.at(s.Started.Add(s.Took))}
	if s.Err != nil {
		step.Error = s.Err.Error()
	}
	r.run.Steps = append(r.run.Steps, step)
}

// mark notes that something was done to the rotation.
func (r *recorder) mark(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run.Marks = append(r.run.Marks, report.Mark{At: r.at(time.Now()), Text: text})
}

// stages is told of all labels after each write.
func (r *recorder) stages(versions map[string][]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.at(time.Now())
	holders := make(map[string]string)
	for _, id := range sortedKeys(versions) {
		for _, stage := range versions[id] {
			holders[stage] = id
		}
	}
	for _, stage := range []string{rotation.StageCurrent, rotation.StagePending, rotation.StagePrevious} {
		holder, held := holders[stage]
		i, open := r.labels[stage]
		if open && held && r.run.Labels[i].Version == r.version(holder) {
			continue
		}
		if open {
			r.run.Labels[i].To = now
			delete(r.labels, stage)
		}
		if held {
			r.labels[stage] = len(r.run.Labels)
			r.run.Labels = append(r.run.Labels, report.Label{Stage: stage, Version: r.version(holder), From: now})
		}
	}
}

// version numbers a version.
func (r *recorder) version(id string) int {
	if i := slices.Index(r.versions, id); i >= 0 {
		return i + 1
	}
	r.versions = append(r.versions, id)
	return len(r.versions)
}

// login is told of the end of a log-in.
func (r *recorder) login(id string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	version, now := r.version(id), r.at(time.Now())
	if i, seen := r.logins[version]; seen && r.run.Logins[i].OK == ok {
		r.run.Logins[i].To = now
		return
	}
	r.logins[version] = len(r.run.Logins)
	r.run.Logins = append(r.run.Logins, report.Login{Version: version, OK: ok, From: now, To: now})
}

// end returns what was recorded.
func (r *recorder) end() report.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.run.Length = r.at(time.Now())
	for _, i := range r.labels {
		r.run.Labels[i].To = r.run.Length
	}
	for _, i := range r.open {
		r.run.Calls[i].To = min(r.run.Calls[i].From+1, r.run.Length)
	}
	slices.SortStableFunc(r.run.Labels, func(a, b report.Label) int { return strings.Compare(a.Stage, b.Stage) })
	r.run.Gap = report.Gap(&r.run)
	return r.run
}
