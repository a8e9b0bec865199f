//go:build db

package main_test

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/mariadb/common/mariadb"
	"github.com/rotasmith/rotasmith/templates/engines/mariadb/two-user/mariadb/parity"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/two-user/mysql/grants/grantstest"
)

// T1, T3, T6: the users that
// bootstrap.sql makes.
func TestBootstrap(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mariadb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	grantstest.Bootstrap(t, server, parity.New(engine))
}
