package consumer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Version is one version of the secret. Printing it, by whatever verb or logger, shows its id and no value.
type Version struct {
	ID string

	value *string // a pointer, so that printing a struct that holds a Version shows no value either
}

// Value returns the whole value, a secret.
func (v Version) Value() string {
	if v.value == nil {
		return ""
	}
	return *v.value
}

// Field returns what a value that is a JSON object has under key: a text, or a number as it stands. It fails without a word of the value if
// there is neither.
func (v Version) Field(key string) (string, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(v.Value()), &fields) != nil {
		return "", fmt.Errorf("%v is no JSON object", v)
	}
	var text string
	if json.Unmarshal(fields[key], &text) == nil && text != "" {
		return text, nil
	}
	var number json.Number
	if json.Unmarshal(fields[key], &number) == nil && number != "" {
		return number.String(), nil
	}
	return "", fmt.Errorf("%v: key %q is missing, or holds neither a text nor a number", v, key)
}

// Login returns the fields username and password, under which the secrets of databases have them.
func (v Version) Login() (username, password string, err error) {
	username, err1 := v.Field("username")
	password, err2 := v.Field("password")
	return username, password, errors.Join(err1, err2)
}

// Format prints the id, whatever the verb.
func (v Version) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "version %q of the secret", v.ID) }

// sameUser reports whether both versions are of one user. Values that name none, such as keys, are.
func (v Version) sameUser(other Version) bool {
	mine, _ := v.Field("username")
	others, _ := other.Field("username")
	return mine == others
}
