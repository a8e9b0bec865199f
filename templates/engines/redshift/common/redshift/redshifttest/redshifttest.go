// Package redshifttest makes a PostgreSQL stand in for Redshift, as far as that
// goes: it has the statements, the protocol and MD5 digests, and standin.sql
// gives it the system views. It has no SHA-256 digests and no roles of Redshift's
// kind.
package redshifttest

import (
	_ "embed"
	"testing"

	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

// StandIn is what a superuser runs in a database to make it stand in.
//
//go:embed standin.sql
var StandIn string

// New returns the server that the environment names, with a database that
// stands in, and a superuser there whose password is kept as Redshift would. The
// environment's own user must be a superuser as well.
func New(t testing.TB) (*postgrestest.Server, database.Account) {
	t.Helper()
	server := postgrestest.New(t)
	server.Exec(t, server.Admin, StandIn)
	return server, server.Role(t, "redshift_superuser", "superuser-sentinel", "LOGIN SUPERUSER")
}
