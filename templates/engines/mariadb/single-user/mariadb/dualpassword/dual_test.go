package dualpassword

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// TestLocksAtOnce reads how many wrong passwords lock a user. (S1)
func TestLocksAtOnce(t *testing.T) {
	for counter, want := range map[string]bool{"1": true, "2": false, "10": false, "4294967295": false} {
		if got := locksAtOnce(mysqlconn.Rows{{"max_password_errors", counter}}); got != want {
			t.Errorf("%s: got %t", counter, got)
		}
	}
	if locksAtOnce(nil) {
		t.Error("a server without a counter locks at once")
	}
}
