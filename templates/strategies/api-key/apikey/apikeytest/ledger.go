// Package apikeytest is a provider of API keys for tests: the book that it keeps
// of its keys, which is the witness of what a rotation did, a provider in memory
// over it, and what it takes to put a provider's own HTTP client before a scripted
// server and through package rotationtest's faults.
package apikeytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
)

// Key is a live key.
type Key struct {
	ID, Secret, Label string
	Created           time.Time
}

// The admin's key, and the key that the secret is seeded with. Neither may ever be
// told.
const (
	AdminKey = "admin-key-sentinel-77aa"
	FirstKey = "first-key-sentinel-11bb"
)

// Foreign is the label of a key that is none of the rotation's business.
const Foreign = "somebody else's"

// Neighbour is a key of another secret that shares the provider. People store it in
// the secret by mistake, and put that right before the first rotation.
type Neighbour struct {
	Key
	Value string // what the other secret holds: the key itself, or the half that is not told
}

// Ledger is a provider's book of keys. Set its fields before the first rotation.
type Ledger struct {
	// Room is how many keys can be alive at once, foreign ones left out; 0 is
	// as many as one likes.
	Room int
	// Lag is how long a new key is not accepted yet.
	Lag time.Duration
	// ListLag is how long a new key is not listed yet.
	ListLag time.Duration
	// Known is what the provider knows of a key that the secret has, nil for the
	// key itself: of a pair, only the public one.
	Known func(key string) string
	// Replays lets the provider answer to an idempotency key with the key that
	// it made for it before, revoked or not.
	Replays bool
	// Prefix begins every key that is made here, and the first one, where a
	// provider's keys tell by their beginning what they are.
	Prefix string

	// Neighbours are the keys that are stored by mistake: one that another secret's
	// rotation made, and one that a person made.
	Neighbours []Neighbour

	world   *rotationtest.World
	mu      sync.Mutex
	keys    []Key
	past    map[string]Key // by idempotency key
	made    int
	wrong   []error  // what was revoked and must not have been
	revoked []string // ids of what was revoked, which the log has to tell
}

// NewLedger opens a book with keys in it that are none of the secret's, and the key
// that the secret is seeded with.
func NewLedger(w *rotationtest.World) *Ledger {
	l := &Ledger{world: w, past: make(map[string]Key)}
	before := w.Now().Add(-time.Hour)
	l.keys = []Key{
		{ID: "foreign", Secret: "foreign-key", Label: Foreign, Created: before},
		{ID: "first", Secret: FirstKey, Label: "made by hand", Created: before},
	}
	const neighbour = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:neighbour-AbCdEf"
	l.Neighbours = []Neighbour{
		{Key{"neighbour", "key of a neighbour", apikey.Label(neighbour, "00000000-0000-4000-8000-000000000001"), before}, "key of a neighbour"},
		{Key{"handmade", "key of another neighbour", "made by hand for another", before}, "key of another neighbour"},
	}
	return l
}

// first returns the key that the secret is seeded with.
func (l *Ledger) first() string {
	secret := l.Prefix + FirstKey
	for i := range l.keys {
		if l.keys[i].ID == "first" {
			l.keys[i].Secret = secret
		}
	}
	return secret
}

// Foreign reports whether a key is none of the secret's.
func (l *Ledger) Foreign(id string) bool {
	return id == "foreign" || slices.ContainsFunc(l.Neighbours, func(n Neighbour) bool { return n.ID == id })
}

// confuse stores each neighbour's key in the secret and puts that right again: no
// rotation has begun meanwhile.
func (l *Ledger) confuse() error {
	right, err := l.world.Value(rotation.StageCurrent)
	if err != nil {
		return err
	}
	for i, n := range l.Neighbours {
		if l.Known == nil {
			l.Neighbours[i].Secret, n.Value = l.Prefix+n.Secret, l.Prefix+n.Value
		}
		l.keys = append(l.keys, l.Neighbours[i].Key)
		for _, value := range []rotation.Value{right.With(apikey.KeyID, n.ID).With(apikey.KeyValue, n.Value), right} {
			_, err := l.world.Store.PutSecretValue(context.Background(), &secretsmanager.PutSecretValueInput{
				SecretId: &l.world.Secret, ClientRequestToken: aws.String(l.world.Token()), SecretString: aws.String(value.Text().Reveal()),
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Create makes a key; ok is false if there is no room for it.
func (l *Ledger) Create(label, once string) (key Key, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if past, ok := l.past[once]; ok && l.Replays {
		return past, true
	}
	ours := slices.DeleteFunc(slices.Clone(l.keys), func(k Key) bool { return l.Foreign(k.ID) })
	if l.Room > 0 && len(ours) >= l.Room {
		return Key{}, false
	}
	l.made++
	key = Key{
		ID: fmt.Sprintf("key%d", l.made), Secret: l.Prefix + fmt.Sprintf("key-sentinel-%d-5c5c", l.made),
		Label: label, Created: l.world.Now(),
	}
	l.keys = append(l.keys, key)
	l.past[once] = key
	return key, true
}

// Register accepts a key that someone else made. One that is accepted already
// stays as it is.
func (l *Ledger) Register(id, secret, label string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.ContainsFunc(l.keys, func(k Key) bool { return k.ID == id }) {
		l.keys = append(l.keys, Key{ID: id, Secret: secret, Label: label, Created: l.world.Now()})
	}
}

// Revoke ends a key and reports whether there was one. One that AWSCURRENT names
// at this moment is noted down as a wrong, and so is AWSPREVIOUS's if there is
// room for more, and one of which the rotator's log says nothing.
func (l *Ledger) Revoke(id string) bool {
	stages := []string{rotation.StageCurrent}
	if l.Room == 0 {
		stages = append(stages, rotation.StagePrevious)
	}
	for _, stage := range stages {
		if value, err := l.world.Value(stage); err == nil && apikey.ID(value) == id {
			l.note(fmt.Errorf("key %s was revoked, which %s names", id, stage))
		}
	}
	gone := l.Lose(id)
	if gone {
		l.mu.Lock()
		l.revoked = append(l.revoked, id)
		l.mu.Unlock()
	}
	return gone
}

// logged reports whether a line of the log says of a key that it is revoked, and why.
func logged(output, id string) bool {
	for line := range strings.Lines(output) {
		if !strings.Contains(line, `"msg":"revoking a key"`) {
			continue
		}
		var said struct{ Key, Reason string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Key == id && said.Reason != "" {
			return true
		}
	}
	return false
}

// Lose ends a key as a person does, or time.
func (l *Ledger) Lose(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := len(l.keys)
	l.keys = slices.DeleteFunc(l.keys, func(k Key) bool { return k.ID == id })
	return len(l.keys) < before
}

func (l *Ledger) note(wrong error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, wrong)
}

// Roll replaces a key by another, which keeps its id and its label.
func (l *Ledger) Roll(id string) (Key, bool) {
	l.mu.Lock()
	l.made++
	secret := fmt.Sprintf("key-sentinel-%d-5c5c", l.made)
	l.mu.Unlock()
	return l.Replace(id, secret)
}

// Replace is Roll to a key that someone else made. One that is it already stays as
// it is.
func (l *Ledger) Replace(id, secret string) (Key, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, key := range l.keys {
		if key.ID != id {
			continue
		}
		if key.Secret != secret {
			l.keys[i].Secret, l.keys[i].Created = secret, l.world.Now()
		}
		return l.keys[i], true
	}
	return Key{}, false
}

// Keys returns the live keys.
func (l *Ledger) Keys() []Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.keys)
}

// Listed returns the live keys that the provider's list has by now.
func (l *Ledger) Listed() []Key {
	return slices.DeleteFunc(l.Keys(), func(k Key) bool { return l.world.Now().Before(k.Created.Add(l.ListLag)) })
}

// Accepts returns the key that a caller presents, if it is alive and known by now.
func (l *Ledger) Accepts(secret string) (Key, bool) {
	for _, key := range l.Keys() {
		if key.Secret == secret && !l.world.Now().Before(key.Created.Add(l.Lag)) {
			return key, true
		}
	}
	return Key{}, false
}

// Subject returns the rotation of this provider's keys for
// [rotationtest.NewWorld] and [rotationtest.Prove], with the book as its witness.
// initial is the secret's first value, which names the key "first".
func (l *Ledger) Subject(initial string, strategy func(*rotationtest.Process) (rotation.Strategy, error)) rotationtest.Subject {
	return rotationtest.Subject{
		Initial:   initial,
		Strategy:  strategy,
		Seeded:    l.confuse,
		Works:     l.works,
		Recovered: l.recovered,
		Tidy:      l.tidy,
		Sensitive: []string{apikey.KeyValue},
		Secrets:   []string{AdminKey, FirstKey, "key-sentinel"},
	}
}

// Single is a subject of a provider that has one key, and replaces it: between its
// answer and the move of the label AWSCURRENT is dead, and AWSPREVIOUS from then on.
func Single(s rotationtest.Subject) rotationtest.Subject {
	s.Single, s.GapPoints, s.Tidy = true, 4, nil
	return s
}

// works asks for the key that the value names: what an application sends.
func (l *Ledger) works(value rotation.Value) error {
	if text, ok := value.Get(apikey.KeyValue); ok {
		secret := text.Reveal()
		if l.Known != nil {
			secret = l.Known(secret)
		}
		if _, ok := l.Accepts(secret); ok {
			return nil
		}
	}
	return fmt.Errorf("key %s is not alive", apikey.ID(value))
}

// recovered returns nil if nothing was revoked that is in use, no
// foreign key was touched, and no rotation has more than one key.
func (l *Ledger) recovered() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	wrong := slices.Clone(l.wrong)
	for _, id := range l.revoked {
		if !logged(l.world.Output(), id) {
			wrong = append(wrong, fmt.Errorf("key %s was revoked, and no line of the log says so", id))
		}
	}
	count := make(map[string]int)
	for _, key := range l.keys {
		count[key.Label]++
	}
	for label, n := range count {
		if strings.HasPrefix(label, apikey.Prefix(l.world.Secret)) && n > 1 {
			wrong = append(wrong, fmt.Errorf("%d keys are alive that one rotation made", n))
		}
	}
	for _, id := range []string{"foreign", l.Neighbours[0].ID, l.Neighbours[1].ID} {
		if !slices.ContainsFunc(l.keys, func(k Key) bool { return k.ID == id }) {
			wrong = append(wrong, fmt.Errorf("the key %s of somebody else is gone", id))
		}
	}
	return errors.Join(wrong...)
}

// tidy is recovered, and no key is alive but what AWSCURRENT and AWSPREVIOUS
// name, and the foreign one; those two are.
func (l *Ledger) tidy() error {
	if err := l.recovered(); err != nil {
		return err
	}
	named := make(map[string]bool)
	for _, stage := range []string{rotation.StageCurrent, rotation.StagePrevious} {
		value, err := l.world.Value(stage)
		if err != nil {
			continue // no rotation has been yet
		}
		named[apikey.ID(value)] = true
		if l.works(value) != nil {
			return fmt.Errorf("%s's key %s is not alive", stage, apikey.ID(value))
		}
	}
	for _, key := range l.Keys() {
		if !named[key.ID] && !l.Foreign(key.ID) {
			return fmt.Errorf("key %s is alive, which neither AWSCURRENT nor AWSPREVIOUS names", key.ID)
		}
	}
	return nil
}
