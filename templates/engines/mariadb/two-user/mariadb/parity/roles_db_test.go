//go:build db

package parity

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/two-user/mysql/grants/grantstest"
)

// T2, T3, T4, T6, C7, C9, C16.
func TestTwoUsers(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mariadb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	grantstest.All(t, server, New(engine))
}
