//go:build db

package main_test

import (
	"testing"

	"example.com/orders-db/grantstest"
	"example.com/orders-db/mariadb"
	"example.com/orders-db/mysqltest"
	"example.com/orders-db/roles"
)

// T1, T3, T6: what bootstrap.sql makes.
func TestBootstrap(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mariadb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	grantstest.Bootstrap(t, server, roles.New(engine))
}
