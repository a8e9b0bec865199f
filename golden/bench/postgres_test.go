//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/servers/serverstest"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
)

const (
	database = "orders"
	userA    = "orders_a"
	userB    = "orders_b"
	rotator  = "orders_rotator"
	password = "first-password"
)

// postgres is a project and a database with the users that it rotates, made as
// the project's README says.
type postgres struct {
	serverstest.Server
	strategy string
	dir      string
	env      []string
}

func newPostgres(b *testing.B, strategy string) *postgres {
	b.Helper()
	p := &postgres{Server: serverstest.Start(b, servers.Postgres), strategy: strategy, dir: emit(b, strategy)}
	p.env = []string{"DB_CA_FILE=" + p.CAFile}
	build(b, p.dir)
	p.Reset(b)
	p.superuser(b, "postgres", "CREATE DATABASE "+database+" OWNER "+p.Admin.User)
	p.superuser(b, database, "CREATE ROLE "+userA+" LOGIN")
	if strategy == two {
		run(b, p.dir, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
			"-v", "owner=orders_owner", "-v", "user_a="+userA, "-v", "user_b="+userB, "-v", "rotator="+rotator,
			"-f", "bootstrap.sql", p.URL(p.Superuser, database))
		p.superuser(b, database, "ALTER ROLE "+rotator+" PASSWORD '"+password+"'")
	}
	return p
}

// fresh puts the users back to how they were at first and stores their secret.
func (p *postgres) fresh(b *testing.B, w *world, tls bool) (arn string) {
	b.Helper()
	p.superuser(b, database, "ALTER ROLE "+userA+" PASSWORD '"+password+"'")
	value := map[string]any{
		"engine": "postgres", "host": p.Host, "port": p.Port, "dbname": database, "ssl": tls,
		"username": userA, "password": password,
	}
	if p.strategy == two {
		value["masterarn"] = w.seed(b, "admin", map[string]any{"username": rotator, "password": password, "ssl": tls})
	}
	return w.seed(b, "orders-db", value)
}

func (p *postgres) superuser(b *testing.B, database, statement string) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), p.URL(p.Superuser, database))
	if err != nil {
		b.Fatal(err)
	}
	_, err = conn.PgConn().Exec(b.Context(), statement).ReadAll()
	if err := errors.Join(err, conn.Close(b.Context())); err != nil {
		b.Fatal(fmt.Errorf("%s: %w", statement, err))
	}
}

// loginAndCall logs in as AWSCURRENT over TLS and makes one call to Secrets Manager,
// and returns what both took.
func (p *postgres) loginAndCall(b *testing.B, w *world, secret string) time.Duration {
	b.Helper()
	out, err := w.store.GetSecretValue(b.Context(), &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		b.Fatal(err)
	}
	value, err := rotation.ParseValue(rotation.NewSensitive(aws.ToString(out.SecretString)))
	if err != nil {
		b.Fatal(err)
	}
	current, _ := value.Get("password")
	client := secretsmanager.New(secretsmanager.Options{BaseEndpoint: &w.front.URL, Region: "eu-west-1", Credentials: aws.AnonymousCredentials{}})

	began := b.Elapsed()
	conn, err := pgconn.Connect(b.Context(), p.URL(servers.Login{User: userA, Password: current.Reveal()}, database))
	if err != nil {
		b.Fatal(err)
	}
	_, err = client.DescribeSecret(b.Context(), &secretsmanager.DescribeSecretInput{SecretId: &secret})
	took := b.Elapsed() - began
	if err := errors.Join(err, conn.Close(context.WithoutCancel(b.Context()))); err != nil {
		b.Fatal(err)
	}
	return took
}
