package rotation_test

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// C25: the cure that RUNBOOK.md has for a code helps: the next rotation goes
// through, or the same one where the entry says so.
func TestAdvice(t *testing.T) {
	for code, test := range map[rotation.Code]struct {
		initial *string              // of the secret, if it is not as it should be
		begin   func(*bench, string) // before the steps of a rotation
		cure    func(*bench, string)
		same    bool     // the rotation goes on, else another begins
		steps   []string // that arrive at first, if not all
	}{
		rotation.CodeDisabled: {
			begin: func(b *bench, _ string) { b.Config.Disabled = true },
			cure:  func(b *bench, _ string) { b.Config.Disabled = false },
		},
		rotation.CodeTooSoon: {
			begin: func(b *bench, _ string) { b.overlaps, b.Config.MinRotationAge = true, rotation.DefaultMinRotationAge },
			cure:  func(b *bench, _ string) { b.Config.MinRotationAge = 0 },
		},
		rotation.CodeRotationOff: {
			begin: func(b *bench, _ string) {
				_, err := b.Store.CancelRotateSecret(b.t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: &b.Secret})
				b.must(err)
			},
			// Switching it on takes up the rotation that was under way.
			cure: func(b *bench, token string) { b.must(b.GiveUp(token)) },
		},
		rotation.CodeNoCurrent: {
			initial: new(""),
			begin:   func(*bench, string) {},
			cure:    func(b *bench, _ string) { b.put(b.Token(), seed) },
		},
		rotation.CodeBadSecret: {
			initial: new(`{"host": "db", "password": }`),
			begin:   func(*bench, string) {},
			cure: func(b *bench, token string) {
				b.must(b.GiveUp(token))
				b.put(b.Token(), seed)
			},
		},
		rotation.CodeTampered: {
			begin: func(b *bench, token string) {
				b.put(token, strings.Replace(seed, `"db"`, `"other-db"`, 1), rotation.StagePending)
			},
			cure: func(b *bench, token string) { b.must(b.GiveUp(token)) },
		},
		rotation.CodeSameValue: {
			begin: func(b *bench, token string) {
				current, err := b.Value(rotation.StageCurrent)
				b.must(err)
				b.put(token, current.Text().Reveal(), rotation.StagePending)
			},
			cure: func(*bench, string) {}, // it is given up by itself
		},
		rotation.CodeSecretNotAllowed: {
			begin: func(b *bench, _ string) { b.Config.AllowedSecrets = []string{"arn:another"} },
			cure:  func(b *bench, _ string) { b.Config.AllowedSecrets = []string{b.Secret} },
			same:  true,
		},
		rotation.CodeUnknownToken: {
			begin: func(b *bench, token string) { b.must(b.GiveUp(token)) },
			cure:  func(*bench, string) {},
		},
		rotation.CodeNotPending: {
			begin: func(b *bench, token string) { b.must(b.GiveUp(token)); b.move("MINE", "", token) },
			cure:  func(*bench, string) {},
		},
		rotation.CodeStoreDenied: {
			begin: func(b *bench, _ string) {
				b.on(promote, func(func() error) error { return api("AccessDeniedException") })
			},
			cure: func(b *bench, _ string) { b.around = nil },
			same: true,
		},
		rotation.CodeStoreThrottle: {
			begin: func(b *bench, _ string) { b.on(put, func(func() error) error { return api("ThrottlingException") }) },
			cure:  func(b *bench, _ string) { b.around = nil },
			same:  true,
		},
		rotation.CodeStoreKey: {
			begin: func(b *bench, _ string) { b.on(put, func(func() error) error { return api("EncryptionFailure") }) },
			cure:  func(b *bench, _ string) { b.around = nil },
			same:  true,
		},
		rotation.CodeStoreUnreachable: {
			begin: func(b *bench, _ string) {
				b.on(promote, func(func() error) error { return &net.OpError{Op: "dial", Err: errBroken} })
			},
			cure: func(b *bench, _ string) { b.around = nil },
			same: true,
		},
		rotation.CodeStore: {
			begin: func(b *bench, _ string) {
				b.on(promote, func(func() error) error { return api("InternalServiceError") })
			},
			cure: func(b *bench, _ string) { b.around = nil },
			same: true,
		},
		rotation.CodeNoPendingValue: {
			begin: func(b *bench, token string) {
				b.on(put, func(func() error) error { return api("EncryptionFailure") })
				b.wantCode(b.deliver(token, rotation.StepCreate), rotation.CodeStoreKey) // the code to look up
			},
			cure:  func(b *bench, _ string) { b.around = nil },
			same:  true,
			steps: []string{rotation.StepSet},
		},
		rotation.CodeDeadline: {
			begin: func(b *bench, _ string) { b.on("Set", func(func() error) error { return context.DeadlineExceeded }) },
			cure:  func(b *bench, _ string) { b.around = nil },
			same:  true,
		},
		rotation.CodePanic: {
			begin: func(b *bench, _ string) { b.on("Finish", func(func() error) error { panic("of a strategy") }) },
			cure:  func(b *bench, _ string) { b.around = nil },
			same:  true,
		},
		rotation.CodeUnreachable: {
			begin: func(b *bench, _ string) {
				b.on("Set", func(func() error) error { return rotation.Errorf(rotation.CodeUnreachable, "no connection") })
			},
			cure: func(b *bench, _ string) { b.around = nil },
			same: true,
		},
		rotation.CodeCurrentMoved: {
			begin: func(b *bench, _ string) {
				b.on(promote, func(do func() error) error {
					b.put(b.Token(), seed)
					return do()
				})
			},
			cure: func(b *bench, _ string) { b.around = nil },
		},
	} {
		t.Run(string(code), func(t *testing.T) {
			b := newBench(t, *cmp.Or(test.initial, new(seed)))
			if test.initial == nil {
				b.rotated()
				b.Pass(time.Minute)
			}
			token := b.requested()
			test.begin(b, token)
			b.wantCode(b.steps(token, test.steps...), code)
			test.cure(b, token)
			if !test.same {
				b.Pass(time.Minute)
				token = b.requested()
			}
			b.must(b.steps(token), b.Settled(token))
		})
	}
}

// C25: an event that is none is answered with what REFERENCE.md shows: a preflight, and
// rotations are left to Secrets Manager.
func TestAdviceOnBadEvent(t *testing.T) {
	b := newBench(t, seed)
	for _, event := range []string{`{"Step": "finishSecret"}`, `{"Step": "finishSecret", "SecretId": "` + b.Secret + `"}`, `["preflight"]`} {
		_, err := b.handler().Handle(b.Invocation(t.Context()), json.RawMessage(event))
		b.wantCode(err, rotation.CodeBadEvent)
	}
	answer, err := b.handler().Handle(b.Invocation(t.Context()), json.RawMessage(`{"Preflight": true, "SecretId": "`+b.Secret+`"}`))
	if report, ok := answer.(rotation.Preflight); err != nil || !ok || !report.OK {
		t.Errorf("got %+v, %v", answer, err)
	}
	token := b.requested()
	b.must(b.steps(token), b.Settled(token))
}

// C25: a setting that cannot be used is named, and the function that has it right
// rotates.
func TestAdviceOnBadConfig(t *testing.T) {
	b := newBench(t, seed)
	environment := map[string]string{"ALLOWED_SECRETS": b.Secret, "MIN_ROTATION_AGE": "65"}
	read := func() (rotation.Config, error) {
		return rotation.ConfigFromEnv(rotation.NewEnv(func(name string) (string, bool) {
			value, ok := environment[name]
			return value, ok
		}))
	}
	_, err := read()
	b.wantCode(err, rotation.CodeBadConfig)
	for name := range environment {
		if strings.Contains(err.Error(), name) != (name == "MIN_ROTATION_AGE") {
			t.Errorf("%v: is %s named?", err, name)
		}
	}
	environment["MIN_ROTATION_AGE"] = "65m"
	b.Config, err = read()
	b.must(err)
	token := b.requested()
	b.must(b.steps(token), b.Settled(token))
}

// C12, C25: a replica that failed leaves the rotation as it is. Once it has been
// replicated to anew, the next rotation tells of none.
func TestAdviceOnAReplica(t *testing.T) {
	b := newBench(t, seed)
	replica := func(status types.StatusType) {
		b.must(b.Store.ScriptReplication(b.Secret, []types.ReplicationStatusType{{Region: new("us-east-1"), Status: status, StatusMessage: new("no right on the key")}}))
	}
	told := func() (n int) {
		for _, line := range b.said(true) {
			if line["code"] == string(rotation.CodeReplicaFailed) {
				n++
			}
		}
		return n
	}
	for _, status := range []types.StatusType{types.StatusTypeFailed, types.StatusTypeInSync} {
		replica(status)
		b.Pass(time.Minute)
		token := b.requested()
		b.must(b.steps(token), b.Settled(token))
		if told() != 1 {
			t.Errorf("with a replica that is %s, replicas are told of %d times, want 1", status, told())
		}
	}
}

// steps delivers the steps of a rotation, all if none are named, until one fails.
func (b *bench) steps(token string, steps ...string) (err error) {
	if steps == nil {
		steps = rotationtest.Steps
	}
	for _, step := range steps {
		if err = b.deliver(token, step); err != nil {
			break
		}
	}
	return err
}
