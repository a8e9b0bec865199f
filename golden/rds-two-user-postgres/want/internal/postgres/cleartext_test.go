package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"example.com/orders-db/internal/postgres/postgrestest"
	"example.com/orders-db/internal/rotation"
)

// C6 (B2): a server gets the administrator's password in clear text, inside TLS, only if the admin
// secret says so; the user's own it gets, as LDAP and PAM need it.
func TestClearText(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		admin, allowed bool
		want           rotation.Code
	}{
		"user":                            {want: ""},
		"administrator":                   {admin: true, want: rotation.CodeBadSecret},
		"administrator who allows for it": {admin: true, allowed: true, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := false
			server := postgrestest.Serve(t, postgrestest.OverTLS(good, func(backend *pgproto3.Backend) {
				_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
				postgrestest.Send(backend, &pgproto3.AuthenticationCleartextPassword{})
				if _, err := backend.Receive(); err == nil {
					got = true
					postgrestest.Send(backend, &pgproto3.AuthenticationOk{}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
				}
			}))
			account := server.Account()
			account.Admin, account.ClearText = test.admin, test.allowed
			err := target.Prove(t.Context(), account)
			if code := rotation.CodeOf(err); code != test.want {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if got != (test.want == "") {
				t.Errorf("the server got the password: %t", got)
			}
			if err != nil {
				postgrestest.WantSilent(t, err)
			}
		})
	}
}
