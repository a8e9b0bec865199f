package main

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/okta/common/okta"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"app_id":"app","client_id":"client"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l}).routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return strategy(client, okta.AuthBasic)
	},
	Ledger: func(l *apikeytest.Ledger) { l.Room = 2 },
}

func strategy(client apihttp.Client, clientAuth string) rotation.Strategy {
	client.Base = "https://example.okta.com"
	return overlap.New(okta.New(client, clientAuth), overlap.Config{})
}

// K1, K2, K3, K4, K8: with two client secrets at the most, none is lost, none is left,
// and none of another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of Okta has its code. There is room enough: without, one that
// is said to be gone and is not shows as a quota that is full.
func TestAnswers(t *testing.T) {
	wire := wire
	wire.Ledger = nil
	wire.Answers(t)
}

// K3, K7: the previous client secret makes room, however the client authenticates, and
// one that works only after a while is waited for.
func TestRotations(t *testing.T) {
	for _, clientAuth := range []string{okta.AuthBasic, okta.AuthPost} {
		t.Run(clientAuth, func(t *testing.T) {
			wire := wire
			wire.Ledger = func(l *apikeytest.Ledger) { l.Room, l.Lag = 2, 20*time.Second }
			wire.Server = func(l *apikeytest.Ledger) http.Handler {
				return (&server{ledger: l, post: clientAuth == okta.AuthPost}).routes()
			}
			wire.Strategy = func(client apihttp.Client, _ func() time.Time) rotation.Strategy { return strategy(client, clientAuth) }
			wire.Rotate(t, 10)
		})
	}
}

// server answers as
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationSSOCredentialOAuth2ClientAuth/
// has it, for an app whose client secrets are the book's but for the foreign one.
type server struct {
	ledger   *apikeytest.Ledger
	post     bool     // the client authenticates in the body
	inactive sync.Map // ids
}

type object = map[string]any

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	const secrets = "/api/v1/apps/app/credentials/secrets"
	mux.HandleFunc("POST /oauth2/v1/introspect", s.introspect)
	mux.HandleFunc("GET "+secrets, s.asAdmin(s.list))
	mux.HandleFunc("POST "+secrets, s.asAdmin(s.create))
	mux.HandleFunc("POST "+secrets+"/{id}/lifecycle/deactivate", s.asAdmin(s.deactivate))
	mux.HandleFunc("DELETE "+secrets+"/{id}", s.asAdmin(s.remove))
	return mux
}

func (s *server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if call.Header.Get("Authorization") != "SSWS "+apikeytest.AdminKey {
			refuse(w, http.StatusUnauthorized, "E0000011", "Invalid token provided")
			return
		}
		serve(w, call)
	}
}

func (s *server) introspect(w http.ResponseWriter, call *http.Request) {
	form := apikeytest.Form(call)
	client, secret, _ := call.BasicAuth()
	if s.post {
		client, secret = form.Get("client_id"), form.Get("client_secret")
	}
	key, ok := s.ledger.Accepts(secret)
	if _, inactive := s.inactive.Load(key.ID); !ok || inactive || client != "client" {
		answer(w, http.StatusUnauthorized, object{"error": "invalid_client", "error_description": "Client authentication failed."})
		return
	}
	if form.Get("token") == "" {
		answer(w, http.StatusBadRequest, object{"error": "invalid_request"})
		return
	}
	answer(w, http.StatusOK, object{"active": false})
}

func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	listed := []object{}
	for _, key := range s.ledger.Keys() {
		if !s.ledger.Foreign(key.ID) {
			listed = append(listed, s.describe(key))
		}
	}
	answer(w, http.StatusOK, listed)
}

func (s *server) create(w http.ResponseWriter, call *http.Request) {
	var wanted object
	if call.Header.Get("Content-Type") != "application/json" || json.NewDecoder(call.Body).Decode(&wanted) != nil || len(wanted) > 0 {
		refuse(w, http.StatusBadRequest, "E0000003", "The request body was not well-formed.")
		return
	}
	key, ok := s.ledger.Create("", "")
	if !ok {
		refuse(w, http.StatusBadRequest, "E0000001", "Api validation failed: secret")
		return
	}
	made := s.describe(key)
	made["client_secret"] = key.Secret
	answer(w, http.StatusCreated, made)
}

func (s *server) deactivate(w http.ResponseWriter, call *http.Request) {
	for _, key := range s.ledger.Keys() {
		if key.ID == call.PathValue("id") {
			s.inactive.Store(key.ID, true)
			answer(w, http.StatusOK, s.describe(key))
			return
		}
	}
	refuse(w, http.StatusNotFound, "E0000007", "Not found")
}

func (s *server) remove(w http.ResponseWriter, call *http.Request) {
	id := call.PathValue("id")
	if _, inactive := s.inactive.Load(id); !inactive {
		refuse(w, http.StatusBadRequest, "E0000001", "Api validation failed: status")
		return
	}
	if !s.ledger.Revoke(id) {
		refuse(w, http.StatusNotFound, "E0000007", "Not found")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) describe(key apikeytest.Key) object {
	status := "ACTIVE"
	if _, inactive := s.inactive.Load(key.ID); inactive {
		status = "INACTIVE"
	}
	return object{"id": key.ID, "created": key.Created, "lastUpdated": key.Created, "secret_hash": "yk4SVx4sUWVJVbHt6M-UPA", "status": status}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, code, summary string) {
	answer(w, status, object{"errorCode": code, "errorSummary": summary, "errorCauses": []object{}})
}
