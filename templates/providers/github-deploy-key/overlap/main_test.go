package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/providers/github-deploy-key/common/githubdeploykey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// The keys of someone else and of the secret's first value.
var foreign, first = newPair(1), newPair(2)

// pair is a key in the forms that occur.
type pair struct{ private, public, fingerprint string }

func newPair(seed byte) pair {
	private := ed25519.NewKeyFromSeed(slices.Repeat([]byte{seed}, ed25519.SeedSize))
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		panic(err) // of the test alone
	}
	text := string(pem.EncodeToMemory(block))
	return pair{text, public(text), fingerprint(public(text))}
}

// public is all that GitHub knows of a private key.
func public(private string) string {
	key, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

func fingerprint(public string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

func initial(private string) string {
	text, err := json.Marshal(map[string]string{"repository": "shop/web", "read_only": "false", apikey.KeyID: first.fingerprint, apikey.KeyValue: private})
	if err != nil {
		panic(err) // of the test alone
	}
	return string(text)
}

// The SSH server is behind the wire as well, so that it meets the same faults; package
// githubdeploykey tests how it is talked to.
var wire = apikeytest.Wire{
	Initial: initial(first.private),
	Ledger:  seed,
	Server:  func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l}).routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		door := client
		door.Base = "https://github.com"
		return overlap.New(githubdeploykey.New(client, func(ctx context.Context, key ssh.Signer, repository string) error {
			var answer struct{}
			return door.Do(ctx, apihttp.Request{
				Method: http.MethodGet, Path: "/" + repository,
				Query: url.Values{"key": {strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))}},
			}, &answer)
		}), overlap.Config{})
	},
}

func seed(l *apikeytest.Ledger) {
	l.Known = public
	l.Lose("first")
	l.Register(first.fingerprint, first.public, "made by hand")
}

// K0, K1, K2, K3, K4, K8: over the wire, too, no key is lost, none is left, and none of
// another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of GitHub has its code.
func TestAnswers(t *testing.T) { wire.Answers(t) }

// K7: a key that works only after a while is waited for.
func TestKnownLate(t *testing.T) {
	wire := wire
	wire.Ledger = func(l *apikeytest.Ledger) { seed(l); l.Lag = 20 * time.Second }
	wire.Rotate(t, 5)
}

// K1, K6: keys on later pages are found as well, and unknown kinds do not matter.
func TestPages(t *testing.T) {
	wire := wire
	wire.Server = func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l, crowd: 2}).routes() }
	wire.Rotate(t, 3)
}

// K0: a private key is stored before GitHub knows its public one.
func TestStoredFirst(t *testing.T) {
	w := rotationtest.NewWorld(t, func(w *rotationtest.World) rotationtest.Subject {
		s, _ := wire.Subject(w, nil)
		return s
	})
	token := w.Token()
	if err := w.Request(token); err != nil {
		t.Fatal(err)
	}
	if err := w.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	calls := w.Outside.Calls()
	put, register := slices.Index(calls, "PutSecretValue"), slices.Index(calls, "POST /repos/shop/web/keys")
	if put < 0 || register < put {
		t.Errorf("PutSecretValue is call %d and the registration call %d", put, register)
	}
}

// The first key may be typed at a prompt, which takes one line.
func TestOneLine(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(first.private), "\n")
	verify := func(private string) error {
		value, err := rotation.ParseValue(rotation.NewSensitive(initial(private)))
		if err != nil {
			t.Fatal(err)
		}
		knocked := func(context.Context, ssh.Signer, string) error { return nil }
		_, err = githubdeploykey.New(apihttp.Client{}, knocked).Verify(t.Context(), value)
		return err
	}
	for text, want := range map[string]rotation.Code{
		first.private:                           "",
		strings.Join(lines[1:len(lines)-1], ""): "",
		foreign.private:                         rotation.CodeIdentity,
		first.public:                            rotation.CodeBadSecret,
		"AAAA":                                  rotation.CodeBadSecret,
	} {
		if err := verify(text); rotation.CodeOf(err) != want {
			t.Errorf("got %v, want the code %q", err, want)
		}
	}
}

// server answers as https://docs.github.com/en/rest/deploy-keys/deploy-keys has it, and
// at github.com in an SSH server's place.
type server struct {
	ledger *apikeytest.Ledger
	crowd  int // pages of other keys before those of the book

	mu      sync.Mutex
	numbers []string // fingerprints by the number that GitHub has given them
}

type object = map[string]any

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	const keys = "api.github.com/repos/shop/web/keys"
	mux.HandleFunc("GET github.com/shop/web", s.knock)
	mux.HandleFunc("GET "+keys, s.asAdmin(s.list))
	mux.HandleFunc("POST "+keys, s.asAdmin(s.create))
	mux.HandleFunc("DELETE "+keys+"/{number}", s.asAdmin(s.revoke))
	return mux
}

func (s *server) asAdmin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		switch {
		case apikeytest.Presented(call) != apikeytest.AdminKey:
			refuse(w, http.StatusUnauthorized, "Bad credentials")
		case call.Header.Get("Accept") != "application/vnd.github+json" || call.Header.Get("X-Github-Api-Version") == "":
			refuse(w, http.StatusBadRequest, "which version?")
		default:
			serve(w, call)
		}
	}
}

func (s *server) knock(w http.ResponseWriter, call *http.Request) {
	if _, ok := s.ledger.Accepts(call.URL.Query().Get("key")); !ok {
		refuse(w, http.StatusUnauthorized, "Permission denied (publickey).")
		return
	}
	_ = json.NewEncoder(w).Encode(object{})
}

func (s *server) list(w http.ResponseWriter, call *http.Request) {
	page := []object{}
	switch number, _ := strconv.Atoi(call.URL.Query().Get("page")); {
	case call.URL.Query().Get("per_page") != "100":
	case number <= s.crowd:
		page = slices.Repeat([]object{s.describe(apikeytest.Key{ID: "crowd", Label: apikeytest.Foreign})}, 100)
		page[0]["key"] = "ssh-new AAAA" // of a kind that came later
	case number == s.crowd+1:
		for _, key := range s.ledger.Keys() {
			page = append(page, s.describe(key))
		}
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (s *server) create(w http.ResponseWriter, call *http.Request) {
	var wanted struct {
		Title, Key string
		ReadOnly   *bool `json:"read_only"`
	}
	_ = json.NewDecoder(call.Body).Decode(&wanted)
	id := fingerprint(wanted.Key)
	known := slices.ContainsFunc(s.ledger.Keys(), func(k apikeytest.Key) bool { return k.ID == id })
	if id == "" || wanted.Title == "" || known || wanted.ReadOnly == nil || *wanted.ReadOnly {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed") // "key is already in use"
		return
	}
	s.ledger.Register(id, wanted.Key, wanted.Title)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(s.describe(apikeytest.Key{ID: id, Secret: wanted.Key, Label: wanted.Title}))
}

func (s *server) revoke(w http.ResponseWriter, call *http.Request) {
	s.mu.Lock()
	id := ""
	for i, fingerprint := range s.numbers {
		if call.PathValue("number") == number(i) {
			id = fingerprint
		}
	}
	s.mu.Unlock()
	if !s.ledger.Revoke(id) {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) describe(key apikeytest.Key) object {
	if key.Label == apikeytest.Foreign {
		key.Secret = foreign.public
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.numbers, key.ID)
	if i < 0 {
		i = len(s.numbers)
		s.numbers = append(s.numbers, key.ID)
	}
	return object{"id": json.Number(number(i)), "title": key.Label, "key": key.Secret, "verified": true, "read_only": false, "created_at": key.Created}
}

func number(i int) string { return strconv.Itoa(101 + i) }

func refuse(w http.ResponseWriter, status int, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(object{"message": message})
}
