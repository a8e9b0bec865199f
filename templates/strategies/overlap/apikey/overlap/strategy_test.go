package overlap_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

// bench is a world with a provider.
type bench struct {
	*rotationtest.World
	t      *testing.T
	ledger *apikeytest.Ledger
}

func newBench(t *testing.T, k kind, config overlap.Config) *bench {
	t.Helper()
	b := &bench{t: t}
	b.World = rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, b.ledger = subject(w, k, config)
		return s
	})
	return b
}

// requested begins a rotation a day after the last.
func (b *bench) requested() string {
	b.t.Helper()
	b.Pass(24 * time.Hour)
	token := b.Token()
	if err := b.Request(token); err != nil {
		b.t.Fatal(err)
	}
	return token
}

func (b *bench) rotate() {
	b.t.Helper()
	if err := b.Rotate(b.requested(), 1); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) deliver(token, step string) error { return b.Deliver(b.Outside.Process(), token, step) }

// wantAlive holds the book to these keys, the foreign one left out.
func (b *bench) wantAlive(want ...string) {
	b.t.Helper()
	var got []string
	for _, key := range b.ledger.Keys() {
		if !b.ledger.Foreign(key.ID) {
			got = append(got, key.ID)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		b.t.Errorf("alive are %q, want %q", got, want)
	}
}

func wantCode(t *testing.T, err error, want rotation.Code) {
	t.Helper()
	if got := rotation.CodeOf(err); got != want {
		t.Errorf("got %v, want the code %q", err, want)
	}
}

// K5: AWSPREVIOUS's key lives until the next rotation is complete, or not at all
// where it is compromised.
func TestOverlap(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	b.rotate()
	b.wantAlive("first", "key1")
	b.rotate()
	b.wantAlive("key1", "key2")
	b.rotate()
	b.wantAlive("key2", "key3")

	b = newBench(t, kind{plain, labelled}, overlap.Config{Immediate: true})
	b.rotate()
	b.wantAlive("key1")
}

// C14: where the previous key is to live on, the next rotation waits for clients that
// hold it; where it is compromised, no one waits.
func TestTooSoon(t *testing.T) {
	for immediate, want := range map[bool]rotation.Code{false: rotation.CodeTooSoon, true: ""} {
		b := newBench(t, kind{plain, labelled}, overlap.Config{Immediate: immediate})
		b.Config.MinRotationAge = rotation.DefaultMinRotationAge
		b.rotate()
		b.Pass(time.Hour)
		token := b.Token()
		if err := b.Request(token); err != nil {
			t.Fatal(err)
		}
		wantCode(t, b.Rotate(token, 1), want)
	}
}

// K3: with room for two, each rotation takes AWSPREVIOUS's key away when it begins,
// and AWSCURRENT's never.
func TestTwoKeys(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	for range 10 {
		b.rotate()
		if err := errors.Join(b.CurrentWorks(), b.Tidy()); err != nil {
			t.Fatal(err)
		}
	}
	b.wantAlive("key10", "key9")
}

// K3: AWSPREVIOUS's key stays unless AWSCURRENT's has just been let in.
func TestNoRoomAndCurrentDead(t *testing.T) {
	b := newBench(t, kind{two, labelled}, overlap.Config{})
	b.rotate()
	current, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	b.ledger.Roll(apikey.ID(current)) // as an administrator did by hand
	wantCode(t, b.deliver(b.requested(), rotation.StepCreate), rotation.CodeAuthRejected)
	b.wantAlive("first", "key1")
}

// K6: without room, and with nothing that may go, no key is made and none revoked.
func TestQuota(t *testing.T) {
	b := newBench(t, kind{func(l *apikeytest.Ledger) { l.Room = 1 }, labelled}, overlap.Config{})
	wantCode(t, b.deliver(b.requested(), rotation.StepCreate), rotation.CodeQuota)
	b.wantAlive("first")
}

// K6: a key that another rotation made goes when no one can store it any more; one
// of another secret, and one that is called nearly so, never.
func TestSweep(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	other := apikey.Label("arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbCdEf", b.Token())
	b.ledger.Create(apikey.Label(b.Secret, b.Token()), "old")
	b.ledger.Create(other, "theirs")
	token := b.requested()
	b.ledger.Create(apikey.Label(b.Secret, b.Token()), "recent")
	if err := b.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	b.wantAlive("first", "key2", "key3", "key4")
}

// K8: a key that was put by mistake is left alone, and a line of the log says which.
func TestLeftAlone(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	b.rotate()
	for _, n := range b.ledger.Neighbours {
		if !strings.Contains(b.Output(), `is left alone`) || !strings.Contains(b.Output(), `"key":"`+n.ID+`"`) {
			t.Errorf("no log line tells of the key %s", n.ID)
		}
	}
	if strings.Contains(b.Output(), `"key":"first"`) {
		t.Error("AWSPREVIOUS's key is told of")
	}
}

// K6: a key that a version names was stored, so it goes when its time has come, however
// young it is.
func TestRotationsInARow(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	for range 4 {
		token := b.Token()
		if err := errors.Join(b.Request(token), b.Rotate(token, 1)); err != nil {
			t.Fatal(err)
		}
	}
	b.wantAlive("key3", "key4")
}

// K4: a key without an id cannot be revoked, which is told.
func TestSeedWithoutID(t *testing.T) {
	b := &bench{t: t}
	b.World = rotationtest.NewWorld(t, func(w *rotationtest.World) (s rotationtest.Subject) {
		s, b.ledger = subject(w, kind{plain, labelled}, overlap.Config{})
		s.Initial = strings.Replace(s.Initial, `"key_id":"first",`, "", 1)
		return s
	})
	b.rotate()
	if !strings.Contains(b.Output(), string(rotation.CodeUnrevoked)) || !strings.Contains(b.Output(), `"Degraded":1`) {
		t.Error("no log line tells that the first key has to be revoked by hand")
	}
	b.rotate()
	b.rotate()
	b.wantAlive("first", "key2", "key3")
}

// K4: a revocation that fails is told, the promotion stands, and the next rotation
// makes it good.
func TestRevokeFails(t *testing.T) {
	refuses := false
	b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return stubborn{p, &refuses} }}, overlap.Config{})
	b.rotate()
	refuses = true
	b.rotate()
	refuses = false
	if !strings.Contains(b.Output(), `"code":"unrevoked"`) {
		t.Error("no log line tells that a key is still alive")
	}
	b.wantAlive("first", "key1", "key2")
	b.rotate()
	b.wantAlive("key2", "key3")
}

// stubborn is a provider that revokes nothing while it refuses.
type stubborn struct {
	apikeytest.Provider
	refuses *bool
}

func (s stubborn) Revoke(ctx context.Context, account apikey.Account, id string) error {
	if *s.refuses {
		return rotation.Errorf(rotation.CodePermission, "not allowed")
	}
	return s.Provider.Revoke(ctx, account, id)
}

// K2: a new key is revoked at once only if its value is certainly not stored.
func TestPutFails(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no", Fault: smithy.FaultClient}
	lost := errors.New("the connection broke")
	for name, test := range map[string]struct {
		put   error // what PutSecretValue answers
		after bool  // it was carried out all the same
		blind bool  // the version cannot be read
		alive []string
	}{
		"refused":                {denied, false, false, []string{"first"}},
		"not answered":           {lost, false, false, []string{"first", "key1"}}, // it may yet be stored, and the next sweep sees
		"carried out":            {lost, true, false, []string{"first", "key1"}},
		"nobody can tell":        {lost, false, true, []string{"first", "key1"}},
		"refused, and unread":    {denied, false, true, []string{"first", "key1"}},
		"another was the faster": {nil, false, false, []string{"first", "key2"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, kind{plain, labelled}, overlap.Config{})
			token := b.requested()
			store := &unsure{SecretsManager: b.Store, err: test.put, after: test.after, blind: test.blind}
			if test.put == nil {
				store.before = func() {
					if err := b.deliver(token, rotation.StepCreate); err != nil {
						t.Fatal(err)
					}
				}
			}
			strategy, err := b.Strategy(b.Outside.Process())
			if err != nil {
				t.Fatal(err)
			}
			event, _ := json.Marshal(map[string]string{"Step": rotation.StepCreate, "SecretId": b.Secret, "ClientRequestToken": token})
			handler := rotation.New(store, strategy, b.Config, rotation.WithOutput(b), rotation.WithClock(b.Now, b.Pause))
			_, err = handler.Handle(t.Context(), event)
			if (err == nil) != (test.put == nil) {
				t.Errorf("got %v", err)
			}
			b.wantAlive(test.alive...)
			if err := b.Rotate(token, 1); err != nil {
				t.Fatal(err)
			}
			if err := b.Tidy(); err != nil {
				t.Error(err)
			}
		})
	}
}

// unsure is a store whose PutSecretValue fails.
type unsure struct {
	*rotationtest.SecretsManager
	err          error
	after, blind bool
	before       func()
	put          bool
}

func (u *unsure) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	u.put = true
	if u.before != nil {
		u.before()
	}
	if u.err == nil || u.after {
		if out, err := u.SecretsManager.PutSecretValue(ctx, in); err != nil || u.err == nil {
			return out, err
		}
	}
	return nil, u.err
}

func (u *unsure) GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if u.put && u.blind {
		return nil, &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no", Fault: smithy.FaultClient}
	}
	return u.SecretsManager.GetSecretValue(ctx, in)
}

// K1: of the keys that one rotation made, setSecret leaves the one that is stored.
func TestSetSweeps(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	token := b.requested()
	b.ledger.Create(apikey.Label(b.Secret, token), "a delivery that was killed")
	if err := errors.Join(b.deliver(token, rotation.StepCreate), b.deliver(token, rotation.StepSet)); err != nil {
		t.Fatal(err)
	}
	b.wantAlive("first", "key2")
}

// K1: a provider that answers with a key which was revoked meanwhile is asked for
// another.
func TestReplayOfARevokedKey(t *testing.T) {
	b := newBench(t, kind{func(l *apikeytest.Ledger) { l.Replays = true }, labelled}, overlap.Config{})
	token := b.requested()
	label := apikey.Label(b.Secret, token)
	key, _ := b.ledger.Create(label, label)
	b.ledger.Lose(key.ID)
	if err := b.Rotate(token, 1); err != nil {
		t.Fatal(err)
	}
	b.wantAlive("first", "key2")
}

// K3, K4: where keys bear no label, an AWSCURRENT that does not name its key may have
// any of them, and none is revoked.
func TestCurrentWithoutID(t *testing.T) {
	b := newBench(t, kind{two, kinds["keys without a label"].as}, overlap.Config{})
	b.rotate()
	b.ledger.Lose("first")
	b.Pass(time.Hour)
	key, _ := b.ledger.Create("", "made by hand")
	b.put(func(v rotation.Value) rotation.Value {
		return v.With(apikey.KeyID, "").With(apikey.KeyValue, key.Secret)
	})
	wantCode(t, b.Rotate(b.requested(), 1), rotation.CodeQuota)
	b.wantAlive("key1", "key2")
	if err := b.CurrentWorks(); err != nil {
		t.Error(err)
	}
}

// K3: a provider that keeps two keys and lists none. The key that a previous version
// names went long ago, and revoking that makes no room.
func TestNoListAndNoRoom(t *testing.T) {
	b := newBench(t, kind{
		func(l *apikeytest.Ledger) { l.Replays, l.Room = true, 2 },
		func(p apikeytest.Provider) overlap.Provider { return listless{p} },
	}, overlap.Config{})
	for range 4 {
		b.rotate()
	}
	b.wantAlive("key3", "key4")
}

// listless is a provider that does not say which keys there are.
type listless struct{ apikeytest.Provider }

func (listless) List(context.Context, apikey.Account) ([]apikey.Key, error) {
	return nil, errors.ErrUnsupported
}

// C17: a key that ends too soon will never do: it is given up, and the next rotation
// makes one that lives longer.
func TestEndsTooSoon(t *testing.T) {
	var end time.Time
	b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return ending{p, &end} }}, overlap.Config{})
	token := b.requested()
	end = b.Now().Add(time.Hour)
	wantCode(t, b.Rotate(token, 1), rotation.CodeExpired)
	if holder := b.Holder(rotation.StagePending); holder != "" {
		t.Errorf("AWSPENDING is left on %s", holder)
	}
	end = b.Now().AddDate(3, 0, 0)
	b.rotate()
}

// ending is a provider whose keys have an end.
type ending struct {
	apikeytest.Provider
	end *time.Time
}

func (ending) Credential() []string {
	return []string{apikey.KeyID, apikey.KeyValue, apikey.KeyExpiry}
}

func (e ending) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	value, err := e.Provider.Create(ctx, account, name)
	return value.With(apikey.KeyExpiry, e.end.Format(time.RFC3339)), err
}

// C4: a secret that held the bare key before it was made for rotation has that as
// AWSPREVIOUS, which names nothing.
func TestPreviousIsNoObject(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	value, err := b.Value(rotation.StageCurrent)
	if err != nil {
		t.Fatal(err)
	}
	b.store("the bare key")
	b.store(value.Text().Reveal())
	b.rotate()
	b.wantAlive("first", "key1")
}

// put stores an altered copy of AWSCURRENT.
func (b *bench) put(alter func(rotation.Value) rotation.Value) {
	b.t.Helper()
	value, err := b.Value(rotation.StageCurrent)
	if err != nil {
		b.t.Fatal(err)
	}
	b.store(alter(value).Text().Reveal())
}

func (b *bench) store(text string) {
	b.t.Helper()
	token := b.Token()
	if _, err := b.Store.PutSecretValue(b.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &b.Secret, ClientRequestToken: &token, SecretString: &text, VersionStages: []string{rotation.StageCurrent},
	}); err != nil {
		b.t.Fatal(err)
	}
}

// K7: a pending key that was revoked meanwhile is given up, and the next rotation
// begins with another.
func TestPendingIsGone(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	token := b.requested()
	if err := b.deliver(token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	b.ledger.Lose("key1")
	wantCode(t, b.deliver(token, rotation.StepSet), rotation.CodeNotFound)
	if holder := b.Holder(rotation.StagePending); holder != "" {
		t.Errorf("AWSPENDING is left on %s", holder)
	}
	b.rotate()
	b.wantAlive("first", "key2")
}

// K7: a key that is not known everywhere yet is waited for, and not for ever.
func TestKnownLate(t *testing.T) {
	for lag, want := range map[time.Duration]rotation.Code{20 * time.Second: "", 5 * time.Minute: rotation.CodeAuthRejected} {
		b := newBench(t, kind{func(l *apikeytest.Ledger) { l.Lag = lag }, labelled}, overlap.Config{})
		token := b.requested()
		wantCode(t, b.Rotate(token, 1), want)
		if err := b.CurrentWorks(); err != nil {
			t.Error(err)
		}
		if err := b.Rotate(token, 9); err != nil {
			t.Errorf("the key is never known: %v", err)
		}
	}
}

// K7: a key that is not known when the time is up fails setSecret already, and stays.
func TestNotKnownInTime(t *testing.T) {
	b := newBench(t, kind{func(l *apikeytest.Ledger) { l.Lag = 5 * time.Minute }, labelled}, overlap.Config{})
	token := b.requested()
	if err := b.deliver(token, rotation.StepCreate); err != nil {
		t.Fatal(err)
	}
	wantCode(t, b.deliver(token, rotation.StepSet), rotation.CodeAuthRejected)
	if holder := b.Holder(rotation.StagePending); holder != token {
		t.Errorf("AWSPENDING is on %q, want %q", holder, token)
	}
}

// K7: nothing is promoted that may do less, or that ends before it is replaced.
func TestWorthLess(t *testing.T) {
	for name, test := range map[string]struct {
		scopes []string
		expiry string
		want   rotation.Code
	}{
		"as much":     {[]string{"write", "read"}, "", ""},
		"more":        {[]string{"write", "read", "admin"}, "2027-01-01T00:00:00Z", ""},
		"less":        {[]string{"read"}, "", rotation.CodeScopes},
		"ends soon":   {[]string{"write", "read"}, "2026-01-02T12:00:00Z", rotation.CodeExpired},
		"ends at all": {[]string{"write", "read"}, "tomorrow", rotation.CodeBadSecret},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, kind{plain, func(p apikeytest.Provider) overlap.Provider { return scoped{p, test.scopes, test.expiry} }}, overlap.Config{})
			token := b.requested()
			wantCode(t, b.Rotate(token, 1), test.want)
			if promoted := b.Holder(rotation.StageCurrent) == token; promoted != (test.want == "") {
				t.Errorf("promoted: %t", promoted)
			}
		})
	}
}

// scoped gives new keys these scopes and this end.
type scoped struct {
	apikeytest.Provider
	scopes []string
	expiry string
}

func (s scoped) Credential() []string { return append(s.Provider.Credential(), apikey.KeyExpiry) }

func (s scoped) Create(ctx context.Context, account apikey.Account, name apikey.Name) (rotation.Value, error) {
	value, err := s.Provider.Create(ctx, account, name)
	if err != nil {
		return value, err
	}
	return value.With(apikey.KeyExpiry, s.expiry), nil
}

func (s scoped) Verify(ctx context.Context, value rotation.Value) ([]string, error) {
	_, err := s.Provider.Verify(ctx, value)
	if apikey.ID(value) == "first" {
		return []string{"read", "write"}, err
	}
	return s.scopes, err
}

// C5: the admin secret that the secret names must be on the function's list.
func TestAdminIsAllowed(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	b.Config.AllowedSecrets = []string{b.Secret}
	wantCode(t, b.deliver(b.requested(), rotation.StepCreate), rotation.CodeSecretNotAllowed)
	b.wantAlive("first")
}

// C16: a secret that holds its key twice is refused by the name of the copy, before
// anything is made, and a preflight says so.
func TestCopyOfTheKey(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	b.put(func(v rotation.Value) rotation.Value {
		return v.With("authorization", "Bearer "+apikeytest.FirstKey)
	})
	err := b.deliver(b.requested(), rotation.StepCreate)
	wantCode(t, err, rotation.CodeBadSecret)
	if report := b.preflight(); report.OK || !strings.Contains(err.Error(), `"authorization"`) {
		t.Errorf("got %v and %+v", err, report)
	}
	b.wantAlive("first")
}

// C16: a preflight says what is missing, and makes and revokes nothing.
func TestPreflight(t *testing.T) {
	b := newBench(t, kind{plain, labelled}, overlap.Config{})
	if report := b.preflight(); !report.OK || len(report.Checks) != 7 {
		t.Errorf("got %+v", report)
	}
	b.wantAlive("first")
}

// C16: where the provider lists no keys, a preflight tries the admin's key by another
// call, if there is one.
func TestPreflightWithoutAList(t *testing.T) {
	for name, test := range map[string]struct {
		provider func(apikeytest.Provider) overlap.Provider
		ok       bool
	}{
		"no call":          {func(p apikeytest.Provider) overlap.Provider { return listless{p} }, true},
		"the key works":    {func(p apikeytest.Provider) overlap.Provider { return trying{listless{p}, nil} }, true},
		"the key does not": {func(p apikeytest.Provider) overlap.Provider { return trying{listless{p}, errors.New("refused")} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if report := newBench(t, kind{plain, test.provider}, overlap.Config{}).preflight(); report.OK != test.ok {
				t.Errorf("got %+v", report)
			}
		})
	}
}

// trying is a provider that lists no keys and can try the admin's.
type trying struct {
	listless
	err error
}

func (t trying) TryAdmin(context.Context, apikey.Account) error { return t.err }

func (b *bench) preflight() rotation.Preflight {
	b.t.Helper()
	handler, err := b.Handler(b.Outside.Process())
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := handler.Handle(b.t.Context(), json.RawMessage(`{"Preflight":true,"SecretId":"`+b.Secret+`"}`))
	report, ok := answer.(rotation.Preflight)
	if err != nil || !ok {
		b.t.Fatalf("got %v, %v", answer, err)
	}
	return report
}
