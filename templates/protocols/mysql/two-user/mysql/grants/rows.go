package grants

import (
	"maps"
	"math"
	"slices"
	"strings"
)

// row is what was granted on the databases that one name fits.
type row struct {
	on         string // as SHOW GRANTS has it, such as `shop%`.*
	pattern    pattern
	privileges map[string]bool // whether each may be passed on
}

// rows returns what was granted on whole databases, sorted.
func (r rights) rows() []row {
	byName := map[string]map[string]bool{}
	for have, passOn := range r.granted {
		if !isDatabase(have.on) {
			continue
		}
		if byName[have.on] == nil {
			byName[have.on] = map[string]bool{}
		}
		byName[have.on][have.privilege] = passOn
	}
	var rows []row
	for _, on := range slices.Sorted(maps.Keys(byName)) {
		rows = append(rows, row{on, parsePattern(strings.TrimSuffix(on, ".*"), r.rules.Literal), byName[on]})
	}
	return rows
}

func isDatabase(on string) bool { return on != everything && strings.HasSuffix(on, "`.*") }

func has(rows []row, on string) bool {
	return slices.ContainsFunc(rows, func(r row) bool { return r.on == on })
}

// covers reports whether the privilege, and the right to pass it on if that is
// asked for, is among the privileges or comes with one that is.
func covers(privileges map[string]bool, privilege string, passOn bool) bool {
	whole, _, _ := cut(privilege, " (")
	for have, option := range privileges {
		switch {
		case privilege == nothing: // GRANT OPTION goes for all there is on an object
			if option && !dynamic(have) {
				return true
			}
		case (have == privilege || have == whole || have == all) && (option || !passOn):
			return true
		}
	}
	return false
}

// anywhere reports whether r allows it on everything, and no partial revoke
// keeps it from a database that the pattern fits.
func (r rights) anywhere(privilege string, passOn bool, in pattern) bool {
	global := map[string]bool{}
	for have, option := range r.granted {
		if have.on == everything {
			global[have.privilege] = option
		}
	}
	whole, _, _ := cut(privilege, " (")
	for denied := range r.denied {
		if (denied.privilege == whole || whole == all || denied.privilege == option && passOn) && pattern(unquote(strings.TrimSuffix(denied.on, ".*"))).within(in) {
			return false
		}
	}
	return covers(global, privilege, passOn)
}

// applies returns the rows that the server may go by for a database: one, unless
// it does not tell which.
func (r rights) applies(database pattern) []row {
	var best []row
	for _, one := range r.rows() {
		switch {
		case !database.within(one.pattern):
		case r.merges(r) && string(database) != unquote(strings.TrimSuffix(one.on, ".*")), r.merges(r) && one.pattern.wild() != math.MaxInt:
			// Only a name that stands for itself comes before all others.
		case len(best) > 0 && r.rules.outranks(best[0].pattern, one.pattern):
		case len(best) > 0 && !r.rules.outranks(one.pattern, best[0].pattern):
			best = append(best, one)
		default:
			best = append(best[:0], one)
		}
	}
	return best
}

// rowsBeyond returns what r allows on databases and other does not, for certain:
// wherever r may go by the one row and other by another, other's must have all
// that r's has.
func (r rights) rowsBeyond(other rights) []difference {
	var found []difference
	mine, theirs := r.rows(), other.rows()
	for _, p := range mine {
		lacks := func(have map[string]bool) []string {
			return slices.DeleteFunc(slices.Sorted(maps.Keys(p.privileges)), func(privilege string) bool {
				passOn := p.privileges[privilege]
				return covers(have, privilege, passOn) || other.anywhere(privilege, passOn, p.pattern)
			})
		}
		differ := func(privileges []string, on string) {
			for _, privilege := range privileges {
				found = append(found, difference{right: right{privilege, on}, passOn: p.privileges[privilege]})
			}
		}
		inside := has(theirs, p.on)
		for _, q := range theirs {
			switch missing := lacks(q.privileges); {
			case q.on == p.on:
				differ(missing, p.on)
				inside = true
			case !q.pattern.meets(p.pattern), has(theirs, p.on) && r.rules.outranks(p.pattern, q.pattern), has(mine, q.on) && r.rules.outranks(q.pattern, p.pattern):
			case len(missing) == 0:
				inside = inside || p.pattern.within(q.pattern)
			case q.pattern.within(p.pattern):
				differ(missing, q.on)
			default:
				// A row of its own must have all, since it takes the place of the other.
				differ(lacks(nil), p.on)
				inside = true
			}
		}
		if !inside {
			differ(lacks(nil), p.on)
		}
	}
	return found
}

// merges reports whether rights on databases are looked for among those of both
// users and of roles at once.
func (r rights) merges(other rights) bool {
	return r.rules.RolesMerge && (r.roles() || other.roles())
}

func (r rights) roles() bool {
	for have := range r.granted {
		if have.on == "" {
			return true
		}
	}
	return false
}

// hiding returns what stands on whole databases in r alone and could hide a row
// of a role: while roles are active, MySQL goes by the first row that fits, a
// user's or a role's, in the order of their names.
func (r rights) hiding(other rights) []string {
	if !r.merges(other) {
		return nil
	}
	var found []string
	for _, row := range r.rows() {
		if !has(other.rows(), row.on) {
			found = append(found, row.on)
		}
	}
	return found
}

// bounding returns what r has on databases for which it has rights under a
// wildcard or by a role too, and of which other has no row. It bounds those
// rights.
func (r rights) bounding(other rights) []difference {
	var found []difference
	rows := r.rows()
	for _, p := range rows {
		bounds := r.merges(other) || slices.ContainsFunc(rows, func(q row) bool {
			return q.on != p.on && q.pattern.meets(p.pattern) && !r.rules.outranks(q.pattern, p.pattern)
		})
		if !bounds || has(other.rows(), p.on) {
			continue
		}
		for privilege, passOn := range p.privileges {
			found = append(found, difference{right: right{privilege, p.on}, passOn: passOn})
		}
	}
	return found
}
