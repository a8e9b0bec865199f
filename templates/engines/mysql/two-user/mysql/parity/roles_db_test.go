//go:build db

package parity

import (
	"strings"
	"testing"

	"github.com/rotasmith/rotasmith/templates/engines/mysql/common/mysql"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqltest"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/two-user/mysql/grants/grantstest"
)

// T2, T3, T4, T6, C7, C9, C16.
func TestTwoUsers(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mysql.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	grantstest.All(t, server, New(engine))
}

// TestOnePassword: of what logged in as the inactive user before, nothing does
// any longer, whatever the plugin, and no statement has the new password. (C9)
func TestOnePassword(t *testing.T) {
	server := mysqltest.New(t)
	engine, err := mysql.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	login, err := New(engine).Login(t.Context(), server.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer login.Close()
	admin := login.(*Session)
	for _, plugin := range mysql.Plugins {
		if len(server.Exec(t, server.Admin, "SELECT 1 FROM information_schema.plugins WHERE plugin_status = 'ACTIVE' AND plugin_name = "+mysqltest.Literal(plugin))) == 0 {
			continue // mysql_native_password is gone from newer servers
		}
		for what, set := range map[string]func(rotation.Sensitive) error{
			"change":   func(p rotation.Sensitive) error { return admin.Change(t.Context(), "in'active", p) },
			"activate": func(p rotation.Sensitive) error { return admin.Activate(t.Context(), "in'active", p) },
		} {
			t.Run(what+", "+plugin, func(t *testing.T) {
				secondary := server.User(t, "in'active", "%", "secondary", "IDENTIFIED WITH "+plugin+" BY 'secondary'")
				server.Exec(t, server.Admin, "ALTER USER 'in''active'@'%' IDENTIFIED BY 'primary' RETAIN CURRENT PASSWORD")
				primary, next := server.Account(secondary.User, "primary"), server.Account(secondary.User, "Sentinel-3-"+strings.Repeat("x", 30))
				if err := server.Works(t, secondary); err != nil {
					t.Fatal(err)
				}
				if err := set(next.Password); err != nil {
					t.Fatal(err)
				}
				for _, previous := range []rotation.Sensitive{primary.Password, secondary.Password} {
					if server.Works(t, server.Account(secondary.User, previous.Reveal())) == nil {
						t.Errorf("%q still works", previous.Reveal())
					}
				}
				if err := server.Works(t, next); err != nil {
					t.Error(err)
				}
				if created := server.Exec(t, server.Admin, "SHOW CREATE USER 'in''active'@'%'")[0][0]; !strings.Contains(created, "'"+plugin+"'") {
					t.Errorf("the plugin is another: %s", created)
				}
			})
		}
	}
}
