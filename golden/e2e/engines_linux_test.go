package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/golden/process"
)

// BenchmarkEngines is a rotation of every scenario over TLS: its four steps in
// one process that has done one before, and a new process from its start to its
// first answer. Beside it stands a Lambda that does nothing but describe the
// secret; the ratios to its cold start hold elsewhere, the milliseconds do not.
func BenchmarkEngines(b *testing.B) {
	for _, g := range groups {
		for _, s := range g.scenarios {
			b.Run(s.server()+", "+s.name, func(b *testing.B) { measure(b, s) })
		}
	}
}

func measure(b *testing.B, s scenario) {
	w := newBench(b, s)
	w.port = w.db.Port // no proxy takes part
	w.fresh()
	dir := b.TempDir()
	if err := rehearsal.Compile(b.Context(), filepath.Join("..", "bench", "testdata", "trivial"), filepath.Join(dir, "bootstrap")); err != nil {
		b.Fatal(err)
	}
	cold, trivial := w.newFunction(w.db.dir), w.newFunction(dir)
	w.rotation(b, w.function)

	var rotations, starts, trivials costs
	for b.Loop() {
		rotations.add(w.cost(b, w.function))
		starts.add(w.coldStart(b, cold))
		trivials.add(w.coldStart(b, trivial))
	}
	b.ReportMetric(0, "ns/op") // the yardstick's as well
	b.ReportMetric(1e3*median(rotations.wall), "ms-warm")
	b.ReportMetric(1e3*median(rotations.cpu), "ms-warm-cpu")
	b.ReportMetric(median(rotations.wall)/median(trivials.wall), "x-trivial")
	b.ReportMetric(median(rotations.cpu)/median(trivials.cpu), "x-trivial-cpu")
	b.ReportMetric(1e3*median(starts.wall), "ms-cold-start")
	b.ReportMetric(median(starts.wall)/median(trivials.wall), "x-trivial-cold-start")
	b.ReportMetric(slices.Max(rotations.peak)/1e6, "MB-peak")
	b.ReportMetric(w.requests(b, w.function), "calls-warm")
	cold.Cold = true
	b.ReportMetric(w.requests(b, cold), "calls-cold")
}

// requests counts those that a rotation sends to Secrets Manager.
func (b *bench) requests(t *testing.B, f *rehearsal.Function) float64 {
	t.Helper()
	b.watch(nil)
	b.rotation(t, f)
	return float64(len(b.counted()))
}

// rotation runs a rotation and returns the time of its steps.
func (b *bench) rotation(t *testing.B, f *rehearsal.Function) (took time.Duration) {
	t.Helper()
	steps, err := b.service(f, 1).Rotate(t.Context(), b.secret, b.token())
	if err != nil {
		t.Fatalf("%v\n%s", err, f.Output())
	}
	for _, step := range steps {
		took += step.Took
	}
	return took
}

// cost is what a rotation in the process that runs already takes of the machine.
func (b *bench) cost(t *testing.B, f *rehearsal.Function) (wall, cpu time.Duration, peak float64) {
	t.Helper()
	before, _ := used(t, f)
	wall = b.rotation(t, f)
	cpu, peak = used(t, f)
	return wall, cpu - before, peak
}

// coldStart invokes a new process with a step of the rotation that is over, for
// which every rotator describes the secret and then has nothing to do.
func (b *bench) coldStart(t *testing.B, f *rehearsal.Function) (wall, cpu time.Duration, peak float64) {
	t.Helper()
	_, token, err := b.current()
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(rehearsal.Event{Step: rehearsal.CreateSecret, SecretID: b.secret, ClientRequestToken: token})
	if err != nil {
		t.Fatal(err)
	}
	f.Kill()
	began := t.Elapsed()
	if _, err := f.Invoke(t.Context(), event, time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, f.Output())
	}
	wall = t.Elapsed() - began
	cpu, peak = used(t, f)
	return wall, cpu, peak
}

// used is what f's process has used so far.
func used(t *testing.B, f *rehearsal.Function) (cpu time.Duration, peak float64) {
	t.Helper()
	cpu, err := process.CPUTime(f.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if peak, err = process.PeakMemory(f.Pid()); err != nil {
		t.Fatal(err)
	}
	return cpu, peak
}

// costs are those of the same work, again and again.
type costs struct{ wall, cpu, peak []float64 }

func (c *costs) add(wall, cpu time.Duration, peak float64) {
	c.wall = append(c.wall, wall.Seconds())
	c.cpu = append(c.cpu, cpu.Seconds())
	c.peak = append(c.peak, peak)
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }
