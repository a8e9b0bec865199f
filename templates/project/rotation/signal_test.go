package rotation_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// limits are how long invocations may take: Lambda's default and its most.
var limits = []time.Duration{3 * time.Second, 15 * time.Minute}

// C8: if a service does not answer, the step ends with CodeDeadline while there is
// time left.
func TestDeadline(t *testing.T) {
	for _, silent := range []string{describe, getPending, getCurrent, "Set"} {
		for _, limit := range limits {
			t.Run(silent+"/"+limit.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, seed)
					token := b.created()
					b.around = func(ctx context.Context, call string, do func() error) error {
						if call == silent {
							<-ctx.Done()
							return ctx.Err()
						}
						return do()
					}
					ctx, cancel := context.WithTimeout(t.Context(), limit)
					defer cancel()
					_, err := b.handler().Handle(ctx, b.event(token, rotation.StepSet))
					b.wantCode(err, rotation.CodeDeadline)
					end, _ := ctx.Deadline()
					if left := time.Until(end); left < min(limit/4, 4*time.Second) || left > limit/2 {
						t.Errorf("%s were left of %s", left, limit)
					}
				})
			})
		}
	}
}

// C8: the pauses of a rotator outside tests end with the invocation's time too.
func TestDeadlineInAPause(t *testing.T) {
	for _, limit := range limits {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, seed)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			b.set = func(ctx context.Context, r *rotation.Rotation) error {
				if err := r.Wait(ctx, time.Second); err != nil {
					t.Errorf("a second of %s ended with %v", limit, err)
				}
				if err := r.Wait(ctx, time.Hour); err != context.DeadlineExceeded {
					t.Errorf("an hour of %s ended with %v", limit, err)
				}
				return rotation.Errorf(rotation.CodeDeadline, "time ran out")
			}
			token := b.created()
			_, err := rotation.New(store{b}, strategy{b}, b.Config, rotation.WithOutput(b)).Handle(ctx, b.event(token, rotation.StepSet))
			b.wantCode(err, rotation.CodeDeadline)
			if ctx.Err() != nil {
				t.Errorf("nothing was left of %s", limit)
			}
		})
	}
}

// C8, S3: when a step's time is used up there is still some to put things right
// in, and after that some to tell.
func TestSettling(t *testing.T) {
	for _, limit := range limits {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, seed)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			b.set = func(ctx context.Context, r *rotation.Rotation) error {
				<-ctx.Done()
				settling, cancel := r.Settling(ctx)
				defer cancel()
				if settling.Err() != nil {
					t.Errorf("of %s nothing is left to settle in", limit)
				}
				<-settling.Done()
				return rotation.Errorf(rotation.CodeRolledBack, "settled")
			}
			token := b.created()
			_, err := b.handler().Handle(ctx, b.event(token, rotation.StepSet))
			b.wantCode(err, rotation.CodeRolledBack)
			if ctx.Err() != nil {
				t.Errorf("of %s nothing was left to tell in", limit)
			}
		})
	}
}

// C15: every step writes one set of metrics in CloudWatch's embedded format, and
// every metric that it declares is a number in it.
func TestMetrics(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.set = func(_ context.Context, r *rotation.Rotation) error {
		b.Pass(1500 * time.Millisecond)
		r.Report.Candidate, r.Report.Gap = rotation.StageCurrent, new(27*time.Millisecond)
		r.Report.Degraded = rotation.Errorf(rotation.CodePermission, "one password at a time")
		return nil
	}
	b.must(b.deliver(token, rotation.StepSet))
	b.on("Test", func(func() error) error { return rotation.Errorf(rotation.CodeParity, "a right is missing") })
	b.wantCode(b.deliver(token, rotation.StepTest), rotation.CodeParity)

	if said := b.Output(); !strings.Contains(said, `"code":"permission","detail":"one password at a time"`) {
		t.Errorf("the log does not say what the step did less:\n%s", said)
	}
	for _, line := range b.said(true) {
		_, told := line["candidate"]
		if want := line["step"] == rotation.StepSet && line["msg"] == "step done"; told != want {
			t.Errorf("%v names a candidate: %t, want %t", line["msg"], told, want)
		}
	}
	lines := b.said(false)
	if len(lines) != 3 {
		t.Fatalf("%d sets of metrics after 3 steps", len(lines))
	}
	for i, want := range []map[string]any{
		{"Step": "createSecret", "Outcome": "success", "Code": "", "Candidate": "", "Duration": 0., "Degraded": 0., "Failures": 0., "ReplicaFailures": 0.},
		{"Step": "setSecret", "Outcome": "success", "Code": "", "Candidate": "AWSCURRENT", "Duration": 1500., "Degraded": 1., "Failures": 0., "CredentialGap": 27., "ReplicaFailures": 0.},
		{"Step": "testSecret", "Outcome": "failure", "Code": "parity", "Candidate": "", "Duration": 0., "Degraded": 0., "Failures": 1., "ReplicaFailures": 0.},
	} {
		want["SecretId"] = b.Secret
		var format struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		}
		text, err := json.Marshal(lines[i]["_aws"])
		b.must(err, json.Unmarshal(text, &format))
		delete(lines[i], "_aws")
		if diff := cmp.Diff(want, lines[i]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want["Step"], diff)
		}

		if age := b.Store.Now().Sub(time.UnixMilli(format.Timestamp)); age < 0 || age > 2*time.Second {
			t.Errorf("the timestamp is %s old", age)
		}
		if len(format.CloudWatchMetrics) != 1 || format.CloudWatchMetrics[0].Namespace != rotation.Namespace {
			t.Fatalf("got %s, want one namespace", text)
		}
		var names []string
		for _, metric := range format.CloudWatchMetrics[0].Metrics {
			names = append(names, metric.Name)
			if _, ok := lines[i][metric.Name].(float64); !ok {
				t.Errorf("metric %s is %v, not a number", metric.Name, lines[i][metric.Name])
			}
		}
		slices.Sort(names)
		measured := []string{"Degraded", "Duration", "Failures", "ReplicaFailures"}
		if want["CredentialGap"] != nil { // nothing is measured that was not there
			measured = slices.Insert(measured, 0, "CredentialGap")
		}
		if !slices.Equal(names, measured) {
			t.Errorf("metrics are %q, want %q", names, measured)
		}
		for _, dimension := range slices.Concat(format.CloudWatchMetrics[0].Dimensions...) {
			if _, ok := lines[i][dimension].(string); !ok {
				t.Errorf("dimension %s is %v, not a text", dimension, lines[i][dimension])
			}
		}
	}
}

// scheduled answers as Secrets Manager does of a secret that was made long ago,
// was never rotated, and whose first rotation is due at next.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
type scheduled struct {
	store
	next *time.Time
}

func (s scheduled) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, how ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	out, err := s.store.DescribeSecret(ctx, in, how...)
	if err == nil {
		out.LastRotatedDate, out.NextRotationDate = nil, s.next
		out.CreatedDate = new(s.b.Store.Now().AddDate(-2, 0, 0))
	}
	return out, err
}

// C15: a secret that exists already and was never rotated is not overdue before its
// first rotation is due; from then on its own age counts.
func TestAgeBeforeTheFirstRotation(t *testing.T) {
	b := newBench(t, seed)
	twoYears := b.Store.Now().Sub(b.Store.Now().AddDate(-2, 0, 0)).Seconds()
	for name, test := range map[string]struct {
		next *time.Time
		want float64
	}{
		"due in a month":     {new(b.Store.Now().AddDate(0, 1, 0)), 0},
		"was due yesterday":  {new(b.Store.Now().AddDate(0, 0, -1)), twoYears},
		"rotation is not on": {nil, twoYears},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(b.said(false))
			handler := rotation.New(scheduled{store{b}, test.next}, strategy{b}, b.Config, rotation.WithOutput(b), rotation.WithClock(b.Store.Now, b.pause))
			_, err := handler.Handle(t.Context(), json.RawMessage(`{"Age": true, "SecretId": "`+b.Secret+`"}`))
			b.must(err)
			if got := b.said(false)[before]["RotationAge"].(float64); got < test.want || got > test.want+5 {
				t.Errorf("age is %g s, want %g s", got, test.want)
			}
		})
	}
}

// C15: an event that asks for no rotation learns how old the last one is, or the
// secret if there was none. Nothing but the labels and dates is read, and the age
// is all that an event for it writes as a metric: each metric costs.
func TestAge(t *testing.T) {
	b := newBench(t, seed)
	age := func(event string) (seconds float64) {
		b.t.Helper()
		b.calls = nil
		before := len(b.said(false))
		_, err := b.handler().Handle(t.Context(), json.RawMessage(`{"`+event+`": true, "SecretId": "`+b.Secret+`", "Step": "finishSecret"}`))
		b.must(err)
		line := b.said(false)[before]
		text, err := json.Marshal(line["_aws"])
		b.must(err)
		want := `{"Dimensions":[["SecretId"]],"Metrics":[{"Name":"RotationAge","Unit":"Seconds"}],"Namespace":"Rotasmith"}`
		if event == "Age" {
			want = `"CloudWatchMetrics":[` + want + `]`
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("got %s, want %s in it", text, want)
		}
		return line["RotationAge"].(float64)
	}
	near := func(got float64, want time.Duration) {
		b.t.Helper()
		if got < want.Seconds() || got > want.Seconds()+5 {
			t.Errorf("age is %g s, want %g s", got, want.Seconds())
		}
	}

	b.Pass(40 * time.Hour)
	never := age("Age")
	if never < 40*3600 {
		t.Errorf("the secret is %g s old", never)
	}
	b.wantCalls(describe)
	b.rotated()
	near(age("Age"), 0)
	b.wantCalls(describe)
	b.Pass(31 * 24 * time.Hour)
	near(age("Age"), 31*24*time.Hour)
	near(age("Preflight"), 31*24*time.Hour)
}
