package mysqlconn

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// echo stands for what servers and drivers say, which may quote a statement.
const echo = "echoed-password-sentinel"

func refusal(number uint16) error { return &mysql.MySQLError{Number: number, Message: echo} }

func wantError(t *testing.T, doing string, cause, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("%s: %v: got code %q, want %q", doing, cause, got, want)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), echo) {
		t.Errorf("%s: %v: the text holds what the server said", doing, cause)
	}
	if !errors.Is(err, cause) {
		t.Errorf("%s: %v: the cause is lost", doing, cause)
	}
}

// TestErrors has what a server and a driver may answer to a log-in, to a
// statement, and to one that carries a password. The number that means a
// rejected password at the log-in never does at a statement. (C7, C9)
func TestErrors(t *testing.T) {
	const same = ""
	for _, test := range []struct {
		err                      error
		login, statement, change rotation.Code
	}{
		{refusal(1045), rotation.CodeAuthRejected, rotation.CodePermission, same},
		{refusal(1698), rotation.CodeAuthRejected, rotation.CodePermission, same},
		{refusal(3118), rotation.CodeLocked, rotation.CodeServer, same},
		{refusal(4151), rotation.CodeLocked, rotation.CodeServer, same},
		{refusal(3955), rotation.CodeLocked, rotation.CodeServer, same},
		{refusal(4150), rotation.CodeLocked, rotation.CodeServer, same},
		{refusal(1820), rotation.CodeExpired, rotation.CodeExpired, same},
		{refusal(1862), rotation.CodeExpired, rotation.CodeServer, same},
		{refusal(1044), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1130), rotation.CodePermission, rotation.CodeServer, same},
		{refusal(1129), rotation.CodePermission, rotation.CodeServer, same},
		{refusal(3159), rotation.CodePermission, rotation.CodeServer, same},
		{refusal(1049), rotation.CodeServer, rotation.CodeServer, same},
		{refusal(1021), rotation.CodeNoSpace, rotation.CodeNoSpace, same},
		{refusal(1040), rotation.CodeServerFull, rotation.CodeServerFull, same},
		{refusal(1114), rotation.CodeNoSpace, rotation.CodeNoSpace, same},
		{refusal(1203), rotation.CodeUserLimit, rotation.CodeUserLimit, same},
		{refusal(1226), rotation.CodeUserLimit, rotation.CodeUserLimit, same},
		{refusal(1053), rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{refusal(1927), rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{refusal(4031), rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{refusal(1142), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1143), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1227), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1290), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1370), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1410), rotation.CodePermission, rotation.CodePermission, same},
		{refusal(1396), rotation.CodeServer, rotation.CodeServer, same},
		{refusal(1792), rotation.CodeNotWriter, rotation.CodeNotWriter, same},
		{refusal(1836), rotation.CodeNotWriter, rotation.CodeNotWriter, same},
		{refusal(1205), rotation.CodeBusy, rotation.CodeBusy, same},
		{refusal(1213), rotation.CodeBusy, rotation.CodeBusy, same},
		{refusal(1317), rotation.CodeDeadline, rotation.CodeDeadline, same},
		{refusal(1969), rotation.CodeDeadline, rotation.CodeDeadline, same},
		{refusal(3024), rotation.CodeDeadline, rotation.CodeDeadline, same},
		{refusal(1819), rotation.CodeServer, rotation.CodeServer, rotation.CodePolicy},
		{refusal(3638), rotation.CodeServer, rotation.CodeServer, rotation.CodePolicy},
		{refusal(3891), rotation.CodeServer, rotation.CodeServer, same},
		{refusal(1064), rotation.CodeServer, rotation.CodeServer, same},

		{context.DeadlineExceeded, rotation.CodeNoAnswer, rotation.CodeDeadline, same},
		{io.ErrUnexpectedEOF, rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{net.ErrClosed, rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{driver.ErrBadConn, rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{mysql.ErrInvalidConn, rotation.CodeDisconnected, rotation.CodeDisconnected, same},
		{mysql.ErrCleartextPassword, rotation.CodeServer, rotation.CodeDisconnected, same},
		{mysql.ErrUnknownPlugin, rotation.CodeServer, rotation.CodeDisconnected, same},
		{mysql.ErrNoTLS, rotation.CodeTLS, rotation.CodeDisconnected, same},
		{errors.New(echo), rotation.CodeServer, rotation.CodeDisconnected, same},
		{x509.UnknownAuthorityError{}, rotation.CodeCertAuthority, rotation.CodeDisconnected, same},
		{x509.HostnameError{Certificate: new(x509.Certificate), Host: "db"}, rotation.CodeCertName, rotation.CodeDisconnected, same},
	} {
		wantError(t, "log-in", test.err, loginError(test.err, database.Account{User: "orders"}, "db:3306"), test.login)
		wantError(t, "statement", test.err, statementError(test.err, "do it"), test.statement)
		change := test.change
		if change == same {
			change = test.statement
		}
		wantError(t, "change", test.err, changeError(test.err, "do it"), change)
	}
}

// TestErrorsNameTheCure has answers whose cause lies in what is set at the server or
// in what stands before it. MySQL and MariaDB name the limit in their own words.
// (C7, C9)
func TestErrorsNameTheCure(t *testing.T) {
	limit := func(name string) *mysql.MySQLError {
		return &mysql.MySQLError{Number: 1226, Message: "User '" + echo + "' has exceeded the '" + name + "' resource (current value: 20)"}
	}
	for want, refusal := range map[string]*mysql.MySQLError{
		"MAX_QUERIES_PER_HOUR":     limit("max_questions"),
		"MAX_UPDATES_PER_HOUR":     limit("max_updates"),
		"MAX_CONNECTIONS_PER_HOUR": limit("max_connections_per_hour"),
		"MAX_USER_CONNECTIONS":     limit("max_user_connections"),
		"a limit of the user":      limit("max_of_the_future"),
		"max_execution_time":       {Number: 3024, Message: echo},
		"max_statement_time":       {Number: 1969, Message: echo},
		"proxy":                    {Number: 9001, Message: echo}, // ProxySQL's
		"SET DEFAULT ROLE":         {Number: 1227, Message: echo},
	} {
		for doing, err := range map[string]error{"log-in": refusedLogin(refusal, database.Account{User: "orders"}), "statement": refused(refusal, "do it")} {
			if doing == "statement" && refusal.Number == 9001 {
				continue
			}
			if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, echo) {
				t.Errorf("%d at the %s: %q does not name %s alone", refusal.Number, doing, text, want)
			}
		}
	}
}

// TestVersions has how servers write theirs.
func TestVersions(t *testing.T) {
	for text, want := range map[string]Version{
		"8.0.36":                             {Major: 8, Minor: 0, Patch: 36},
		"5.7.44-log":                         {Major: 5, Minor: 7, Patch: 44},
		"9.7.4-2":                            {Major: 9, Minor: 7, Patch: 4},
		"8.4.0-commercial":                   {Major: 8, Minor: 4},
		"8.0.mysql_aurora.3.04.1":            {Major: 8, Minor: 0, Patch: 23},
		"5.7.mysql_aurora.2.11.1":            {Major: 5, Minor: 7},
		"10.11.19-MariaDB-0+deb12u1-log":     {MariaDB: true, Major: 10, Minor: 11, Patch: 19},
		"11.4.2-MariaDB":                     {MariaDB: true, Major: 11, Minor: 4, Patch: 2},
		"":                                   {},
		"a server that does not want to say": {},
	} {
		if got := ParseVersion(text); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
	for _, test := range []struct {
		version string
		want    bool
	}{{"8.0.13", false}, {"8.0.14", true}, {"8.1.0", true}, {"9.0.0", true}, {"5.7.99", false}, {"8.0.mysql_aurora.3.01.0", true}} {
		if got := ParseVersion(test.version).AtLeast(8, 0, 14); got != test.want {
			t.Errorf("%s is at least 8.0.14: got %t", test.version, got)
		}
	}
}

// TestNames reads and writes names of accounts that look like something else. (T6)
func TestNames(t *testing.T) {
	for text, want := range map[string]struct {
		name Name
		sql  string
	}{
		"orders@%":             {Name{"orders", "%"}, `'orders'@'%'`},
		"a@b@10.0.0.%":         {Name{"a@b", "10.0.0.%"}, `'a@b'@'10.0.0.%'`},
		"@%":                   {Name{"", "%"}, `''@'%'`},
		`it's\@localhost`:      {Name{`it's\`, "localhost"}, `'it''s\'@'localhost'`},
		"a_role_without_hosts": {Name{User: "a_role_without_hosts"}, `'a_role_without_hosts'@''`},
	} {
		name := ParseName(text)
		if name != want.name || name.String() != want.sql {
			t.Errorf("%q: got %+v, %s", text, name, name)
		}
	}
	if got := Identifier("or`ders"); got != "`or``ders`" {
		t.Errorf("got %s", got)
	}
}
