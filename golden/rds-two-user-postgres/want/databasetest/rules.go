package databasetest

import (
	"context"
	"testing"

	"example.com/orders-db/database"
	"example.com/orders-db/rotation"
)

// RulesOfLimits is what rotations rely on of a limit on a user's connections: it is
// told to the right password, and the wrong one is refused as ever. It is asked of
// this server and of real ones. open logs in as account's user, and limit sets how
// many connections that user may have, 0 for as many as it likes.
func RulesOfLimits(t *testing.T, account database.Account, limit func(connections int), open func(context.Context, database.Account) (closeSession func(), err error)) {
	t.Helper()
	want := func(code rotation.Code, account database.Account) {
		t.Helper()
		closeSession, err := open(t.Context(), account)
		if got := rotation.CodeOf(err); got != code {
			t.Errorf("got %v, want code %q", err, code)
		}
		if err == nil {
			closeSession()
		}
	}
	wrong := account
	wrong.Password = rotation.NewSensitive("a wrong password")

	limit(1)
	held, err := open(t.Context(), account)
	for rotation.CodeOf(err) == rotation.CodeUserLimit && t.Context().Err() == nil {
		held, err = open(t.Context(), account) // the server has not noticed yet that another session has ended
	}
	if err != nil {
		t.Fatal(err)
	}
	want(rotation.CodeUserLimit, account)
	want(rotation.CodeAuthRejected, wrong)
	held()
	limit(0)
	want("", account)
	want(rotation.CodeAuthRejected, wrong)
}
