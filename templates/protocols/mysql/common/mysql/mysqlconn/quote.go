package mysqlconn

import (
	"strings"
	"unicode/utf8"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// Identifier quotes the name of a database, a table or a column. Statements
// that define users take no parameters, so names and texts become part of them.
func Identifier(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// Literal quotes text. Sessions fix the character set and switch backslash
// escapes off, so that a quotation mark is all that has a meaning inside.
func Literal(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// Literals quotes texts for a list.
func Literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = Literal(text)
	}
	return strings.Join(quoted, ", ")
}

// Name is the name of an account. A user's accounts for several hosts are
// separate, each with a password of its own.
type Name struct{ User, Host string }

// ParseName reads what CURRENT_USER() returns. A user may hold an @, a host not.
func ParseName(text string) Name {
	i := strings.LastIndexByte(text, '@')
	if i < 0 {
		return Name{User: text}
	}
	return Name{text[:i], text[i+1:]}
}

// String returns the name for use in a statement.
func (n Name) String() string { return Literal(n.User) + "@" + Literal(n.Host) }

// Only returns the one account that a user must have, out of all that the
// session's user may see, unless looking for them has failed already.
func Only(user string, names []Name, err error) (Name, error) {
	switch {
	case err != nil:
		return Name{}, err
	case len(names) == 0:
		return Name{}, rotation.Errorf(rotation.CodePermission, "user %q does not exist, or the session's user has no privilege to see it", user)
	case len(names) > 1:
		return Name{}, rotation.Errorf(rotation.CodeBadUsers, "user %q has %d accounts, for several hosts: each has a password of its own", user, len(names))
	default:
		return names[0], nil
	}
}

// Sole returns nil if name, the account that answered for a user, is likely to be
// that user's only one: each has a password of its own, and the user sees no
// other than itself, unless it may read all. names is what it sees.
func Sole(name Name, names []Name, err error) error {
	switch {
	case err == nil && len(names) > 1:
		_, err = Only(name.User, names, nil)
		return err
	case name.Host != "%":
		return rotation.Errorf(rotation.CodeBadUsers, "the account %q@%q answered, and the user may have others, for other hosts and with other passwords, which it cannot see: "+
			"let an administrator change the password (CHANGE_AS=admin)", name.User, name.Host)
	case rotation.CodeOf(err) == rotation.CodePermission:
		return nil
	default:
		return err
	}
}

// NameLimit is how many characters of a user's name a server reads.
type NameLimit int

// Check refuses a name of which the server would read only the beginning, and
// take it for another user's, as [rotation.CodeBadUsers].
func (l NameLimit) Check(name string) error {
	if length := utf8.RuneCountInString(name); length > int(l) {
		return rotation.Errorf(rotation.CodeBadUsers, "the name %q has %d characters, and the server reads %d", name, length, l)
	}
	return nil
}
