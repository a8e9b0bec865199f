package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
)

// passing is how long in these tests something is out of order that passes by
// itself.
const passing = 10 * time.Second

// TestLimits runs rotations of every database strategy on servers that have no room,
// restart or are cut off, and with a Secrets Manager that is slow to know, throttles
// or is ill. AWSCURRENT works when the invocation is over that left it. (A1, A3, A4,
// B10: C20, C22, C23)
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, all := range [][]scenario{postgresScenarios, postgres18Scenarios, mysqlScenarios, mariadbScenarios} {
		t.Run(all[0].server(), func(t *testing.T) {
			t.Parallel()
			own := serverstest.Own(t, all[0].engine.kind()) // filled and limited beside the other tests
			for i, s := range all {
				s.own = &own
				t.Run(s.name, func(t *testing.T) {
					b := newBench(t, s)
					t.Run("one connection", b.oneConnection)
					for name, begin := range inTheGap {
						if s.gapPoints > 0 {
							t.Run(name, func(t *testing.T) { b.outlives(t, begin) })
						}
					}
					if s.gapPoints > 0 {
						t.Run("AWSCURRENT cannot be moved", b.undone)
					}
					late := [][]string{{"DescribeSecret", "GetSecretValue", "ListSecretVersionIds"}}
					if i == 0 { // what differs is the core's
						late = append(late, []string{"DescribeSecret"}, []string{"GetSecretValue"})
					}
					for _, ops := range late {
						t.Run(fmt.Sprint(ops, " late and a lost answer"), func(t *testing.T) { b.oldReads(t, ops) })
					}
					t.Run("two warm processes", b.twoWarm)
					b.silent()
				})
			}
		})
	}
}

// oneConnection lets each user have one connection more than its applications hold:
// none, and one.
func (b *bench) oneConnection(t *testing.T) {
	for _, held := range []int{0, 1} {
		b.fresh()
		value, _, err := b.current()
		if err != nil {
			t.Fatal(err)
		}
		user, _ := value.Get("username")
		password, _ := value.Get("password")
		release := func() {}
		if held > 0 {
			if release, err = b.db.hold(user.Reveal(), password.Reveal()); err != nil {
				t.Fatal(err)
			}
		}
		users := []string{user.Reveal()}
		if other, ok := value.Get("alternate_username"); ok {
			users = append(users, other.Reveal()) // or the two could not do the same
		}
		b.db.limit(t, held+1, users...)
		token := b.token()
		_, err = b.service(b.function, 1).Rotate(t.Context(), b.secret, token)
		b.db.limit(t, 0, users...)
		release()
		if err := errors.Join(err, b.settled(token)); err != nil {
			t.Errorf("beside %d connections: %v", held, err)
		}
	}
}

// limit sets how many connections users may have, 0 for as many as they like.
func (d *database) limit(t *testing.T, connections int, users ...string) {
	t.Helper()
	for _, user := range users {
		if _, ok := d.engine.(mysqlEngine); ok {
			d.superuser(t, fmt.Sprintf("ALTER USER '%s'@'%%' WITH MAX_USER_CONNECTIONS %d", user, connections))
		} else {
			d.superuser(t, fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", user, pick(connections == 0, -1, connections)))
		}
	}
}

// hold opens a connection and keeps it.
func (d *database) hold(user, password string) (release func(), err error) {
	switch e := d.engine.(type) {
	case mysqlEngine:
		pool, err := e.open(d, user, password)
		return func() { _ = pool.Close() }, err
	case postgres:
		conn, err := e.connect(d, user, password)
		if err != nil {
			return nil, err
		}
		return func() { _ = conn.PgConn().Conn().Close() }, nil
	default:
		return nil, errors.New("not known of this server")
	}
}

// inTheGap is what begins as soon as the server has taken a change. It returns a channel
// that is closed when it is over, and what becomes of the change's answer.
var inTheGap = map[string]func(*bench) (over <-chan struct{}, answer error){
	"the server restarts": func(b *bench) (<-chan struct{}, error) {
		if err := b.db.Halt(b.t.Context()); err != nil {
			b.t.Error(err)
		}
		return afterwards(func() {
			if err := b.db.Resume(b.t.Context()); err != nil {
				b.t.Error(err)
			}
		}), rehearsal.ErrDrop
	},
	"the server is full": func(b *bench) (<-chan struct{}, error) {
		return afterwards(b.db.fill()), nil
	},
	"Secrets Manager throttles": func(b *bench) (<-chan struct{}, error) {
		throttled := rehearsal.APIError("ThrottlingException", "Rate exceeded")
		b.refuse.Store(&throttled)
		return afterwards(func() { b.refuse.Store(nil) }), nil
	},
	"Secrets Manager is ill": func(b *bench) (<-chan struct{}, error) {
		ill := error(&types.InternalServiceError{})
		b.refuse.Store(&ill)
		return afterwards(func() { b.refuse.Store(nil) }), nil
	},
}

// afterwards does something when it has passed, and closes the channel then.
func afterwards(do func()) <-chan struct{} {
	done := make(chan struct{})
	time.AfterFunc(passing, func() {
		defer close(done)
		do()
	})
	return done
}

// outlives lets something begin in the gap of a rotation, which comes to its end in
// the same invocation.
func (b *bench) outlives(t *testing.T, begin func(*bench) (<-chan struct{}, error)) {
	b.fresh()
	var first sync.Once
	var over <-chan struct{}
	b.watch(func(_ int, op string, done bool) (answer error) {
		if refusal := b.refuse.Load(); refusal != nil && !done && slices.Contains(storeCalls, op) {
			return *refusal
		}
		if done && b.db.isChange(op) {
			first.Do(func() { over, answer = begin(b) })
		}
		return answer
	})
	token := b.token()
	service := b.service(b.function, 1)
	service.Timeout = time.Minute
	_, err := service.Rotate(t.Context(), b.secret, token)
	b.watch(nil)
	<-over
	if err := b.works(); err != nil {
		t.Errorf("AWSCURRENT is dead: %v", err)
	}
	if err != nil {
		t.Errorf("the invocation had the time to end well: %v", err)
	}
	if _, err := b.service(b.function, 1).Retry(t.Context(), b.secret, token); err != nil {
		t.Errorf("the next delivery: %v", err)
	}
	if err := b.settled(token); err != nil {
		t.Error(err)
	}
}

// undone lets Secrets Manager refuse to move AWSCURRENT for longer than the function
// runs, and so slowly that the last refusal is on its way when time is up. The change
// is put back before the function ends, and the next delivery completes the rotation.
func (b *bench) undone(t *testing.T) {
	b.fresh()
	b.watch(func(_ int, op string, done bool) error {
		if !done && op == "UpdateSecretVersionStage" {
			<-time.After(time.Second)
			return rehearsal.APIError("ThrottlingException", "Rate exceeded")
		}
		return nil
	})
	token := b.token()
	if _, err := b.service(b.function, 1).Rotate(t.Context(), b.secret, token); err == nil {
		t.Error("the rotation is complete without a label")
	}
	b.watch(nil)
	if err := b.works(); err != nil {
		t.Errorf("AWSCURRENT is dead: %v", err)
	}
	_, err := b.service(b.function, 1).Retry(t.Context(), b.secret, token)
	if err := errors.Join(err, b.settled(token)); err != nil {
		t.Errorf("the next delivery: %v", err)
	}
}

var storeCalls = []string{"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"}

// fill takes every connection that the server has.
func (d *database) fill() (release func()) {
	if e, ok := d.engine.(mysqlEngine); ok {
		var before, used int
		_ = e.scan(d, &before, "SELECT @@global.max_connections")
		_ = e.scan(d, &used, "SELECT COUNT(*) FROM information_schema.processlist WHERE user <> 'event_scheduler'")
		keep, err := e.open(d, d.Superuser.User, d.Superuser.Password) // to set it back by
		if err != nil {
			return func() {}
		}
		_, _ = keep.Exec(fmt.Sprintf("SET GLOBAL max_connections = %d", max(1, used-1)))
		return func() {
			_, _ = keep.Exec(fmt.Sprintf("SET GLOBAL max_connections = %d", before))
			_ = keep.Close()
		}
	}
	var held []func()
	for {
		release, err := d.hold(d.Superuser.User, d.Superuser.Password)
		if err != nil {
			break
		}
		held = append(held, release)
	}
	return func() {
		for _, release := range held {
			release()
		}
	}
}

// oldReads lets reads of Secrets Manager be five seconds late and loses the answer to
// the move of AWSCURRENT. One try is enough.
func (b *bench) oldReads(t *testing.T, ops []string) {
	const late = 5 * time.Second
	b.fresh()
	lags := map[string]rotationtest.Lag{}
	for _, op := range ops {
		lags[op] = rotationtest.Lag{For: late}
	}
	<-time.After(late) // a secret is older than that when it is rotated
	b.fronted.Lagging = &rotationtest.Lagging{SecretsManager: b.store, Lags: lags}
	var first sync.Once
	b.watch(func(_ int, op string, done bool) (answer error) {
		if done && op == "UpdateSecretVersionStage" {
			first.Do(func() { answer = rehearsal.ErrDrop })
		}
		return answer
	})
	token := b.token()
	service := b.service(b.function, 1)
	service.Timeout = time.Minute
	_, err := service.Rotate(t.Context(), b.secret, token)
	b.watch(nil)
	b.fronted.Lagging = nil
	if err := errors.Join(err, b.settled(token)); err != nil {
		t.Error(err)
	}
}

// twoWarm delivers one finishSecret to two processes that have run before, the second
// within the time for which reads are old.
func (b *bench) twoWarm(t *testing.T) {
	b.fresh()
	other := b.newFunction(b.db.dir)
	defer other.Close()
	token := b.token()
	if _, err := b.store.RotateSecret(t.Context(), rotateInput(b.secret, token)); err != nil {
		t.Fatal(err)
	}
	finish := b.event(t, token, rehearsal.FinishSecret)
	for _, step := range []string{rehearsal.CreateSecret, rehearsal.SetSecret, rehearsal.TestSecret} {
		for _, f := range []*rehearsal.Function{b.function, other} {
			if _, err := f.Invoke(t.Context(), b.event(t, token, step), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
	}
	const late = 3 * time.Second
	<-time.After(late) // what came before shows
	b.fronted.Lagging = &rotationtest.Lagging{SecretsManager: b.store, Lags: map[string]rotationtest.Lag{"DescribeSecret": {For: late}}}
	for _, f := range []*rehearsal.Function{b.function, other} {
		if _, err := f.Invoke(t.Context(), finish, time.Minute); err != nil {
			t.Error(err)
		}
	}
	b.fronted.Lagging = nil
	if err := b.settled(token); err != nil {
		t.Error(err)
	}
	b.silent(other.Output())
}

func (b *bench) event(t *testing.T, token, step string) []byte {
	t.Helper()
	event, err := json.Marshal(rehearsal.Event{Step: step, SecretID: b.secret, ClientRequestToken: token, RotationToken: "rehearsal"})
	if err != nil {
		t.Fatal(err)
	}
	return event
}
