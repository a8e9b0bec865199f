package generic_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// A description that cannot work is refused with every reason.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                              "unexpected",
		`{"bases": "x"}`:                 "bases",
		`{"auth": {"scheme": "magic"}}`:  `"magic" is none of`,
		`{"auth": {"scheme": "header"}}`: "auth.header",
		`{"auth": {"scheme": "bearer"}, "verify": {}, "create": {"id": "id", "key": "key"}, "revoke": {}}`:                                       "could not be found again",
		`{"auth": {"scheme": "bearer"}, "verify": {}, "create": {"id": "id"}, "revoke": {}, "orphans": "accepted"}`:                              "where id and key stand",
		`{"auth": {"scheme": "bearer"}, "verify": {}, "roll": {}, "list": {"paging": {"by": "guess"}}}`:                                          `"guess" is none of`,
		`{"auth": {"scheme": "bearer"}, "verify": {}}`:                                                                                           "neither roll nor create",
		`{"auth": {"scheme": "bearer"}, "verify": {"path": "/bot{api_key}/me"}, "roll": {}}`:                                                     "verify.path holds the key",
		`{"auth": {"scheme": "bearer"}, "verify": {}, "roll": {}, "list": {"path": "/{api_key}", "id": "id", "label": "name", "created": "at"}}`: "list.path holds the key",
	} {
		if _, err := generic.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
	for _, text := range []string{
		`{"auth": {"scheme": "basic"}, "verify": {}, "create": {"id": "id", "key": "key", "idempotency_header": "Once"}, "revoke": {}}`,
		`{"auth": {"scheme": "basic"}, "verify": {}, "create": {"id": "id", "key": "key"}, "revoke": {}, "orphans": "accepted"}`,
		`{"auth": {"scheme": "basic"}, "verify": {}, "roll": {}}`,
	} {
		if _, err := generic.Parse([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The description that a project begins with can work.
func TestDescription(t *testing.T) {
	paths, err := filepath.Glob("provider.json")
	if err != nil || len(paths) == 0 {
		paths, _ = filepath.Glob(filepath.FromSlash("../../features/style/*/generic/provider.json.tmpl"))
	}
	if len(paths) == 0 {
		t.Fatal("there is no provider.json")
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := generic.Parse(text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// An API that does not know how to turn pages answers with the first one for ever.
func TestPagesWithoutEnd(t *testing.T) {
	d, err := generic.Parse([]byte(`{
		"auth": {"scheme": "bearer"}, "verify": {"path": "/me"}, "roll": {"path": "/roll"},
		"list": {"method": "GET", "path": "/keys", "id": "id", "label": "name", "created": "at", "paging": {"by": "page", "param": "page"}}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"id": "1", "name": "a", "at": 0}, {"id": "2", "name": "b", "at": 0}]`)
	}))
	defer server.Close()
	provider := generic.New(apihttp.Client{Base: server.URL}, d, time.Now)
	keys, err := provider.List(t.Context(), apikey.Account{Secret: parse(t, `{"api_key": "own"}`), Admin: parse(t, `{"api_key": "admin"}`)})
	if err != nil || len(keys) != 2 {
		t.Errorf("got %+v, %v, want the two keys once", keys, err)
	}
}

// Requests are as the description says, with each placeholder filled in and escaped
// as its place asks for.
func TestOnTheWire(t *testing.T) {
	d, err := generic.Parse([]byte(`{
		"auth": {"scheme": "header", "header": "X-Key", "prefix": "Token "},
		"headers": {"Accept": "application/vnd.api+json"},
		"lifetime": "24h",
		"create": {"method": "POST", "path": "/teams/{team}/keys", "json": {"data": {"name": "{label}", "ends": ["{expires}"], "n": 1}},
			"idempotency_header": "Once", "id": "data.id", "key": "data.key", "expires": "data.end", "quota": {"status": 403, "contains": "too many"}},
		"verify": {"method": "GET", "path": "/me", "scopes": "scopes", "id": "id"},
		"list": {"method": "GET", "path": "/keys", "query": {"team": "{team}"}, "items": "data", "id": "id", "label": "name", "created": "at", "paging": {"by": "after", "param": "from", "more": "more"}},
		"revoke": {"method": "DELETE", "path": "/keys/{id}"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	answers := map[string]string{
		"POST":   `{"data": {"id": 7, "key": "made", "end": 1767312000}}`,
		"DELETE": ``,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		body, _ := io.ReadAll(call.Body)
		got = append(got, fmt.Sprintf("%s %s %s|%s|%s|%s", call.Method, call.RequestURI, call.Header.Get("X-Key"), call.Header.Get("Accept"), call.Header.Get("Once"), body))
		switch {
		case call.URL.Path == "/me":
			fmt.Fprint(w, `{"id": "7", "scopes": ["read", "write"]}`)
		case call.Method == http.MethodGet && call.URL.Query().Get("from") == "":
			fmt.Fprint(w, `{"data": [{"id": "1", "name": "a", "at": 0}], "more": true}`)
		case call.Method == http.MethodGet:
			fmt.Fprint(w, `{"data": [{"id": "2", "name": "b", "at": "2026-01-01T00:00:00Z"}], "more": false}`)
		default:
			fmt.Fprint(w, answers[call.Method])
		}
	}))
	defer server.Close()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	provider := generic.New(apihttp.Client{Base: server.URL}, d, func() time.Time { return now })
	account := apikey.Account{Secret: parse(t, `{"key_id": "7", "api_key": "own", "team": "a/b"}`), Admin: parse(t, `{"api_key": "admin"}`)}
	ctx := t.Context()

	made, err := provider.Create(ctx, account, apikey.Name{Label: `quote"d`, Once: "once"})
	if want := `{"key_id": "7", "api_key": "made", "team": "a/b","expires_at":"2026-01-02T00:00:00Z"}`; err != nil || made.Text().Reveal() != want {
		t.Errorf("got %s, %v, want %s", made.Text().Reveal(), err, want)
	}
	keys, err := provider.List(ctx, account)
	if err != nil || len(keys) != 2 || keys[0].Label != "a" || !keys[1].Created.Equal(now) {
		t.Errorf("got %+v, %v", keys, err)
	}
	if scopes, err := provider.Verify(ctx, account.Secret); err != nil || len(scopes) != 2 {
		t.Errorf("got %q, %v", scopes, err)
	}
	if err := provider.Revoke(ctx, account, "a/b"); err != nil {
		t.Error(err)
	}
	want := []string{
		`POST /teams/a%2Fb/keys Token admin|application/vnd.api+json|once|{"data":{"ends":["2026-01-02T00:00:00Z"],"n":1,"name":"quote\"d"}}`,
		`GET /keys?team=a%2Fb Token admin|application/vnd.api+json||`,
		`GET /keys?from=1&team=a%2Fb Token admin|application/vnd.api+json||`,
		`GET /me Token own|application/vnd.api+json||`,
		`DELETE /keys/a%2Fb Token admin|application/vnd.api+json||`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	// C7: a key that the secret lacks, another key than the one that is named, and the
	// API's own way of saying that there is no room.
	_, err = provider.Create(ctx, apikey.Account{Secret: parse(t, `{}`), Admin: account.Admin}, apikey.Name{})
	wantCode(t, err, rotation.CodeBadSecret)
	_, err = provider.Verify(ctx, account.Secret.With("key_id", "8"))
	wantCode(t, err, rotation.CodeIdentity)
	answers["POST"] = `{"data": {}}`
	_, err = provider.Create(ctx, account, apikey.Name{})
	wantCode(t, err, rotation.CodeBadAnswer)
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too many keys", http.StatusForbidden)
	}))
	defer full.Close()
	_, err = generic.New(apihttp.Client{Base: full.URL}, d, time.Now).Create(context.WithoutCancel(ctx), account, apikey.Name{})
	wantCode(t, err, rotation.CodeQuota)
}

// K1: an item of a list is found by its number, a time is read in each unit and
// form, and a key that was made but cannot be used is named with the error.
func TestAnswersOfOtherAPIs(t *testing.T) {
	d, err := generic.Parse([]byte(`{
		"auth": {"scheme": "bearer"}, "verify": {"method": "GET", "path": "/me"}, "revoke": {"method": "DELETE", "path": "/keys/{id}"},
		"create": {"method": "POST", "path": "/keys", "id": "data.0.id", "key": "data.0.k", "expires": "data.0.end"},
		"list": {"method": "GET", "path": "/keys", "id": "id", "label": "name", "created": "at"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
	defer server.Close()
	provider := generic.New(apihttp.Client{Base: server.URL}, d, time.Now)
	account := apikey.Account{Secret: parse(t, `{"key_id":"own","api_key":"own"}`), Admin: parse(t, `{"api_key":"admin"}`)}
	for end, want := range map[string]string{
		`"2026-12-31"`: "2026-12-31T00:00:00Z", `"2026-12-31 10:00:00"`: "2026-12-31T10:00:00Z", `1798675200`: "2026-12-31T00:00:00Z",
		`1798675200000`: "2026-12-31T00:00:00Z", `"1798675200000000"`: "2026-12-31T00:00:00Z", `null`: "",
	} {
		answer = `{"data":[{"id":"1","k":"made","end":` + end + `}]}`
		made, err := provider.Create(t.Context(), account, apikey.Name{})
		key, _ := made.Get(apikey.KeyValue)
		expiry, _ := made.Get(apikey.KeyExpiry)
		if err != nil || apikey.ID(made) != "1" || key.Reveal() != "made" || expiry.Reveal() != want {
			t.Errorf("%s: got %q, %v, want %q", end, expiry.Reveal(), err, want)
		}
	}
	for _, answer = range []string{`{"data":[{"id":"1","k":"made","end":"soon"}]}`, `{"data":[{"id":"1"}]}`} {
		made, err := provider.Create(t.Context(), account, apikey.Name{})
		wantCode(t, err, rotation.CodeBadAnswer)
		if apikey.ID(made) != "1" {
			t.Errorf("%s: the id is lost", answer)
		}
	}
	for at, want := range map[string]string{`1767225600000`: "2026-01-01T00:00:00Z", `"2026-01-01"`: "2026-01-01T23:59:59Z"} {
		answer = `[{"id":"1","name":"a","at":` + at + `}]`
		keys, err := provider.List(t.Context(), account)
		if err != nil || len(keys) != 1 || keys[0].Created.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: got %v, %v, want %s", at, keys, err, want)
		}
	}
}

// C7, K7: an answer with a good status that says that the call failed proves no key,
// makes none and ends none.
func TestSuccessIsFalse(t *testing.T) {
	d, err := generic.Parse([]byte(`{
		"auth": {"scheme": "bearer"}, "verify": {"method": "GET", "path": "/me"}, "revoke": {"method": "DELETE", "path": "/keys/{id}"},
		"create": {"method": "POST", "path": "/keys", "id": "id", "key": "k"},
		"list": {"method": "GET", "path": "/keys", "items": "keys", "id": "id", "label": "name", "created": "at"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
	defer server.Close()
	provider := generic.New(apihttp.Client{Base: server.URL}, d, time.Now)
	account := apikey.Account{Secret: parse(t, `{"key_id":"own","api_key":"own"}`), Admin: parse(t, `{"api_key":"admin"}`)}
	for text, want := range map[string]rotation.Code{
		`"success":false`: rotation.CodeBadAnswer, `"ok":false`: rotation.CodeBadAnswer, `"error":"no"`: rotation.CodeBadAnswer,
		`"error":{"code":1}`: rotation.CodeBadAnswer, `"errors":["no"]`: rotation.CodeBadAnswer,
		`"success":true`: "", `"error":null`: "", `"errors":[]`: "", `"error":""`: "", `"error":false`: "",
	} {
		answer = `{"id":"1","k":"made","keys":[],` + text + `}`
		_, verified := provider.Verify(t.Context(), account.Secret)
		_, created := provider.Create(t.Context(), account, apikey.Name{})
		_, listed := provider.List(t.Context(), account)
		for _, err := range []error{verified, created, listed, provider.Revoke(t.Context(), account, "1"), provider.TryAdmin(t.Context(), account)} {
			if got := rotation.CodeOf(err); got != want {
				t.Errorf("%s: %v, want the code %q", text, err, want)
			}
		}
	}
}

// C19: a key is not replaced by a call that was throttled and comes late.
func TestRollIsNotRepeated(t *testing.T) {
	d, err := generic.Parse([]byte(`{
		"auth": {"scheme": "bearer"},
		"roll": {"method": "PUT", "path": "/keys/{id}", "id": "id", "key": "key", "expires": "end"},
		"verify": {"method": "GET", "path": "/me"}
	}`))
	if err != nil {
		t.Fatal(err)
	}
	calls, answer := 0, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		if answer == "" {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	api := apihttp.Client{Base: server.URL, Sleep: func(context.Context, time.Duration) error { return nil }}
	account := apikey.Account{Secret: parse(t, `{"key_id": "7", "api_key": "own"}`), Admin: parse(t, `{"api_key": "admin"}`)}
	_, err = generic.New(api, d, time.Now).Roll(t.Context(), account)
	wantCode(t, err, rotation.CodeThrottled)
	if calls != 1 {
		t.Errorf("%d calls, want one", calls)
	}

	// K1: the only key that works is not thrown away for what else is wrong.
	for _, answer = range []string{`{"id": "7", "key": "new", "end": "soon"}`, `{"key": "new"}`, `{"id": "7", "key": "new", "success": false}`} {
		next, err := generic.New(api, d, time.Now).Roll(t.Context(), account)
		wantCode(t, err, rotation.CodeBadAnswer)
		if key, _ := next.Get(apikey.KeyValue); key.Reveal() != "new" || apikey.ID(next) != "7" {
			t.Errorf("%s: the new key is lost", answer)
		}
	}
}

func parse(t *testing.T, text string) rotation.Value {
	t.Helper()
	value, err := rotation.ParseValue(rotation.NewSensitive(text))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func wantCode(t *testing.T, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v, want the code %q", err, want)
	}
}
