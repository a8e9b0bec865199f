package postgres

import (
	"regexp"
	"slices"
	"strings"
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

// TestTimeoutsOutlastEachOther: a wait for a frozen session's claim must be
// longer than the server lets that session live. (C19)
func TestTimeoutsOutlastEachOther(t *testing.T) {
	s := sessionTimeouts
	if s.idle <= 0 || s.lock <= s.idle || s.statement <= s.lock {
		t.Errorf("idle %v, lock %v, statement %v", s.idle, s.lock, s.statement)
	}
}

// TestSetup: a session is its user's, finds names in the server's own catalogue
// only, and ends when it is idle. (C19, C24, T5)
func TestSetup(t *testing.T) {
	statements := setup(18, 4711, timeouts{idle: time.Second, lock: 2 * time.Second, statement: 3 * time.Second})
	for _, want := range []string{
		"SET ROLE NONE", "SET search_path = pg_catalog, pg_temp", "SET client_encoding = 'UTF8'", "SET synchronous_commit = on",
		"SET default_transaction_read_only = off", "SET DateStyle = 'ISO'", "SET statement_timeout = 3000", "SET lock_timeout = 2000",
		"SET idle_in_transaction_session_timeout = 1000", "SET idle_session_timeout = 1000",
	} {
		if !slices.Contains(statements, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if slices.ContainsFunc(setup(13, 4711, timeouts{}), func(s string) bool { return strings.Contains(s, "idle_session") }) {
		t.Error("PostgreSQL 13 knows no idle_session_timeout")
	}
	// Until search_path is set, it is the user's or the database's.
	for _, call := range regexp.MustCompile(`[a-z0-9_.]+\(`).FindAllString(statements[1], -1) {
		if !strings.HasPrefix(call, "pg_catalog.") {
			t.Errorf("%s) is looked up in others' schemas", call)
		}
	}
}
