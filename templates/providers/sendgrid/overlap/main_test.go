package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/sendgrid/common/sendgrid"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Server: func(l *apikeytest.Ledger) http.Handler { return server{ledger: l}.routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(sendgrid.New(client), overlap.Config{})
	},
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of SendGrid has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K3: at the account's limit the previous key makes room.
func TestFull(t *testing.T) { wire.Full(t) }

// K7: the scopes of a key are found in either form of the answer, and those that
// SendGrid gives by itself are never asked for.
func TestScopesInAList(t *testing.T) {
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return server{l, true}.routes() }
	wire.Rotate(t, 3)
}

// K7: a key that works only after a while is waited for.
func TestKnownLate(t *testing.T) { wire.KnownLate(t) }

// server answers as https://www.twilio.com/docs/sendgrid/api-reference/api-keys has
// it.
type server struct {
	ledger *apikeytest.Ledger
	listed bool // a key stands in a list of one, as the specification has it
}

type object = map[string]any

// asked are the scopes that a key is made with, and those beside it that SendGrid gives
// by itself, as in
// https://github.com/twilio/sendgrid-oai/blob/main/spec/yaml/tsg_api_keys_v3.yaml
var (
	asked  = []string{"mail.send", "alerts.read"}
	scopes = append([]string{"2fa_required", "sender_verification_eligible", "sender_verification_legacy"}, asked...)
)

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	const keys = "/v3/api_keys"
	mux.HandleFunc("GET /v3/scopes", s.granted)
	mux.HandleFunc("GET "+keys, s.asAdmin(s.list))
	mux.HandleFunc("GET "+keys+"/{id}", s.asAdmin(s.get))
	mux.HandleFunc("POST "+keys, s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+keys+"/{id}", s.asAdmin(s.revoke))
	return mux
}

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if apikeytest.Presented(call) != apikeytest.AdminKey {
			refuse(w, http.StatusUnauthorized, "authorization required")
			return
		}
		serve(w, call)
	}
}

func (s server) granted(w http.ResponseWriter, call *http.Request) {
	if _, ok := s.ledger.Accepts(apikeytest.Presented(call)); !ok {
		refuse(w, http.StatusUnauthorized, "authorization required")
		return
	}
	answer(w, http.StatusOK, object{"scopes": scopes})
}

// list has as many keys as the account can have, if the book is full.
func (s server) list(w http.ResponseWriter, call *http.Request) {
	if call.URL.Query().Get("limit") != "100" {
		refuse(w, http.StatusBadRequest, "the test wants them all")
		return
	}
	listed := []object{}
	for _, key := range s.ledger.Keys() {
		listed = append(listed, object{"name": key.Label, "api_key_id": key.ID})
	}
	if s.ledger.Room > 0 {
		for others := 100 - s.ledger.Room - 3; others > 0; others-- {
			listed = append(listed, object{"name": "other", "api_key_id": fmt.Sprint("other", others)})
		}
	}
	answer(w, http.StatusOK, object{"result": listed})
}

func (s server) get(w http.ResponseWriter, call *http.Request) {
	for _, key := range s.ledger.Keys() {
		if key.ID == call.PathValue("id") {
			found := object{"api_key_id": key.ID, "name": key.Label, "scopes": scopes}
			if s.listed {
				found = object{"result": []object{found}}
			}
			answer(w, http.StatusOK, found)
			return
		}
	}
	refuse(w, http.StatusNotFound, "unable to find API Key")
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Name   string
		Scopes []string
	}
	if json.NewDecoder(call.Body).Decode(&wanted) != nil || !slices.Equal(wanted.Scopes, asked) {
		refuse(w, http.StatusInternalServerError, "internal server error") // to 2fa_required
		return
	}
	key, ok := s.ledger.Create(wanted.Name, "")
	if !ok {
		refuse(w, http.StatusForbidden, "access forbidden")
		return
	}
	answer(w, http.StatusCreated, object{"api_key": key.Secret, "api_key_id": key.ID, "name": key.Label, "scopes": scopes})
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound, "unable to find API Key")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func answer(w http.ResponseWriter, status int, body object) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, object{"errors": []object{{"field": nil, "message": message}}})
}
