package rotation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"example.com/orders-db/internal/rotation"
	"example.com/orders-db/internal/rotation/rotationtest"
)

// C2: only "not found" means that the version has no value. After any other
// answer nothing is generated, let alone stored.
func TestCreateWhenPendingCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct {
		answer error
		want   rotation.Code
	}{
		"denied":       {api("AccessDeniedException"), rotation.CodeStoreDenied},
		"no key":       {&types.DecryptionFailure{}, rotation.CodeStoreKey},
		"throttled":    {api("ThrottlingException"), rotation.CodeStoreThrottle},
		"ill":          {&types.InternalServiceError{}, rotation.CodeStore},
		"no answer":    {errBroken, rotation.CodeStore},
		"out of time":  {context.DeadlineExceeded, rotation.CodeDeadline},
		"no such name": {api("ResourceNotFoundException"), rotation.CodeStore}, // not the service's own type
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			token := b.requested()
			b.on(getPending, func(func() error) error { return test.answer })
			b.wantCode(b.deliver(token, rotation.StepCreate), test.want)
			b.wantCalls(describe, getPending)
		})
	}
}

// C2, C22: reads may be late, so a step waits for the pending value: as long as its
// time lasts, or as long as reads may lag if it has something else to do.
func TestPendingShowsLate(t *testing.T) {
	for step, late := range map[string]time.Duration{
		rotation.StepSet: 50 * time.Second, rotation.StepTest: 9 * time.Second, rotation.StepFinish: 50 * time.Second,
	} {
		b := newBench(t, seed)
		token := b.created()
		b.Lag(map[string]rotationtest.Lag{"GetSecretValue": {For: late}})
		before := b.Now()
		b.must(b.deliver(token, step))
		if waited := b.Now().Sub(before); waited < late || waited > late+time.Second {
			t.Errorf("%s waited %s for a value that shows after %s", step, waited, late)
		}
	}
}

// C1, C22: a version that does not show yet is waited for; it takes more than one
// read to refuse a step, and no read too many to let it go on.
func TestLabelsShowLate(t *testing.T) {
	for _, op := range []string{"DescribeSecret", "GetSecretValue"} {
		for reads := range 4 {
			b := newBench(t, seed)
			b.rotated()
			b.Pass(time.Hour)
			b.Lag(map[string]rotationtest.Lag{op: {For: 5 * time.Second, Reads: reads}})
			b.must(b.Request("late"))
			for _, step := range rotationtest.Steps {
				b.must(b.deliver("late", step))
			}
			b.must(b.Settled("late"))
		}
	}
}

// C1: a delivery that reads the pending value while another one promotes it is late,
// and that is no failure.
func TestLabelMovesOn(t *testing.T) {
	for step, want := range map[string]rotation.Code{rotation.StepSet: "", rotation.StepTest: "", rotation.StepFinish: ""} {
		b := newBench(t, seed)
		token := b.created()
		b.on(getPending, func(do func() error) error {
			b.around = nil
			b.must(b.deliver(token, rotation.StepFinish))
			return do()
		})
		b.wantCode(b.deliver(token, step), want)
		b.must(b.Settled(token))
	}
}

// C16, C22: a version is not given up because its value does not show yet: it may be
// in force.
func TestDisabledAndLate(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	b.Config.Disabled = true
	b.Lag(map[string]rotationtest.Lag{"GetSecretValue": {For: 5 * time.Second}})
	b.must(b.deliver(token, rotation.StepCreate))
	b.wantHolder(rotation.StagePending, token)
}

// C2: the pending version is the one that the token names and it holds
// AWSPENDING, both at once: neither alone will do.
func TestPendingMoves(t *testing.T) {
	b := newBench(t, seed)
	token, other := b.created(), b.Token()
	b.put(other, `{"password": "somebody-else's"}`, "MINE")
	b.on(getPending, func(do func() error) error {
		b.around = nil
		b.move(rotation.StagePending, token, other)
		return do()
	})
	b.wantCode(b.deliver(token, rotation.StepSet), rotation.CodeUnknownToken)
	b.wantNoCall("Set")
}

// C3: of two deliveries that both find no value one stores its own, the other
// adopts it, and both are content.
func TestConcurrentCreate(t *testing.T) {
	b := newBench(t, seed)
	token := b.requested()
	b.on(put, func(do func() error) error {
		b.around = nil
		b.must(b.deliver(token, rotation.StepCreate))
		if err := do(); errors.As(err, new(*types.ResourceExistsException)) {
			return err
		}
		t.Error("the second value was stored")
		return nil
	})
	b.must(b.deliver(token, rotation.StepCreate))
	pending, err := b.Value(rotation.StagePending)
	b.must(err)
	if got, _ := pending.Get("password"); got.Reveal() != "new-sentinel-2" {
		t.Errorf("AWSPENDING has %s, want the value that was stored first", got.Reveal())
	}
}

// C3: the delivery that lost goes on with the value that counts, not with its own.
func TestConcurrentCreateWarm(t *testing.T) {
	b := newBench(t, seed)
	token := b.requested()
	b.on(put, func(do func() error) error {
		b.put(token, strings.Replace(seed, "current-sentinel", "theirs", 1), rotation.StagePending)
		return do()
	})
	b.set = func(ctx context.Context, r *rotation.Rotation) error {
		pending, err := r.Pending(ctx)
		b.must(err)
		if got, _ := pending.Value.Get("password"); got.Reveal() != "theirs" {
			t.Errorf("setSecret sees %s, want the stored value", got.Reveal())
		}
		return nil
	}
	warm := b.handler()
	for _, step := range []string{rotation.StepCreate, rotation.StepSet} {
		_, err := warm.Handle(t.Context(), b.event(token, step))
		b.must(err)
	}
}

// C2, C3: a lost answer to PutSecretValue costs a retry and no second value.
func TestCreateLosesAnswer(t *testing.T) {
	b := newBench(t, seed)
	token := b.requested()
	b.on(put, func(do func() error) error {
		b.must(do())
		return errBroken
	})
	b.wantCode(b.deliver(token, rotation.StepCreate), rotation.CodeStore)
	b.must(b.deliver(token, rotation.StepCreate))
	b.wantNoCall("Next", put)
}

// C4: the pending value is AWSCURRENT's, byte by byte, but for the credential.
func TestCreateKeepsTheRest(t *testing.T) {
	const initial = "{ \"port\" : 5432,\n \"id\": 12345678901234567890123, \"ratio\": 1.50e+02, \"html\": \"<a>&amp;\\u003c\\/\",\n" +
		" \"password\" : \"current-sentinel\" , \"app\": {\"password\": \"another\", \"a\": [ ]}, \"\": null, \"ключ\\n\": \"\\ud83d\\ude00\" }\n"
	b := newBench(t, initial)
	b.created()
	pending, err := b.Value(rotation.StagePending)
	b.must(err)
	if got, want := pending.Text().Reveal(), strings.Replace(initial, "current-sentinel", "new-sentinel-1", 1); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// C4: an AWSCURRENT that is no JSON object is told and left alone.
func TestCreateFromNoObject(t *testing.T) {
	for name, initial := range map[string]string{"text": "hunter2", "an array": "[1]", "a key twice": `{"a":1,"a":2}`} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, initial)
			b.wantCode(b.deliver(b.requested(), rotation.StepCreate), rotation.CodeBadSecret)
			b.wantNoCall("Next", put)
		})
	}
	t.Run("binary", func(t *testing.T) {
		b := newBench(t, seed)
		_, err := b.Store.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
			SecretId: &b.Secret, ClientRequestToken: aws.String(b.Token()), SecretBinary: []byte(seed),
		})
		b.must(err)
		b.wantCode(b.deliver(b.requested(), rotation.StepCreate), rotation.CodeBadSecret)
		b.wantNoCall("Next", put)
	})
}

// C4: an AWSPREVIOUS that cannot be read is no candidate, and no obstacle.
func TestPreviousCannotBeRead(t *testing.T) {
	for name, spoil := range map[string]func(*bench){
		"no object": func(b *bench) {
			b.put(b.Token(), "hunter2")
			b.put(b.Token(), seed)
		},
		"denied": func(b *bench) {
			b.rotated()
			b.on("GetSecretValue AWSPREVIOUS", func(func() error) error { return api("AccessDeniedException") })
		},
		"absent": func(*bench) {},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			spoil(b)
			b.set = func(ctx context.Context, r *rotation.Rotation) error {
				if v, ok := r.Previous(ctx); ok {
					t.Errorf("AWSPREVIOUS is version %q, want none", v.ID)
				}
				return nil
			}
			b.must(b.deliver(b.created(), rotation.StepSet))
		})
	}
}

// S4: versions without a label come newest first, whatever the order and the
// pages in which they are listed. Empty ones, broken ones and ones whose key is
// gone are skipped; a service that does not answer has not said that.
func TestDeprecated(t *testing.T) {
	for name, test := range map[string]struct {
		limit  int
		answer error // to every read
		want   []string
		code   rotation.Code
	}{
		"all":         {9, nil, []string{"4", "2", "1"}, ""},
		"the newest":  {2, nil, []string{"4", "2"}, ""},
		"none wanted": {0, nil, nil, ""},
		"no key":      {9, &types.DecryptionFailure{}, nil, ""},
		"throttled":   {9, api("ThrottlingException"), nil, rotation.CodeStoreThrottle},
		"no answer":   {9, errBroken, nil, rotation.CodeStore},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			var broken string
			for _, value := range []string{`{"n": 1}`, `{"n": 2}`, "broken", `{"n": 4}`, `{"n": 5}`} {
				b.Pass(time.Minute)
				token := b.Token()
				b.put(token, value, "MINE") // takes the label off the one before
				if value == "broken" {
					broken = token
				}
			}
			b.must(b.GiveUp(b.requested())) // an empty one
			if test.answer != nil {
				b.on(getForeign, func(func() error) error { return test.answer })
			}
			var got []string
			b.set = func(ctx context.Context, r *rotation.Rotation) error {
				versions, err := r.Deprecated(ctx, test.limit, func(rotation.Value) bool { return true })
				for _, v := range versions {
					n, _ := v.Value.Get("n")
					got = append(got, n.Reveal())
				}
				return err
			}
			b.wantCode(b.deliver(b.created(), rotation.StepSet), test.code)
			if name == "all" && !strings.Contains(b.Output(), `"previous":"`+broken+`","code":"bad-secret"`) {
				t.Errorf("version %s, which is broken, is not named in:\n%s", broken, b.Output())
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
