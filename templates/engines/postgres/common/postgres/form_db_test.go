//go:build db

package postgres

import (
	"fmt"
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
)

// TestPasswordIsKeptAsTheServerAsks changes a password and puts the previous one
// back, in the user's session and in an administrator's, whatever either's
// password_encryption is: both log in. (C21)
func TestPasswordIsKeptAsTheServerAsks(t *testing.T) {
	server := postgrestest.New(t)
	// pg_hba.conf asks its members for SCRAM, where the server has such a line.
	server.Role(t, "scram_only", "first", "NOLOGIN")
	for _, kept := range []string{"md5", "scram-sha-256"} {
		for _, setting := range []string{"md5", "scram-sha-256"} {
			for _, asAdmin := range []bool{false, true} {
				for _, strict := range []bool{false, true} {
					if strict && kept == "md5" {
						continue // no such log-in is possible
					}
					t.Run(fmt.Sprintf("kept as %s, set to %s, as admin %t, SCRAM only %t", kept, setting, asAdmin, strict), func(t *testing.T) {
						account := server.Role(t, "form_user", "first", "LOGIN")
						admin := server.Role(t, "form_admin", "first", "LOGIN CREATEROLE")
						admin.Admin = true
						server.Exec(t, server.Admin, "SET password_encryption = '"+kept+"'", "ALTER ROLE form_user PASSWORD 'first'",
							"ALTER ROLE form_user SET password_encryption = '"+setting+"'", "ALTER ROLE form_admin SET password_encryption = '"+setting+"'")
						if server.Version >= 16 {
							server.Exec(t, server.Admin, "GRANT form_user TO form_admin WITH ADMIN TRUE")
						}
						if strict {
							server.Exec(t, server.Admin, "GRANT scram_only TO form_user")
						}
						target := newTarget(t, server)
						session, err := target.Login(t.Context(), account)
						if kept == "md5" && rotation.CodeOf(err) == rotation.CodeAuthRejected {
							t.Skip("pg_hba.conf asks for SCRAM")
						} else if err != nil {
							t.Fatal(err)
						}
						t.Cleanup(session.Close)
						was := target.asked.Load().request
						if asAdmin {
							session = login(t, target, admin)
						}
						next := account
						next.Password = rotation.NewSensitive(sentinel + "Form")
						if err := session.Try(t.Context(), account.User, next.Password); err != nil {
							t.Error(err)
						}
						for _, password := range []rotation.Sensitive{next.Password, account.Password} {
							next.Password = password
							if err := session.Change(t.Context(), account.User, password); err != nil {
								t.Fatal(err)
							}
							if err := target.Prove(t.Context(), next); err != nil {
								t.Errorf("after the change: %v", err)
							}
						}
						if is := target.asked.Load().request; is != was {
							t.Errorf("the previous password was asked for by %d, and is by %d", was, is)
						}
					})
				}
			}
		}
	}
}
