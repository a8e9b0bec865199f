//go:build db

package roles

import (
	"testing"

	"example.com/orders-db/grantstest"
	"example.com/orders-db/mariadb"
	"example.com/orders-db/mysqltest"
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
