package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/providers/stripe/common/stripe"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted/assistedtest"
)

var wire = apikeytest.Wire{
	Server: func(l *apikeytest.Ledger) http.Handler { return server{l}.routes() },
	Ledger: func(l *apikeytest.Ledger) { l.Prefix = "rk_live_" },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return assisted.New(stripe.New(client, []string{"/v1/balance", "/v1/customers"}))
	},
	Before: assistedtest.Supply,
	After:  expire,
	Codes:  map[int]rotation.Code{http.StatusForbidden: ""}, // the key works and may not do this
}

// expire is what a person does in the Dashboard who is asked to: no key stays that
// the secret has no name for any more.
func expire(w *rotationtest.World, ledger *apikeytest.Ledger) {
	named := make(map[string]bool)
	for _, label := range []string{rotation.StageCurrent, rotation.StagePrevious} {
		if value, err := w.Value(label); err == nil {
			named[apikey.ID(value)] = true
		}
	}
	for _, key := range ledger.Keys() {
		if !named[key.ID] && !ledger.Foreign(key.ID) {
			ledger.Lose(key.ID)
		}
	}
}

// K4, K5, K7: over the wire, too, the supplied key is taken once, and none is
// revoked that is in use.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7: each answer of Stripe has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a key that may do less, is of the other mode or of another account, has ended
// or is none is refused with the reason.
func TestRefuses(t *testing.T) {
	for label, want := range map[string]rotation.Code{
		"no customers": rotation.CodeScopes, "of another account": rotation.CodeScopes, "no account": rotation.CodeScopes,
		"ended": rotation.CodeExpired, "deleted": rotation.CodeAuthRejected,
	} {
		t.Run(label, func(t *testing.T) { assistedtest.Refuses(t, wire, label, want) })
	}
	for _, test := range []struct {
		present, next string
		want          rotation.Code
	}{
		{"rk_live_", "rk_test_", rotation.CodeScopes},
		{"sk_live_", "rk_live_", rotation.CodeScopes},
		{"rk_live_", "pk_live_", rotation.CodeBadSecret},
		{"rk_live_", "sk_live_", ""},
	} {
		t.Run(test.present+" then "+test.next, func(t *testing.T) { follows(t, test.present, test.next, test.want) })
	}
}

// follows supplies a key that begins with next where the present one begins with
// something else.
func follows(t *testing.T, present, next string, want rotation.Code) {
	t.Helper()
	wire := wire
	wire.Before = nil
	var ledger *apikeytest.Ledger
	wire.Ledger = func(l *apikeytest.Ledger) { ledger, l.Prefix = l, present }
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := wire.Subject(w, nil)
		return s
	})
	ledger.Prefix = next
	key, _ := ledger.Create("made by hand", "")
	if err := assistedtest.Put(w, key.ID, key.Secret); err != nil {
		t.Fatal(err)
	}
	if err := assistedtest.Rotate(w); rotation.CodeOf(err) != want {
		t.Errorf("%v, want the code %q", err, want)
	}
}

// server answers as https://docs.stripe.com/api has it.
type server struct{ ledger *apikeytest.Ledger }

type object = map[string]any

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/account", s.account)
	mux.HandleFunc("GET /v1/balance", s.read("nothing"))
	mux.HandleFunc("GET /v1/customers", s.read("no customers"))
	return mux
}

func (s server) caller(w http.ResponseWriter, call *http.Request) (apikeytest.Key, bool) {
	key, ok := s.ledger.Accepts(apikeytest.Presented(call))
	switch {
	case call.Header.Get("Stripe-Version") == "":
		refuse(w, http.StatusBadRequest, "")
	case ok && key.Label == "ended":
		refuse(w, http.StatusUnauthorized, "api_key_expired")
	case !ok, key.Label == "deleted", strings.HasPrefix(key.Secret, "pk_"):
		refuse(w, http.StatusUnauthorized, "")
	default:
		return key, true
	}
	return key, false
}

func (s server) account(w http.ResponseWriter, call *http.Request) {
	key, ok := s.caller(w, call)
	if !ok {
		return
	}
	switch key.Label {
	case "no account":
		refuse(w, http.StatusForbidden, "")
	case "of another account":
		answer(w, object{"object": "account", "id": "acct_2"})
	default:
		answer(w, object{"object": "account", "id": "acct_1"})
	}
}

// read answers all keys but those of a label.
func (s server) read(but string) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if key, ok := s.caller(w, call); ok && key.Label == but {
			refuse(w, http.StatusForbidden, "")
		} else if ok {
			answer(w, object{"object": "list", "data": []object{}})
		}
	}
}

func answer(w http.ResponseWriter, body object) { _ = json.NewEncoder(w).Encode(body) }

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	answer(w, object{"error": object{"type": "invalid_request_error", "code": code, "message": "no"}})
}
