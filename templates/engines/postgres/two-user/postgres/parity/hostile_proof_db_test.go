//go:build db

package parity

import (
	"fmt"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
)

// TestHostileApplication rotates users of an application that owns the database,
// shadows there all that the rotator could name, and sets it up for every session
// to find its own first. None of its code runs in the administrator's sessions. (C24)
func TestHostileApplication(t *testing.T) {
	b := newBench(t)
	const mallory, clone = "mallory", "mallory_clone"
	b.forget(clone)
	t.Cleanup(func() { b.forget(clone) })
	account := b.Role(t, mallory, "first", "LOGIN")
	struck := b.Hostile(t, account)
	if b.login(b.Admin); struck() {
		t.Error("the log-in ran the application's code")
	}

	for _, turn := range [][2]string{{mallory, clone}, {clone, mallory}} {
		active, inactive := turn[0], turn[1]
		for _, step := range []struct {
			name string
			do   func(*Session) error
		}{
			{"rehearse", func(s *Session) error { return s.Rehearse(t.Context(), active, inactive) }},
			{"claim", func(s *Session) error { return s.Claim(t.Context(), inactive) }},
			{"create", func(s *Session) error { return s.Create(t.Context(), inactive) }},
			{"reconcile", func(s *Session) error {
				_, err := s.Reconcile(t.Context(), active, inactive, true)
				return err
			}},
			{"parity", func(s *Session) error { return s.Parity(t.Context(), active, inactive) }},
			{"activate", func(s *Session) error {
				return s.Activate(t.Context(), inactive, rotation.NewSensitive(sentinel+inactive))
			}},
			{"try", func(s *Session) error { return s.Try(t.Context(), inactive, rotation.Sensitive{}) }},
			{"change", func(s *Session) error {
				return s.Change(t.Context(), inactive, rotation.NewSensitive(sentinel+inactive))
			}},
			{"diagnose", func(s *Session) error { return s.Diagnose(t.Context(), active) }},
		} {
			t.Run(fmt.Sprintf("%s, %s", inactive, step.name), func(t *testing.T) {
				b := &bench{b.Server, t, b.target}
				if err := step.do(b.admin()); err != nil {
					t.Error(err)
				}
				if struck() {
					t.Error("the application's code ran with the administrator's rights")
				}
			})
		}
	}

	// The traps are not blunt: a session that takes the database's search_path steps into one.
	if _, err := postgrestest.Run(b.Connect(t, b.Admin), "SELECT count(*) FROM pg_roles WHERE rolname = 'x'"); err != nil || !struck() {
		t.Errorf("a careless session is not caught: %v", err)
	}
}
