package grants

import (
	"context"
	"fmt"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// Reconcile implements [twouser.Session]. The servers know no transaction for
// it: a step that is stopped half-way begins again with what is missing then.
func Reconcile(ctx context.Context, s Server, active, inactive string, revoke bool) (extra []string, err error) {
	a, b, err := readBoth(ctx, s, active, inactive)
	if err != nil {
		return nil, err
	}
	if active == inactive {
		return nil, rotation.Errorf(rotation.CodeParity, "%q and %q are not two existing users", active, inactive)
	}
	doing := fmt.Sprintf("reconcile %q", inactive)
	m := mending{account: b.Account}
	if a.Account.Host != b.Account.Host {
		if err := unnamed(ctx, s, b.Account); err != nil {
			return nil, err
		}
		m.move(a.Account.Host)
	}
	extra = m.rights(a.rights, b.rights, revoke)
	m.traits(s, a.Traits, b.Traits)
	if len(m.statements) == 0 {
		s.Lately().keep(a, b)
	}
	for _, statement := range m.statements {
		if err := s.Alter(ctx, doing, statement); err != nil {
			return nil, err
		}
	}
	return extra, nil
}

// unnamed fails if views, routines, triggers or events would lose their definer
// with the account's name, and with it the power to run.
func unnamed(ctx context.Context, s Server, account mysqlconn.Name) error {
	var tables []string
	for _, table := range []string{"views", "routines", "triggers", "events"} {
		tables = append(tables, "SELECT definer FROM information_schema."+table)
	}
	definer := mysqlconn.Literal(account.User + "@" + account.Host)
	rows, err := s.Select(ctx, fmt.Sprintf("look for what %q defined", account.User),
		fmt.Sprintf("SELECT COUNT(*) FROM (%s) AS defined WHERE definer = %s", strings.Join(tables, " UNION ALL "), definer))
	if err == nil && rows[0][0] != "0" {
		err = rotation.Errorf(rotation.CodeParity, "user %q logs in from %q, and cannot be renamed because %s views, routines, triggers or events name it as their definer",
			account.User, account.Host, rows[0][0])
	}
	return err
}

// mending collects the statements that change one account. Every one of them
// names that account as what is changed, and no other can be added: the active
// user is only read.
type mending struct {
	account    mysqlconn.Name
	statements []string
	fewerRoles bool // one was revoked, and with it the default roles may have gone
}

func (m *mending) add(format string, args ...any) {
	m.statements = append(m.statements, fmt.Sprintf(format, args...))
}

// move lets the user log in from another host.
func (m *mending) move(host string) {
	from := m.account
	m.account.Host = host
	m.add("RENAME USER %s TO %s", from, m.account)
}

// rights grants what active a can do and b cannot. It returns what only b can,
// and takes it away if revoke is set. A partial revoke of a's is no right but
// the bound of one, so b gets it in any case.
func (m *mending) rights(a, b rights, revoke bool) (extra []string) {
	left := b.clone()
	for _, d := range b.beyond(a) {
		if d.denial {
			continue
		}
		extra = append(extra, d.String())
		if revoke {
			m.revoke(d, a, left)
		}
	}
	for _, d := range sorted(append(a.beyond(left), a.bounding(left)...)) {
		m.grant(d)
	}
	for _, bound := range a.bounds(b) {
		m.add("REVOKE %s ON %s FROM %s", bound.privilege, bound.on, m.account)
	}
	return extra
}

// grant grants what is missing, or lifts a partial revoke.
func (m *mending) grant(d difference) {
	option := ""
	switch {
	case d.passOn && d.on == "":
		option = " WITH ADMIN OPTION"
	case d.passOn:
		option = " WITH GRANT OPTION"
	}
	m.add("GRANT %s TO %s%s", d.right, m.account, option)
}

// revoke takes away what a cannot do, and keeps left as what is left then.
func (m *mending) revoke(d difference, a, left rights) {
	passes := right{nothing, d.on}
	if d.passOn && d.on != "" && !dynamic(d.privilege) && !a.has(passes, true) && left.has(passes, true) {
		m.add("REVOKE GRANT OPTION ON %s FROM %s", d.on, m.account)
		left.keep(d.on)
	}
	if _, still := left.granted[d.right]; !still || !left.granted[d.right] && a.has(d.right, false) {
		return
	}
	m.add("REVOKE %s FROM %s", d.right, m.account)
	delete(left.granted, d.right)
	m.fewerRoles = m.fewerRoles || d.on == ""
}

// traits makes the rest equal.
func (m *mending) traits(s Server, a, b Traits) {
	if a.Plugin != b.Plugin {
		m.add("ALTER USER %s %s", m.account, s.Identified(a.Plugin, Nobodys()))
	}
	alter := ""
	if a.Require != b.Require {
		alter = " REQUIRE " + a.Require
	}
	for i, limit := range changed(a.Limits, b.Limits) {
		if i == 0 {
			alter += " WITH"
		}
		alter += " " + limit.String()
	}
	for _, rule := range changed(a.Passwords, b.Passwords) {
		alter += " " + rule.String()
	}
	if alter != "" {
		m.add("ALTER USER %s%s", m.account, alter)
	}
	if a.DefaultRoles != b.DefaultRoles || m.fewerRoles {
		m.statements = append(m.statements, s.SetDefaultRoles(m.account, a.DefaultRoles))
	}
}
