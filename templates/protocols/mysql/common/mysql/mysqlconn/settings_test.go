package mysqlconn

import (
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// TestSettings: a session reads and quotes as it is meant to, whatever is set for
// its server and its user, and ends when it is idle. (C19, C24)
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

// TestSole: a user that changes itself changes one account, and must have no
// other. (C7)
func TestSole(t *testing.T) {
	everywhere, local := Name{"orders", "%"}, Name{"orders", "127.0.0.1"}
	hidden := rotation.Errorf(rotation.CodePermission, "a privilege is missing")
	for name, test := range map[string]struct {
		answered Name
		seen     []Name
		err      error
		want     rotation.Code
	}{
		"for all hosts":              {everywhere, nil, hidden, ""},
		"for all hosts, seen":        {everywhere, []Name{everywhere}, nil, ""},
		"for one host":               {local, nil, hidden, rotation.CodeBadUsers},
		"for one host, seen":         {local, []Name{local}, nil, rotation.CodeBadUsers},
		"two":                        {everywhere, []Name{everywhere, local}, nil, rotation.CodeBadUsers},
		"the server does not answer": {everywhere, nil, rotation.Errorf(rotation.CodeNoAnswer, "silence"), rotation.CodeNoAnswer},
	} {
		if got := rotation.CodeOf(Sole(test.answered, test.seen, test.err)); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
