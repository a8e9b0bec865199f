//go:build db

package parity

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// C16: a rehearsal says what a clone's first rotation would say, and leaves
// nothing behind.
func TestRehearse(t *testing.T) {
	b := newBench(t)
	const active, inactive, weak = "rehearsed", "rehearsed_clone", "rehearsed_weak"
	b.forget(inactive, active, weak)
	b.run("CREATE ROLE "+active+" LOGIN", "CREATE ROLE "+weak+" LOGIN")
	t.Cleanup(func() { b.forget(inactive, active, weak) })
	account := b.Admin
	account.User, account.Password = weak, rotation.NewSensitive(sentinel+"WeakAdmin")
	if err := b.admin().Change(t.Context(), weak, account.Password); err != nil {
		t.Fatal(err)
	}

	if err := b.admin().Rehearse(t.Context(), active, inactive); err != nil {
		t.Errorf("the admin: %v", err)
	}
	wantCode(t, b.login(account).Rehearse(t.Context(), active, inactive), rotation.CodePermission)
	if left := b.run("SELECT rolname FROM pg_roles WHERE rolname = '" + inactive + "'"); len(left) != 0 {
		t.Errorf("it left %v behind", left)
	}
}
