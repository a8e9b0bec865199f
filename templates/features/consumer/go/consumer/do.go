package consumer

import (
	"context"
	"errors"
	"time"
)

// attempt is what goes on inside one call of Do. The Secret's mutex guards the version.
type attempt struct {
	until   time.Time // when waiting ends
	version Version   // that was tried, the zero Version if none was
}

type attemptKey struct{ *Secret }

// attempt returns the one that ctx is of, or a new one.
func (s *Secret) attempt(ctx context.Context) *attempt {
	if a, ok := ctx.Value(attemptKey{s}).(*attempt); ok {
		return a
	}
	return &attempt{until: time.Now().Add(s.options.Wait)}
}

// Do logs in, and does so again with another version of the secret as long as the credential was rejected. try asks [Secret.Get] for the
// version, with the context that it is given and at the moment when it needs one: a pool that has a connection needs none. rejected
// says whether an error of try means that the server rejected the credential, so that nothing else can have happened.
//
// When ctx or [Options.Wait] ends, the error is that of the last try and [ErrRejected]. Every other error is returned as it is, at once.
func Do[T any](ctx context.Context, s *Secret, rejected func(error) bool, try func(context.Context) (T, error)) (T, error) {
	a := s.attempt(ctx)
	ctx = context.WithValue(ctx, attemptKey{s}, a)
	var last error // of the server
	for {
		out, err := try(ctx)
		v := s.tried(a)
		switch {
		case err == nil:
			s.accept(v)
			return out, nil
		case v.ID == "" && last != nil:
			return out, errors.Join(last, err) // the wait is over
		case v.ID == "" || !rejected(err):
			return out, err
		}
		s.reject(v)
		last = err
	}
}

// tried returns the version that was tried since it was called last.
func (s *Secret) tried(a *attempt) Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := a.version
	a.version = Version{}
	return v
}
