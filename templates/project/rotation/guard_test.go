package rotation_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// C1, C18: every step in every state of the labels. A guard's refusal comes
// before anything else is asked, and an empty version is never promoted.
func TestGuard(t *testing.T) {
	type outcome struct {
		code  rotation.Code
		calls []string
	}
	refused := func(code rotation.Code) map[string]outcome {
		all := make(map[string]outcome)
		for _, step := range rotationtest.Steps {
			all[step] = outcome{code, []string{describe}}
		}
		return all
	}
	done := map[string]outcome{
		rotation.StepCreate: {"", []string{describe}},
		rotation.StepSet:    {"", []string{describe}},
		rotation.StepTest:   {"", []string{describe}},
		rotation.StepFinish: {"", []string{describe, getCurrent, "Works", abandon}},
	}
	replaced := maps.Clone(done)
	replaced[rotation.StepFinish] = outcome{"", []string{describe}}
	reads := []string{describe, getPending}

	for name, test := range map[string]struct {
		initial string
		state   func(*bench) string
		want    map[string]outcome
	}{
		"rotation was never on": {
			seed,
			func(b *bench) string { return b.Holder(rotation.StageCurrent) },
			refused(rotation.CodeRotationOff),
		},
		"rotation was turned off": {
			seed,
			func(b *bench) string {
				token := b.created()
				_, err := b.Store.CancelRotateSecret(b.t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: &b.Secret})
				b.must(err)
				return token
			},
			refused(rotation.CodeRotationOff),
		},
		"no such version": {
			seed,
			func(b *bench) string {
				b.created()
				return b.Token()
			},
			refused(rotation.CodeUnknownToken),
		},
		"no label": {
			seed,
			func(b *bench) string {
				token := b.created()
				b.must(b.GiveUp(token))
				return token
			},
			refused(rotation.CodeUnknownToken),
		},
		"a label of somebody's own": {
			seed,
			func(b *bench) string {
				token := b.created()
				b.must(b.GiveUp(token))
				b.move("MINE", "", token)
				return token
			},
			refused(rotation.CodeNotPending),
		},
		"AWSPREVIOUS": {
			seed,
			func(b *bench) string {
				token := b.rotated()
				b.rotated()
				return token
			},
			replaced, // a late delivery of a rotation that was complete
		},
		"AWSPENDING without a value": {
			seed,
			(*bench).requested,
			map[string]outcome{
				rotation.StepCreate: {"", []string{describe, getPending, getCurrent, "Next", put}},
				rotation.StepSet:    {rotation.CodeNoPendingValue, reads},
				rotation.StepTest:   {"", append(slices.Clone(reads), getCurrent, "Works")},
				rotation.StepFinish: {rotation.CodeNoPendingValue, []string{describe, getPending}},
			},
		},
		"AWSPENDING": {
			seed,
			(*bench).created,
			map[string]outcome{
				rotation.StepCreate: {"", []string{describe, getPending}},
				rotation.StepSet:    {"", []string{describe, getPending, getCurrent, "Set"}},
				rotation.StepTest:   {"", []string{describe, getPending, getCurrent, "Test"}},
				rotation.StepFinish: {"", []string{describe, getPending, getCurrent, "Finish", promote, abandon}},
			},
		},
		"AWSCURRENT": {seed, (*bench).rotated, done},
		"AWSCURRENT and AWSPENDING": {
			seed,
			func(b *bench) string {
				token := b.created()
				b.move(rotation.StageCurrent, b.Holder(rotation.StageCurrent), token)
				return token
			},
			done,
		},
		"the secret was never given a value": {
			"",
			(*bench).requested,
			map[string]outcome{
				rotation.StepCreate: {rotation.CodeNoCurrent, []string{describe, getPending}},
				rotation.StepSet:    {rotation.CodeNoPendingValue, reads},
				rotation.StepTest:   {rotation.CodeNoCurrent, reads},
				rotation.StepFinish: {rotation.CodeNoPendingValue, []string{describe, getPending}},
			},
		},
	} {
		for step, want := range test.want {
			t.Run(name+"/"+step, func(t *testing.T) {
				b := newBench(t, test.initial)
				token := test.state(b)
				b.wantCode(b.deliver(token, step), want.code)
				b.calls = slices.Compact(b.calls) // while it waits it asks again
				b.wantCalls(want.calls...)
			})
		}
	}
}

// C1, C5: an event that is none, or is about a secret that the function was not
// made for, ends before any call.
func TestEvent(t *testing.T) {
	b := newBench(t, seed)
	token := b.created()
	for name, test := range map[string]struct {
		payload string
		want    rotation.Code
	}{
		"no JSON":           {`Step: createSecret`, rotation.CodeBadEvent},
		"another event":     {`{"Records": []}`, rotation.CodeBadEvent},
		"no token":          {`{"Step": "createSecret", "SecretId": "` + b.Secret + `"}`, rotation.CodeBadEvent},
		"snake case":        {`{"Step": "create_secret", "SecretId": "` + b.Secret + `", "ClientRequestToken": "` + token + `"}`, rotation.CodeBadEvent},
		"another secret":    {`{"Step": "createSecret", "SecretId": "other", "ClientRequestToken": "` + token + `"}`, rotation.CodeSecretNotAllowed},
		"another preflight": {`{"Preflight": true, "SecretId": "other"}`, rotation.CodeSecretNotAllowed},
		"another's age":     {`{"Age": true, "SecretId": "other"}`, rotation.CodeSecretNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			b.calls = nil
			_, err := b.handler().Handle(t.Context(), json.RawMessage(test.payload))
			b.wantCode(err, test.want)
			b.wantCalls()
		})
	}
}

// C5: if a key of the pending value other than the credential was changed, no
// step that acts calls the target with it.
func TestTamperedPending(t *testing.T) {
	const initial = `{"engine": "postgres", "host": "db", "port": 5432, "dbname": "app", "username": "app", "password": "current-sentinel",
		"masterarn": "arn:admin", "ssl": true, "tls_server_name": "db.internal", "app": {"pool": [1, 2]}}`
	for name, change := range map[string][2]string{
		"engine":                 {`"postgres"`, `"mysql"`},
		"host":                   {`"db"`, `"evil"`},
		"host, by case":          {`"db"`, `"DB"`},
		"port":                   {`5432`, `6432`},
		"port, quoted":           {`5432`, `"5432"`},
		"dbname":                 {`"dbname": "app"`, `"dbname": "other"`},
		"username":               {`"username": "app"`, `"username": "root"`},
		"admin":                  {`"arn:admin"`, `"arn:evil"`},
		"TLS off":                {`true`, `false`},
		"TLS name":               {`"db.internal"`, `"evil.internal"`},
		"a nested value":         {`[1, 2]`, `[1, 3]`},
		"a key more":             {`"ssl": true`, `"ssl": true, "sslmode": "disable"`},
		"a key less":             {`"ssl": true,`, ``},
		"a key's other spelling": {`"host"`, `"Host"`},
	} {
		for _, step := range rotationtest.Steps[1:] {
			t.Run(name+"/"+step, func(t *testing.T) {
				b := newBench(t, initial)
				token := b.requested()
				altered := strings.Replace(strings.Replace(initial, "current-sentinel", "new-sentinel", 1), change[0], change[1], 1)
				b.put(token, altered, rotation.StagePending)
				b.wantCode(b.deliver(token, step), rotation.CodeTampered)
				b.wantCalls(describe, getPending, getCurrent)
			})
		}
	}
}

// C11: a rotation to the same value would change nothing and say that it did. It
// is given up before it stands in the next one's way.
func TestSameValue(t *testing.T) {
	for step, more := range map[string][]string{
		rotation.StepSet:    {"UpdateSecretVersionStage AWSPENDING"},
		rotation.StepFinish: nil,
	} {
		b := newBench(t, seed)
		token := b.requested()
		b.put(token, strings.ReplaceAll(seed, " ", "\n"), rotation.StagePending)
		b.wantCode(b.deliver(token, step), rotation.CodeSameValue)
		b.wantCalls(append([]string{describe, getPending, getCurrent}, more...)...)
	}
}

// C5: the function's list decides which secrets it touches, also which admin
// secret it reads when the rotated secret names one.
func TestAllowedSecrets(t *testing.T) {
	const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/admin-AbCdEf"
	for pattern, want := range map[string]bool{
		arn: true,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/admin-??????": true,
		"arn:aws:secretsmanager:eu-west-1:*:secret:app/*":                       true,
		"*": true,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/admin": false, // a prefix
		"app/admin-AbCdEf": false, // a suffix
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/admin-?????":  false,
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app.admin-AbCdEf": false, // no regular expression
		"arn:aws:secretsmanager:eu-west-1:111122223333:secret:app/admin-[A-z]*": false,
		"ARN:aws:secretsmanager:eu-west-1:111122223333:secret:app/admin-AbCdEf": false,
		"": false,
	} {
		t.Run(pattern, func(t *testing.T) {
			b := newBench(t, seed)
			b.Config.AllowedSecrets = []string{b.Secret, pattern}
			b.set = func(ctx context.Context, r *rotation.Rotation) error {
				_, err := r.Secret(ctx, arn)
				return err
			}
			err := b.deliver(b.created(), rotation.StepSet)
			if want {
				b.wantCode(err, rotation.CodeStore) // it was asked for, and does not exist
			} else {
				b.wantCode(err, rotation.CodeSecretNotAllowed)
				b.wantNoCall(getForeign)
			}
		})
	}
}

// C14: a credential that clients may still hold is not replaced, and nothing
// wedges because of it.
func TestTooSoon(t *testing.T) {
	for name, test := range map[string]struct {
		age      time.Duration // of the last rotation; 0 for none
		min      time.Duration
		overlaps bool
		filled   bool
		want     rotation.Code
	}{
		"never rotated":               {0, rotation.DefaultMinRotationAge, true, false, ""},
		"young":                       {64 * time.Minute, rotation.DefaultMinRotationAge, true, false, rotation.CodeTooSoon},
		"old enough":                  {65 * time.Minute, rotation.DefaultMinRotationAge, true, false, ""},
		"switched off":                {time.Minute, 0, true, false, ""},
		"switched off, clocks differ": {-time.Second, 0, true, false, ""},
		"no overlap promised":         {time.Minute, rotation.DefaultMinRotationAge, false, false, ""},
		"has a value already":         {time.Minute, rotation.DefaultMinRotationAge, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			if test.age != 0 {
				b.rotated()
				b.Pass(test.age)
			}
			b.Config.MinRotationAge, b.overlaps = test.min, test.overlaps
			token := b.requested()
			if test.filled {
				b.put(token, strings.Replace(seed, "current-sentinel", "new-sentinel", 1), rotation.StagePending)
			}
			err := b.deliver(token, rotation.StepCreate)
			b.wantCode(err, test.want)
			if test.want == "" {
				b.wantHolder(rotation.StagePending, token)
				return
			}
			b.calls = slices.Compact(b.calls)
			b.wantCalls(describe, getPending, abandon)
			b.wantHolder(rotation.StagePending, "")
			if !strings.Contains(err.Error(), "MIN_ROTATION_AGE") {
				t.Errorf("%q does not say how to override", err)
			}
			b.Pass(time.Minute)
			b.rotated()
		})
	}
}

// C16: the kill switch stops a rotation that has no value yet, and lets one that
// has go on to its end.
func TestKillSwitch(t *testing.T) {
	t.Run("before a value", func(t *testing.T) {
		b := newBench(t, seed)
		token := b.requested()
		b.Config.Disabled = true
		b.wantCode(b.deliver(token, rotation.StepCreate), rotation.CodeDisabled)
		b.calls = slices.Compact(b.calls)
		b.wantCalls(describe, getPending, abandon)
		b.wantHolder(rotation.StagePending, "")
		b.Config.Disabled = false
		b.rotated()
	})
	t.Run("after a value", func(t *testing.T) {
		b := newBench(t, seed)
		token := b.created()
		b.Config.Disabled = true
		for _, step := range rotationtest.Steps {
			b.must(b.deliver(token, step))
		}
		b.wantHolder(rotation.StageCurrent, token)
	})
}

// C13: a lone testSecret passes if AWSCURRENT works, and writes nothing.
func TestTestOnly(t *testing.T) {
	for name, empty := range map[string]bool{"a copy": false, "an empty version": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, seed)
			b.Store.EmptyTestVersion = empty
			token := b.Token()
			_, err := b.Store.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
				SecretId: &b.Secret, ClientRequestToken: &token, RotateImmediately: aws.Bool(false), RotationLambdaARN: aws.String("arn:rotator"),
			})
			b.must(err)

			// Where Test cannot judge AWSCURRENT, Works does.
			b.on("Test", func(func() error) error { return rotation.Errorf(rotation.CodeParity, "no second user yet") })
			b.must(b.deliver(token, rotation.StepTest))
			b.wantNoCall(put, promote, abandon)
			if !slices.Contains(b.calls, "Works") {
				t.Errorf("AWSCURRENT was not tried: %q", b.calls)
			}

			rejects := b.around
			b.around = func(ctx context.Context, call string, do func() error) error {
				if call == "Works" {
					return rotation.Errorf(rotation.CodeAuthRejected, "no")
				}
				return rejects(ctx, call, do)
			}
			b.wantCode(b.deliver(token, rotation.StepTest), rotation.CodeAuthRejected)
			b.wantNoCall(put, promote, abandon)
			b.must(b.Store.EndTest(b.Secret, token))
		})
	}

	t.Run("a value of its own", func(t *testing.T) {
		b := newBench(t, seed)
		token := b.created()
		b.on("Test", func(func() error) error { return rotation.Errorf(rotation.CodeParity, "a right is missing") })
		b.wantCode(b.deliver(token, rotation.StepTest), rotation.CodeParity)
		b.wantNoCall("Works")
	})
}

// C17: a strategy may give the pending value up, and the next rotation starts
// clean. A label that is gone already is as good; one that stays is logged beside
// the reason.
func TestGiveUp(t *testing.T) {
	rejects := func(ctx context.Context, r *rotation.Rotation) error {
		return r.GiveUp(ctx, rotation.Errorf(rotation.CodePolicy, "too weak"))
	}
	const stays = `"AWSPENDING could not be taken off"`
	t.Run("given up", func(t *testing.T) {
		b := newBench(t, seed)
		b.set = rejects
		b.wantCode(b.deliver(b.created(), rotation.StepSet), rotation.CodePolicy)
		b.wantHolder(rotation.StagePending, "")
		b.rotated()
	})
	t.Run("gone already", func(t *testing.T) {
		b := newBench(t, seed)
		token := b.created()
		b.set = func(ctx context.Context, r *rotation.Rotation) error {
			b.must(b.GiveUp(token))
			return rejects(ctx, r)
		}
		b.wantCode(b.deliver(token, rotation.StepSet), rotation.CodePolicy)
		if strings.Contains(b.Output(), stays) {
			t.Error("a label that is gone is said to stay")
		}
	})
	t.Run("lost answer", func(t *testing.T) {
		b := newBench(t, seed)
		b.set = rejects
		token := b.created()
		b.on(abandon, func(do func() error) error {
			b.must(do())
			return errBroken
		})
		b.wantCode(b.deliver(token, rotation.StepSet), rotation.CodePolicy)
		if strings.Contains(b.Output(), stays) {
			t.Error("a label that is gone is said to stay")
		}
	})
	t.Run("denied", func(t *testing.T) {
		b := newBench(t, seed)
		b.set = rejects
		token := b.created()
		b.on(abandon, func(func() error) error { return api("AccessDeniedException") })
		b.wantCode(b.deliver(token, rotation.StepSet), rotation.CodePolicy)
		b.wantHolder(rotation.StagePending, token)
		if !strings.Contains(b.Output(), stays) {
			t.Error("nothing is said of the label that stays")
		}
	})
	t.Run("denied while rotation was turned off", func(t *testing.T) {
		b := newBench(t, seed)
		b.set = rejects
		token := b.created()
		b.on(abandon, func(func() error) error {
			_, err := b.Store.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: &b.Secret})
			b.must(err)
			return api("AccessDeniedException")
		})
		b.wantCode(b.deliver(token, rotation.StepSet), rotation.CodePolicy)
		b.wantHolder(rotation.StagePending, token)
		if !strings.Contains(b.Output(), stays) {
			t.Error("nothing is said of the label that stays")
		}
	})
}

// C16: a preflight asks and never writes, and tells every check by its code.
func TestPreflight(t *testing.T) {
	for name, test := range map[string]struct {
		initial string
		around  func(ctx context.Context, call string, do func() error) error
		want    []rotation.Code // by check
	}{
		"all there": {seed, nil, []rotation.Code{"", "", ""}},
		"denied": {
			seed,
			func(context.Context, string, func() error) error { return api("AccessDeniedException") },
			[]rotation.Code{rotation.CodeStoreDenied},
		},
		"never seeded": {"", nil, []rotation.Code{"", rotation.CodeNoCurrent}},
		"no object":    {`["a"]`, nil, []rotation.Code{"", rotation.CodeBadSecret}},
		"no target": {
			seed,
			func(_ context.Context, call string, do func() error) error {
				if call == "Preflight" {
					return rotation.Errorf(rotation.CodeUnreachable, "no answer")
				}
				return do()
			},
			[]rotation.Code{"", "", rotation.CodeUnreachable},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, test.initial)
			b.around = test.around
			answer, err := b.handler().Handle(t.Context(), json.RawMessage(`{"Preflight": true, "SecretId": "`+b.Secret+`"}`))
			b.must(err)
			b.wantNoCall(put, promote, abandon)
			text, err := json.Marshal(answer)
			b.must(err)
			var report struct {
				OK     bool
				Checks []rotation.Check
			}
			b.must(json.Unmarshal(text, &report))
			ok := true
			var got []rotation.Code
			for _, check := range report.Checks {
				got = append(got, check.Code)
				ok = ok && check.Code == ""
			}
			if !slices.Equal(got, test.want) || report.OK != ok {
				t.Errorf("got %s, want the codes %q", text, test.want)
			}
		})
	}
}
