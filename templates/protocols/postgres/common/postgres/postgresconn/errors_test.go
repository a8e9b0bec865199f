package postgresconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// TestStatementErrors has every answer that a server may give on an open
// session. An answer that means a rejected password at the log-in never does here.
// (C7)
func TestStatementErrors(t *testing.T) {
	tests := []struct {
		err    error
		want   rotation.Code
		change rotation.Code // where the statement carries a password, if other
	}{
		{err: refusal("42501"), want: rotation.CodePermission},
		{err: refusal("25006"), want: rotation.CodeNotWriter},
		{err: refusal("55P03"), want: rotation.CodeBusy},
		{err: refusal("57014"), want: rotation.CodeDeadline},
		{err: refusal("42704"), want: rotation.CodeServer},
		{err: refusal("0LP01"), want: rotation.CodeParity},
		{err: refusal("53100"), want: rotation.CodeNoSpace},
		{err: refusal("53300"), want: rotation.CodeServerFull},
		{err: refusal("57P01"), want: rotation.CodeDisconnected},
		{err: refusal("57P02"), want: rotation.CodeDisconnected},
		{err: refusal("57P03"), want: rotation.CodeUnreachable},
		{err: refusal("57P05"), want: rotation.CodeDisconnected},
		{err: refusal("25P03"), want: rotation.CodeDisconnected},
		{err: refusal("22023"), want: rotation.CodeServer, change: rotation.CodePolicy},
		{err: refusal("28000"), want: rotation.CodeServer, change: rotation.CodePolicy},
		{err: refusal("28P01"), want: rotation.CodeServer, change: rotation.CodePolicy},
		{err: refusal("XX000"), want: rotation.CodeServer},
		{err: refusal("42601"), want: rotation.CodeServer},
		{err: context.DeadlineExceeded, want: rotation.CodeDeadline},
		{err: fmt.Errorf("wrapped: %w", context.Canceled), want: rotation.CodeDeadline},
		{err: io.ErrUnexpectedEOF, want: rotation.CodeDisconnected},
		{err: net.ErrClosed, want: rotation.CodeDisconnected},
		{err: pgconn.ErrConnClosed, want: rotation.CodeDisconnected},
		{err: errors.New(postgrestest.Echo), want: rotation.CodeDisconnected},
	}
	for _, test := range tests {
		err := statementError(test.err, "do it")
		if got := rotation.CodeOf(err); got != test.want {
			t.Errorf("%v: got code %q, want %q", test.err, got, test.want)
		}
		postgrestest.WantSilent(t, err)
		if !errors.Is(err, test.err) {
			t.Errorf("%v: the cause is lost", test.err)
		}
		want := test.change
		if want == "" {
			want = test.want
		}
		err = changeError(test.err, "do it")
		if got := rotation.CodeOf(err); got != want {
			t.Errorf("%v with a password: got code %q, want %q", test.err, got, want)
		}
		postgrestest.WantSilent(t, err)
	}
}

// TestErrorsNameTheCure has answers whose cause lies in what is set at the server or
// in what stands before it. (C7)
func TestErrorsNameTheCure(t *testing.T) {
	for state, want := range map[string]string{"57014": "statement_timeout", "08P01": "proxy", "0A000": "proxy"} {
		refused := &pgconn.PgError{Code: state, Message: postgrestest.Echo}
		if text := refusedLogin(refused, database.Account{User: "orders"}).Error(); !strings.Contains(text, want) || !strings.Contains(text, state) {
			t.Errorf("%s: %q does not name %s", state, text, want)
		}
	}
	if text := statementError(refusal("57014"), "do it").Error(); !strings.Contains(text, "statement_timeout") {
		t.Errorf("%q does not name statement_timeout", text)
	}
}

func refusal(state string) error {
	return &pgconn.PgError{Severity: "ERROR", Code: state, Message: postgrestest.Echo, Detail: postgrestest.Echo}
}
