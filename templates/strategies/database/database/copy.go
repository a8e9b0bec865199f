package database

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// described are the keys whose meaning is known, such as AWS's identifiers. A value
// there is no copy, even if it equals the password.
var described = []string{
	KeyEngine, KeyHost, KeyPort, KeyDatabase, KeyUser, KeyPassword, KeyAdmin, KeyTLS, KeyAlternate, KeyServerName, KeyDatabaseHost,
	"dbInstanceIdentifier", "dbClusterIdentifier",
}

// Uncopied refuses a secret that holds its password a second time, or the name of one of
// users: a rotation would leave the copy as it is. The error is
// [rotation.CodeBadSecret] and names the key.
//
// A copy of the password is found wherever it stands, as it is, escaped as in URLs or in
// Base64. A password that is short or a word, and a user's name, count only where
// such a thing stands: as a whole value, before the @ of a URL, and in a connection
// string behind password= or user=.
func Uncopied(v rotation.Value, users ...string) error {
	var fields map[string]any
	if err := decode(v.Text().Reveal(), &fields); err != nil {
		return rotation.Errorf(rotation.CodeBadSecret, "the value is not a JSON object").Because(err)
	}
	user, password := text(v, KeyUser), text(v, KeyPassword)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if slices.Contains(described, key) {
			continue
		}
		for _, said := range texts(fields[key]) {
			whole, names, passwords := unescaped(said), usersIn(said), passwordsIn(said)
			if !namesDatabase.MatchString(key) {
				names = append(names, whole)
			}
			if slices.Contains(append(passwords, whole), password) || telling(password) && contains(said, user, password) {
				return bad(key, "holds a copy of the password, which would not work any more after a rotation: remove it, and let the application put it together")
			}
			if slices.ContainsFunc(users, func(user string) bool { return slices.Contains(names, user) }) {
				return bad(key, "holds a copy of a user's name, which changes with every rotation: remove it, and let the application read "+KeyUser)
			}
		}
	}
	return nil
}

// namesDatabase finds keys such as DB_NAME and schema. Their values often equal a user's
// name, and are none.
var namesDatabase = regexp.MustCompile(`(?i)(?:database|db|schema)(?:_?name)?$|host$|^search_?path$`)

// texts are the texts and numbers in a JSON value, and in texts that are JSON.
func texts(value any) (all []string) {
	switch value := value.(type) {
	case map[string]any:
		for _, inner := range value {
			all = append(all, texts(inner)...)
		}
	case []any:
		for _, inner := range value {
			all = append(all, texts(inner)...)
		}
	case json.Number:
		all = append(all, value.String())
	case string:
		all = append(all, value)
		var inner any
		if strings.ContainsAny(value, "{[") && decode(value, &inner) == nil {
			all = append(all, texts(inner)...)
		}
	}
	return all
}

func decode(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // a number may be a password
	return d.Decode(into)
}

// telling reports whether password is long and unusual enough not to stand in a text
// by chance, as "postgres" does.
func telling(password string) bool {
	const least = 8
	return len(password) >= least && strings.ContainsFunc(password, func(r rune) bool { return !unicode.IsLetter(r) })
}

// contains reports whether password stands in text in any form.
func contains(text, user, password string) bool {
	encode := base64.StdEncoding.EncodeToString
	plain := unescaped(text)
	return slices.ContainsFunc([]string{text, plain, strings.ReplaceAll(plain, "+", " ")}, func(text string) bool { return strings.Contains(text, password) }) ||
		strings.Contains(text, encode([]byte(password))) || strings.Contains(text, encode([]byte(user+":"+password)))
}

var escape = regexp.MustCompile(`(?:%[0-9a-fA-F]{2})+`)

// unescaped is text without the escapes of URLs. A % that begins none stays.
func unescaped(text string) string {
	return escape.ReplaceAllStringFunc(text, func(escaped string) string {
		plain, _ := url.PathUnescape(escaped) // which are two digits each
		return plain
	})
}

// Where a user and a password stand before the @ of a URL, or of the data source names
// of Go's drivers.
var (
	userinfo   = regexp.MustCompile(`//([^\s/?#@:]*)(?::([^\s/?#@]*))?@|^([^\s/?#@:]*):([^\s/?#@]*)@`)
	userIs     = regexp.MustCompile(`(?i)(?:^|[?&;\s])(?:user|user[ _]?name|user id|uid)\s*=\s*'?([^\s&;']*)`)
	passwordIs = regexp.MustCompile(`(?i)(?:^|[?&;\s])(?:password|pwd)\s*=\s*'?([^\s&;']*)`)
)

func usersIn(text string) []string {
	return append(groups(userinfo, text, 1, 3), groups(userIs, text, 1)...)
}
func passwordsIn(text string) []string {
	return append(groups(userinfo, text, 2, 4), groups(passwordIs, text, 1)...)
}

// groups returns what the groups of pattern match in text.
func groups(pattern *regexp.Regexp, text string, numbers ...int) (found []string) {
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		for _, n := range numbers {
			found = append(found, unescaped(match[n]))
		}
	}
	return found
}
