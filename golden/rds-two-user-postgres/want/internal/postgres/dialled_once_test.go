package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/internal/postgres/postgrestest"
	"example.com/orders-db/internal/rotation"
)

// TestDialledOnce: after a change that is given up the server hears nothing but the end
// of the session. The driver would dial to cancel the statement, and it must neither
// reach another server nor speak on this connection, whose statement may yet count.
// (C19)
func TestDialledOnce(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	heard := make(chan pgproto3.FrontendMessage, 1)
	server := postgrestest.Serve(t, postgrestest.OverTLS(ours.Server(t, "db.test", time.Now().Add(time.Hour)), func(backend *pgproto3.Backend) {
		welcome("orders")(backend)
		_, _ = backend.Receive() // the change, which is not answered
		next, _ := backend.Receive()
		heard <- next
	}))
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	session, err := target.Login(t.Context(), server.Account())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := session.Change(ctx, "orders", rotation.NewSensitive(postgrestest.Password)); err == nil {
		t.Error("a change without an answer is done")
	}
	next := <-heard
	if _, ok := next.(*pgproto3.Terminate); !ok {
		t.Errorf("the server heard %T, want the end of the session", next)
	}
	if n := server.Dials.Load(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
}
