package grants

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// Rehearse implements [twouser.Session]. Nothing can be made and thrown away
// without others seeing it, so it asks for a change of a user that does not
// exist, which takes the same right, and compares what the session may pass on
// with what a clone still lacks.
func Rehearse(ctx context.Context, s Server, active, inactive string) error {
	if err := s.Writable(); err != nil {
		return err
	}
	if err := checkName(s, inactive); err != nil {
		return err
	}
	nobody := mysqlconn.Name{User: "nobody by this name", Host: "localhost"}
	if err := s.Exec(ctx, "try to change a user", fmt.Sprintf("ALTER USER IF EXISTS %s ACCOUNT LOCK", nobody)); err != nil {
		return err
	}
	users, err := s.Users(ctx, active, inactive)
	named, err := only(active, users, err)
	if err != nil {
		return err
	}
	a, err := equip(ctx, s, named)
	if err != nil {
		return err
	}
	var b user
	switch named, err := only(inactive, users, nil); {
	case err == nil:
		if b, err = equip(ctx, s, named); err != nil {
			return err
		}
	case rotation.CodeOf(err) != rotation.CodeParity: // which is that it does not exist yet
		return err
	}
	mine, err := s.Mine(ctx)
	if err != nil {
		return err
	}
	own, err := granted(ctx, s, a.Rules, "read the session's own rights", mine)
	if err != nil {
		return err
	}
	var lacks []string
	for _, d := range a.rights.beyond(b.rights) {
		if !own.passes(d.right) {
			lacks = append(lacks, d.right.String())
		}
	}
	if len(lacks) > 0 {
		return rotation.Errorf(rotation.CodePermission, "user %q has rights that the session's user cannot pass on: %s", active, strings.Join(lacks, "; "))
	}
	return nil
}

// passes reports whether a user that has r may grant the right to others.
func (r rights) passes(one right) bool {
	const anyRole = "ROLE_ADMIN" // MySQL's
	switch {
	case one.on == "":
		return r.has(one, true) || r.has(right{anyRole, everything}, false)
	case one.privilege == all && one.on != everything: // each of them does
		return !slices.ContainsFunc(r.rules.OnDatabases, func(privilege string) bool { return !r.passes(right{privilege, one.on}) })
	case isDatabase(one.on):
		within := parsePattern(strings.TrimSuffix(one.on, ".*"), r.rules.Literal)
		applies := slices.ContainsFunc(r.rows(), func(row row) bool {
			return within.within(row.pattern) && covers(row.privileges, one.privilege, true)
		})
		return applies || r.anywhere(one.privilege, true, within)
	default:
		return r.has(one, true)
	}
}
