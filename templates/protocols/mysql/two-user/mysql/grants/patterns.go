package grants

import (
	"math"
	"strings"
)

// pattern is the name of a database as GRANT stores it: characters, anyOne and
// anyMany for the wildcards _ and %.
type pattern []rune

const (
	anyOne  rune = -1 // one character
	anyMany rune = -2 // any number of them
)

// parsePattern reads the name of a whole database as SHOW GRANTS has it, in
// backticks. A backslash keeps a wildcard from being one, and with partial
// revokes none is: the server then reads names as they are.
// https://dev.mysql.com/doc/refman/8.4/en/partial-revokes.html
func parsePattern(name string, literal bool) pattern {
	name = unquote(name)
	if literal {
		return pattern(name)
	}
	var p pattern
	escaped := false
	for _, r := range name {
		switch {
		case escaped:
			if r != '_' && r != '%' {
				p = append(p, '\\')
			}
			p, escaped = append(p, r), false
		case r == '\\':
			escaped = true
		case r == '_':
			p = append(p, anyOne)
		case r == '%':
			p = append(p, anyMany)
		default:
			p = append(p, r)
		}
	}
	if escaped {
		p = append(p, '\\')
	}
	return p
}

func unquote(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(name, "`"), "`"), "``", "`")
}

// wild returns where the first wildcard is, and the greatest number if there is
// none.
func (p pattern) wild() int {
	for i, r := range p {
		if r < 0 {
			return i
		}
	}
	return math.MaxInt
}

// outranks reports whether it is certain that the server goes by p where q fits
// as well. Of one database it reads only one row: that of the name without a
// wildcard, or else of the most specific one. MySQL means by that the one whose
// first wildcard comes last. MariaDB's choice is certain only where all names
// that fit one pattern fit the other as well.
// https://dev.mysql.com/doc/refman/8.4/en/request-access.html
func (r Rules) outranks(p, q pattern) bool {
	if r.FirstWildcard || p.wild() == math.MaxInt {
		return p.wild() > q.wild()
	}
	return p.within(q) && !q.within(p)
}

// within reports whether it is certain that every name that p fits is one that q
// fits.
func (p pattern) within(q pattern) bool {
	switch {
	case len(q) == 0:
		return len(p) == 0
	case q[0] == anyMany:
		return p.within(q[1:]) || len(p) > 0 && p[1:].within(q)
	case len(p) == 0 || p[0] == anyMany:
		return false
	default:
		return (q[0] == anyOne || q[0] == p[0]) && p[1:].within(q[1:])
	}
}

// meets reports whether there is a name that both fit.
func (p pattern) meets(q pattern) bool {
	switch {
	case len(p) == 0 && len(q) == 0:
		return true
	case len(p) > 0 && p[0] == anyMany:
		return p[1:].meets(q) || len(q) > 0 && p.meets(q[1:])
	case len(q) > 0 && q[0] == anyMany:
		return q.meets(p)
	case len(p) == 0 || len(q) == 0:
		return false
	default:
		return (p[0] == anyOne || q[0] == anyOne || p[0] == q[0]) && p[1:].meets(q[1:])
	}
}
