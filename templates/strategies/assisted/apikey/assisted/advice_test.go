package assisted_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
)

// C25: a key that a person makes as RUNBOOK.md says, and supplies, is taken by the next
// rotation, whatever was wrong with the last one.
func TestAdviceOnASupply(t *testing.T) {
	for code, supply := range map[rotation.Code]func(bench){
		rotation.CodeAwaitingOperator: func(bench) {},
		rotation.CodeSameValue:        func(b bench) { b.supply("first", apikeytest.FirstKey) },
		rotation.CodeAuthRejected:     func(b bench) { b.supply("", "key-sentinel-of-nobody") },
		rotation.CodeScopes:           func(b bench) { b.made(narrow) },
		rotation.CodeExpired:          func(b bench) { b.made(past) },
	} {
		t.Run(string(code), func(t *testing.T) {
			b := newBench(t, func(p apikeytest.Provider) assisted.Provider { return judge{revoker{p}} })
			supply(b)
			b.refused(code)
			b.rotate()
			if err := b.CurrentWorks(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Labels of keys that will not do.
const (
	narrow = "with fewer rights"
	past   = "at its end"
)

// made supplies a key of that label.
func (b bench) made(label string) {
	b.t.Helper()
	key, _ := b.ledger.Create(label, "")
	b.supply(key.ID, key.Secret)
}

// judge is a provider that knows what a key may do and when it ends.
type judge struct{ revoker }

func (j judge) Credential() []string { return append(j.revoker.Credential(), apikey.KeyExpiry) }

func (j judge) Verify(ctx context.Context, value rotation.Value) ([]string, error) {
	_, err := j.revoker.Verify(ctx, value)
	if j.label(value) == narrow {
		return []string{"read"}, err
	}
	return []string{"read", "write"}, err
}

func (j judge) Ends(_ context.Context, value rotation.Value) (end time.Time, err error) {
	if j.label(value) == past {
		end = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return end, nil
}

func (j judge) label(value rotation.Value) string {
	text, _ := value.Get(apikey.KeyValue)
	key, _ := j.Ledger.Accepts(text.Reveal())
	return key.Label
}

// C25: once the provider or the way to it is as it should be, the same supply is taken.
func TestAdviceOnTheProvider(t *testing.T) {
	for _, code := range []rotation.Code{
		rotation.CodeUnreachable, rotation.CodeNoAnswer, rotation.CodeDisconnected, rotation.CodeTLS,
		rotation.CodeCertAuthority, rotation.CodeCertName, rotation.CodeCertExpired,
		rotation.CodePermission, rotation.CodeNotFound, rotation.CodePolicy, rotation.CodeThrottled, rotation.CodeBadAnswer, rotation.CodeServer,
	} {
		refusal := rotation.Errorf(code, "refused")
		b := newBench(t, func(p apikeytest.Provider) assisted.Provider { return refusing{revoker{p}, &refusal} })
		b.made("made by hand")
		token := b.Token()
		if err := b.Request(token); err != nil {
			t.Fatal(err)
		}
		if got := rotation.CodeOf(b.Rotate(token, 1)); got != code {
			t.Errorf("got the code %q, want %q", got, code)
		}
		refusal = nil
		if err := errors.Join(b.Rotate(token, 1), b.Settled(token)); err != nil {
			t.Errorf("%s: after its cure: %v", code, err)
		}
	}
}

// refusing is a provider that lets no key in while there is a refusal.
type refusing struct {
	revoker
	refusal **rotation.Error
}

func (r refusing) Verify(ctx context.Context, value rotation.Value) ([]string, error) {
	if *r.refusal != nil {
		return nil, *r.refusal
	}
	return r.revoker.Verify(ctx, value)
}

// C25: a key that only a person can revoke is told of until the person has.
func TestAdviceOnUnrevoked(t *testing.T) {
	b := newBench(t, asPlain)
	told := func() int { return strings.Count(b.Output(), `"code":"`+string(rotation.CodeUnrevoked)+`"`) }
	second := b.rotate()
	b.rotate()
	before := told()
	for _, id := range []string{"first", second.ID} {
		b.ledger.Lose(id)
	}
	b.rotate()
	if before == 0 || told() != before {
		t.Errorf("told %d times that a key is alive, and %d times in the end", before, told())
	}
}
