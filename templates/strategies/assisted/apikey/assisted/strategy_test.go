package assisted_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted"
	"github.com/rotasmith/rotasmith/templates/strategies/assisted/apikey/assisted/assistedtest"
)

// bench is a world whose person does only what a test says.
type bench struct {
	*rotationtest.World
	t      *testing.T
	ledger *apikeytest.Ledger
}

func newBench(t *testing.T, as func(apikeytest.Provider) assisted.Provider) bench {
	t.Helper()
	b := bench{t: t}
	b.World = rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, b.ledger = subject(w, as)
		return s
	})
	return b
}

// supply supplies a key of the person's own.
func (b bench) supply(id, secret string) {
	b.t.Helper()
	if err := assistedtest.Put(b.World, id, secret); err != nil {
		b.t.Fatal(err)
	}
}

// rotate makes a key, supplies it and rotates.
func (b bench) rotate() apikeytest.Key {
	b.t.Helper()
	b.Pass(24 * time.Hour)
	key, _ := b.ledger.Create("made by hand", "")
	b.supply(key.ID, key.Secret)
	if err := assistedtest.Rotate(b.World); err != nil {
		b.t.Fatal(err)
	}
	return key
}

// refused holds a rotation to failing with a code and to leaving nothing behind.
func (b bench) refused(want rotation.Code) {
	b.t.Helper()
	before := b.Holder(rotation.StageCurrent)
	err := assistedtest.Rotate(b.World)
	if got := rotation.CodeOf(err); got != want {
		b.t.Errorf("%v, want the code %s", err, want)
	}
	if b.Store.InFlight(b.Secret) != "" || b.Holder(rotation.StageCurrent) != before {
		b.t.Error("something is left of the rotation")
	}
	if err := b.Silent(err); err != nil {
		b.t.Error(err)
	}
}

// K7: without a supply the schedule only reminds; once there is one, it is taken
// and its label goes.
func TestAwaitsOperator(t *testing.T) {
	b := newBench(t, asRevoker)
	b.refused(rotation.CodeAwaitingOperator)
	b.refused(rotation.CodeAwaitingOperator)
	key := b.rotate()
	if value, err := b.Value(rotation.StageCurrent); err != nil || apikey.ID(value) != key.ID {
		t.Errorf("AWSCURRENT has the key %s (%v), want %s", apikey.ID(value), err, key.ID)
	}
	b.refused(rotation.CodeAwaitingOperator)
}

// K7: a key that the secret has already, one that the provider does not know, and
// one that was not supplied in the way that is documented.
func TestRefusesKeys(t *testing.T) {
	b := newBench(t, asRevoker)
	b.supply("first", apikeytest.FirstKey)
	b.refused(rotation.CodeSameValue)
	b.rotate()
	b.supply("another name for it", apikeytest.FirstKey) // AWSPREVIOUS's
	b.refused(rotation.CodeSameValue)
	b.supply("", "key-sentinel-of-nobody")
	b.refused(rotation.CodeAuthRejected)
	if err := put(b, `{"api_key":"key-sentinel-by-hand"}`); err != nil {
		t.Fatal(err)
	}
	b.refused(rotation.CodeBadSecret)
}

// replace makes text AWSCURRENT.
func (b bench) replace(text string) {
	b.t.Helper()
	_, err := b.Store.PutSecretValue(b.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &b.Secret, ClientRequestToken: aws.String(b.Token()), SecretString: &text,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// K7: a supply's id is taken although AWSCURRENT has none.
func TestFirstID(t *testing.T) {
	b := newBench(t, asRevoker)
	b.replace(`{"api_key":"` + apikeytest.FirstKey + `"}`)
	key := b.rotate()
	if value, err := b.Value(rotation.StageCurrent); err != nil || apikey.ID(value) != key.ID {
		t.Errorf("AWSCURRENT has the key %q (%v), want %s", apikey.ID(value), err, key.ID)
	}
}

// C16: a secret that holds its key twice takes no new one: the copy would stay.
func TestCopyOfTheKey(t *testing.T) {
	b := newBench(t, asRevoker)
	value, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	b.replace(value.With("authorization", "Bearer "+apikeytest.FirstKey).Text().Reveal())
	key, _ := b.ledger.Create("made by hand", "")
	b.supply(key.ID, key.Secret)
	b.refused(rotation.CodeBadSecret)
}

// put puts a version with the label by hand.
func put(b bench, value string) error {
	_, err := b.Store.PutSecretValue(b.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &b.Secret, ClientRequestToken: aws.String(b.Token()),
		SecretString: &value, VersionStages: []string{assisted.LabelSupplied},
	})
	return err
}

// C4, C5: nothing but the key is taken from a supply.
func TestOnlyTheKeyCounts(t *testing.T) {
	b := newBench(t, asRevoker)
	before, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := b.ledger.Create("made by hand", "")
	if err := put(b, `{"supplied":"true","key_id":"`+key.ID+`","api_key":"`+key.Secret+`","admin_arn":"arn:aws:elsewhere","zone":"us"}`); err != nil {
		t.Fatal(err)
	}
	if err := assistedtest.Rotate(b.World); err != nil {
		t.Fatal(err)
	}
	after, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	if differs := after.Differences(before, apikey.KeyID, apikey.KeyValue, apikey.KeyRotation); len(differs) > 0 || apikey.ID(after) != key.ID {
		t.Errorf("the secret differs in %q and names the key %s", differs, apikey.ID(after))
	}
}

// K4, K5: the key of two generations ago is revoked, and neither the previous one
// nor one that was refused, which may be someone else's.
func TestRevokesWhatWasInForce(t *testing.T) {
	b := newBench(t, asRevoker)
	first := b.rotate()
	b.supply("foreign", "foreign-key-that-is-mistyped")
	b.refused(rotation.CodeAuthRejected)
	refused, _ := b.ledger.Create("an application's", "")
	b.supply(refused.ID, refused.Secret) // and replaced before a rotation takes it
	second := b.rotate()
	var alive []string
	for _, key := range b.ledger.Keys() {
		if !b.ledger.Foreign(key.ID) {
			alive = append(alive, key.ID)
		}
	}
	if want := []string{first.ID, refused.ID, second.ID}; !slices.Equal(alive, want) {
		t.Errorf("alive are %q, want %q", alive, want)
	}
}

// K4: where only a person can revoke, a previous key that works is reported until it
// does not.
func TestAsksToRevoke(t *testing.T) {
	b := newBench(t, asPlain)
	const reported = `"Degraded":1`
	second := b.rotate()
	if strings.Contains(b.Output(), reported) {
		t.Error("AWSPREVIOUS's key is asked to be revoked")
	}
	b.rotate()
	if strings.Count(b.Output(), reported) != 1 || !strings.Contains(b.Output(), "revoke it where it was made") {
		t.Errorf("a key of two generations ago is not reported: %s", b.Output())
	}
	for _, id := range []string{"first", second.ID} {
		b.ledger.Lose(id)
	}
	b.ledger.Create("made by hand", "")
	b.rotate()
	if strings.Count(b.Output(), reported) != 1 {
		t.Error("a key that was revoked is reported")
	}
	if err := b.Silent(); err != nil {
		t.Error(err)
	}
}
