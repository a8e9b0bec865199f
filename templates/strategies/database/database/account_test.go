package database_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
)

const proxy = "orders.proxy-1a2b.eu-west-1.rds.amazonaws.com"

var engines = []string{"postgres", "aurora-postgresql"}

func parse(t *testing.T, text string) rotation.Value {
	t.Helper()
	v, err := rotation.ParseValue(rotation.NewSensitive(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

var revealed = cmp.Transformer("Reveal", rotation.Sensitive.Reveal)

// C4: every form in which AWS's own tools write a secret is understood.
func TestParseAccount(t *testing.T) {
	least := database.Account{User: "app", Password: rotation.NewSensitive("pw"), Host: "db", ServerName: "db"}
	with := func(change func(*database.Account)) database.Account {
		a := least
		change(&a)
		return a
	}
	for keys, want := range map[string]database.Account{
		``:                       least,
		`, "engine": "postgres"`: least,
		`, "engine": ""`:         least,
		`, "port": 5432`:         with(func(a *database.Account) { a.Port = 5432 }),
		`, "port": "5432"`:       with(func(a *database.Account) { a.Port = 5432 }),
		`, "port": 65535`:        with(func(a *database.Account) { a.Port = 65535 }),
		`, "port": null`:         least,
		`, "port": ""`:           least,
		`, "dbname": "orders"`:   with(func(a *database.Account) { a.Database = "orders" }),
		`, "dbname": null`:       least,
		`, "ssl": true`:          least,
		`, "ssl": "true"`:        least,
		`, "ssl": false`:         with(func(a *database.Account) { a.Plaintext = true }),
		`, "ssl": "false"`:       with(func(a *database.Account) { a.Plaintext = true }),
		// AWS's functions compare without regard to case, as Python writes True.
		`, "ssl": "True"`:                       least,
		`, "ssl": "FALSE"`:                      with(func(a *database.Account) { a.Plaintext = true }),
		`, "tls_server_name": "db.example.com"`: with(func(a *database.Account) { a.ServerName = "db.example.com" }),
		`, "masterarn": "arn:admin", "alternate_username": "app_b"`: with(func(a *database.Account) { a.AdminARN, a.Alternate = "arn:admin", "app_b" }),
		`, "dbClusterIdentifier": "c1", "tags": [{"a": 1}]`:         least,
	} {
		got, err := database.ParseAccount(parse(t, `{"username": "app", "password": "pw", "host": "db"`+keys+`}`), engines)
		if diff := cmp.Diff(want, got, revealed); diff != "" || err != nil {
			t.Errorf("%s: error %v, account (-want +got):\n%s", keys, err, diff)
		}
	}
}

// C4, C6, C9: a value that is missing or invalid is refused by the name of its
// key and without its text, and only "false" makes a connection without TLS.
func TestParseAccountRefuses(t *testing.T) {
	for name, test := range map[string]struct{ key, text string }{
		"no user":                    {"username", `{"password": "sentinel", "host": "db"}`},
		"no password":                {"password", `{"username": "app", "host": "db"}`},
		"no host":                    {"host", `{"username": "app", "password": "sentinel"}`},
		"empty user":                 {"username", `{"username": "", "password": "sentinel", "host": "db"}`},
		"empty password":             {"password", `{"username": "app", "password": "", "host": "db"}`},
		"null host":                  {"host", `{"username": "app", "password": "sentinel", "host": null}`},
		"password, an object":        {"password", `{"username": "app", "password": {"a": "sentinel"}, "host": "db"}`},
		"NUL in the user":            {"username", `{"username": "app\u0000sentinel", "password": "pw", "host": "db"}`},
		"NUL in the host":            {"host", `{"username": "app", "password": "pw", "host": "db\u0000sentinel"}`},
		"NUL in the database's host": {"database_host", `{"username": "app", "password": "pw", "host": "db", "database_host": "db\u0000sentinel"}`},
		"a port in the host":         {"port", `{"username": "app", "password": "pw", "host": "sentinel:5432"}`},
		"an address and a port":      {"port", `{"username": "app", "password": "pw", "host": "[::1]:5432"}`},
		"a URL":                      {"host", `{"username": "app", "password": "pw", "host": "postgres://sentinel/orders"}`},
		"a space in the host":        {"host", `{"username": "app", "password": "pw", "host": "sentinel "}`},
		"a port in the database's":   {"database_host", `{"username": "app", "password": "pw", "host": "db", "database_host": "sentinel:5432"}`},
		"a proxy":                    {"host", `{"username": "app", "password": "pw", "host": "sentinel.proxy-1a2b.eu-west-1.rds.amazonaws.com"}`},
		"a proxy's own endpoint":     {"host", `{"username": "app", "password": "pw", "host": "Sentinel.endpoint.Proxy-1a2b.eu-west-1.rds.amazonaws.com."}`},
		"a proxy in China":           {"host", `{"username": "app", "password": "pw", "host": "sentinel.proxy-1a2b.rds.cn-north-1.amazonaws.com.cn"}`},
		"a proxy for the database":   {"host", `{"username": "app", "password": "pw", "host": "db", "database_host": "sentinel.proxy-1a2b.eu-west-1.rds.amazonaws.com"}`},
		"no host but the database's": {"host", `{"username": "app", "password": "pw", "database_host": "db"}`},
		// NUL ends a parameter of a PostgreSQL session, and another begins.
		"NUL in the database": {"dbname", `{"username": "app", "password": "pw", "host": "db", "dbname": "a\u0000sentinel"}`},
		"another engine":      {"engine", `{"username": "app", "password": "pw", "host": "db", "engine": "sentinel"}`},
		"engine by case":      {"engine", `{"username": "app", "password": "pw", "host": "db", "engine": "Postgres"}`},
		"port 0":              {"port", `{"username": "app", "password": "pw", "host": "db", "port": 0}`},
		"port 65536":          {"port", `{"username": "app", "password": "pw", "host": "db", "port": 65536}`},
		"port -1":             {"port", `{"username": "app", "password": "pw", "host": "db", "port": -1}`},
		"port 5432.0":         {"port", `{"username": "app", "password": "pw", "host": "db", "port": 5432.0}`},
		"port, a text":        {"port", `{"username": "app", "password": "pw", "host": "db", "port": "sentinel"}`},
		"port, spaced":        {"port", `{"username": "app", "password": "pw", "host": "db", "port": " 5432"}`},
		"TLS, a number":       {"ssl", `{"username": "app", "password": "pw", "host": "db", "ssl": 0}`},
		"TLS, no":             {"ssl", `{"username": "app", "password": "pw", "host": "db", "ssl": "no"}`},
		"TLS, spaced":         {"ssl", `{"username": "app", "password": "pw", "host": "db", "ssl": "false "}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := database.ParseAccount(parse(t, test.text), engines)
			if rotation.CodeOf(err) != rotation.CodeBadSecret {
				t.Fatalf("got error %v, want %s", err, rotation.CodeBadSecret)
			}
			if text := err.Error(); !strings.Contains(text, `"`+test.key+`"`) || strings.Contains(text, "sentinel") {
				t.Errorf("%q does not name the key %q alone", text, test.key)
			}
			if got != (database.Account{}) {
				t.Errorf("an account beside the error: %+v", got)
			}
		})
	}
}

// T9: where applications go by a proxy, the rotation passes it by, and needs to
// be told where the database is.
func TestAccountBehindAProxy(t *testing.T) {
	for keys, want := range map[string]string{
		`"host": "` + proxy + `", "database_host": "db.example.com"`:                            "db.example.com db.example.com",
		`"host": "` + proxy + `", "database_host": "10.0.0.1", "tls_server_name": "db.example"`: "10.0.0.1 db.example",
		`"host": "db", "database_host": null`:                                                   "db db",
		`"host": "` + proxy + `", "database_host": "fe80::1%eth0"`:                              "fe80::1%eth0 fe80::1%eth0",
	} {
		account, err := database.ParseAccount(parse(t, `{"username": "app", "password": "pw", `+keys+`}`), engines)
		if got := account.Host + " " + account.ServerName; got != want || err != nil {
			t.Errorf("%s: goes to %s, want %s; error %v", keys, got, want, err)
		}
	}
}

// S7, T7, C6: where an admin secret names a host, it alone says where the admin
// logs in, and it alone allows that without TLS. The database stays the rotated
// secret's business.
func TestAsAdmin(t *testing.T) {
	const (
		reader = "c.cluster-ro-1.eu-west-1.rds.amazonaws.com"
		writer = "c.cluster-1.eu-west-1.rds.amazonaws.com"
	)
	app := database.Account{
		User: "app", Password: rotation.NewSensitive("pw"), Host: reader, Port: 6432, Database: "orders",
		Plaintext: true, ServerName: "alias", AdminARN: "arn:admin", Alternate: "app_b",
	}
	admin := database.Account{User: "root", Password: rotation.NewSensitive("rootpw"), Host: writer, Port: 6432, Database: "orders", ServerName: "alias", Admin: true}
	with := func(change func(*database.Account)) database.Account {
		a := admin
		change(&a)
		return a
	}
	at := func(host string) database.Account {
		return with(func(a *database.Account) { a.Host, a.ServerName = host, host })
	}
	for keys, want := range map[string]database.Account{
		``:                                  admin,
		`, "host": ""`:                      admin,
		`, "ssl": true`:                     admin,
		`, "ssl": false`:                    with(func(a *database.Account) { a.Plaintext = true }),
		`, "clear_text": true`:              with(func(a *database.Account) { a.ClearText = true }),
		`, "clear_text": "false"`:           admin,
		`, "dbname": "x"`:                   admin,
		`, "port": 5432`:                    admin, // of a host that it does not name
		`, "host": "other"`:                 at("other"),
		`, "host": "other", "port": "5432"`: with(func(a *database.Account) { a.Host, a.Port, a.ServerName = "other", 5432, "other" }),
		`, "host": "other", "tls_server_name": "db.example"`:  with(func(a *database.Account) { a.Host, a.ServerName = "other", "db.example" }),
		`, "host": "` + writer + `"`:                          at(writer),
		`, "host": "` + reader + `"`:                          at(writer), // a replica takes no changes
		`, "host": "` + proxy + `"`:                           admin,      // T9
		`, "host": "` + proxy + `", "database_host": "other"`: at("other"),
	} {
		got, err := app.AsAdmin(parse(t, `{"username": "root", "password": "rootpw"`+keys+`}`))
		if diff := cmp.Diff(want, got, revealed); diff != "" || err != nil {
			t.Errorf("%s: error %v, account (-want +got):\n%s", keys, err, diff)
		}
	}
	for _, text := range []string{
		`{}`, `{"username": "root"}`, `{"password": "rootpw"}`, `{"username": "", "password": "rootpw"}`, `{"username": "root", "password": null}`,
		`{"username": "root", "password": "rootpw", "ssl": "no"}`, `{"username": "root", "password": "rootpw", "host": "other", "port": "x"}`,
		`{"username": "root", "password": "rootpw", "host": "other:5432"}`, `{"username": "root", "password": "rootpw", "clear_text": "perhaps"}`,
	} {
		if got, err := app.AsAdmin(parse(t, text)); rotation.CodeOf(err) != rotation.CodeBadSecret {
			t.Errorf("%s: got %+v, %v, want %s", text, got, err, rotation.CodeBadSecret)
		}
	}
}

// T8: changes go to the cluster's writer, whatever endpoint applications use.
// Only RDS's own names are rewritten, and only those that say who the writer is.
func TestWriter(t *testing.T) {
	for _, test := range []struct {
		host, writer string
		mayLag       bool
	}{
		{"c.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com", "c.cluster-1a2b.eu-west-1.rds.amazonaws.com", true},
		{"C.Cluster-RO-1a2b.EU-West-1.RDS.AmazonAWS.com", "C.Cluster-1a2b.EU-West-1.RDS.AmazonAWS.com", true},
		{"c.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com.", "c.cluster-1a2b.eu-west-1.rds.amazonaws.com.", true},
		{"c.cluster-ro-1a2b.rds.cn-north-1.amazonaws.com.cn", "c.cluster-1a2b.rds.cn-north-1.amazonaws.com.cn", true}, // China puts rds first
		{"c.cluster-ro-1a2b.us-gov-west-1.rds.amazonaws.com", "c.cluster-1a2b.us-gov-west-1.rds.amazonaws.com", true},
		{"c.cluster-custom-1a2b.eu-west-1.rds.amazonaws.com", "c.cluster-custom-1a2b.eu-west-1.rds.amazonaws.com", true},
		{"c.cluster-custom-1a2b.rds.cn-north-1.amazonaws.com.cn", "c.cluster-custom-1a2b.rds.cn-north-1.amazonaws.com.cn", true},
		{"c.cluster-ro-1a2b.eu-west-1.docdb.amazonaws.com", "c.cluster-1a2b.eu-west-1.docdb.amazonaws.com", true},
		{"c.cluster-ro-1a2b.docdb.cn-north-1.amazonaws.com.cn", "c.cluster-1a2b.docdb.cn-north-1.amazonaws.com.cn", true},

		// The reader endpoint of a Multi-AZ cluster looks like Aurora's.
		{"multi-az.cluster-ro-123456789012.us-east-1.rds.amazonaws.com", "multi-az.cluster-123456789012.us-east-1.rds.amazonaws.com", true},
		{"c.Cluster-Custom-1a2b.EU-West-1.rds.amazonaws.com.", "c.Cluster-Custom-1a2b.EU-West-1.rds.amazonaws.com.", true},

		{"multi-az-instance-1.1a2b.us-east-1.rds.amazonaws.com", "multi-az-instance-1.1a2b.us-east-1.rds.amazonaws.com", false},
		{"dw.1a2b.eu-west-1.redshift.amazonaws.com", "dw.1a2b.eu-west-1.redshift.amazonaws.com", false},
		{"wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com", "wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com", false},
		{"c.cluster-1a2b.eu-west-1.rds.amazonaws.com", "c.cluster-1a2b.eu-west-1.rds.amazonaws.com", false},
		{"i.1a2b.eu-west-1.rds.amazonaws.com", "i.1a2b.eu-west-1.rds.amazonaws.com", false},
		{"cluster-ro-1.1a2b.eu-west-1.rds.amazonaws.com", "cluster-ro-1.1a2b.eu-west-1.rds.amazonaws.com", false}, // an instance of that name
		{"c.proxy-1a2b.eu-west-1.rds.amazonaws.com", "c.proxy-1a2b.eu-west-1.rds.amazonaws.com", false},
		{"c.cluster-ro-1a2b.example.com", "c.cluster-ro-1a2b.example.com", false},
		{"c.cluster-ro-1a2b.rds.amazonaws.com.example.com", "c.cluster-ro-1a2b.rds.amazonaws.com.example.com", false},
		{"c.cluster-ro-1a2b.notrds.amazonaws.com", "c.cluster-ro-1a2b.notrds.amazonaws.com", false},
		{"c.cluster-ro-", "c.cluster-ro-", false},
		{"db", "db", false},
		{"10.0.0.1", "10.0.0.1", false},
		{"::1", "::1", false},
		{"", "", false},
		// Some letters change their length with their case.
		{"Ⱥ.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com", "Ⱥ.cluster-1a2b.eu-west-1.rds.amazonaws.com", true},
		{strings.Repeat("Ⱥ", 50) + ".cluster-ro-", strings.Repeat("Ⱥ", 50) + ".cluster-ro-", false},
	} {
		t.Run(test.host, func(t *testing.T) {
			a := database.Account{User: "app", Host: test.host, ServerName: test.host, Port: 1}
			if got := a.Writer(); got.Host != test.writer || got.ServerName != test.writer || got.User != a.User || got.Port != a.Port {
				t.Errorf("writer is %q with a certificate for %q, want %q", got.Host, got.ServerName, test.writer)
			}
			if got := a.MayLag(); got != test.mayLag {
				t.Errorf("may lag: %t", got)
			}
		})
	}
	alias := database.Account{Host: "c.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com", ServerName: "db.example.com"}
	if got := alias.Writer(); got.ServerName != alias.ServerName {
		t.Errorf("the secret's own server name became %q", got.ServerName)
	}
}
