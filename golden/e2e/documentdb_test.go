package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

// gapOnMongo is how many kills may leave AWSCURRENT dead in a single user's
// rotation: after the change, and after each of the three messages that the
// log-in with the new password takes.
const gapOnMongo = 4

// ferretScenarios are those of the DocumentDB engine on the server that stands in
// for it. That one has no roles, so what is seen here is who can log in; roles
// are for the engine's own scripted server. It has no lock either, and ends no
// silent session.
var ferretScenarios = []scenario{
	{
		engine: ferret{}, on: "documentdb (by ferretdb)", neverFrozen: true, name: "single user, self", args: []string{"--type", "rds-single-user"}, gapPoints: gapOnMongo,
		prepare: prepareNothing, reset: resetFerret(userOrders),
	},
	{
		engine: ferret{}, on: "documentdb (by ferretdb)", neverFrozen: true, name: "single user, admin", args: []string{"--type", "rds-single-user", "--set", "change_as=admin"}, gapPoints: gapOnMongo,
		env: []string{"CHANGE_AS=admin"}, prepare: prepareNothing, reset: resetFerret(userOrders),
	},
	{
		engine: ferret{}, on: "documentdb (by ferretdb)", neverFrozen: true, name: "two users, preprovisioned", args: []string{"--type", "rds-two-user"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userB + `"]}}`},
		prepare: prepareNothing, reset: resetFerret(userA, userB),
	},
	{
		engine: ferret{}, on: "documentdb (by ferretdb)", neverFrozen: true, name: "two users, clone", args: []string{"--type", "rds-two-user", "--set", "users=clone"},
		env:     []string{`SECRETS={"*":{"*":["` + userA + `","` + userA + `_clone"]}}`, "USERS=clone"},
		prepare: prepareNothing, reset: resetFerret(userA),
	},
}

func prepareNothing(testing.TB, *database) {}

// resetFerret makes the users that there are at first. The first is the one that
// the secret names.
func resetFerret(names ...string) func(testing.TB, *database) map[string]any {
	return func(t testing.TB, d *database) map[string]any {
		t.Helper()
		d.Reset(t)
		value := map[string]any{"username": names[0], "password": first}
		for i, name := range names {
			password := first
			if i > 0 {
				password, value["alternate_username"] = "not-in-the-secret-yet", name
			}
			create := bson.D{{Key: "createUser", Value: name}, {Key: "pwd", Value: password}, {Key: "roles", Value: bson.A{}}}
			if err := d.RunFerretDB(t.Context(), d.Admin, create); err != nil {
				t.Fatal(err)
			}
		}
		return value
	}
}

// ferret is an [engine].
type ferret struct{ server serverstest.Server }

func (ferret) name() string { return "documentdb" }

func (ferret) kind() servers.Kind { return servers.FerretDB }

func (ferret) start(t testing.TB, server serverstest.Server) *database {
	t.Cleanup(func() { server.Reset(t) })
	return &database{engine: ferret{server}, Server: server, name: databaseName}
}

// try logs in and, if there is anything to do, inserts and reads.
func (ferret) try(d *database, user, password string, statements ...string) error {
	commands := []bson.D{{{Key: "ping", Value: 1}}}
	if len(statements) > 0 {
		commands = []bson.D{
			{{Key: "insert", Value: statements[0]}, {Key: "documents", Value: bson.A{bson.D{{Key: "note", Value: user}}}}},
			{{Key: "find", Value: statements[0]}},
		}
	}
	return d.RunFerretDB(context.Background(), servers.Login{User: user, Password: password}, commands...)
}

func (ferret) work() []string { return []string{"orders"} }

// users says for which of the scenarios' users the first password holds: the
// server shows no more of them.
func (e ferret) users(d *database) (string, error) {
	var users strings.Builder
	for _, name := range []string{userOrders, userA, userB} {
		fmt.Fprintln(&users, name, e.try(d, name, first) == nil)
	}
	return users.String(), nil
}

var errNoLocks = errors.New("the server knows no locks")

func (ferret) lockUsers(*database) (func(), error) { return nil, errNoLocks }

func (ferret) waiting(*database) (int, error) { return 0, errNoLocks }

func (ferret) loginCalls(string) []string {
	return []string{"saslContinue", "saslContinue", "connectionStatus"} // the first comes with what is not counted
}

func (ferret) isChange(op string) bool { return strings.HasPrefix(op, "updateUser ") }

func (ferret) relay() wire.Relay { return wire.MongoDB }
