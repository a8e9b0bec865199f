package parity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/orders-db/internal/postgres/postgresconn"
)

// setting is a parameter that is set for a user, in one database or, if that is
// "", in all.
type setting struct{ database, name string }

// String returns the setting for people to read, without its value: some are
// secrets.
func (s setting) String() string {
	if s.database == "" {
		return fmt.Sprintf("the setting %q", s.name)
	}
	return fmt.Sprintf("the setting %q in database %q", s.name, s.database)
}

// changed returns the settings that are not the same in both, sorted.
func changed(a, b map[setting]string) []setting {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for at := range all {
		x, inA := a[at]
		y, inB := b[at]
		if inA == inB && x == y {
			delete(all, at)
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(x, y setting) int {
		return strings.Compare(x.database+"\x00"+x.name, y.database+"\x00"+y.name)
	})
}

// configure copies active's settings as the catalogue has them. They are never
// put in force here: with an application's search_path, the next statement of
// the administrator's would find the application's functions.
func (m *mending) configure(active *user) {
	for _, at := range changed(active.settings, m.user.settings) {
		in := ""
		if at.database != "" {
			in = fmt.Sprintf("IN DATABASE %s ", postgresconn.Identifier(at.database))
		}
		value, wanted := active.settings[at]
		if !wanted {
			m.alter("%sRESET %s", in, dotted(at.name))
			continue
		}
		m.alter("%sSET %s = %s", in, dotted(at.name), literals(at.name, value))
		if strings.Contains(at.name, ".") {
			m.custom = append(m.custom, at.String())
		}
	}
}

// lists are the settings whose values are lists of names, which SET takes one by
// one: variable_is_guc_list_quote in
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/bin/pg_dump/dumputils.c
var lists = []string{"local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"}

// canonical returns a setting's value in the one form that it is compared in: a
// list may have its names quoted or not.
func canonical(name, value string) string {
	if !slices.Contains(lists, name) {
		return value
	}
	names := elements(value)
	for i := range names {
		names[i] = postgresconn.Identifier(names[i])
	}
	return strings.Join(names, ", ")
}

// literals returns a setting's value as SET takes it.
func literals(name, value string) string {
	if !slices.Contains(lists, name) {
		return postgresconn.Literal(value)
	}
	names := elements(value)
	for i := range names {
		names[i] = postgresconn.Literal(names[i])
	}
	return strings.Join(names, ", ")
}

// elements returns the names of a list, of which there is at least one: the
// empty list is that of the empty name. Names without quotes are in lower case.
func elements(list string) []string {
	var names []string
	var name strings.Builder
	quoted := false
	for i, r := range list {
		switch {
		case r == '"':
			if !quoted && i > 0 && list[i-1] == '"' { // a doubled one stands for itself
				name.WriteRune(r)
			}
			quoted = !quoted
		case quoted:
			name.WriteRune(r)
		case r == ',':
			names = append(names, name.String())
			name.Reset()
		case r != ' ':
			name.WriteString(strings.ToLower(string(r)))
		}
	}
	return append(names, name.String())
}

// dotted quotes a setting's name, which may have parts.
func dotted(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = postgresconn.Identifier(part)
	}
	return strings.Join(parts, ".")
}
