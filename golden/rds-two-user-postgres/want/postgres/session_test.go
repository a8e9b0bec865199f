package postgres

import (
	"testing"
	"time"
)

func TestMajorVersion(t *testing.T) {
	for text, want := range map[string]int{
		"15.18 (Debian 15.18-0+deb12u1)": 15, "18beta1": 18, "9.6.24": 9, "16": 16, "": 0, "Redshift": 0,
	} {
		if got := majorVersion(text); got != want {
			t.Errorf("majorVersion(%q) = %d, want %d", text, got, want)
		}
	}
}

// TestClaimKey: rotators of different versions must exclude each other, so the
// key of a name never changes. (C19)
func TestClaimKey(t *testing.T) {
	for user, want := range map[string]int64{"orders": 3368846561767422267, "orders_clone": -7336855309315128306} {
		if got := claimKey(user); got != want {
			t.Errorf("claimKey(%q) = %d, want %d", user, got, want)
		}
	}
}

func TestSetting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Second: "SET lock_timeout = 10000",
		time.Nanosecond:  "SET lock_timeout = 1", // 0 would mean no limit
		-time.Second:     "SET lock_timeout = 1",
	} {
		if got := setting("lock_timeout", d); got != want {
			t.Errorf("setting(%v) = %q, want %q", d, got, want)
		}
	}
}

// TestTimeoutsOutlastEachOther: whoever waits for a frozen session's claim must
// wait longer than the server lets that session live. (C19)
func TestTimeoutsOutlastEachOther(t *testing.T) {
	s := sessionTimeouts
	if s.idle <= 0 || s.lock <= s.idle || s.statement <= s.lock {
		t.Errorf("idle %v, lock %v, statement %v", s.idle, s.lock, s.statement)
	}
}
