package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/postgres/common/postgres/postgrestest"
)

// fault is something that is wrong outside of the function.
type fault struct {
	name string
	// begin lets it happen and returns what mends it.
	begin func(*testing.T, *bench) (mend func())
	code  rotation.Code
	says  string // of the detail
}

// stepTimeout is the function's time in these tests: enough for work, and short
// enough that a step which waited until it is over would show.
const stepTimeout = 9 * time.Second

// postgresFaults is, with [mysqlFaults], the table of what can be wrong with a
// server: each has its code and its words, is told before the function's time is up,
// leaves AWSCURRENT as it was, and the same rotation goes through once it is mended.
// (C7, C8)
func postgresFaults(t *testing.T) {
	t.Parallel()
	server, disk := serverstest.OnSmallDisk(t, servers.Postgres)
	admin := server.Admin.User
	withFaults(t, scenario{engine: postgres{servers.Postgres}, own: &server, prepare: prepareSingle, reset: resetSingle}, []fault{
		{"locked account", statements("ALTER ROLE "+userOrders+" NOLOGIN", "ALTER ROLE "+userOrders+" LOGIN"), rotation.CodeLocked, "may not log in"},
		{"expired password", statements("ALTER ROLE "+userOrders+" VALID UNTIL '2001-01-01'", "ALTER ROLE "+userOrders+" VALID UNTIL 'infinity'"), rotation.CodeExpired, "VALID UNTIL"},
		{"no rights", statements("ALTER ROLE "+admin+" NOCREATEROLE", "ALTER ROLE "+admin+" CREATEROLE"), rotation.CodePermission, "privilege"},
		{"no connection left", statements("ALTER ROLE "+admin+" CONNECTION LIMIT 0", "ALTER ROLE "+admin+" CONNECTION LIMIT -1"), rotation.CodeUserLimit, "limit on connections"},
		{"full disk", fullDisk(disk), rotation.CodeNoSpace, "disk is full"},
	})
}

func mysqlFaults(engine mysqlEngine) func(*testing.T) {
	user, admin := "'"+userOrders+"'@'%'", "'"+rotator+"'@'%'"
	return func(t *testing.T) {
		t.Parallel()
		withFaults(t, scenario{engine: engine, prepare: prepareAdministered, reset: resetMySQL, admin: narrowAdmin}, []fault{
			{"locked account", statements("ALTER USER "+user+" ACCOUNT LOCK", "ALTER USER "+user+" ACCOUNT UNLOCK"), rotation.CodeLocked, "is locked"},
			{"expired password", expiredPassword(user), rotation.CodeExpired, "has expired"},
			{"no rights", statements("REVOKE CREATE USER ON *.* FROM "+admin, "GRANT CREATE USER ON *.* TO "+admin), rotation.CodePermission, "privilege"},
		})
	}
}

// withFaults lets a rotation by an admin meet what every server can have, and what
// is the engine's own.
func withFaults(t *testing.T, s scenario, faults []fault) {
	s.name, s.args, s.env = "faults", []string{"--type", "rds-single-user", "--set", "change_as=admin"}, []string{"CHANGE_AS=admin"}
	b := newBench(t, s)
	ours := postgrestest.NewAuthority(t)
	b.trust(ours)
	for _, f := range append([]fault{
		{"accepts and never answers", instead(func(client net.Conn) { _, _ = io.Copy(io.Discard, client) }), rotation.CodeNoAnswer, "does not answer"},
		{"closes at once", instead(func(client net.Conn) { _ = client.Close() }), rotation.CodeDisconnected, "closed the connection"},
		{"wrong authority", certificate(postgrestest.NewAuthority(t).Server(t, "localhost", time.Now().Add(time.Hour))), rotation.CodeCertAuthority, "no authority that this function trusts"},
		{"wrong host name", certificate(ours.Server(t, "other.test", time.Now().Add(time.Hour))), rotation.CodeCertName, "not for the name"},
		{"expired certificate", certificate(ours.Server(t, "localhost", time.Now().Add(-time.Hour))), rotation.CodeCertExpired, "has expired"},
	}, faults...) {
		t.Run(f.name, func(t *testing.T) { b.survives(t, f) })
	}
	b.silent()
}

// trust lets the function believe in another authority beside the server's own.
func (b *bench) trust(other postgrestest.Authority) {
	b.t.Helper()
	own, err := os.ReadFile(b.db.CAFile)
	if err != nil {
		b.t.Fatal(err)
	}
	trusted := filepath.Join(b.t.TempDir(), "trusted.pem")
	if err := os.WriteFile(trusted, append(own, other.PEM()...), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.function.Env = append(b.function.Env, "DB_CA_FILE="+trusted)
}

func (b *bench) survives(t *testing.T, f fault) {
	b.fresh()
	token := b.token()
	before, holder, err := b.current()
	if err != nil {
		t.Fatal(err)
	}
	mend := f.begin(t, b)
	service := b.service(b.function, 1)
	service.Timeout = stepTimeout
	steps, err := service.Rotate(t.Context(), b.secret, token)
	mend()
	if want := string(f.code) + ": "; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), f.says) {
		t.Errorf("got %v, want %q and %q", err, want, f.says)
	}
	if last := steps[len(steps)-1]; last.Took > stepTimeout-time.Second {
		t.Errorf("%s took %s of %s", last.Name, last.Took, stepTimeout)
	}
	if after, now, err := b.current(); err != nil || now != holder || len(after.Differences(before)) > 0 {
		t.Errorf("AWSCURRENT has changed: %v", err)
	}
	if err := b.works(); err != nil {
		t.Errorf("mended, AWSCURRENT does not work: %v", err)
	}
	if _, err := b.service(b.function, 1).Retry(t.Context(), b.secret, token); err != nil {
		t.Fatalf("mended, the rotation fails: %v", err)
	}
	if err := b.settled(token); err != nil {
		t.Error(err)
	}
	b.tried("faults", 1)
}

// instead does something with connections in the server's place.
func instead(do func(net.Conn)) func(*testing.T, *bench) func() {
	return func(_ *testing.T, b *bench) func() {
		b.proxy.Instead(do)
		return func() { b.proxy.Instead(nil) }
	}
}

// certificate lets the server have another certificate.
func certificate(config *tls.Config) func(*testing.T, *bench) func() {
	return func(t *testing.T, b *bench) func() {
		other := &wire.Proxy{Upstream: b.proxy.Upstream, Clients: config, Server: b.proxy.Server, Before: b.proxy.Before, After: b.proxy.After}
		return instead(func(client net.Conn) { b.db.relay()(other, client) })(t, b)
	}
}

func statements(begin, mend string) func(*testing.T, *bench) func() {
	return func(t *testing.T, b *bench) func() {
		b.db.superuser(t, begin)
		return func() { b.db.superuser(t, mend) }
	}
}

// expiredPassword ends with the password being set again, as the same.
func expiredPassword(user string) func(*testing.T, *bench) func() {
	return func(t *testing.T, b *bench) func() {
		b.db.superuser(t, "ALTER USER "+user+" PASSWORD EXPIRE")
		return func() { b.db.onlyPassword(t, userOrders, first) }
	}
}

// fullDisk fills the disk, and the pages of the users' catalogue: the next
// change of a user needs a new one.
func fullDisk(disk string) func(*testing.T, *bench) func() {
	return func(t *testing.T, b *bench) func() {
		b.db.superuser(t, "CREATE ROLE filler")
		// A transaction that might still see previous versions of a row keeps the
		// server from using their room again.
		old, err := b.db.engine.(postgres).connect(b.db, b.db.Superuser.User, b.db.Superuser.Password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := old.Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_authid"); err != nil {
			t.Fatal(err)
		}
		filler, err := os.Create(filepath.Join(disk, "filler"))
		if err != nil {
			t.Fatal(err)
		}
		for written, size := make([]byte, 1<<16), 1<<16; size > 0; {
			if _, err := filler.Write(written[:size]); errors.Is(err, syscall.ENOSPC) {
				size /= 2
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; ; i++ {
			err := b.db.try(b.db, b.db.Superuser.User, b.db.Superuser.Password, fmt.Sprintf("ALTER ROLE filler CONNECTION LIMIT %d", i))
			if err != nil && strings.Contains(err.Error(), "53100") {
				break
			}
			if err != nil || i > 1000 {
				t.Fatalf("the disk is not full for the server: %v", err)
			}
		}
		return func() {
			if err := errors.Join(filler.Close(), os.Remove(filler.Name()), old.Close(t.Context())); err != nil {
				t.Error(err)
			}
			b.db.superuser(t, "DROP ROLE filler")
		}
	}
}
