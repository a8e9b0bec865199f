package parity

import "testing"

// C9: the server is sent the hash that it would have stored: "openssl passwd
// -5" prints the same, and PASSWORD('mysql') returned it.
func TestHash(t *testing.T) {
	for _, test := range []struct{ plugin, salt, password, want string }{
		{"sha256_password", "abcdefghijklmnop", "a", "$5$abcdefghijklmnop$DPoS.d1vEHDatG9aGvI6mut5WS6yqh2q9mihBYl8JQ/"},
		{"sha256_password", "abcdefghijklmnop", "aB3-aB3-aB3-aB3-aB3-aB3-aB3-aB3", "$5$abcdefghijklmnop$tvjpnGsaV29onDSJ5M.0E8BGFImQw1Pqyc0FRmHHTED"},
		{"sha256_password", "abcdefghijklmnop", "aB3-aB3-aB3-aB3-aB3-aB3-aB3-aB3-", "$5$abcdefghijklmnop$8FQS2Pf5MDdm/vVzF4ufzWYYrOA/0tPPuxZn8rEXZYA"},
		{"sha256_password", "abcdefghijklmnop", "aB3-aB3-aB3-aB3-aB3-aB3-aB3-aB3-aB3-aB3-a", "$5$abcdefghijklmnop$hEvmWKQGirVwW.x/DBvasYuiBcFyzUSQMCVdqyaail5"},
		{"mysql_native_password", "", "mysql", "*E74858DB86EBA20BC33D0AECAE8A8108C56B17FA"},
	} {
		if got := hash(test.plugin, test.salt, test.password); got != test.want {
			t.Errorf("%s: got %s, want %s", test.plugin, got, test.want)
		}
	}
}
