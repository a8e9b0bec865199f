package mariadb

import (
	"slices"
	"testing"

	"example.com/orders-db/rotation"
)

// C9: the hash is the one that SELECT PASSWORD('...') returns.
func TestHash(t *testing.T) {
	if got, want := Hash(rotation.NewSensitive("mariadb")), "'*54958E764CE10E50764C2EECBB71D01F08549980'"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestMethods reads what servers print, whatever names and hashes hold. (T6)
func TestMethods(t *testing.T) {
	for text, want := range map[string]struct {
		plugins []string
		rest    string
	}{
		"CREATE USER `o`@`%` IDENTIFIED BY PASSWORD '*1A'":                                                                   {[]string{Plugin}, " "},
		"CREATE USER `o`@`%` IDENTIFIED BY PASSWORD '*1A' REQUIRE SSL PASSWORD EXPIRE":                                       {[]string{Plugin}, "  REQUIRE SSL PASSWORD EXPIRE"},
		"CREATE USER `o`@`%` IDENTIFIED VIA mysql_native_password USING '*1A' OR mysql_native_password USING '*2B'":          {[]string{Plugin, Plugin}, " "},
		"CREATE USER `o`@`%` IDENTIFIED VIA ed25519 USING 'x' OR unix_socket ACCOUNT LOCK":                                   {[]string{"ed25519", "unix_socket"}, " ACCOUNT LOCK"},
		"CREATE USER ` IDENTIFIED VIA x OR y ACCOUNT LOCK`@`%` IDENTIFIED BY PASSWORD ' ACCOUNT LOCK'":                       {[]string{Plugin}, " "},
		"CREATE USER `back``tick`@`it's` IDENTIFIED VIA mysql_native_password USING 'it''s PASSWORD EXPIRE' PASSWORD EXPIRE": {[]string{Plugin}, " PASSWORD EXPIRE"},
		"CREATE USER `o`@`%`": {[]string{"no password"}, "CREATE USER @"},
	} {
		plugins, rest := methodsOf(text)
		if !slices.Equal(plugins, want.plugins) || rest != want.rest {
			t.Errorf("%s: got %q, %q, want %q", text, plugins, rest, want)
		}
	}
}
