package mysqlconn

import (
	"strings"
	"testing"
	"time"
)

// TestSettings: a session reads and quotes as it is meant to, whatever is set for
// its server and its user, and ends when nobody speaks. (C19, C24)
func TestSettings(t *testing.T) {
	got := settings(timeouts{idle: time.Second, lock: 2 * time.Second, statement: 3 * time.Second})
	for _, want := range []string{
		"SET NAMES utf8mb4,", " SESSION autocommit = 1,", " SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES',", " SESSION wait_timeout = 1,",
		" SESSION lock_wait_timeout = 2,", " SESSION innodb_lock_wait_timeout = 2", " SESSION max_execution_time = 3000 ", " SESSION max_statement_time = 2 ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}
