//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/cmd"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/golden/function"
	"github.com/rotasmith/rotasmith/golden/process"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

const (
	single = "rds-single-user"
	two    = "rds-two-user"

	firstVersion = "00000000-0000-4000-8000-000000000000"
)

// BenchmarkColdStart is a process from its start to its first answer, for which
// it describes one secret.
func BenchmarkColdStart(b *testing.B) {
	for _, strategy := range []string{single, two} {
		b.Run(strategy, func(b *testing.B) {
			w := newWorld(b)
			dir := emit(b, strategy)
			build(b, dir)
			ours, trivial, bare := w.function(b, dir), w.trivial(b, "trivial"), w.trivial(b, "bare")
			secret := w.settled(b)
			var costs, trivials, bares costs
			for b.Loop() {
				bares.add(coldStart(b, bare, secret))
				trivials.add(coldStart(b, trivial, secret))
				costs.add(coldStart(b, ours, secret))
			}
			costs.report(b, trivials, 2, 2)
			report(b, median(costs.peak)/1e6, "MB-peak(≤20)")
			report(b, median(costs.wall)/median(bares.wall), "x-bare")
			report(b, median(costs.cpu)/median(bares.cpu), "x-bare-cpu")
			b.Logf("%s, from the start to the first answer:\n%v\ntrivial Lambda, with the SDK:\n%v\nbare Lambda, without it:\n%v", strategy, &costs, &trivials, &bares)
		})
	}
}

// BenchmarkRotation is the four steps of a rotation, without a pause, in one
// process that has done one before.
func BenchmarkRotation(b *testing.B) {
	// By the trivial Lambda's cold start of 9.7 ms, 8 ms of them the
	// processor's: half of 85 and 95 ms, two fifths of 45 and 49 ms.
	limits := map[string][2]float64{single: {4.4, 2.2}, two: {4.9, 2.4}}
	for _, strategy := range []string{single, two} {
		b.Run(strategy, func(b *testing.B) {
			p := newPostgres(b, strategy)
			for _, tls := range []bool{false, true} {
				name := "plain"
				if tls {
					name = "tls"
				}
				b.Run(name, func(b *testing.B) { p.rotate(b, tls, limits[strategy]) })
			}
		})
	}
}

func (p *postgres) rotate(b *testing.B, tls bool, limits [2]float64) {
	w := newWorld(b)
	secret := p.fresh(b, w, tls)
	function, trivial := w.function(b, p.dir, p.env...), w.trivial(b, "trivial")
	other := w.settled(b)
	w.rotate(b, function, secret, 0)

	var costs, trivials costs
	for b.Loop() {
		trivials.add(coldStart(b, trivial, other))
		before := cpuOf(b, function)
		wall := w.rotate(b, function, secret, 0)
		costs.add(cost{wall, cpuOf(b, function) - before, peakOf(b, function)})
	}
	costs.report(b, trivials, limits[0], limits[1])
	report(b, median(costs.peak)/1e6, "MB-peak(≤20)")

	w.calls.Store(0)
	w.rotate(b, function, secret, 0)
	report(b, float64(w.calls.Load()), "calls-warm(≤11)")
	function.Cold = true
	w.calls.Store(0)
	w.rotate(b, function, secret, 0)
	report(b, float64(w.calls.Load()), "calls-cold(≤16)")
	b.Logf("four steps in a warm process:\n%v\ntrivial Lambda, a cold start:\n%v", &costs, &trivials)
}

// BenchmarkGap is the time for which AWSCURRENT of a single user does not log
// in, as the function says in its metrics: the same, whatever the service pauses
// between its steps. Beside it, one log-in and one call to Secrets Manager.
func BenchmarkGap(b *testing.B) {
	p := newPostgres(b, single)
	for _, test := range []struct {
		name  string
		cold  bool
		pause time.Duration
	}{{name: "warm"}, {"cold", true, 0}, {"pause=1s", false, time.Second}} {
		b.Run(test.name, func(b *testing.B) {
			w := newWorld(b)
			secret := p.fresh(b, w, true)
			function := w.function(b, p.dir, p.env...)
			function.Cold = test.cold
			w.rotate(b, function, secret, 0)
			said := len(function.Output())
			var floor []float64
			for b.Loop() {
				w.rotate(b, function, secret, test.pause)
				floor = append(floor, p.loginAndCall(b, w, secret).Seconds())
			}
			gaps := gaps(b, function.Output()[said:])
			reportTime(b, median(gaps), "gap")
			report(b, median(gaps)/median(floor), "x-login-and-call")
			b.Logf("gap %v ms; one log-in and one call %v ms", spread(gaps, 1e3), spread(floor, 1e3))
		})
	}
}

var gapMetric = regexp.MustCompile(`"CredentialGap":([0-9.]+)`)

// gaps returns the gaps that a function measured, in seconds.
func gaps(b *testing.B, output string) (seconds []float64) {
	b.Helper()
	for _, found := range gapMetric.FindAllStringSubmatch(output, -1) {
		if ms, err := strconv.ParseFloat(found[1], 64); err == nil && ms > 0 {
			seconds = append(seconds, ms/1e3)
		}
	}
	if len(seconds) == 0 {
		b.Fatal("the function measured no gap")
	}
	return seconds
}

// BenchmarkPackage is the size of what is uploaded.
func BenchmarkPackage(b *testing.B) {
	for _, strategy := range []string{single, two} {
		b.Run(strategy, func(b *testing.B) {
			dir := emit(b, strategy)
			for b.Loop() {
				run(b, dir, "go", "run", "./tools", "package")
			}
			zip, err := os.Stat(filepath.Join(dir, "dist", "function.zip"))
			if err != nil {
				b.Fatal(err)
			}
			report(b, float64(zip.Size())/1e6, "MB-zip(≤6)")
		})
	}
}

// emit writes a project as a user would.
func emit(b *testing.B, strategy string) (dir string) {
	b.Helper()
	dir = filepath.Join(b.TempDir(), "project")
	var said strings.Builder
	sys := cmd.System{In: strings.NewReader(""), Out: &said, Err: &said, Getenv: func(string) string { return "" }}
	if code := cmd.Main([]string{"new", "orders-db", "--type", strategy, "--engine", "postgres", "--no-input", "--dir", dir}, sys); code != 0 {
		b.Fatalf("exit code %d\n%s", code, said.String())
	}
	return dir
}

// build puts the function of a project into dir/bootstrap.
func build(b *testing.B, dir string) {
	b.Helper()
	if err := function.Build(b.Context(), dir); err != nil {
		b.Fatal(err)
	}
}

func run(b *testing.B, dir, name string, args ...string) {
	b.Helper()
	command := exec.CommandContext(b.Context(), name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off", "LC_ALL=C")
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// world is a Secrets Manager on the loopback that counts its calls.
type world struct {
	store  *rotationtest.SecretsManager
	front  *httptest.Server
	calls  atomic.Int64
	tokens int
}

func newWorld(b *testing.B) *world {
	w := &world{store: new(rotationtest.SecretsManager)}
	w.front = httptest.NewServer(&rehearsal.Front{SecretsManager: w.store, Before: func(rehearsal.Call) error {
		w.calls.Add(1)
		return nil
	}})
	b.Cleanup(w.front.Close)
	return w
}

// seed stores a secret as its version firstVersion.
func (w *world) seed(b *testing.B, name string, value map[string]any) (arn string) {
	b.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	out, err := w.store.CreateSecret(b.Context(), &secretsmanager.CreateSecretInput{
		Name: &name, ClientRequestToken: aws.String(firstVersion), SecretString: aws.String(string(text)),
	})
	if err != nil {
		b.Fatal(err)
	}
	return *out.ARN
}

// settled stores a secret with a rotation that is over.
func (w *world) settled(b *testing.B) (arn string) {
	b.Helper()
	arn, token := w.seed(b, "settled", map[string]any{"username": "nobody"}), w.token()
	_, err := w.store.RotateSecret(b.Context(), &secretsmanager.RotateSecretInput{
		SecretId: &arn, ClientRequestToken: &token, RotationLambdaARN: aws.String(rehearsal.FunctionARN), RotateImmediately: aws.Bool(false),
	})
	if err := errors.Join(err, w.store.EndTest(arn, token)); err != nil {
		b.Fatal(err)
	}
	return arn
}

func (w *world) token() string {
	w.tokens++
	return fmt.Sprintf("%08d-0000-4000-8000-000000000000", w.tokens)
}

// function returns what was built into dir as a function of this world.
func (w *world) function(b *testing.B, dir string, env ...string) *rehearsal.Function {
	f := &rehearsal.Function{Path: filepath.Join(dir, "bootstrap"), Env: append([]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + w.front.URL,
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench",
		"ALLOWED_SECRETS=arn:aws:secretsmanager:*:*:secret:*",
		"MIN_ROTATION_AGE=0",
		`SECRETS={"*":{"*":["` + userA + `","` + userB + `"]}}`,
	}, env...)}
	b.Cleanup(f.Close)
	return f
}

func (w *world) trivial(b *testing.B, name string) *rehearsal.Function {
	b.Helper()
	dir := b.TempDir()
	if err := rehearsal.Compile(b.Context(), filepath.Join("testdata", name), filepath.Join(dir, "bootstrap")); err != nil {
		b.Fatal(err)
	}
	return w.function(b, dir)
}

// rotate runs a rotation and returns the time of its steps without the pauses.
func (w *world) rotate(b *testing.B, f *rehearsal.Function, secret string, pause time.Duration) (took time.Duration) {
	b.Helper()
	service := &rehearsal.Service{SecretsManager: w.store, Function: f, Attempts: 1, Pause: pause}
	steps, err := service.Rotate(b.Context(), secret, w.token())
	if err != nil {
		b.Fatalf("%v\n%s", err, f.Output())
	}
	for _, step := range steps {
		took += step.Took
	}
	return took
}

// cost is what a piece of work took of the machine.
type cost struct {
	wall, cpu time.Duration
	peak      float64 // memory in bytes
}

// coldStart invokes a new process with a step of a rotation that is over, for
// which every rotator describes the secret and then has nothing to do.
func coldStart(b *testing.B, f *rehearsal.Function, secret string) cost {
	b.Helper()
	f.Kill()
	event, err := json.Marshal(rehearsal.Event{Step: rehearsal.CreateSecret, SecretID: secret, ClientRequestToken: firstVersion})
	if err != nil {
		b.Fatal(err)
	}
	began := b.Elapsed()
	if _, err := f.Invoke(b.Context(), event, time.Minute); err != nil {
		b.Fatalf("%v\n%s", err, f.Output())
	}
	return cost{b.Elapsed() - began, cpuOf(b, f), peakOf(b, f)}
}

func cpuOf(b *testing.B, f *rehearsal.Function) time.Duration {
	b.Helper()
	used, err := process.CPUTime(f.Pid())
	if err != nil {
		b.Fatal(err)
	}
	return used
}

func peakOf(b *testing.B, f *rehearsal.Function) float64 {
	b.Helper()
	peak, err := process.PeakMemory(f.Pid())
	if err != nil {
		b.Fatal(err)
	}
	return peak
}

// costs are those of the same work, again and again.
type costs struct{ wall, cpu, peak []float64 }

func (c *costs) add(one cost) {
	c.wall = append(c.wall, one.wall.Seconds())
	c.cpu = append(c.cpu, one.cpu.Seconds())
	c.peak = append(c.peak, one.peak)
}

func (c *costs) String() string {
	return fmt.Sprintf("  wall %s ms, processor %s ms, peak %s MB", spread(c.wall, 1e3), spread(c.cpu, 1e3), spread(c.peak, 1e-6))
}

// report reports c, and how often trivials would fit into it.
func (c *costs) report(b *testing.B, trivials costs, wallLimit, cpuLimit float64) {
	reportTime(b, median(c.wall), "wall")
	reportTime(b, median(c.cpu), "cpu")
	report(b, median(c.wall)/median(trivials.wall), fmt.Sprintf("x-trivial(≤%v)", wallLimit))
	report(b, median(c.cpu)/median(trivials.cpu), fmt.Sprintf("x-trivial-cpu(≤%v)", cpuLimit))
}

func reportTime(b *testing.B, seconds float64, what string) { report(b, seconds*1e3, "ms-"+what) }

// report replaces the time that the testing package would print, which is that
// of the yardstick as well.
func report(b *testing.B, value float64, unit string) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(value, unit)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// spread is the median and the range.
func spread(values []float64, scale float64) string {
	return fmt.Sprintf("%.1f (%.1f-%.1f)", median(values)*scale, slices.Min(values)*scale, slices.Max(values)*scale)
}
