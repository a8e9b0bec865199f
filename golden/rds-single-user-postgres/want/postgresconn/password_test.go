package postgresconn

import (
	"testing"

	"example.com/orders-db/rotation"
)

func TestMD5Verifier(t *testing.T) {
	// What select 'md5' || md5('postgres' || 'postgres') gives.
	if got := MD5Verifier("postgres", rotation.NewSensitive("postgres")).Reveal(); got != "md53175bce1d3201d16594cebf9d7eb3f9d" {
		t.Error("the verifier is another than the server's")
	}
}
