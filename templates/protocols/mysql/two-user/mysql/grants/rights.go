package grants

import (
	"maps"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// right is a privilege on something, or a role. Both are in the words of SHOW
// GRANTS, which are those of GRANT and REVOKE.
type right struct {
	privilege string // such as INSERT, or SELECT (`id`) for one column, or a role's name
	on        string // such as *.*, `db`.*, `db`.`table`, PROCEDURE `db`.`name`; "" for a role
}

// String returns the right as GRANT and REVOKE name it.
func (r right) String() string {
	if r.on == "" {
		return r.privilege
	}
	return r.privilege + " ON " + r.on
}

const (
	everything = "*.*"
	all        = "ALL PRIVILEGES"
	nothing    = "USAGE" // what stands where nothing but GRANT OPTION was granted
	option     = "GRANT OPTION"
)

// rights are what a user was granted.
type rights struct {
	// granted says of each right whether the user may pass it on.
	granted map[right]bool
	// denied are what MySQL calls partial revokes: privileges on everything
	// that do not reach a database.
	denied map[right]bool
	// rules are the server's, by which it reads what was granted.
	rules Rules
}

// parse reads what SHOW GRANTS returns. MariaDB adds more behind the user's
// name, such as the hash of its password; parse leaves that out.
func parse(lines []string, rules Rules) (rights, error) {
	r := rights{granted: map[right]bool{}, denied: map[right]bool{}, rules: rules}
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "GRANT "):
			what, to, _ := cut(line[len("GRANT "):], " TO ")
			passOn := contains(to, " GRANT OPTION") || contains(to, " WITH ADMIN OPTION")
			for _, one := range parseRights(what) {
				if one.privilege != nothing || passOn {
					r.granted[one] = r.granted[one] || passOn
				}
			}
		case strings.HasPrefix(line, "REVOKE "):
			what, _, _ := cut(line[len("REVOKE "):], " FROM ")
			for _, one := range parseRights(what) {
				r.denied[one] = true
			}
		case strings.HasPrefix(line, "SET DEFAULT ROLE "): // MariaDB; see Traits
		default: // the line may hold a hash
			return rights{}, rotation.Errorf(rotation.CodeServer, "SHOW GRANTS returned a line that is neither GRANT nor REVOKE")
		}
	}
	return r, nil
}

// parseRights reads "SELECT, INSERT (`a`, `b`) ON `db`.`table`", or a list of
// roles.
func parseRights(text string) []right {
	privileges, on, _ := cut(text, " ON ")
	var found []right
	for _, privilege := range list(privileges) {
		name, columns, ok := cut(privilege, " (")
		if !ok {
			found = append(found, right{privilege, on})
			continue
		}
		for _, column := range list(strings.TrimSuffix(columns, ")")) {
			found = append(found, right{name + " (" + column + ")", on})
		}
	}
	return found
}

// has reports whether the right, and the right to pass it on if that is asked
// for, is among r or comes with one that is. Rights on whole databases are for
// [rights.rowsBeyond] to judge.
func (r rights) has(want right, passOn bool) bool {
	same := map[string]bool{}
	for have, option := range r.granted {
		if have.on == want.on {
			same[have.privilege] = option
		}
	}
	if covers(same, want.privilege, passOn) {
		return true
	}
	database := databaseOf(want.on)
	if database == nil {
		return false
	}
	applies := r.applies(database)
	lacking := func(row row) bool { return !covers(row.privileges, want.privilege, passOn) }
	return r.anywhere(want.privilege, passOn, database) || len(applies) > 0 && !slices.ContainsFunc(applies, lacking)
}

// dynamic reports whether a privilege is one of those that each can be passed
// on or not: MySQL spells them with underscores.
// https://dev.mysql.com/doc/refman/8.4/en/privileges-provided.html#privileges-provided-dynamic
func dynamic(privilege string) bool { return strings.Contains(privilege, "_") }

// databaseOf returns the database that an object is in, nil for what is in none
// and for whole databases.
func databaseOf(on string) pattern {
	for _, kind := range []string{"TABLE ", "PROCEDURE ", "FUNCTION ", "PACKAGE BODY ", "PACKAGE "} {
		on = strings.TrimPrefix(on, kind)
	}
	database, object, ok := cut(on, ".")
	if !ok || database == "*" || object == "*" {
		return nil
	}
	return pattern(unquote(database))
}

// difference is something that one user can do and another not.
type difference struct {
	right
	// passOn is whether it is, or comes with, the right to pass it on.
	passOn bool
	// denial is true if it is a partial revoke that only the other has.
	denial bool
}

// String returns the difference for people to read.
func (d difference) String() string {
	if d.passOn {
		return d.right.String() + " with the right to pass it on"
	}
	return d.right.String()
}

// beyond returns what r allows and other does not, sorted.
func (r rights) beyond(other rights) []difference {
	var found []difference
	for one, passOn := range r.granted {
		if !isDatabase(one.on) && !other.has(one, passOn) {
			found = append(found, difference{right: one, passOn: passOn})
		}
	}
	for one := range other.denied {
		if !r.denied[one] && r.has(right{one.privilege, everything}, false) {
			found = append(found, difference{right: one, denial: true})
		}
	}
	return sorted(append(found, r.rowsBeyond(other)...))
}

// sorted returns each difference once, in the order of what they are about.
func sorted(found []difference) []difference {
	slices.SortFunc(found, func(a, b difference) int {
		return strings.Compare(a.on+"\x00"+a.String(), b.on+"\x00"+b.String())
	})
	return slices.Compact(found)
}

// bounds returns the partial revokes that other lacks, sorted.
func (r rights) bounds(other rights) []right {
	var found []right
	for one := range r.denied {
		if !other.denied[one] {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b right) int { return strings.Compare(a.String(), b.String()) })
	return found
}

func (r rights) clone() rights { return rights{maps.Clone(r.granted), maps.Clone(r.denied), r.rules} }

// keep is what REVOKE GRANT OPTION does to the rights on an object.
func (r rights) keep(on string) {
	delete(r.granted, right{nothing, on})
	for one := range r.granted {
		if one.on == on && !dynamic(one.privilege) {
			r.granted[one] = false
		}
	}
}
