package play

import (
	"context"
	"fmt"

	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

// All that a rehearsal makes on a server begins with Prefix: its database, which has
// that name, and its users.
const (
	Prefix      = "rotasmith_rehearsal"
	userA       = Prefix + "_a"
	userB       = Prefix + "_b"
	userOwner   = Prefix + "_owner"
	userRotator = Prefix + "_rotator"
	likePrefix  = `rotasmith\_rehearsal%` // as a pattern of SQL
)

// A Database is a rehearsal's own database on a server.
type Database interface {
	// Version is the server's, in its own words.
	Version() string
	// Strangers returns how many sessions the server has that are not the rehearsal's:
	// where there are many, it is in use.
	Strangers(ctx context.Context) (int, error)
	// Sweep drops the database and the users of this rehearsal and of any before it
	// that was killed.
	Sweep(ctx context.Context) error
	// Prepare makes the database and the users of a project, as its README says.
	Prepare(ctx context.Context, project Project) error
	// Fresh puts the users back to how they were at first, and returns the value of the
	// secret without engine, host, port and admin, and that of the admin secret.
	Fresh(ctx context.Context) (secret, admin map[string]any, err error)
	// LogIn returns nil if login may open a session, Work if it can also do what the
	// users of an application do.
	LogIn(ctx context.Context, login Login) error
	Work(ctx context.Context, login Login) error
	// Proxy returns a proxy for the server, without hooks.
	Proxy() (*wire.Proxy, error)
	// CAFile has the authority of the certificate that the proxy shows, "" if it shows none.
	CAFile() string
	// IsChange reports whether a call changes a password for good.
	IsChange(op string) bool
	// Gapless reports whether AWSCURRENT must work at every moment of a rotation.
	Gapless() bool
	// Log returns what the server has logged since Prepare, "" if that cannot be read.
	Log() (string, error)
	// Close ends the rehearsal's sessions.
	Close(ctx context.Context) error
}

// errBusy is of a server on which another rehearsal runs.
func errBusy(server string) error {
	return fmt.Errorf("another rehearsal runs on %s, whose users this one would drop", server)
}
