package postgresconn

import "strings"

// Identifier quotes name for use in a statement. Statements that define roles
// take no parameters, so names and texts become part of them. name must be
// UTF-8 without NUL, which a secret's and a catalogue's names are.
func Identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal quotes text for use in a statement, in the form that means the same
// whatever the server's standard_conforming_strings says. The same holds for
// text as for an [Identifier]'s name; sessions fix client_encoding, without
// which a backslash could be half of a character.
func Literal(text string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + `'`
}
