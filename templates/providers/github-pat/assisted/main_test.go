package main

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/github-pat/common/githubpat"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted/assistedtest"
)

var wire = apikeytest.Wire{
	Server: func(l *apikeytest.Ledger) http.Handler { return server{l}.routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return assisted.New(githubpat.New(client, []string{"/repos/acme/app"}))
	},
	Before: assistedtest.Supply,
}

// K4, K5, K7, K8: over the wire, too, the supplied token is taken once, the one of two
// generations ago ends, and none of another secret does.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7: each answer of GitHub has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a token that may do less, is someone else's, does not work or ends too soon
// is refused with the reason.
func TestRefuses(t *testing.T) {
	for label, want := range map[string]rotation.Code{
		"public only": rotation.CodeScopes, "fine-grained": rotation.CodeScopes, "elsewhere": rotation.CodeScopes, "of another": rotation.CodeScopes,
		"ended": rotation.CodeAuthRejected, "ends in ten days": rotation.CodeExpired,
	} {
		t.Run(label, func(t *testing.T) { assistedtest.Refuses(t, wire, label, want) })
	}
}

// K7: a token may do more than the present one, and its end becomes the secret's.
func TestTakes(t *testing.T) {
	assistedtest.Takes(t, wire, "all and an end", map[string]string{"expires_at": "2027-01-01T00:00:00Z"})
	assistedtest.Takes(t, wire, "no end", map[string]string{"expires_at": ""})
}

// kinds are the tokens that there are, by what the book calls them; any other is a
// classic one that may reach repositories.
var kinds = map[string]struct{ scopes, end, login string }{
	"public only":      {scopes: "public_repo, gist"},
	"elsewhere":        {scopes: "repo, gist"},
	"of another":       {scopes: "repo, gist", login: "hubot"},
	"ends in ten days": {scopes: "repo, gist", end: "2026-02-05 00:00:00 UTC"},
	"all and an end":   {scopes: "admin:org, gist, repo, workflow", end: "2027-01-01 02:00:00 +0200"},
	"no end":           {scopes: "repo, gist"},
	"fine-grained":     {},
}

// server answers as https://docs.github.com/en/rest/users/users and
// https://docs.github.com/en/rest/credentials/revoke have it.
type server struct{ ledger *apikeytest.Ledger }

func (s server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /user", s.user)
	mux.HandleFunc("GET /repos/acme/app", s.repository)
	mux.HandleFunc("POST /credentials/revoke", s.revoke)
	return mux
}

func (s server) caller(w http.ResponseWriter, call *http.Request) (apikeytest.Key, bool) {
	key, ok := s.ledger.Accepts(apikeytest.Presented(call))
	if !ok || key.Label == "ended" || call.Header.Get("X-GitHub-Api-Version") == "" {
		refuse(w, http.StatusUnauthorized, "Bad credentials")
		return key, false
	}
	return key, true
}

func (s server) user(w http.ResponseWriter, call *http.Request) {
	key, ok := s.caller(w, call)
	if !ok {
		return
	}
	kind, special := kinds[key.Label]
	if !special {
		kind.scopes = "gist, public_repo, repo:status"
	}
	if kind.scopes != "" {
		w.Header().Set("X-OAuth-Scopes", kind.scopes)
	}
	if kind.end != "" {
		w.Header().Set("GitHub-Authentication-Token-Expiration", kind.end)
	}
	if kind.login == "" {
		kind.login = "octocat"
	}
	answer(w, map[string]string{"login": kind.login})
}

func (s server) repository(w http.ResponseWriter, call *http.Request) {
	if key, ok := s.caller(w, call); ok && key.Label == "elsewhere" {
		refuse(w, http.StatusNotFound, "Not Found")
	} else if ok {
		answer(w, map[string]string{"full_name": "acme/app"})
	}
}

func (s server) revoke(w http.ResponseWriter, call *http.Request) {
	if call.Header.Get("Authorization") != "" {
		refuse(w, http.StatusForbidden, "Forbidden")
		return
	}
	var wanted struct{ Credentials []string }
	if json.NewDecoder(call.Body).Decode(&wanted) != nil || len(wanted.Credentials) != 1 {
		refuse(w, http.StatusUnprocessableEntity, "Validation failed")
		return
	}
	if key, ok := s.ledger.Accepts(wanted.Credentials[0]); ok {
		s.ledger.Revoke(key.ID)
	}
	w.WriteHeader(http.StatusAccepted)
}

func answer(w http.ResponseWriter, body any) { _ = json.NewEncoder(w).Encode(body) }

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	answer(w, map[string]string{"message": message})
}
