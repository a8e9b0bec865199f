package postgres

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/internal/postgres/postgrestest"
	"example.com/orders-db/internal/rotation"
)

// C10: a server that takes no verifiers, as with credcheck, says so to the try of preflight, and
// takes the password as text where that is asked for, hashed by it in the form that the log-in
// worked with.
func TestServerTakesNoVerifiers(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	const next = "Next-password-1"
	for _, text := range []bool{false, true} {
		var statements []string
		server := postgrestest.Serve(t, postgrestest.OverTLS(good, func(backend *pgproto3.Backend) {
			welcome("orders")(backend)
			for {
				message, err := backend.Receive()
				if err != nil {
					return
				}
				query, ok := message.(*pgproto3.Query)
				if !ok {
					return
				}
				statements = append(statements, query.String)
				if strings.Contains(query.String, "SCRAM-SHA-256$") || strings.Contains(query.String, "PASSWORD 'md5") {
					// https://github.com/MigOpsRepos/credcheck/blob/master/credcheck.c
					postgrestest.Send(backend, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "28000", Routine: "check_password", Message: postgrestest.Echo})
				} else {
					postgrestest.Send(backend, &pgproto3.CommandComplete{CommandTag: []byte("ALTER ROLE")})
				}
				postgrestest.Send(backend, &pgproto3.ReadyForQuery{TxStatus: 'I'})
			}
		}))
		target, err := New(ours.Roots(), 32)
		if err != nil {
			t.Fatal(err)
		}
		target.Text = text
		session, err := target.Login(t.Context(), server.Account())
		if err != nil {
			t.Fatal(err)
		}
		want := rotation.CodeNoHash
		if text {
			want = ""
		}
		if err := session.Try(t.Context(), "orders", rotation.NewSensitive(next)); rotation.CodeOf(err) != want {
			t.Errorf("text %t: try: got %v, want %q", text, err, want)
		}
		if err := session.Change(t.Context(), "orders", rotation.NewSensitive(next)); rotation.CodeOf(err) != want {
			t.Errorf("text %t: change: got %v, want %q", text, err, want)
		}
		session.Close()
		all := strings.Join(statements, "\n")
		if strings.Contains(all, next) != text {
			t.Errorf("text %t: the password stands in a statement: %t", text, !text)
		}
		if text && !strings.Contains(all, "SET password_encryption = 'scram-sha-256'") {
			t.Errorf("the server decides the form of the password by itself")
		}
	}
}
