package postgrestest

import (
	_ "embed"
	"testing"

	"example.com/orders-db/internal/database"
)

// hostile is what an application's user runs to get a hold of others' sessions.
//
//go:embed hostile.sql
var hostile string

// Hostile gives the test's database to account's user and fills it with that
// user's traps. struck reports whether one of them went off, since it was last
// asked, in a session that has the administrator's rights. A rollback does not
// hide it: sequences count on.
func (s *Server) Hostile(t testing.TB, account database.Account) (struck func() bool) {
	t.Helper()
	user, own := quote(account.User), quote(s.Admin.Database)
	s.Exec(t, s.Admin, "CREATE SCHEMA witness", "GRANT USAGE ON SCHEMA witness TO PUBLIC", "CREATE SEQUENCE witness.struck",
		"GRANT "+user+" TO CURRENT_USER", "ALTER DATABASE "+own+" OWNER TO "+user, "REVOKE "+user+" FROM CURRENT_USER")
	t.Cleanup(func() {
		s.Exec(t, s.Elsewhere, "GRANT "+user+" TO CURRENT_USER", "ALTER DATABASE "+own+" OWNER TO CURRENT_USER", "ALTER DATABASE "+own+" RESET ALL")
	})
	s.Exec(t, account, hostile,
		"ALTER ROLE "+user+" SET search_path = traps, pg_catalog",
		"ALTER DATABASE "+own+" SET search_path = traps, pg_catalog",
		"ALTER DATABASE "+own+" SET standard_conforming_strings = off")
	watch := s.Connect(t, s.Admin)
	count := func() string {
		rows, err := Run(watch, "SELECT last_value, is_called FROM witness.struck")
		if err != nil {
			t.Fatal(err)
		}
		return rows[0][0] + rows[0][1]
	}
	before := count()
	return func() bool {
		was := before
		before = count()
		return before != was
	}
}
