package database_test

import (
	"strings"
	"testing"

	"example.com/orders-db/internal/database"
	"example.com/orders-db/internal/rotation"
)

// C4: a copy of the password is found wherever it stands, as it is or escaped; what only
// looks like one is none.
func TestPasswordCopies(t *testing.T) {
	for rest, key := range map[string]string{
		`"DB_PASSWORD":"p@ss/w0rd =\"x"`:                                  "DB_PASSWORD",
		`"DB_PASSWORD":"p\u0040ss/w0rd =\"x"`:                             "DB_PASSWORD",
		`"url":"postgres://u:p%40ss%2Fw0rd%20%3D%22x@h/d"`:                "url",
		`"url":"postgres://u:p%40ss%2fw0rd%20%3d%22x@h/d?a=%zz"`:          "url",
		`"jdbc":"jdbc:mysql://h/d?password=p%40ss%2Fw0rd+%3D%22x&user=u"`: "jdbc",
		`"dsn":"host=h user=u password='p@ss/w0rd =\"x'"`:                 "dsn",
		`"deep":{"list":["x",{"y":"p@ss/w0rd =\"x"}]}`:                    "deep",
		`"text":"{\"password\":\"p@ss/w0rd =\\\"x\"}"`:                    "text",
		`"username":"u","basic":"Basic dTpwQHNzL3cwcmQgPSJ4"`:             "basic",
		`"url":"postgres://u@h/d","note":"100% p%40ss","n":12,"z":null`:   "",
		`"username":"p@ss/w0rd =\"x"`:                                     "", // a key of its own meaning
	} {
		wantCopy(t, `{"host":"h","password":"p@ss/w0rd =\"x",`+rest+`}`, key)
	}
	for rest, key := range map[string]string{ // a password of the kind that first values have
		`"engine":"postgres","host":"postgres.example.com"`: "",
		`"driver":"postgresql"`:                             "",
		`"url":"postgres://postgres@h/postgres"`:            "",
		`"url":"postgres://u:postgres@h/d"`:                 "url",
		`"PGPASSWORD":"postgres"`:                           "PGPASSWORD",
	} {
		wantCopy(t, `{"password":"postgres",`+rest+`}`, key)
	}
	wantCopy(t, `{"password":"pw","note":"pwned","PW":"pw"}`, "PW")
}

// C4: a copy of a user's name is a whole value or the user of a URL or connection string, and
// never the name of a database, a host or a part of another word.
func TestUserNameCopies(t *testing.T) {
	for rest, key := range map[string]string{
		`"DB_USER":"app"`:                         "DB_USER",
		`"login":"app_b"`:                         "login",
		`"deep":[{"user":"app"}]`:                 "deep",
		`"url":"postgres://app@db/app"`:           "url",
		`"url":"postgres://%61pp@db/app"`:         "url",
		`"url":"jdbc:postgresql://db/d?user=app"`: "url",
		`"dsn":"host=db user='app' dbname=d"`:     "dsn",
		`"odbc":"Server=db;Uid=app;Database=d"`:   "odbc",
		`"go":"app:@tcp(db:3306)/d"`:              "go",
		`"mail":"app@example.com"`:                "",
		`"dbname":"app","host":"app.cluster-x.eu-west-1.rds.amazonaws.com","engine":"app"`:                   "",
		`"dbInstanceIdentifier":"app","dbClusterIdentifier":"app","tls_server_name":"app","masterarn":"app"`: "",
		`"DB_NAME":"app","schema":"app","PGDATABASE":"app","search_path":"app"`:                              "",
		`"DB_HOST":"app","note":"the user of app"`:                                                           "",
		`"url":"postgres://reader@app/app?application_name=app"`:                                             "",
		`"username":"app","alternate_username":"app_b"`:                                                      "",
	} {
		wantCopy(t, `{"password":"a-password",`+rest+`}`, key, "app", "app_b")
	}
	wantCopy(t, `{"password":"a-password","DB_USER":"app"}`, "") // of one user the name stays
}

func wantCopy(t *testing.T, secret, key string, users ...string) {
	t.Helper()
	err := database.Uncopied(parse(t, secret), users...)
	if (err == nil) != (key == "") || err != nil && (rotation.CodeOf(err) != rotation.CodeBadSecret || !strings.Contains(err.Error(), `"`+key+`"`)) {
		t.Errorf("%s: got %v, want the key %q", secret, err, key)
	}
	if err != nil && (strings.Contains(err.Error(), "w0rd") || strings.Contains(err.Error(), "a-password")) {
		t.Errorf("the error says the password")
	}
}
