package redshift

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
)

// C6 (B2): a server gets the administrator's password in clear text for no way of asking, nor as
// the second thing that it asks for.
func TestClearText(t *testing.T) {
	ours := postgrestest.NewAuthority(t)
	good := ours.Server(t, "db.test", time.Now().Add(time.Hour))
	target, err := New(ours.Roots(), 32)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(backend *pgproto3.Backend) (password string) {
		_ = backend.SetAuthType(pgproto3.AuthTypeCleartextPassword)
		postgrestest.Send(backend, &pgproto3.AuthenticationCleartextPassword{})
		if message, err := backend.Receive(); err == nil {
			if message, ok := message.(*pgproto3.PasswordMessage); ok {
				return message.Password
			}
		}
		return ""
	}
	for name, script := range map[string]func(*pgproto3.Backend) string{
		"at once": ask,
		"after a digest": func(backend *pgproto3.Backend) string {
			postgrestest.Send(backend, &digestMessage{digestSHA256, []byte("salt"), []byte("nonce")})
			if _, err := backend.Receive(); err != nil {
				return ""
			}
			return ask(backend)
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 1)
			account := postgrestest.Serve(t, postgrestest.OverTLS(good, func(backend *pgproto3.Backend) { got <- script(backend) })).Account()
			account.Admin = true
			err := target.Prove(t.Context(), account)
			if code := rotation.CodeOf(err); code != rotation.CodeBadSecret {
				t.Errorf("got %v, want %q", err, rotation.CodeBadSecret)
			}
			if <-got != "" {
				t.Error("the server got the password")
			}
			postgrestest.WantSilent(t, err)
		})
	}
}
