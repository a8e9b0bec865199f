package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// Pool is a [pgxpool.Pool] whose log-ins outlive rotations. That has a hook before a log-in and none after one that was rejected, so each
// method that needs a connection is repeated here: by then the server has seen no statement. For a batch, Acquire a connection.
type Pool struct {
	pool   *pgxpool.Pool
	secret *consumer.Secret
}

// NewPool makes a pool. settings are as for [Connector], with those of [pgxpool.ParseConfig]: "sslmode=verify-full pool_max_conns=10". Each of
// configure may change the rest of the configuration, but for BeforeConnect.
func NewPool(ctx context.Context, secret *consumer.Secret, settings string, configure ...func(*pgxpool.Config)) (*Pool, error) {
	v, err := secret.Get(ctx)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(endpoint(v) + settings)
	if err != nil {
		return nil, err
	}
	for _, change := range configure {
		change(config)
	}
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error { // with the values of the context that Acquire was called with
		v, err := secret.Get(ctx)
		if err != nil {
			return err
		}
		c.User, c.Password, err = v.Login()
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return &Pool{pool, secret}, err
}

// Close closes all connections, and waits for those that are in use.
func (p *Pool) Close() { p.pool.Close() }

// Stat returns the pool's statistics.
func (p *Pool) Stat() *pgxpool.Stat { return p.pool.Stat() }

// Acquire returns a connection, which its Release gives back.
func (p *Pool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	return consumer.Do(ctx, p.secret, rejected, p.pool.Acquire)
}

// Begin begins a transaction.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx begins a transaction with options.
func (p *Pool) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	return consumer.Do(ctx, p.secret, rejected, func(ctx context.Context) (pgx.Tx, error) { return p.pool.BeginTx(ctx, options) })
}

// Exec executes a statement.
func (p *Pool) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	return consumer.Do(ctx, p.secret, rejected, func(ctx context.Context) (pgconn.CommandTag, error) { return p.pool.Exec(ctx, sql, arguments...) })
}

// Query executes a statement that returns rows.
func (p *Pool) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	return consumer.Do(ctx, p.secret, rejected, func(ctx context.Context) (pgx.Rows, error) { return p.pool.Query(ctx, sql, arguments...) })
}

// QueryRow returns the first row of a statement's result. The statement is executed when the row is scanned.
func (p *Pool) QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row {
	return row(func(into ...any) error {
		_, err := consumer.Do(ctx, p.secret, rejected, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, p.pool.QueryRow(ctx, sql, arguments...).Scan(into...)
		})
		return err
	})
}

type row func(into ...any) error

func (r row) Scan(into ...any) error { return r(into...) }

// CopyFrom copies rows into a table.
func (p *Pool) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return consumer.Do(ctx, p.secret, rejected, func(ctx context.Context) (int64, error) { return p.pool.CopyFrom(ctx, table, columns, rows) })
}

// Ping executes an empty statement.
func (p *Pool) Ping(ctx context.Context) error {
	_, err := consumer.Do(ctx, p.secret, rejected, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.pool.Ping(ctx) })
	return err
}
