// Package customtest is the provider as the tests see it. Let it answer as yours
// documents it, out of the book that it is given: as it stands it is an API of the
// plain kind, the one of README.md's example.
package customtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
)

// pageSize is small, so that the tests see more than one page.
const pageSize = 2

type object = map[string]any

// Server answers out of a book.
func Server(ledger *apikeytest.Ledger) http.Handler {
	s := server{ledger}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/keys/self", s.self)
	mux.HandleFunc("GET /v1/keys", s.asAdmin(s.list))
	mux.HandleFunc("POST /v1/keys", s.asAdmin(s.create))
	mux.HandleFunc("DELETE /v1/keys/{id}", s.asAdmin(s.revoke))
	return mux
}

type server struct{ ledger *apikeytest.Ledger }

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if apikeytest.Presented(call) != apikeytest.AdminKey {
			refuse(w, http.StatusUnauthorized)
			return
		}
		serve(w, call)
	}
}

func (s server) self(w http.ResponseWriter, call *http.Request) {
	key, ok := s.ledger.Accepts(apikeytest.Presented(call))
	if !ok {
		refuse(w, http.StatusUnauthorized)
		return
	}
	answer(w, describe(key))
}

func (s server) list(w http.ResponseWriter, call *http.Request) {
	keys := s.ledger.Keys()
	if after := call.URL.Query().Get("after"); after != "" {
		keys = keys[1+slices.IndexFunc(keys, func(k apikeytest.Key) bool { return k.ID == after }):]
	}
	page, next := []object{}, ""
	for i, key := range keys {
		if i == pageSize {
			next = keys[i-1].ID
			break
		}
		page = append(page, describe(key))
	}
	answer(w, object{"keys": page, "next": next})
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct{ Name string }
	if json.NewDecoder(call.Body).Decode(&wanted) != nil || wanted.Name == "" {
		refuse(w, http.StatusUnprocessableEntity)
		return
	}
	key, ok := s.ledger.Create(wanted.Name, "")
	if !ok {
		refuse(w, http.StatusConflict) // there is no room for another
		return
	}
	made := describe(key)
	made["secret"] = key.Secret
	answer(w, made)
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		refuse(w, http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func describe(key apikeytest.Key) object {
	return object{"id": key.ID, "name": key.Label, "created_at": key.Created.Format(time.RFC3339)}
}

func answer(w http.ResponseWriter, body object) { _ = json.NewEncoder(w).Encode(body) }

func refuse(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	answer(w, object{"error": http.StatusText(status)})
}
