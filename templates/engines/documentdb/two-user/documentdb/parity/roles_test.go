package parity

import (
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/rotasmith/rotasmith/templates/engines/documentdb/common/documentdb"
	"github.com/rotasmith/rotasmith/templates/engines/documentdb/common/documentdb/documentdbtest"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

const (
	userA = "orders_a"
	userB = "orders_b"
)

var (
	read   = documentdbtest.Role{Role: "read", DB: "shop"}
	write  = documentdbtest.Role{Role: "readWrite", DB: "shop"}
	others = documentdbtest.Role{Role: "readWrite", DB: "other"}
)

// login opens a session as a user of server.
func login(t *testing.T, server *documentdbtest.Server, user, password string) *Session {
	t.Helper()
	engine, err := documentdb.New(server.Roots, 32)
	if err != nil {
		t.Fatal(err)
	}
	session, err := New(engine).Login(t.Context(), server.Account(user, password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session.(*Session)
}

func asAdmin(t *testing.T, server *documentdbtest.Server) *Session {
	t.Helper()
	return login(t, server, documentdbtest.Admin, documentdbtest.AdminPassword)
}

func wantCode(t *testing.T, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v (code %q), want code %q", err, got, want)
	}
}

// TestParity: a role that the active user has and the inactive one lacks is a
// difference, even if a third user has it. Only its roles, each in its database,
// say what a user may do. (T3, T10)
func TestParity(t *testing.T) {
	for name, test := range map[string]struct {
		a, b []documentdbtest.Role
		want rotation.Code
	}{
		"the same":            {a: []documentdbtest.Role{read, write}, b: []documentdbtest.Role{write, read}},
		"none":                {},
		"more":                {a: []documentdbtest.Role{read}, b: []documentdbtest.Role{read, write}},
		"less":                {a: []documentdbtest.Role{read, write}, b: []documentdbtest.Role{read}, want: rotation.CodeParity},
		"in another database": {a: []documentdbtest.Role{write}, b: []documentdbtest.Role{others}, want: rotation.CodeParity},
	} {
		t.Run(name, func(t *testing.T) {
			server := documentdbtest.New(t)
			server.AddUser(userA, "a", test.a...)
			server.AddUser(userB, "b", test.b...)
			wantCode(t, asAdmin(t, server).Parity(t.Context(), userA, userB), test.want)
		})
	}
}

// TestParityOfWhomOneDoesNotSee: users do not see each other, which is no
// difference between them. Only the admin can say that one does not exist. (T3)
func TestParityOfWhomOneDoesNotSee(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(userA, "a", read)
	server.AddUser(userB, "b", read)
	session := login(t, server, userB, "b")
	wantCode(t, session.Parity(t.Context(), userA, userB), rotation.CodePermission)

	server.Answer(func(command bson.D) (bson.D, error) { // or a server shows what may be seen
		if command[0].Key != "usersInfo" {
			return nil, nil
		}
		return bson.D{{Key: "ok", Value: 1}, {Key: "users", Value: bson.A{bson.D{{Key: "user", Value: userB}, {Key: "db", Value: "admin"}, {Key: "roles", Value: bson.A{}}}}}}, nil
	})
	wantCode(t, session.Parity(t.Context(), userA, userB), rotation.CodePermission)
	wantCode(t, asAdmin(t, server).Parity(t.Context(), userA, userB), rotation.CodeParity)
}

// TestClone makes a user that can do nothing until it has the password, and
// touches no other. (T1, T2, T4)
func TestClone(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(userA, "a", read, write)
	admin := asAdmin(t, server)
	if err := admin.Create(t.Context(), userB); err != nil {
		t.Fatal(err)
	}
	if roles, ok := server.Roles(userB); !ok || len(roles) != 0 {
		t.Errorf("it is created with %v", roles)
	}
	wantCode(t, admin.Parity(t.Context(), userA, userB), rotation.CodeParity)
	extra, err := admin.Reconcile(t.Context(), userA, userB, false)
	if err != nil || len(extra) != 0 {
		t.Errorf("extra %v, %v", extra, err)
	}
	wantCode(t, admin.Parity(t.Context(), userA, userB), "")
	if err := admin.Activate(t.Context(), userB, rotation.NewSensitive("b")); err != nil {
		t.Fatal(err)
	}
	login(t, server, userB, "b")
	login(t, server, userA, "a")

	server.Commands()
	if err := admin.Create(t.Context(), userB); err != nil {
		t.Errorf("a user that exists: %v", err)
	}
	if _, err := admin.Reconcile(t.Context(), userA, userB, true); err != nil {
		t.Error(err)
	}
	if got := server.Commands(); !slices.Equal(got, []string{"createUser", "usersInfo"}) {
		t.Errorf("where nothing is missing it sends %q", got)
	}
	login(t, server, userB, "b") // whose password is as it was
}

// TestRehearse changes nothing, and finds out what can be found so. (C16)
func TestRehearse(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(userA, "a", read)
	admin := asAdmin(t, server)
	server.Commands()
	wantCode(t, admin.Rehearse(t.Context(), userA, userB), "")
	wantCode(t, admin.Rehearse(t.Context(), "nobody", userB), rotation.CodeServer)
	wantCode(t, login(t, server, userA, "a").Rehearse(t.Context(), userB, userA), rotation.CodePermission)
	for _, command := range server.Commands() {
		if !slices.Contains([]string{"usersInfo", "saslStart", "saslContinue", "connectionStatus"}, command) {
			t.Errorf("it sends %s", command)
		}
	}
}

// TestDrift grants what is missing, and reports or revokes what is too much.
// (T4)
func TestDrift(t *testing.T) {
	for _, revoke := range []bool{false, true} {
		server := documentdbtest.New(t)
		server.AddUser(userA, "a", read, write)
		server.AddUser(userB, "b", others, read)
		extra, err := asAdmin(t, server).Reconcile(t.Context(), userA, userB, revoke)
		if err != nil || !slices.Equal(extra, []string{"readWrite@other"}) {
			t.Errorf("extra %v, %v", extra, err)
		}
		want := []documentdbtest.Role{others, read, write}
		if revoke {
			want = []documentdbtest.Role{read, write}
		}
		if got, _ := server.Roles(userB); !slices.Equal(got, want) {
			t.Errorf("revoke %t: %v, want %v", revoke, got, want)
		}
		if got, _ := server.Roles(userA); !slices.Equal(got, []documentdbtest.Role{read, write}) {
			t.Errorf("the active user has %v", got)
		}
	}
}

// TestReconcileFails aborts at the first refusal, and refuses a pair that is
// none. (T4)
func TestReconcileFails(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(userA, "a", read)
	server.AddUser(userB, "b", others)
	admin := asAdmin(t, server)
	for _, pair := range [][2]string{{userA, "nobody"}, {"nobody", userA}, {userA, userA}} {
		_, err := admin.Reconcile(t.Context(), pair[0], pair[1], true)
		wantCode(t, err, rotation.CodeParity)
	}
	server.Answer(func(command bson.D) (bson.D, error) {
		if command[0].Key == "grantRolesToUser" {
			return documentdbtest.Fail(31, "RoleNotFound"), nil
		}
		return nil, nil
	})
	server.Commands()
	_, err := admin.Reconcile(t.Context(), userA, userB, true)
	wantCode(t, err, rotation.CodeServer)
	if slices.Contains(server.Commands(), "revokeRolesFromUser") {
		t.Error("it goes on after a refusal")
	}

	_, err = login(t, server, userB, "b").Reconcile(t.Context(), userA, userB, true)
	wantCode(t, err, rotation.CodePermission)
}

// TestHostileApplication: the administrator does not take documents for the
// server's that an application puts into databases of its own, such as users of
// the same names with all rights. (C24)
func TestHostileApplication(t *testing.T) {
	server := documentdbtest.New(t)
	server.AddUser(userA, "a", read)
	server.AddUser(userB, "b")
	admin := asAdmin(t, server)
	root := bson.A{bson.D{{Key: "role", Value: "root"}, {Key: "db", Value: "admin"}}}
	user := func(name, db string, roles bson.A) bson.D {
		return bson.D{{Key: "user", Value: name}, {Key: "db", Value: db}, {Key: "roles", Value: roles}}
	}
	server.Answer(func(command bson.D) (bson.D, error) {
		if command[0].Key != "usersInfo" {
			return nil, nil
		}
		reads := bson.A{bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: "shop"}}}
		return bson.D{{Key: "ok", Value: 1}, {Key: "users", Value: bson.A{
			user(userA, "shop", root), user(userA, "admin", reads), user(userA, "shop", root), user(userB, "admin", bson.A{}), user(userB, "shop", reads),
		}}}, nil
	})
	wantCode(t, admin.Parity(t.Context(), userA, userB), rotation.CodeParity)
	if extra, err := admin.Reconcile(t.Context(), userA, userB, true); err != nil || len(extra) > 0 {
		t.Errorf("extra %v, %v", extra, err)
	}
	if roles, _ := server.Roles(userB); !slices.Equal(roles, []documentdbtest.Role{read}) {
		t.Errorf("the clone has %v", roles)
	}
}
