package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/auth0/common/auth0"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/roll/apikey/roll"
)

const (
	tenant  = "https://api.example.com"
	rotator = "rotator" // the admin's application
	api     = "https://api.example.com/"
)

var wire = apikeytest.Wire{
	Initial: `{"audience":"` + api + `"}`,
	Admin:   `{"key_id":"` + rotator + `","api_key":"` + apikeytest.AdminKey + `"}`,
	Single:  true,
	Server:  func(l *apikeytest.Ledger) http.Handler { return server{l}.routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		client.Base = tenant
		return roll.New(auth0.New(client))
	},
}

// K0, K1, C11, C18: over the wire, too, a rotation that is killed is completed by the
// next try, and AWSCURRENT is dead only until then.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of Auth0 has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a client secret that works only after the half minute that Auth0 speaks of is
// waited for.
func TestKnownLate(t *testing.T) {
	wire := wire
	wire.Ledger = func(l *apikeytest.Ledger) { l.Lag = 30 * time.Second }
	wire.Rotate(t, 3)
}

// server answers as https://auth0.com/docs/api/management/v2/clients/patch-clients-by-id
// and https://auth0.com/docs/api/authentication/client-credentials-flow/get-token have
// it.
type server struct{ ledger *apikeytest.Ledger }

type object = map[string]any

// An access token shows in an output as the admin's key would.
const managementToken = "token-" + apikeytest.AdminKey

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("PATCH /api/v2/clients/{id}", s.patch)
	return mux
}

func (s server) token(w http.ResponseWriter, call *http.Request) {
	form := apikeytest.Form(call)
	id, secret := form.Get("client_id"), form.Get("client_secret")
	token, audience := managementToken, tenant+"/api/v2/"
	known := id == rotator && secret == apikeytest.AdminKey
	if id != rotator {
		var key apikeytest.Key
		key, known = s.ledger.Accepts(secret)
		known = known && key.ID == id
		token, audience = "token-"+secret, api
	}
	switch {
	case form.Get("grant_type") != "client_credentials":
		refuse(w, http.StatusForbidden, "unauthorized_client")
	case !known:
		refuse(w, http.StatusUnauthorized, "access_denied")
	case form.Get("audience") != audience:
		refuse(w, http.StatusForbidden, "access_denied")
	default:
		_ = json.NewEncoder(w).Encode(object{"access_token": token, "token_type": "Bearer", "expires_in": 86400})
	}
}

func (s server) patch(w http.ResponseWriter, call *http.Request) {
	if apikeytest.Presented(call) != managementToken {
		refuse(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	var wanted map[string]string
	if json.NewDecoder(call.Body).Decode(&wanted) != nil || len(wanted) != 1 || len(wanted["client_secret"]) < 48 {
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	key, ok := s.ledger.Replace(call.PathValue("id"), wanted["client_secret"])
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	_ = json.NewEncoder(w).Encode(object{"client_id": key.ID})
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"error": text, "error_description": http.StatusText(status)})
}
