package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/openai/common/openai"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"project_id":"proj","service_account_id":"svc_acct"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return server{ledger: l}.routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(openai.New(client, openai.Config{}), overlap.Config{})
	},
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of OpenAI has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a key that works only after a while is waited for.
func TestKnownLate(t *testing.T) { wire.KnownLate(t) }

// Where keys have to end, they do, and outlast the next rotation.
func TestLifetime(t *testing.T) {
	const lifetime = 90 * 24 * time.Hour
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return server{ledger: l, ends: lifetime}.routes() }
	wire.Strategy = func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(openai.New(client, openai.Config{Lifetime: lifetime}), overlap.Config{})
	}
	wire.Rotate(t, 3)
}

// K7: new keys have the scopes that are configured, and are the present one's service
// account's: no rotation makes another identity.
func TestScopes(t *testing.T) {
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler {
		return server{ledger: l, scopes: []string{"api.model.request"}}.routes()
	}
	wire.Strategy = func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(openai.New(client, openai.Config{Scopes: []string{"api.model.request"}}), overlap.Config{})
	}
	wire.Rotate(t, 3)
}

// C7: OpenAI answers 401 to a key that works if a right is missing, and on another
// host.
func TestRefusals(t *testing.T) {
	for body, want := range map[string]rotation.Code{
		`{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: api.model.read.","type":"invalid_request_error","param":null,"code":null}}`:                           rotation.CodePermission,
		`{"error":{"message":"Attempted to access resource with incorrect regional hostname. Please make your request to us.api.openai.com","type":"invalid_request_error","code":"incorrect_hostname"}}`: rotation.CodeBadConfig,
		`{"error":{"message":"Incorrect API key provided: sk-svc****.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`:                                                            rotation.CodeAuthRejected,
	} {
		value, err := rotation.ParseValue(rotation.NewSensitive(`{"api_key":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		provider := openai.New(apihttp.Client{Transport: apikeytest.Direct(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(body))
		}))}, openai.Config{})
		if _, err = provider.Verify(t.Context(), value); rotation.CodeOf(err) != want {
			t.Errorf("%s: got %v, want the code %s", body, err, want)
		}
	}
}

// A key is used at its region's host; the administration has one for all.
func TestRegion(t *testing.T) {
	wire := wire
	wire.Strategy = func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		client.Base = "https://eu.api.openai.com/v1"
		return overlap.New(openai.New(client, openai.Config{}), overlap.Config{})
	}
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return server{ledger: l, host: "eu.api.openai.com"}.routes() }
	wire.Rotate(t, 2)
}

// server answers as
// https://developers.openai.com/api/reference/resources/admin/subresources/organization/subresources/projects
// has it, one key a page.
type server struct {
	ledger *apikeytest.Ledger
	ends   time.Duration // after which a key has to
	scopes []string
	host   string // where keys are used, api.openai.com if it is empty
}

type object = map[string]any

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	const project = "api.openai.com/v1/organization/projects/proj"
	mux.HandleFunc("GET "+cmp.Or(s.host, "api.openai.com")+"/v1/models", s.models)
	mux.HandleFunc("GET "+project+"/api_keys", s.asAdmin(s.list))
	mux.HandleFunc("POST "+project+"/service_accounts/svc_acct/api_keys", s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+project+"/api_keys/{id}", s.asAdmin(s.revoke))
	return mux
}

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if apikeytest.Presented(call) != apikeytest.AdminKey {
			refuse(w, http.StatusUnauthorized, "Incorrect API key provided")
			return
		}
		serve(w, call)
	}
}

func (s server) models(w http.ResponseWriter, call *http.Request) {
	if _, ok := s.ledger.Accepts(apikeytest.Presented(call)); !ok {
		refuse(w, http.StatusUnauthorized, "Incorrect API key provided")
		return
	}
	answer(w, http.StatusOK, object{"object": "list", "data": []object{{"id": "m", "object": "model"}}})
}

func (s server) list(w http.ResponseWriter, call *http.Request) {
	keys := s.ledger.Keys()
	if call.URL.Query().Get("owner_project_access") != "any" { // keys of a service account without a role are left out then
		keys = nil
	}
	if after := call.URL.Query().Get("after"); after != "" {
		for i, key := range keys {
			if key.ID == after {
				keys = keys[i+1:]
				break
			}
		}
	}
	page := []object{}
	if len(keys) > 0 {
		page = append(page, describe(keys[0]))
	}
	answer(w, http.StatusOK, object{"object": "list", "data": page, "has_more": len(keys) > 1})
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Name    string
		Scopes  []string
		Seconds int64 `json:"expires_in_seconds"`
	}
	if json.NewDecoder(call.Body).Decode(&wanted) != nil || wanted.Name == "" || wanted.Seconds != int64(s.ends.Seconds()) || !slices.Equal(wanted.Scopes, s.scopes) {
		refuse(w, http.StatusBadRequest, "Invalid expires_in_seconds")
		return
	}
	key, _ := s.ledger.Create(wanted.Name, "")
	answer(w, http.StatusOK, object{
		"object": "organization.project.service_account.api_key", "id": key.ID, "name": key.Label, "value": key.Secret, "created_at": key.Created.Unix(),
	})
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound, "API key not found")
		return
	}
	answer(w, http.StatusOK, object{"object": "organization.project.api_key.deleted", "id": call.PathValue("id"), "deleted": true})
}

// describe gives foreign keys to another service account.
func describe(key apikeytest.Key) object {
	owner := "svc_acct"
	if key.Label == apikeytest.Foreign {
		owner = "svc_other"
	}
	return object{
		"object": "organization.project.api_key", "id": key.ID, "name": key.Label, "created_at": key.Created.Unix(), "redacted_value": "sk-svc...x",
		"owner": object{"type": "service_account", "service_account": object{"id": owner, "name": "orders", "role": "member", "created_at": 1}},
	}
}

func answer(w http.ResponseWriter, status int, body object) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, object{"error": object{"message": message, "type": "invalid_request_error", "code": nil}})
}
