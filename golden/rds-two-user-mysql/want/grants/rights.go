package grants

import (
	"maps"
	"slices"
	"strings"

	"example.com/orders-db/rotation"
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
)

// rights are what a user was granted.
type rights struct {
	// granted says of each right whether the user may pass it on.
	granted map[right]bool
	// denied are what MySQL calls partial revokes: privileges on everything
	// that do not reach a database.
	denied map[right]bool
}

// parse reads what SHOW GRANTS returns. What MariaDB puts behind the user's
// name, the hash of its password among it, is left out.
func parse(lines []string) (rights, error) {
	r := rights{granted: map[right]bool{}, denied: map[right]bool{}}
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
// for, is among r or comes with one that is.
func (r rights) has(want right, passOn bool) bool {
	if want.privilege == nothing { // GRANT OPTION goes for all there is on an object
		for have, option := range r.granted {
			if have.on == want.on && option && !dynamic(have.privilege) {
				return true
			}
		}
		return false
	}
	privilege, _, _ := cut(want.privilege, " (")
	database := databaseOf(want.on)
	for have, option := range r.granted {
		reaches := have.on == want.on || database != "" && databaseOf(have.on) == database && strings.HasSuffix(have.on, ".*") ||
			have.on == everything && database != "" && !r.denied[right{privilege, database + ".*"}]
		covers := have.privilege == want.privilege || have.privilege == privilege || have.privilege == all
		if reaches && covers && (option || !passOn) {
			return true
		}
	}
	return false
}

// dynamic reports whether a privilege is one of those that each can be passed
// on or not: MySQL spells them with underscores.
// https://dev.mysql.com/doc/refman/8.4/en/privileges-provided.html#privileges-provided-dynamic
func dynamic(privilege string) bool { return strings.Contains(privilege, "_") }

// databaseOf returns the database that an object is in, quoted, and "" for
// what is in none. In the name of a whole database, a backslash keeps _ and %
// from standing for other characters.
func databaseOf(on string) string {
	for _, kind := range []string{"TABLE ", "PROCEDURE ", "FUNCTION ", "PACKAGE BODY ", "PACKAGE "} {
		on = strings.TrimPrefix(on, kind)
	}
	database, object, ok := cut(on, ".")
	switch {
	case !ok || database == "*":
		return ""
	case object == "*":
		return strings.NewReplacer(`\_`, "_", `\%`, "%").Replace(database)
	default:
		return database
	}
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
		if !other.has(one, passOn) {
			found = append(found, difference{right: one, passOn: passOn})
		}
	}
	for one := range other.denied {
		if !r.denied[one] && r.has(right{one.privilege, everything}, false) {
			found = append(found, difference{right: one, denial: true})
		}
	}
	slices.SortFunc(found, func(a, b difference) int {
		return strings.Compare(a.on+"\x00"+a.String(), b.on+"\x00"+b.String())
	})
	return found
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

func (r rights) clone() rights { return rights{maps.Clone(r.granted), maps.Clone(r.denied)} }

// keep is what REVOKE GRANT OPTION does to the rights on an object.
func (r rights) keep(on string) {
	delete(r.granted, right{nothing, on})
	for one := range r.granted {
		if one.on == on && !dynamic(one.privilege) {
			r.granted[one] = false
		}
	}
}
