package rotationtest

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Lag is how late the reads of one operation are: they do not see a write for so
// long, or for so many reads, or both.
type Lag struct {
	For   time.Duration
	Reads int
}

// Lagging is a [SecretsManager] as a caller sees it to whom the service's parts
// tell of a write at different times. AWS promises no more than that they all do
// in the end; how late it has been seen to be is seconds. Writes are judged by
// what is true.
type Lagging struct {
	*SecretsManager
	// Lags are by operation: DescribeSecret, GetSecretValue and
	// ListSecretVersionIds. Set them before the first call.
	Lags map[string]Lag

	mu   sync.Mutex
	seen map[string]*seen // by operation and ARN
}

// seen is how far an operation has come in a secret's history.
type seen struct{ moment, reads int }

// DescribeSecret is [SecretsManager.DescribeSecret] as of some time ago.
func (l *Lagging) DescribeSecret(ctx context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	return l.describeSecret(ctx, in, l.by("DescribeSecret"))
}

// GetSecretValue is [SecretsManager.GetSecretValue] as of some time ago.
func (l *Lagging) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	return l.getSecretValue(ctx, in, l.by("GetSecretValue"))
}

// ListSecretVersionIds is [SecretsManager.ListSecretVersionIds] as of some time ago.
func (l *Lagging) ListSecretVersionIds(ctx context.Context, in *secretsmanager.ListSecretVersionIdsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error) {
	return l.listSecretVersionIDs(ctx, in, l.by("ListSecretVersionIds"))
}

// sight is what a read takes for the secret as it is.
type sight func(*secret) *secret

func exact(s *secret) *secret { return s }

func (l *Lagging) by(op string) sight {
	if l.Lags[op] == (Lag{}) {
		return exact
	}
	return func(s *secret) *secret {
		l.mu.Lock()
		defer l.mu.Unlock()
		lag, now := l.Lags[op], l.now()
		at := len(s.history) - 1
		for at > 0 && now.Sub(s.history[at].since) < lag.For {
			at--
		}
		key := op + " " + s.arn
		if l.seen == nil {
			l.seen = map[string]*seen{}
		}
		known := l.seen[key]
		if known == nil { // it has not seen the last change
			known = &seen{moment: max(0, len(s.history)-2)}
			l.seen[key] = known
		}
		switch {
		case known.moment >= at:
		case known.reads < lag.Reads:
			known.reads++
			at = known.moment
		default:
			known.moment, known.reads = at, 0
		}
		return s.history[at].secret
	}
}

// moment is what was true of a secret since some time.
type moment struct {
	since  time.Time
	secret *secret
}

// wrote takes note of a change.
func (s *secret) wrote(now time.Time) {
	s.changed = now
	s.collect(now)
	s.record(now)
}

// record adds what is true now to the history.
func (s *secret) record(now time.Time) {
	if last := len(s.history) - 1; last >= 0 && s.history[last].secret.holder[labelCurrent] != s.holder[labelCurrent] {
		s.promoted = now
	}
	then := *s
	then.history = nil
	then.holder = maps.Clone(s.holder)
	then.versions = make(map[string]*version, len(s.versions))
	for id, v := range s.versions {
		then.versions[id] = new(*v)
	}
	s.history = append(s.history, moment{now, &then})
}
