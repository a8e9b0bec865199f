// Package apikey is what every way of rotating an API key shares: how the key
// stands in the secret, how keys are labelled at the provider, and how a key is
// proven.
//
// It makes no call of its own: package httpapi does, for providers.
package apikey

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

// The keys of the secret that are the same for every provider. All others are the
// provider's.
const (
	KeyID     = "key_id"     // by which the provider knows the key
	KeyValue  = "api_key"    // the key itself, where it is one text
	KeyExpiry = "expires_at" // RFC 3339, where the key has an end
	KeyAdmin  = "admin_arn"  // of the secret with which keys are made and revoked
)

// Account is what a call to the provider is made with: the secret's own value,
// and that of its admin secret, empty if it names none.
type Account struct {
	Secret, Admin rotation.Value
}

// Open reads the admin secret that value names.
func Open(ctx context.Context, r *rotation.Rotation, value rotation.Value) (Account, error) {
	arn, ok := value.Get(KeyAdmin)
	if !ok || arn.IsZero() {
		return Account{Secret: value}, nil
	}
	admin, err := r.Secret(ctx, arn.Reveal())
	return Account{value, admin}, rotation.Within("admin secret", err)
}

// Text returns what stands under a key, which must be there and of one line: a paste
// may have brought a line break, or something else that cannot be seen.
func Text(value rotation.Value, key string) (rotation.Sensitive, error) {
	text, err := Lines(value, key)
	for i, r := range text.Reveal() {
		if unicode.IsPrint(r) {
			continue
		}
		where := "holds"
		if i+utf8.RuneLen(r) == len(text.Reveal()) {
			where = "ends with"
		}
		return text, rotation.Errorf(rotation.CodeBadSecret, "key %q %s the character %U, which cannot be seen: store it again without", key, where, r)
	}
	return text, err
}

// Lines is Text of as many lines as there are.
func Lines(value rotation.Value, key string) (rotation.Sensitive, error) {
	text, ok := value.Get(key)
	if !ok || text.IsZero() {
		return text, rotation.Errorf(rotation.CodeBadSecret, "key %q is missing or empty", key)
	}
	return text, nil
}

// least is how long a key has to be for what holds its text to be called a copy.
const least = 8

// Uncopied refuses a secret that holds its key a second time, such as in a URL or a
// header: a rotation changes those of credential and would leave the copy as it is.
func Uncopied(value rotation.Value, credential []string) error {
	text, _ := value.Get(KeyValue)
	key := text.Reveal()
	if len(key) < least {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value.Text().Reveal()), &fields); err != nil {
		return rotation.Errorf(rotation.CodeBadSecret, "the value is not a JSON object").Because(err)
	}
	quoted, _ := json.Marshal(key) // a string always is JSON
	forms := []string{key, strings.Trim(string(quoted), `"`), url.QueryEscape(key), url.PathEscape(key)}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		holds := func(form string) bool { return strings.Contains(string(fields[name]), form) }
		if !slices.Contains(credential, name) && slices.ContainsFunc(forms, holds) {
			return rotation.Errorf(rotation.CodeBadSecret, "key %q holds a copy of %q, which would not work any more after a rotation: remove it, and let the application put it together", name, KeyValue)
		}
	}
	return nil
}

// ID returns the id of value's key, "" if it has none: a person who seeds a
// secret may not know it.
func ID(value rotation.Value) string {
	id, _ := value.Get(KeyID)
	return id.Reveal()
}

// WithExpiry returns value with the end of its key. A zero one is none: the key is
// then added to no secret, and emptied where it is.
func WithExpiry(value rotation.Value, end time.Time) rotation.Value {
	if !end.IsZero() {
		return value.With(KeyExpiry, end.UTC().Format(time.RFC3339))
	}
	if _, had := value.Get(KeyExpiry); had {
		return value.With(KeyExpiry, "")
	}
	return value
}

// Key is a live key as the provider lists it.
type Key struct {
	ID      string
	Label   string // what [Label] gave it when it was made, or whatever else it is called
	Created time.Time
}

// Name is what a new key is called.
type Name struct {
	Label string // to find it by
	Once  string // the idempotency key: for the same the provider makes no second key
}

// Label is what a key is called that the rotation token of a secret makes: it
// tells whose the key is when nothing else is left to tell. Of the secret it has
// a digest, because providers cut long names off.
func Label(secretARN, token string) string {
	if len(token) > len("00000000-0000-0000-0000-000000000000") {
		token = digest(token)
	}
	return Prefix(secretARN) + token
}

// Prefix begins the labels of all keys of a secret, and of no other secret.
func Prefix(secretARN string) string { return labelled + digest(secretARN)[:12] + "-" }

// labelled begins every label.
const labelled = "rotation-"

// Labelled reports whether the rotation of some secret gave a key its label.
func Labelled(label string) bool { return strings.HasPrefix(label, labelled) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// AdminTrier is a provider that can try the admin's credential by a call that changes
// nothing.
type AdminTrier interface {
	TryAdmin(ctx context.Context, account Account) error
}

// Verifier is what every provider can do, even one whose keys a person makes.
type Verifier interface {
	// Credential are the keys of the secret that make up the credential:
	// [KeyID], if keys have one, and all others that change with it.
	Credential() []string
	// Verify makes an authenticated call with value's key and returns what the
	// key may do, nil if the provider does not tell. A key that the provider
	// does not know is [rotation.CodeAuthRejected].
	Verify(ctx context.Context, value rotation.Value) (scopes []string, err error)
}

// How long a new key is given to become known everywhere, at the most, and the
// time between two looks. The invocation's time ends it sooner.
const (
	rideFor   = time.Minute
	ridePause = 2 * time.Second
)

// Ride verifies a new key until the provider knows it everywhere or the
// invocation's time is up (K7).
func Ride(ctx context.Context, r *rotation.Rotation, v Verifier, value rotation.Value) (scopes []string, err error) {
	end := r.Now().Add(rideFor)
	for {
		scopes, refusal := v.Verify(ctx, value)
		switch rotation.CodeOf(refusal) {
		case rotation.CodeAuthRejected, rotation.CodeThrottled, rotation.CodeServer,
			rotation.CodeUnreachable, rotation.CodeNoAnswer, rotation.CodeDisconnected:
			err = refusal
		case rotation.CodeDeadline:
			return nil, cmp.Or(err, refusal) // what was said before says more
		default:
			return scopes, refusal
		}
		if r.Now().After(end) || r.Wait(ctx, ridePause) != nil {
			return nil, err
		}
	}
}

// Prove rides out what a new key needs to become known, and holds it against the
// present one: it may do at least as much (K7) and it ends after the next
// rotation. A present key that the provider refuses has nothing to say.
func Prove(ctx context.Context, r *rotation.Rotation, v Verifier, current, next rotation.Value) error {
	scopes, err := Ride(ctx, r, v, next)
	if err != nil {
		return err
	}
	if err := Outlasts(next, r.Now(), r.Due()); err != nil {
		return err
	}
	if scopes == nil {
		return nil
	}
	present, err := v.Verify(ctx, current)
	switch rotation.CodeOf(err) {
	case "":
	case rotation.CodeAuthRejected, rotation.CodeExpired:
		r.Log.WarnContext(ctx, "the provider refuses AWSCURRENT's key: the new key's scopes cannot be compared")
		return nil
	default:
		return rotation.Within("AWSCURRENT", err)
	}
	missing := slices.DeleteFunc(slices.Clone(present), func(scope string) bool { return slices.Contains(scopes, scope) })
	if len(missing) > 0 {
		return rotation.Errorf(rotation.CodeScopes, "the new key lacks what the present one may do: %q", strings.Join(missing, ", "))
	}
	return nil
}

// margin is how long a key has to live on if the date of the next rotation is
// unknown.
const margin = 24 * time.Hour

// Outlasts refuses a key that ends before the next rotation can have replaced it.
func Outlasts(value rotation.Value, now, due time.Time) error {
	text, ok := value.Get(KeyExpiry)
	if !ok || text.IsZero() {
		return nil
	}
	expiry, err := time.Parse(time.RFC3339, text.Reveal())
	if err != nil {
		return rotation.Errorf(rotation.CodeBadSecret, "key %q is not a time such as 2026-01-31T00:00:00Z", KeyExpiry)
	}
	if due.Before(now) {
		due = now
	}
	if expiry.Before(due.Add(margin)) {
		return rotation.Errorf(rotation.CodeExpired, "the new key ends at %s, which is less than %s after the next rotation", expiry.UTC().Format(time.RFC3339), margin)
	}
	return nil
}
