package mysqlconn

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// TestRefusedWithTheRightPassword: the limits that only the right password gets to see
// are told as such, at the log-in and nowhere else. (C7, C20)
func TestRefusedWithTheRightPassword(t *testing.T) {
	const told = "the password is right"
	for number, want := range map[uint16]bool{1203: true, 1226: true, 1040: false, 1045: false} {
		refused := &mysql.MySQLError{Number: number, Message: echo}
		if text := refusedLogin(refused, database.Account{User: "orders"}).Error(); strings.Contains(text, told) != want {
			t.Errorf("%d at the log-in: %q", number, text)
		}
		if text := statementError(refused, "do it").Error(); strings.Contains(text, told) {
			t.Errorf("%d at a statement: %q", number, text)
		}
	}
}

// TestDialErrorsStay: a server that was never reached is not taken for one whose TLS
// failed. (C7)
func TestDialErrorsStay(t *testing.T) {
	unreachable := rotation.Errorf(rotation.CodeUnreachable, "nothing listens").Because(syscall.ECONNREFUSED)
	if err := loginError(unreachable, database.Account{User: "orders"}, "db.test:3306"); !errors.Is(err, error(unreachable)) || rotation.CodeOf(err) != rotation.CodeUnreachable {
		t.Errorf("got %v, want %v", err, unreachable)
	}
}
