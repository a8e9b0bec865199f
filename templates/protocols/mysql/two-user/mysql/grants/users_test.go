package grants

import (
	"testing"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// short is a [Server] that reads names of three characters.
type short struct{ Server }

func (short) CheckName(user string) error { return mysqlconn.NameLimit(3).Check(user) }

// TestCheckName: a user is made only under the name that the server will know it by.
// (T6)
func TestCheckName(t *testing.T) {
	for name, want := range map[string]rotation.Code{
		"abc": "", "a b": "", " ab": rotation.CodeBadUsers, "ab ": rotation.CodeBadUsers, "abcd": rotation.CodeBadUsers,
	} {
		if got := rotation.CodeOf(checkName(short{}, name)); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
