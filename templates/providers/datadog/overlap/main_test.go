package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/datadog/common/datadog"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

const applicationKey = "application-key-sentinel"

var wire = apikeytest.Wire{
	Admin:  `{"api_key":"` + apikeytest.AdminKey + `","application_key":"` + applicationKey + `"}`,
	Server: func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l}).routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(datadog.New(client), overlap.Config{})
	},
	Codes: map[int]rotation.Code{http.StatusForbidden: rotation.CodeAuthRejected},
}

// K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of Datadog has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K3, K7: at the organization's limit the previous key makes room, and a key that works
// only after a while is waited for.
func TestLimits(t *testing.T) {
	for name, special := range map[string]func(*apikeytest.Ledger){
		"full":       func(l *apikeytest.Ledger) { l.Room = 2 },
		"known late": func(l *apikeytest.Ledger) { l.Lag = 20 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			wire := wire
			wire.Ledger = special
			wire.Rotate(t, 10)
		})
	}
}

// K1, K6: keys on later pages are found as well.
func TestPages(t *testing.T) {
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l, crowd: 2}).routes() }
	wire.Rotate(t, 3)
}

// server answers as https://docs.datadoghq.com/api/latest/key-management/ has it.
type server struct {
	ledger *apikeytest.Ledger
	names  sync.Map // that are taken
	crowd  int      // pages of other keys before those of the book
}

type object = map[string]any

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	const keys = "/api/v2/api_keys"
	mux.HandleFunc("GET /api/v1/validate", s.validate)
	mux.HandleFunc("GET "+keys, s.asAdmin(s.list))
	mux.HandleFunc("GET "+keys+"/{id}", s.asAdmin(s.get))
	mux.HandleFunc("POST "+keys, s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+keys+"/{id}", s.asAdmin(s.revoke))
	return mux
}

func (s *server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if call.Header.Get("DD-API-KEY") != apikeytest.AdminKey || call.Header.Get("DD-APPLICATION-KEY") != applicationKey {
			refuse(w, http.StatusForbidden, "Forbidden")
			return
		}
		serve(w, call)
	}
}

func (s *server) validate(w http.ResponseWriter, call *http.Request) {
	if _, ok := s.ledger.Accepts(call.Header.Get("DD-API-KEY")); !ok {
		refuse(w, http.StatusForbidden, "Forbidden")
		return
	}
	_ = json.NewEncoder(w).Encode(object{"valid": true})
}

func (s *server) list(w http.ResponseWriter, call *http.Request) {
	page := []object{}
	switch number, _ := strconv.Atoi(call.URL.Query().Get("page[number]")); {
	case call.URL.Query().Get("page[size]") != "100":
	case number < s.crowd:
		page = slices.Repeat([]object{describe(apikeytest.Key{ID: "crowd", Label: apikeytest.Foreign})}, 100)
	case number == s.crowd:
		for _, key := range s.ledger.Keys() {
			page = append(page, describe(key))
		}
	}
	room := 50
	if s.ledger.Room > 0 {
		room = s.ledger.Room + 3 // those of others
	}
	_ = json.NewEncoder(w).Encode(object{"data": page, "meta": object{"page": object{"total_filtered_count": len(page)}, "max_allowed": room}})
}

func (s *server) get(w http.ResponseWriter, call *http.Request) {
	for _, key := range s.ledger.Keys() {
		if key.ID == call.PathValue("id") {
			answer(w, http.StatusOK, describe(key))
			return
		}
	}
	refuse(w, http.StatusNotFound, "API key not found")
}

func (s *server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Data struct {
			Type       string
			Attributes object
		}
	}
	_ = json.NewDecoder(call.Body).Decode(&wanted)
	name, _ := wanted.Data.Attributes["name"].(string)
	_, taken := s.names.LoadOrStore(name, true)
	if name == "" || taken || wanted.Data.Type != "api_keys" || wanted.Data.Attributes["remote_config_read_enabled"] != false || len(wanted.Data.Attributes) != 2 {
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	label, _, _ := strings.Cut(name, " ")
	key, ok := s.ledger.Create(label, "")
	if !ok {
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	made := describe(key)
	made["attributes"].(object)["key"] = key.Secret
	answer(w, http.StatusCreated, made)
}

func (s *server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound, "API key not found")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func describe(key apikeytest.Key) object {
	return object{"id": key.ID, "type": "api_keys", "attributes": object{
		"name": key.Label + " AB", "created_at": key.Created, "remote_config_read_enabled": false,
	}}
}

func answer(w http.ResponseWriter, status int, data any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"data": data})
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"errors": []string{message}})
}
