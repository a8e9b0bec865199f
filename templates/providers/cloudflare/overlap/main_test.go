package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/cloudflare/common/cloudflare"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"account_id":"acc"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return server{l}.routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(cloudflare.New(client), overlap.Config{})
	},
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of Cloudflare has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K3: at the account's limit the previous token makes room.
func TestFull(t *testing.T) { wire.Full(t) }

// K7: a token that works only after a while is waited for.
func TestKnownLate(t *testing.T) { wire.KnownLate(t) }

// C7, K7: an answer with status 200 that says "success": false proves no token, makes
// none and ends none, whatever else stands in it.
func TestSuccessIsFalse(t *testing.T) {
	value := func(text string) rotation.Value {
		v, err := rotation.ParseValue(rotation.NewSensitive(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	account := apikey.Account{Secret: value(`{"account_id":"acc","key_id":"t","api_key":"a"}`), Admin: value(`{"api_key":"b"}`)}
	provider := cloudflare.New(apihttp.Client{Transport: apikeytest.Direct(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":{"id":"t","status":"active","value":"v"}}`))
	}))})
	_, verified := provider.Verify(t.Context(), account.Secret)
	_, created := provider.Create(t.Context(), account, apikey.Name{Label: "x"})
	for _, err := range []error{verified, created, provider.Revoke(t.Context(), account, "t")} {
		if rotation.CodeOf(err) != rotation.CodeBadAnswer {
			t.Errorf("got %v, want the code %s", err, rotation.CodeBadAnswer)
		}
	}
}

// server answers as
// https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/
// has it.
type server struct{ ledger *apikeytest.Ledger }

type object = map[string]any

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	const tokens = "/client/v4/accounts/acc/tokens"
	mux.HandleFunc("GET "+tokens+"/verify", s.verify)
	mux.HandleFunc("GET "+tokens, s.asAdmin(s.list))
	mux.HandleFunc("GET "+tokens+"/{id}", s.asAdmin(s.get))
	mux.HandleFunc("POST "+tokens, s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+tokens+"/{id}", s.asAdmin(s.revoke))
	return mux
}

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if apikeytest.Presented(call) != apikeytest.AdminKey {
			refuse(w, http.StatusForbidden, 10000, "Authentication error")
			return
		}
		serve(w, call)
	}
}

func (s server) verify(w http.ResponseWriter, call *http.Request) {
	key, ok := s.ledger.Accepts(apikeytest.Presented(call))
	if !ok {
		refuse(w, http.StatusUnauthorized, 1000, "Invalid API Token")
		return
	}
	answer(w, object{"id": key.ID, "status": "active"})
}

func (s server) list(w http.ResponseWriter, call *http.Request) {
	page := []object{}
	if call.URL.Query().Get("page") == "1" {
		for _, key := range s.ledger.Keys() {
			page = append(page, describe(key))
		}
	}
	answer(w, page)
}

func (s server) get(w http.ResponseWriter, call *http.Request) {
	for _, key := range s.ledger.Keys() {
		if key.ID == call.PathValue("id") {
			answer(w, describe(key))
			return
		}
	}
	refuse(w, http.StatusNotFound, 1003, "Invalid or missing Token id")
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Name     string
		Policies []struct {
			Effect    string
			Resources map[string]string
			Groups    []struct{ ID string } `json:"permission_groups"`
		}
	}
	body, err := io.ReadAll(call.Body)
	if err != nil || json.Unmarshal(body, &wanted) != nil || strings.Contains(string(body), "condition") || len(wanted.Policies) != 1 || wanted.Policies[0].Groups[0].ID != "dns" || len(wanted.Name) > 120 {
		refuse(w, http.StatusBadRequest, 1001, "Invalid token")
		return
	}
	key, ok := s.ledger.Create(wanted.Name, "")
	if !ok {
		refuse(w, http.StatusBadRequest, 1002, "The maximum number of tokens is reached")
		return
	}
	made := describe(key)
	made["value"] = key.Secret
	answer(w, made)
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound, 1003, "Invalid or missing Token id")
		return
	}
	answer(w, object{"id": call.PathValue("id")})
}

func describe(key apikeytest.Key) object {
	return object{
		"id": key.ID, "name": key.Label, "status": "active", "issued_on": key.Created.Format(time.RFC3339),
		"condition": nil,
		"policies": []object{{
			"id": "p", "effect": "allow", "resources": object{"com.cloudflare.api.account.acc": "*"},
			"permission_groups": []object{{"id": "dns", "name": "DNS Read"}},
		}},
	}
}

func answer(w http.ResponseWriter, result any) {
	_ = json.NewEncoder(w).Encode(object{"success": true, "errors": []object{}, "messages": []object{}, "result": result})
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"success": false, "errors": []object{{"code": code, "message": message}}, "messages": []object{}, "result": nil})
}
