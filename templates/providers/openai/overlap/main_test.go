package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/openai/common/openai"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/httpapi"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"project_id":"proj"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return server{ledger: l}.routes() },
	Strategy: func(client httpapi.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(openai.New(client, 0), overlap.Config{})
	},
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: whatever OpenAI answers is told by its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a key that works only after a while is waited for.
func TestKnownLate(t *testing.T) { wire.KnownLate(t) }

// Where keys have to end, they do, and outlast the next rotation.
func TestLifetime(t *testing.T) {
	const lifetime = 90 * 24 * time.Hour
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return server{l, lifetime}.routes() }
	wire.Strategy = func(client httpapi.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(openai.New(client, lifetime), overlap.Config{})
	}
	wire.Rotate(t, 3)
}

// server answers as
// https://platform.openai.com/docs/api-reference/project-service-accounts has it, one
// service account a page.
type server struct {
	ledger *apikeytest.Ledger
	ends   time.Duration // after which a key has to
}

type object = map[string]any

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	const accounts = "/v1/organization/projects/proj/service_accounts"
	mux.HandleFunc("GET /v1/models", s.models)
	mux.HandleFunc("GET "+accounts, s.asAdmin(s.list))
	mux.HandleFunc("POST "+accounts, s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+accounts+"/{id}", s.asAdmin(s.revoke))
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
		Seconds int64 `json:"expires_in_seconds"`
	}
	if json.NewDecoder(call.Body).Decode(&wanted) != nil || wanted.Name == "" || wanted.Seconds != int64(s.ends.Seconds()) {
		refuse(w, http.StatusBadRequest, "Invalid expires_in_seconds")
		return
	}
	key, _ := s.ledger.Create(wanted.Name, "")
	made := describe(key)
	own := object{"object": "organization.project.service_account.api_key", "id": "key_" + key.ID, "name": "Secret Key", "value": key.Secret, "expires_at": nil}
	if s.ends > 0 {
		own["expires_at"] = key.Created.Add(s.ends).Unix()
	}
	made["api_key"] = own
	answer(w, http.StatusOK, made)
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound, "Service account not found")
		return
	}
	answer(w, http.StatusOK, object{"object": "organization.project.service_account.deleted", "id": call.PathValue("id"), "deleted": true})
}

func describe(key apikeytest.Key) object {
	return object{"object": "organization.project.service_account", "id": key.ID, "name": key.Label, "role": "member", "created_at": key.Created.Unix()}
}

func answer(w http.ResponseWriter, status int, body object) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, object{"error": object{"message": message, "type": "invalid_request_error", "code": nil}})
}
