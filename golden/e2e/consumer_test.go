package e2e

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/features/consumer/go/consumer/mysql"
	postgresconsumer "github.com/rotasmith/rotasmith/templates/protocols/postgres/features/consumer/go/consumer/postgres"
)

const (
	// workers log in at the same time. As many log-ins may be under way when a password ends, whatever the machine's load.
	workers = 2
	// loginRate is how many log-ins all workers begin in a second at the most.
	loginRate = 50
	// moveLatency is how long Secrets Manager takes to move a label, as it does in AWS.
	moveLatency = 100 * time.Millisecond
)

// open returns what makes one request with a log-in of its own, and what closes it.
type open func(t *testing.T, d *database, s *consumer.Secret) (request func(context.Context) error, end func())

// TestConsumers lets applications, which have what is emitted for consumer=go, log in all the time while the emitted rotator rotates on a real
// server: 20 times, once killed after its change and once frozen before it moves AWSCURRENT. No request may fail.
func TestConsumers(t *testing.T) {
	t.Parallel()
	gapless := consumer.Options{Pending: true}
	for _, test := range []struct {
		scenario scenario
		apps     []app
	}{
		{scenarioNamed(postgresScenarios, "single user, self"), []app{
			{name: "database/sql, AWSPENDING", open: withPostgres, options: gapless},
			{name: "pgxpool, AWSPENDING", open: withPool, options: gapless},
			{name: "pgxpool", open: withPool},
		}},
		{scenarioNamed(postgresScenarios, "two users, preprovisioned"), []app{{name: "database/sql", open: withPostgres}, {name: "pgxpool", open: withPool}}},
		{scenarioNamed(mysqlScenarios, "single user, self"), []app{{name: "database/sql", open: withMySQL}}},
		{scenarioNamed(mysqlScenarios, "single user, no right"), []app{
			{name: "database/sql, AWSPENDING", open: withMySQL, options: gapless},
			{name: "database/sql", open: withMySQL},
		}},
		{scenarioNamed(mysqlScenarios, "two users, preprovisioned"), []app{{name: "database/sql", open: withMySQL}}},
	} {
		t.Run(test.scenario.server()+", "+test.scenario.name, func(t *testing.T) {
			t.Parallel()
			rotations := 20
			if testing.Short() {
				rotations = 6
			}
			notices(t, newBench(t, test.scenario), test.apps, rotations)
		})
	}
}

func scenarioNamed(all []scenario, name string) scenario {
	return all[slices.IndexFunc(all, func(s scenario) bool { return s.name == name })]
}

// app is an application that logs in for each request.
type app struct {
	name    string
	open    open
	options consumer.Options

	mu       sync.Mutex
	requests int
	failed   []error
	rejected int
	reads    int
	other    []string // operations of Secrets Manager beside GetSecretValue
	took     []time.Duration
	saw      []string // versions
}

// notices rotates while applications log in, and fails the test if one of them notices.
func notices(t *testing.T, b *bench, apps []app, rotations int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	for i := range apps {
		apps[i].start(t, ctx, b, &running)
	}
	slow := func(op string, done bool) {
		if !done && op == "UpdateSecretVersionStage" {
			time.Sleep(moveLatency)
		}
	}
	b.watch(func(_ int, op string, done bool) error { slow(op, done); return nil })
	if err := b.rotate(); err != nil {
		t.Fatal(err)
	}
	change := b.lastChange()
	for n := 2; n <= rotations; n++ {
		var err error
		switch n {
		case rotations / 3:
			_, err = b.killedAfter(change, false)
		case 2 * rotations / 3:
			freeze := b.once(func(op string) bool { return op == "UpdateSecretVersionStage" }, func() { b.frozenFor(t, time.Second) })
			b.watch(func(n int, op string, done bool) error { return freeze(n, op, done) })
			err = b.rotate()
		default:
			b.watch(func(_ int, op string, done bool) error { slow(op, done); return nil })
			err = b.rotate()
		}
		if err != nil {
			t.Fatalf("rotation %d: %v", n, err)
		}
	}
	stop()
	running.Wait()
	for i := range apps {
		apps[i].judge(t, b, rotations)
	}
}

// frozenFor lets the function stand still.
func (b *bench) frozenFor(t *testing.T, d time.Duration) {
	if err := b.function.Freeze(); err != nil {
		t.Error(err)
	}
	time.Sleep(d)
	if err := b.function.Thaw(); err != nil {
		t.Error(err)
	}
}

// start lets the application's workers make requests until ctx ends.
func (a *app) start(t *testing.T, ctx context.Context, b *bench, running *sync.WaitGroup) {
	t.Helper()
	front := httptest.NewServer(&rehearsal.Front{SecretsManager: b.store, Before: func(c rehearsal.Call) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.reads++
		if c.Op != "GetSecretValue" {
			a.other = append(a.other, c.Op)
		}
		return nil
	}})
	t.Cleanup(front.Close)
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: &front.URL, Credentials: credentials.NewStaticCredentialsProvider("application", "application", ""),
	})
	a.options.Wait = time.Minute // a machine under load may be slow to recover from the kill
	a.options.OnRejected = func(version string) { a.note(func() { a.rejected++; a.saw = append(a.saw, version) }) }
	a.options.OnChange = func(from, to string) { a.note(func() { a.saw = append(a.saw, from, to) }) }
	request, end := a.open(t, b.db, consumer.New(client, b.secret, a.options))
	t.Cleanup(end)
	for range workers {
		running.Go(func() {
			tick := time.NewTicker(workers * time.Second / loginRate)
			defer tick.Stop()
			for ctx.Err() == nil {
				began := time.Now()
				err := request(context.WithoutCancel(ctx))
				a.note(func() {
					a.requests++
					a.took = append(a.took, time.Since(began))
					if err != nil {
						a.failed = append(a.failed, err)
					}
				})
				<-tick.C
			}
		})
	}
}

func (a *app) note(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// judge fails the test if the application noticed the rotations, or cost more than it may. Times are printed, and never judged.
func (a *app) judge(t *testing.T, b *bench, rotations int) {
	t.Helper()
	slices.Sort(a.took)
	t.Logf("%s, %s, %s: %d rotations, %d requests, %d failed, %d log-ins rejected, %d reads, p50 %v, p99 %v, worst %v",
		b.scenario.server(), b.scenario.name, a.name, rotations, a.requests, len(a.failed), a.rejected, a.reads,
		a.took[len(a.took)/2].Round(time.Millisecond), a.took[len(a.took)*99/100].Round(time.Millisecond), a.took[len(a.took)-1].Round(time.Millisecond))
	if len(a.failed) > 0 || a.requests < rotations {
		t.Errorf("%s: %d of %d requests failed: %v", a.name, len(a.failed), a.requests, errors.Join(a.failed[:min(3, len(a.failed))]...))
	}
	// Where the gap is waited out, each of its reads may be followed by a log-in; a kill and a freeze take some seconds.
	most := workers * rotations
	if b.scenario.gapPoints > 0 && !a.options.Pending {
		most = 3*rotations + 20
	}
	if a.rejected > most {
		t.Errorf("%s: %d log-ins are rejected in %d rotations, want %d at the most", a.name, a.rejected, rotations, most)
	}
	if most := max(most, 3*rotations+1); a.reads > most {
		t.Errorf("%s: %d reads in %d rotations, want %d at the most", a.name, a.reads, rotations, most)
	}
	if len(a.other) > 0 {
		t.Errorf("%s calls %q beside GetSecretValue", a.name, a.other)
	}
	b.silent(fmt.Sprint(a.failed, a.saw))
}

func (d *database) postgresSettings() string {
	return fmt.Sprintf("host=localhost port=%d sslmode=verify-full sslrootcert=%s", d.Port, d.CAFile)
}

func withPostgres(_ *testing.T, d *database, s *consumer.Secret) (request func(context.Context) error, end func()) {
	return throughSQL(sql.OpenDB(postgresconsumer.Connector(s, d.postgresSettings())))
}

func withMySQL(_ *testing.T, d *database, s *consumer.Secret) (request func(context.Context) error, end func()) {
	config := driver.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort("localhost", strconv.Itoa(d.Port))
	config.TLS = &tls.Config{RootCAs: d.CA}
	config.Logger = &driver.NopLogger{}
	return throughSQL(sql.OpenDB(mysql.Connector(s, config)))
}

// throughSQL logs in for each request: no connection is kept.
func throughSQL(db *sql.DB) (request func(context.Context) error, end func()) {
	db.SetMaxIdleConns(-1)
	return func(ctx context.Context) error {
		_, err := db.ExecContext(ctx, "SELECT 1")
		return err
	}, func() { _ = db.Close() }
}

func withPool(t *testing.T, d *database, s *consumer.Secret) (request func(context.Context) error, end func()) {
	t.Helper()
	pool, err := postgresconsumer.NewPool(t.Context(), s, d.postgresSettings(), func(c *pgxpool.Config) {
		c.AfterRelease = func(*pgx.Conn) bool { return false } // no connection is kept
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error {
		_, err := pool.Exec(ctx, "SELECT 1")
		return err
	}, pool.Close
}
