package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// SecretsManager is what of Secrets Manager is called. [secretsmanager.Client] has it. The application's role needs
// secretsmanager:GetSecretValue on the secret, and kms:Decrypt on the key if that is a customer managed one.
type SecretsManager interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// ErrRejected is the error of a caller whose time is over while the server rejects each version that Secrets Manager has.
var ErrRejected = errors.New("the credential is rejected, and Secrets Manager has shown no other in time")

// Options say how a secret is read. The zero value is right for two users who take turns and for users with two passwords.
type Options struct {
	// TTL is the age at which a value is read anew, in the background, 10 minutes if zero. Each time it is between half of this and all of it,
	// so that not all instances of an application read at once.
	TTL time.Duration
	// Wait is how long a caller waits while the credential is rejected, unless its context ends before: 10 seconds if zero.
	Wait time.Duration
	// Pending also tries AWSPENDING, if it is of the same user, where AWSCURRENT is rejected. For one user with one password, whose server
	// takes the new password some hundredths of a second before AWSCURRENT shows it: nothing is left of that gap.
	Pending bool
	// Previous also tries AWSPREVIOUS where AWSCURRENT is rejected. For a server that lags, such as a read replica; give such a server a
	// Secret of its own.
	Previous bool
	// OnChange is called after another version came into use, with the ids of both; of the first one from is empty. It and OnRejected are called
	// from any goroutine.
	OnChange func(from, to string)
	// OnRejected is called with the id of a version after each log-in that the server rejected with it. A rotation has a few of them at the
	// most: count them, and alert when they go on.
	OnRejected func(version string)
}

// The pause after a look that brought no version to log in with doubles from the shortest to the longest.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 30 * time.Second
	lookTimeout   = 10 * time.Second
)

// Secret is one secret, kept in memory. It may be used by any number of goroutines and keeps none running.
type Secret struct {
	api     SecretsManager
	id      string
	options Options

	mu       sync.Mutex
	current  Version         // in use; the zero Version before the first look
	rejected map[string]bool // ids of versions that the server rejected when they were last tried
	looking  bool
	next     time.Time     // when the next look is due
	pause    time.Duration // after the last look, 0 if that was successful
	trial    bool          // one caller may try current although it is rejected: it may be in force again
	lookErr  error         // of the last look
	denied   bool          // Secrets Manager denies AWSPENDING
	changed  chan struct{} // closed, and another one made, whenever any of this changes for those who wait
}

// New returns the secret with an id: its name or its ARN. Nothing is read before the first [Secret.Get].
func New(api SecretsManager, id string, options Options) *Secret {
	if options.TTL == 0 {
		options.TTL = 10 * time.Minute
	}
	if options.Wait == 0 {
		options.Wait = 10 * time.Second
	}
	return &Secret{api: api, id: id, options: options, rejected: make(map[string]bool), changed: make(chan struct{})}
}

// Get returns the version to use. It waits for Secrets Manager only before it has read a first version, and fails as that fails. While the
// version in use is rejected, it waits for another one, until ctx or [Options.Wait] ends, and fails with [ErrRejected] then.
//
// Inside [Do], with its context, the version counts as the one that is tried.
func (s *Secret) Get(ctx context.Context) (Version, error) {
	tried := s.attempt(ctx)
	waiting, cancel := context.WithDeadline(ctx, tried.until)
	defer cancel()
	deadline, _ := waiting.Deadline()
	for {
		s.mu.Lock()
		if now := time.Now(); !s.looking && !now.Before(s.next) {
			s.look()
		}
		v, rejected := s.current, s.rejected[s.current.ID]
		usable := v.ID != "" && (!rejected || s.trial)
		if usable {
			s.trial = s.trial && !rejected
			tried.version = v
		}
		looking, next, changed, lookErr := s.looking, s.next, s.changed, s.lookErr
		s.mu.Unlock()

		switch {
		case usable:
			return v, nil
		case v.ID == "" && !looking:
			return Version{}, lookErr
		case !looking && next.After(deadline):
			return Version{}, ErrRejected // no look falls into the time that is left
		}
		await(waiting, changed, looking, next)
		switch {
		case waiting.Err() == nil:
		case v.ID == "":
			return Version{}, fmt.Errorf("secret %q: %w", s.id, waiting.Err())
		default:
			return Version{}, errors.Join(ErrRejected, ctx.Err())
		}
	}
}

// await returns when changed is closed, when ctx ends or, unless a look is under way, when the next one is due.
func await(ctx context.Context, changed <-chan struct{}, looking bool, next time.Time) {
	var due <-chan time.Time
	if !looking {
		due = time.After(time.Until(next))
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
	}
}

// Refresh reads the secret now, in the background: after a message, a signal, or in a test. A look that is under way will do.
func (s *Secret) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.looking {
		s.look()
	}
}

// look reads the secret in the background. s.mu is held, and no other look is under way.
func (s *Secret) look() {
	s.looking = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
		defer cancel()
		found, err := s.find(ctx)

		s.mu.Lock()
		from := s.current.ID
		s.looking, s.lookErr = false, err
		if err == nil {
			s.current = found
		}
		if err == nil && !s.rejected[found.ID] {
			s.settle()
		} else {
			s.trial = s.pause > 0 // the first look comes too soon after the rejection to try the same again
			s.pause = min(max(2*s.pause, shortestPause), longestPause)
			s.next = time.Now().Add(s.pause)
		}
		to := s.current.ID
		s.wake()
		s.mu.Unlock()
		if from != to && s.options.OnChange != nil {
			s.options.OnChange(from, to)
		}
	}()
}

// find returns AWSCURRENT or, while that is rejected, another version that may work.
func (s *Secret) find(ctx context.Context) (Version, error) {
	current, err := s.read(ctx, "AWSCURRENT")
	if err != nil {
		return Version{}, err
	}
	s.mu.Lock()
	rejected, pending := s.rejected[current.ID], s.options.Pending && !s.denied
	if !rejected {
		clear(s.rejected) // the others do not matter while this one works
	}
	s.mu.Unlock()
	if rejected && pending {
		if v, err := s.read(ctx, "AWSPENDING"); err == nil && s.works(v) && v.sameUser(current) {
			return v, nil
		} else if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() == "AccessDeniedException" {
			s.mu.Lock()
			s.denied = true
			s.mu.Unlock()
		}
	}
	if rejected && s.options.Previous {
		if v, err := s.read(ctx, "AWSPREVIOUS"); err == nil && s.works(v) {
			return v, nil
		}
	}
	return current, nil
}

func (s *Secret) read(ctx context.Context, stage string) (Version, error) {
	out, err := s.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.id, VersionStage: &stage})
	if err != nil {
		return Version{}, fmt.Errorf("secret %q: %w", s.id, err)
	}
	if out.VersionId == nil || out.SecretString == nil {
		return Version{}, fmt.Errorf("secret %q: %s holds no text", s.id, stage)
	}
	return Version{ID: *out.VersionId, value: out.SecretString}, nil
}

// works reports whether the server has not rejected v.
func (s *Secret) works(v Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.rejected[v.ID]
}

// reject notes that the server rejected v. If that is news of the version in use, a look is due at once.
func (s *Secret) reject(v Version) {
	s.mu.Lock()
	if v.ID == s.current.ID && !s.rejected[v.ID] {
		s.pause, s.next = 0, time.Now()
	}
	s.rejected[v.ID] = true
	s.mu.Unlock()
	if s.options.OnRejected != nil {
		s.options.OnRejected(v.ID)
	}
}

// accept notes that the server took v.
func (s *Secret) accept(v Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.rejected[v.ID] {
		return
	}
	delete(s.rejected, v.ID)
	if v.ID == s.current.ID {
		s.settle()
		s.wake()
	}
}

// settle says that the version in use is a good one. s.mu is held.
func (s *Secret) settle() {
	s.pause, s.trial = 0, false
	s.next = time.Now().Add(s.options.TTL/2 + rand.N(s.options.TTL/2+1))
}

// wake lets each caller who waits look again. s.mu is held.
func (s *Secret) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}
