package postgresconn

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/postgres/postgrestest"
	"example.com/orders-db/internal/rotation"
)

// TestRefusedForTheDatabase: a log-in that fails for the database and not for the user
// says so. (C7)
func TestRefusedForTheDatabase(t *testing.T) {
	for state, want := range map[string]struct {
		code rotation.Code
		text string
	}{
		"3D000": {rotation.CodeServer, "the database does not exist"},
		"42501": {rotation.CodePermission, "may not connect to the database"},
	} {
		err := refusedLogin(&pgconn.PgError{Code: state, Message: postgrestest.Echo}, database.Account{User: "orders"})
		if rotation.CodeOf(err) != want.code || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: got %v, want %s and %q", state, err, want.code, want.text)
		}
	}
}
