package mysqlconn

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// closeTimeout bounds the farewell to a server that may have gone.
const closeTimeout = time.Second

// Session is one connection that has logged in. It is for one goroutine.
type Session struct {
	conn     conn
	user     string // who logged in
	greeted  string // the connection's id, by the server's greeting
	name     Name   // the account that answered for it
	version  Version
	readOnly bool
	limits   timeouts
	settings string // what is still to be set
}

// begin learns what is to be known of the server and the user.
func (s *Session) begin(ctx context.Context, limits timeouts) error {
	rows, err := s.Query(ctx, "ask who logged in", "SELECT CURRENT_USER(), VERSION(), @@global.read_only, @@global.innodb_read_only, CONNECTION_ID() & 0xFFFFFFFF")
	if err != nil {
		return err
	}
	if rows[0][4] != s.greeted { // what is set and locked here may be met by others, and lost
		return rotation.Errorf(rotation.CodeBadSecret, "the host is a connection pooler: it must be the database's own, or key %q must say that", database.KeyDatabaseHost)
	}
	s.settings, s.limits = settings(limits), limits
	facts := rows[0]
	s.version = ParseVersion(facts[1])
	s.readOnly = !off(facts[2]) || !off(facts[3]) // Aurora's readers say so in the second
	return s.identify(facts[0])
}

// settings returns the statement that makes a session independent of the settings of
// its server and its user.
func settings(limits timeouts) string {
	return fmt.Sprintf("SET NAMES utf8mb4, SESSION autocommit = 1"+
		// This decides how SHOW GRANTS quotes names, and how the server reads a backslash.
		", SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES', SESSION group_concat_max_len = 1048576"+
		", SESSION wait_timeout = %d, SESSION lock_wait_timeout = %d, SESSION innodb_lock_wait_timeout = %[2]d"+
		// Each server reads its own of these two and takes the other's for a
		// comment. MariaDB's changes of users heed no limit but this one.
		"/*!50708 , SESSION max_execution_time = %d */"+
		"/*M!100108 , SESSION max_statement_time = %[2]d */",
		seconds(limits.idle), seconds(limits.lock), max(1, limits.statement.Milliseconds()))
}

// prepare puts the settings in force before the session's first statement of
// its own. A session that only proves who it is needs none.
func (s *Session) prepare(ctx context.Context) error {
	if s.settings == "" {
		return nil
	}
	_, err := s.conn.ExecContext(ctx, s.settings, nil)
	s.settings = ""
	return statementError(err, "set up the session")
}

// off reads a switch, which newer servers name.
func off(value string) bool { return value == "0" || value == "OFF" }

// seconds rounds up, since 0 means no limit or no wait at all.
func seconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// identify takes note of the account that logged in, which must be the user's.
func (s *Session) identify(account string) error {
	s.name = ParseName(account)
	if s.name.User != s.user {
		return rotation.Errorf(rotation.CodeIdentity, "logged in as %q, but the server says that the session is %q's", s.user, s.name.User)
	}
	return nil
}

// Name returns the account that logged in.
func (s *Session) Name() Name { return s.name }

// Version returns the server's version.
func (s *Session) Version() Version { return s.version }

// Claim implements [database.Session] with a lock of this session that only
// rotators take. It is [rotation.CodeNotWriter] on a read-only server.
func (s *Session) Claim(ctx context.Context, user string) error {
	if err := s.Writable(); err != nil {
		return err
	}
	rows, err := s.Query(ctx, fmt.Sprintf("claim %q", user), fmt.Sprintf("/*M!100108 SET STATEMENT max_statement_time = %d FOR */ SELECT GET_LOCK('%s', %d)",
		seconds(s.limits.statement), claimName(user), seconds(s.limits.claim)))
	switch {
	case err != nil:
		return err
	case rows[0][0] != "1":
		return rotation.Errorf(rotation.CodeBusy, "another rotation holds the user %q", user)
	default:
		return nil
	}
}

// Writable is [rotation.CodeNotWriter] on a server that takes no changes.
func (s *Session) Writable() error {
	if s.readOnly {
		return rotation.Errorf(rotation.CodeNotWriter, "the server is read-only: the host must be that of the writer")
	}
	return nil
}

// claimName maps user to the names of such locks, which have 64 characters at
// the most and do not tell upper case from lower.
func claimName(user string) string {
	sum := sha256.Sum256([]byte(user))
	return "rotasmith." + hex.EncodeToString(sum[:16])
}

// Exec runs a statement. doing names its purpose in errors and must be safe to
// print; the statement never appears in one.
func (s *Session) Exec(ctx context.Context, doing, statement string) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, err := s.conn.ExecContext(ctx, statement, nil)
	return statementError(err, doing)
}

// Alter is [Session.Exec] for a statement that carries a new password.
func (s *Session) Alter(ctx context.Context, doing, statement string) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, err := s.conn.ExecContext(ctx, statement, nil)
	if isNumber(err, numberCannotUser) {
		err = s.first(ctx, err)
	}
	return changeError(err, doing)
}

// first returns the first error of a statement on users that failed with err. MariaDB
// answers with the last, which does not tell the cause.
func (s *Session) first(ctx context.Context, err error) error {
	rows, asking := s.Select(ctx, "ask what was wrong", "SHOW ERRORS")
	if asking != nil || len(rows) == 0 {
		return err
	}
	number, _ := strconv.ParseUint(rows[0][1], 10, 16)
	return &mysql.MySQLError{Number: uint16(number), Message: rows[0][2]}
}

// Rows are a query's rows as text. NULL is "".
type Rows [][]string

// Query runs a statement and returns its rows, of which there is at least one:
// none is [rotation.CodeServer].
func (s *Session) Query(ctx context.Context, doing, statement string) (Rows, error) {
	rows, err := s.Select(ctx, doing, statement)
	if err == nil && len(rows) == 0 {
		return nil, rotation.Errorf(rotation.CodeServer, "%s: the server does not answer as MySQL does", doing)
	}
	return rows, err
}

// Select is [Session.Query] for a statement that may find nothing.
func (s *Session) Select(ctx context.Context, doing, statement string) (rows Rows, err error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	read, err := s.conn.QueryContext(ctx, statement, nil)
	if err != nil {
		return nil, statementError(err, doing)
	}
	defer func() {
		if closing := read.Close(); err == nil {
			err = statementError(closing, doing)
		}
	}()
	values := make([]driver.Value, len(read.Columns()))
	for {
		switch err := read.Next(values); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, statementError(err, doing)
		}
		row := make([]string, len(values))
		for i, value := range values {
			row[i] = text(value)
		}
		rows = append(rows, row)
	}
}

func text(value driver.Value) string {
	switch value := value.(type) {
	case nil:
		return ""
	case []byte:
		return string(value)
	default:
		return fmt.Sprint(value)
	}
}

// Close implements [database.Session].
func (s *Session) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = s.conn.Close()
	}()
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}
