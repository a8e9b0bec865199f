package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/twilio/common/twilio"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

const policy = `{"allow":["/twilio/messaging/messages/read"]}`

var wire = apikeytest.Wire{
	Initial: `{"account_sid":"AC1"}`,
	Admin:   `{"key_id":"SKadmin","api_key":"` + apikeytest.AdminKey + `"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return server{l, "null"}.routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(twilio.New(client, twilio.VerifyPath), overlap.Config{})
	},
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of Twilio has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a key that works only after a while is waited for.
func TestKnownLate(t *testing.T) { wire.KnownLate(t) }

// K7: a restricted key is followed by one with the same policy, and proven with a
// list that it may read.
func TestRestricted(t *testing.T) {
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return server{l, policy}.routes() }
	wire.Strategy = func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(twilio.New(client, "/2010-04-01/Accounts/{account_sid}/Messages.json"), overlap.Config{})
	}
	wire.Rotate(t, 3)
}

// server answers as https://www.twilio.com/docs/iam/api-keys/key-resource-v1 has it,
// one key a page.
type server struct {
	ledger *apikeytest.Ledger
	policy string // of all keys
}

type object = map[string]any

func (s server) routes() http.Handler {
	list := "Usage/Records.json"
	if s.policy != "null" {
		list = "Messages.json"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2010-04-01/Accounts/AC1/"+list, s.use)
	mux.HandleFunc("GET /v1/Keys", s.asAdmin(s.list))
	mux.HandleFunc("GET /v1/Keys/{sid}", s.asAdmin(s.fetch))
	mux.HandleFunc("POST /v1/Keys", s.asAdmin(s.create))
	mux.HandleFunc("DELETE /v1/Keys/{sid}", s.asAdmin(s.revoke))
	return mux
}

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if user, password, _ := call.BasicAuth(); user != "SKadmin" || password != apikeytest.AdminKey || call.Host != "iam.twilio.com" {
			refuse(w, http.StatusUnauthorized, 20003, "Authenticate")
			return
		}
		serve(w, call)
	}
}

func (s server) use(w http.ResponseWriter, call *http.Request) {
	user, password, _ := call.BasicAuth()
	if key, ok := s.ledger.Accepts(password); !ok || key.ID != user || call.Host != "api.twilio.com" {
		refuse(w, http.StatusUnauthorized, 20003, "Authenticate")
		return
	}
	answer(w, http.StatusOK, object{"page": 0, "page_size": 1})
}

func (s server) list(w http.ResponseWriter, call *http.Request) {
	keys := s.ledger.Keys()
	query := call.URL.Query()
	page, _ := strconv.Atoi(query.Get("Page"))
	if query.Get("AccountSid") != "AC1" || page >= len(keys) {
		refuse(w, http.StatusBadRequest, 20001, "Bad request")
		return
	}
	var next any
	if page+1 < len(keys) {
		next = fmt.Sprintf("https://elsewhere.example/v1/Keys?AccountSid=AC1&PageSize=1&Page=%d&PageToken=PT", page+1)
	}
	answer(w, http.StatusOK, object{"keys": []object{s.describe(keys[page])}, "meta": object{"next_page_url": next, "key": "keys"}})
}

func (s server) fetch(w http.ResponseWriter, call *http.Request) {
	for _, key := range s.ledger.Keys() {
		if key.ID == call.PathValue("sid") {
			answer(w, http.StatusOK, s.describe(key))
			return
		}
	}
	refuse(w, http.StatusNotFound, 20404, "The requested resource was not found")
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	form := apikeytest.Form(call)
	kind, wanted := "", ""
	if s.policy != "null" {
		kind, wanted = "restricted", s.policy
	}
	if name := form.Get("FriendlyName"); form.Get("AccountSid") != "AC1" || name == "" || len(name) > 64 || form.Get("KeyType") != kind || form.Get("Policy") != wanted {
		refuse(w, http.StatusBadRequest, 20001, "Bad request")
		return
	}
	key, _ := s.ledger.Create(form.Get("FriendlyName"), "")
	made := s.describe(key)
	made["secret"] = key.Secret
	answer(w, http.StatusCreated, made)
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("sid")) {
		refuse(w, http.StatusNotFound, 20404, "The requested resource was not found")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s server) describe(key apikeytest.Key) object {
	var made any = key.Created.UTC().Format(time.RFC1123Z)
	if key.Label == apikeytest.Foreign {
		made = nil // which the specification allows
	}
	return object{"sid": key.ID, "friendly_name": key.Label, "date_created": made, "date_updated": made, "policy": json.RawMessage(s.policy)}
}

func answer(w http.ResponseWriter, status int, body object) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, object{"code": code, "message": message, "status": status})
}
