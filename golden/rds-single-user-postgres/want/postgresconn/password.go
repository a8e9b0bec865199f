package postgresconn

import (
	"crypto/md5"
	"encoding/hex"

	"example.com/orders-db/rotation"
)

// MD5Verifier returns what a server stores for user's password under md5.
// Clients that know no better are locked out by anything else.
func MD5Verifier(user string, password rotation.Sensitive) rotation.Sensitive {
	sum := md5.Sum([]byte(password.Reveal() + user))
	return rotation.NewSensitive("md5" + hex.EncodeToString(sum[:]))
}
