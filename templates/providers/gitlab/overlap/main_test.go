package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/gitlab/common/gitlab"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"owner":"groups/shop"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return server{ledger: l}.routes() },
	Strategy: func(client apihttp.Client, now func() time.Time) rotation.Strategy {
		return overlap.New(gitlab.New(client, gitlab.Config{Lifetime: lifetime, Now: now}), overlap.Config{})
	},
}

// K1, K2, K3, K4, K8: over the wire, too, no token is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of GitLab has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K5, K7: tokens of projects and users are followed by others as those of groups are,
// and a token that works only after a while is waited for.
func TestOwners(t *testing.T) {
	for _, owner := range []string{"groups/shop", "groups/shop/service_accounts/42", "projects/shop/web", "users/42"} {
		t.Run(owner, func(t *testing.T) {
			wire := wire
			wire.Initial = `{"owner":"` + owner + `"}`
			wire.Ledger = func(l *apikeytest.Ledger) { l.Lag = 20 * time.Second }
			wire.Rotate(t, 5)
		})
	}
}

// K1, K6: tokens on later pages are found as well.
func TestPages(t *testing.T) {
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return server{ledger: l, crowd: 2}.routes() }
	wire.Rotate(t, 3)
}

// Of the documentation's example, the token that is alive is listed: GitLab before 17.2
// answers with all.
func TestDocumentedList(t *testing.T) {
	const example = `[
		{"user_id":141,"scopes":["api"],"name":"token","expires_at":"2021-01-31","id":42,"active":true,"created_at":"2021-01-20T22:11:48.151Z","revoked":false,"access_level":40},
		{"user_id":141,"scopes":["read_api"],"name":"token-2","expires_at":"2021-01-31","id":43,"active":false,"created_at":"2021-01-21T12:12:38.123Z","revoked":true,"access_level":40}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(example)) }))
	defer server.Close()
	account := apikey.Account{Secret: value(t, `{"owner":"groups/1"}`), Admin: value(t, `{"api_key":"a"}`)}
	keys, err := gitlab.New(apihttp.Client{Base: server.URL}, gitlab.Config{}).List(t.Context(), account)
	want := []apikey.Key{{ID: "42", Label: "token", Created: time.Date(2021, 1, 20, 22, 11, 48, 151e6, time.UTC)}}
	if err != nil || !slices.Equal(keys, want) {
		t.Errorf("got %v, %v, want %v", keys, err, want)
	}
}

func value(t *testing.T, text string) rotation.Value {
	t.Helper()
	v, err := rotation.ParseValue(rotation.NewSensitive(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// C7: the answers of GitLab's source at a limit and to a missing right, all with 400,
// are told apart.
func TestRefusals(t *testing.T) {
	for message, want := range map[string]rotation.Code{
		"Access token limit reached":                                                   rotation.CodeQuota,
		"User does not have permission to create project access token":                 rotation.CodePermission,
		"Access level of the token contains permissions not held by the creating user": rotation.CodePermission,
		"Expiration date must be before 2027-11-30":                                    rotation.CodePolicy,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
			if call.Method == http.MethodPost {
				w.WriteHeader(http.StatusBadRequest)
			}
			_ = json.NewEncoder(w).Encode(object{"id": "7", "message": "400 Bad request - " + message})
		}))
		account := apikey.Account{Secret: value(t, `{"owner":"groups/1","key_id":"7"}`), Admin: value(t, `{"api_key":"a"}`)}
		provider := gitlab.New(apihttp.Client{Base: server.URL}, gitlab.Config{Lifetime: lifetime, Now: time.Now})
		_, err := provider.Create(t.Context(), account, apikey.Name{Label: "x"})
		server.Close()
		if got := rotation.CodeOf(err); got != want {
			t.Errorf("%s: %v, want the code %s", message, err, want)
		}
	}
}

// K7: the longest life that is asked for is one that an instance in any time zone takes:
// GitLab's app/models/personal_access_token.rb counts 365 days from its own.
func TestLifetimeInEveryZone(t *testing.T) {
	for _, hours := range []time.Duration{-12, 14} {
		now := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
		there := now.In(time.FixedZone("", int(hours*time.Hour/time.Second)))
		latest := there.AddDate(0, 0, 365).Format(time.DateOnly)
		if asked := now.Add(lifetime).Format(time.DateOnly); asked > latest {
			t.Errorf("at UTC%+d: %s is after %s", hours, asked, latest)
		}
	}
}

// An owner that is none is refused before anything is called.
func TestNoOwner(t *testing.T) {
	for _, owner := range []string{"", "shop", "groups/", "admin/tokens", "../groups/1"} {
		account := apikey.Account{Secret: value(t, `{"owner":"`+owner+`"}`)}
		_, err := gitlab.New(apihttp.Client{}, gitlab.Config{}).List(t.Context(), account)
		if rotation.CodeOf(err) != rotation.CodeBadSecret {
			t.Errorf("owner %q: %v, want the code %s", owner, err, rotation.CodeBadSecret)
		}
	}
}

// server answers as https://docs.gitlab.com/api/group_access_tokens/,
// .../project_access_tokens/, .../personal_access_tokens/ and .../user_tokens/ have
// it, but for ids, which are the book's.
type server struct {
	ledger *apikeytest.Ledger
	crowd  int // pages of other tokens before those of the book
}

type object = map[string]any

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	const (
		api      = "/api/v4"
		personal = api + "/personal_access_tokens"
	)
	mux.HandleFunc("GET "+personal+"/self", s.self)
	for _, tokens := range []string{api + "/groups/shop/access_tokens", api + "/groups/shop/service_accounts/42" + "/personal_access_tokens", api + "/projects/{project}/access_tokens", personal} {
		mux.HandleFunc("GET "+tokens, s.asAdmin(s.list))
		if !strings.Contains(tokens, "service_accounts") {
			mux.HandleFunc("GET "+tokens+"/{id}", s.asAdmin(s.get))
		}
		mux.HandleFunc("DELETE "+tokens+"/{id}", s.asAdmin(s.revoke))
		if tokens == personal {
			tokens = api + "/users/42/personal_access_tokens"
		}
		mux.HandleFunc("POST "+tokens, s.asAdmin(s.create))
	}
	return mux
}

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		switch {
		case apikeytest.Presented(call) != apikeytest.AdminKey:
			refuse(w, http.StatusUnauthorized)
		case call.PathValue("project") != "" && call.PathValue("project") != "shop/web":
			refuse(w, http.StatusNotFound)
		default:
			serve(w, call)
		}
	}
}

func (s server) self(w http.ResponseWriter, call *http.Request) {
	key, ok := s.ledger.Accepts(apikeytest.Presented(call))
	if !ok {
		refuse(w, http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(describe(key))
}

func (s server) list(w http.ResponseWriter, call *http.Request) {
	query := call.URL.Query()
	if whole := call.URL.Path == "/api/v4/personal_access_tokens"; whole != (query.Get("user_id") == "42") {
		refuse(w, http.StatusBadRequest)
		return
	}
	page := []object{}
	switch number, _ := strconv.Atoi(query.Get("page")); {
	case query.Get("per_page") != "100" || query.Get("state") != "active":
	case number <= s.crowd:
		page = slices.Repeat([]object{describe(apikeytest.Key{ID: "crowd", Label: apikeytest.Foreign})}, 100)
	case number == s.crowd+1:
		for _, key := range s.ledger.Keys() {
			found := describe(key)
			found["access_level"] = role(call)
			page = append(page, found)
		}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (s server) get(w http.ResponseWriter, call *http.Request) {
	for _, key := range s.ledger.Keys() {
		if key.ID == call.PathValue("id") {
			_ = json.NewEncoder(w).Encode(describe(key))
			return
		}
	}
	refuse(w, http.StatusNotFound)
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Name, Description string
		Scopes            []string
		Role              int    `json:"access_level"`
		Expires           string `json:"expires_at"`
	}
	_ = json.NewDecoder(call.Body).Decode(&wanted)
	if wanted.Name == "" || wanted.Description != "for the shop" || !slices.Equal(wanted.Scopes, scopes) || wanted.Role != role(call) {
		refuse(w, http.StatusBadRequest)
		return
	}
	if day, err := time.Parse(time.DateOnly, wanted.Expires); err != nil || day.Year() != 2027 && day.Year() != 2026 {
		refuse(w, http.StatusBadRequest)
		return
	}
	key, _ := s.ledger.Create(wanted.Name, "")
	made := describe(key)
	made["token"], made["expires_at"] = key.Secret, wanted.Expires
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(made)
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// role is what a token may do in a group or project; one of a service account has none.
func role(call *http.Request) int {
	if strings.Contains(call.URL.Path, "service_accounts") {
		return 0
	}
	return 30
}

var scopes = []string{"read_api", "read_repository"}

func describe(key apikeytest.Key) object {
	return object{
		"id": key.ID, "name": key.Label, "description": "for the shop", "scopes": scopes, "access_level": 30,
		"active": true, "revoked": false, "created_at": key.Created, "expires_at": "2027-12-31",
	}
}

func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"message": http.StatusText(status)})
}
