package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/providers/grafana/common/grafana"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"service_account_id":"2"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l}).routes() },
	Strategy: func(client apihttp.Client, now func() time.Time) rotation.Strategy {
		return strategy(client, grafana.Config{Now: now})
	},
}

func strategy(client apihttp.Client, config grafana.Config) rotation.Strategy {
	client.Base = "https://grafana.example"
	return overlap.New(grafana.New(client, config), overlap.Config{})
}

// K1, K2, K3, K4, K8: over the wire, too, no token is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of Grafana has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a token that works only after a while is waited for.
func TestKnownLate(t *testing.T) { wire.KnownLate(t) }

// K7: a dead token is refused for each answer that a Grafana may give to GET
// /api/user, also where anonymous visitors are let in.
func TestWhoATokenIs(t *testing.T) {
	for _, profile := range []int{http.StatusOK, http.StatusForbidden, http.StatusNotFound} {
		wire := wire
		wire.Server = func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l, profile: profile}).routes() }
		wire.Rotate(t, 3)
		w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
			s, ledger := wire.Subject(w, nil)
			ledger.Lose("first")
			return s
		})
		if report := preflight(t, w); report.OK || report.Checks[2].Code != rotation.CodeAuthRejected {
			t.Errorf("%d: a dead token passes: %+v", profile, report)
		}
	}
}

func preflight(t *testing.T, w *rotationtest.World) rotation.Preflight {
	t.Helper()
	handler, err := w.Handler(w.Outside.Process())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := handler.Handle(t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+w.Secret+`"}`))
	report, ok := answer.(rotation.Preflight)
	if err != nil || !ok {
		t.Fatalf("got %v, %v", answer, err)
	}
	return report
}

// A URL that leads elsewhere proves no token: what answers there takes one as it takes
// none.
func TestElsewhere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	value, err := rotation.ParseValue(rotation.NewSensitive(`{"api_key":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = grafana.New(apihttp.Client{Base: server.URL}, grafana.Config{}).Verify(t.Context(), value)
	if rotation.CodeOf(err) != rotation.CodeNotFound {
		t.Errorf("got %v, want the code %s", err, rotation.CodeNotFound)
	}
}

// Where tokens have to end, they do, and outlast the next rotation.
func TestLifetime(t *testing.T) {
	const lifetime = 90 * 24 * time.Hour
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l, longest: lifetime}).routes() }
	wire.Strategy = func(client apihttp.Client, now func() time.Time) rotation.Strategy {
		return strategy(client, grafana.Config{Lifetime: lifetime, Now: now})
	}
	wire.Rotate(t, 3)
}

// The ids of tokens are numbers, as in the documentation's example.
func TestDocumentedList(t *testing.T) {
	const example = `[{"id":1,"name":"grafana","role":"Viewer","created":"2022-03-23T10:31:02Z","expiration":null,"secondsUntilExpiration":0,"hasExpired":false}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(example)) }))
	defer server.Close()
	value := func(text string) rotation.Value {
		v, err := rotation.ParseValue(rotation.NewSensitive(text))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	account := apikey.Account{Secret: value(`{"service_account_id":"2"}`), Admin: value(`{"api_key":"a"}`)}
	keys, err := grafana.New(apihttp.Client{Base: server.URL}, grafana.Config{}).List(t.Context(), account)
	if want := (apikey.Key{ID: "1", Label: "grafana", Created: time.Date(2022, 3, 23, 10, 31, 2, 0, time.UTC)}); err != nil || len(keys) != 1 || keys[0] != want {
		t.Errorf("got %v, %v, want %v", keys, err, want)
	}
}

// server answers as
// https://grafana.com/docs/grafana/latest/developers/http_api/serviceaccount/ has it,
// but for ids, which are the book's.
type server struct {
	ledger  *apikeytest.Ledger
	longest time.Duration // that a token may live, 0 is for ever
	names   sync.Map      // that are taken
	profile int           // with which status a token is answered that asks who it is
}

type object = map[string]any

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	const tokens = "/api/serviceaccounts/2/tokens"
	mux.HandleFunc("GET /api/login/ping", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "Logged in") }) // to an anonymous visitor, too
	mux.HandleFunc("GET /api/user", s.user)
	mux.HandleFunc("GET "+tokens, s.asAdmin(s.list))
	mux.HandleFunc("POST "+tokens, s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+tokens+"/{id}", s.asAdmin(s.revoke))
	return mux
}

func (s *server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if apikeytest.Presented(call) != apikeytest.AdminKey {
			say(w, http.StatusForbidden, "You'll need additional permissions to perform this action.")
			return
		}
		serve(w, call)
	}
}

// user answers as Grafana's source has it: pkg/api/api.go asks for a user who is signed
// in and not anonymous.
func (s *server) user(w http.ResponseWriter, call *http.Request) {
	if _, ok := s.ledger.Accepts(apikeytest.Presented(call)); !ok {
		say(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	switch s.profile {
	case http.StatusForbidden:
		say(w, s.profile, "You'll need additional permissions to perform this action.")
	case http.StatusNotFound:
		say(w, s.profile, "user not found")
	default:
		_ = json.NewEncoder(w).Encode(object{"id": 0, "login": "sa-1-orders", "isDisabled": false})
	}
}

func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	listed := []object{}
	for _, key := range s.ledger.Keys() {
		listed = append(listed, object{"id": key.ID, "name": key.Label + " AB", "role": "Viewer", "created": key.Created, "expiration": nil, "hasExpired": false})
	}
	_ = json.NewEncoder(w).Encode(listed)
}

func (s *server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Name          string
		SecondsToLive int64
	}
	ends := time.Duration(0)
	if json.NewDecoder(call.Body).Decode(&wanted) == nil {
		ends = time.Duration(wanted.SecondsToLive) * time.Second
	}
	if wanted.Name == "" || len(wanted.Name) > 190 || ends > s.longest || s.longest > 0 && ends == 0 {
		say(w, http.StatusBadRequest, "Number of seconds before expiration should be set")
		return
	}
	if _, taken := s.names.LoadOrStore(wanted.Name, true); taken {
		say(w, http.StatusConflict, "service account token with given name already exists in the organization")
		return
	}
	label, _, _ := strings.Cut(wanted.Name, " ")
	key, _ := s.ledger.Create(label, "")
	_ = json.NewEncoder(w).Encode(object{"id": key.ID, "name": wanted.Name, "key": key.Secret})
}

func (s *server) revoke(w http.ResponseWriter, call *http.Request) {
	if !s.ledger.Revoke(call.PathValue("id")) {
		say(w, http.StatusNotFound, "Failed to delete service account token")
		return
	}
	say(w, http.StatusOK, "API key deleted")
}

func say(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"message": message})
}
