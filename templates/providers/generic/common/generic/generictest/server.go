// Package generictest is the API that a description describes, for tests: so they
// hold for every description, and say nothing about whether it is the real API's.
package generictest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rotasmith/rotasmith/templates/providers/generic/common/generic"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
)

// pageSize is how many keys a page has: few, so that there are several.
const pageSize = 2

type server struct {
	d      generic.Description
	ledger *apikeytest.Ledger
}

type object = map[string]any

// Server answers out of the book as the description has it.
func Server(d generic.Description, ledger *apikeytest.Ledger) http.Handler {
	s := server{d, ledger}
	mux := http.NewServeMux()
	handle := func(call *generic.Call, serve http.HandlerFunc) {
		if call != nil {
			mux.HandleFunc(call.Method+" "+call.Path, serve)
		}
	}
	handle(d.Verify, s.verify)
	handle(d.Create, s.asAdmin(s.create))
	handle(d.Revoke, s.asAdmin(s.revoke))
	handle(d.Roll, s.asAdmin(s.roll))
	if d.List != nil {
		handle(&d.List.Call, s.asAdmin(s.list))
	}
	return mux
}

func (s server) presented(call *http.Request) string {
	switch s.d.Auth.Scheme {
	case "basic":
		user, password, _ := call.BasicAuth()
		if s.d.Auth.User == "" {
			return user
		}
		return password
	case "header":
		return strings.TrimPrefix(call.Header.Get(s.d.Auth.Header), s.d.Auth.Prefix)
	default:
		return apikeytest.Presented(call)
	}
}

func (s server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if s.presented(call) != apikeytest.AdminKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		for name, text := range s.d.Headers {
			if call.Header.Get(name) != text {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
		serve(w, call)
	}
}

func (s server) verify(w http.ResponseWriter, call *http.Request) {
	key, ok := s.ledger.Accepts(s.presented(call))
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer := object{}
	put(answer, s.d.Verify.ID, key.ID)
	write(w, answer)
}

func (s server) create(w http.ResponseWriter, call *http.Request) {
	key, ok := s.ledger.Create(s.label(call), call.Header.Get(s.d.Create.Once))
	if !ok {
		status, text := http.StatusConflict, ""
		if q := s.d.Create.Quota; q != nil {
			status, text = q.Status, q.Contains
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(text)
		return
	}
	s.answer(w, s.d.Create, key)
}

func (s server) roll(w http.ResponseWriter, call *http.Request) {
	key, ok := s.ledger.Roll(call.PathValue("id"))
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.answer(w, s.d.Roll, key)
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s server) answer(w http.ResponseWriter, call *generic.Call, key apikeytest.Key) {
	answer := object{}
	put(answer, call.ID, key.ID)
	put(answer, call.Key, key.Secret)
	if s.d.Lifetime > 0 {
		put(answer, call.Expires, key.Created.AddDate(1, 0, 0).Unix())
	}
	write(w, answer)
}

func (s server) list(w http.ResponseWriter, call *http.Request) {
	list := s.d.List
	keys := s.ledger.Listed()
	query := call.URL.Query()
	first := 0
	switch list.Paging.By {
	case "page", "link":
		page, _ := strconv.Atoi(query.Get("page"))
		first = min(max(page-1, 0)*pageSize, len(keys))
	case "after":
		first = 1 + slices.IndexFunc(keys, func(k apikeytest.Key) bool { return k.ID == query.Get(list.Paging.Param) })
	}
	end := min(first+pageSize, len(keys))
	if list.Paging.By == "" {
		end = len(keys)
	}
	items := []any{}
	for _, key := range keys[first:end] {
		item := object{}
		put(item, list.ID, key.ID)
		put(item, list.Label, key.Label)
		put(item, list.Created, key.Created.Unix())
		items = append(items, item)
	}
	if list.Paging.By == "link" && end < len(keys) {
		next := *call.URL
		query.Set("page", strconv.Itoa(1+end/pageSize))
		next.RawQuery = query.Encode()
		w.Header().Set("Link", `<`+next.String()+`>; rel="next", <`+next.Path+`>; rel="last"`)
	}
	if list.Items == "" {
		write(w, items)
		return
	}
	answer := object{}
	put(answer, list.Items, items)
	put(answer, list.Paging.More, end < len(keys))
	write(w, answer)
}

// label returns what stands where the description has {label}.
func (s server) label(call *http.Request) string {
	for name, text := range s.d.Create.Form {
		if text == "{label}" {
			return apikeytest.Form(call).Get(name)
		}
	}
	var sent any
	_ = json.NewDecoder(call.Body).Decode(&sent)
	return find(s.d.Create.JSON, sent)
}

func find(pattern, sent any) string {
	switch pattern := pattern.(type) {
	case string:
		if text, ok := sent.(string); ok && pattern == "{label}" {
			return text
		}
	case map[string]any:
		object, _ := sent.(map[string]any)
		for key, below := range pattern {
			if text := find(below, object[key]); text != "" {
				return text
			}
		}
	}
	return ""
}

// put places a value at a path with dots.
func put(doc object, path string, value any) {
	if path == "" {
		return
	}
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			doc[name] = value
			return
		}
		below, ok := doc[name].(object)
		if !ok {
			below = object{}
			doc[name] = below
		}
		doc, path = below, rest
	}
}

func write(w http.ResponseWriter, answer any) { _ = json.NewEncoder(w).Encode(answer) }
