// Package postgres logs an application in to PostgreSQL or Redshift with a secret that is rotated, by database/sql or by pgxpool. Connections that
// are open outlive a rotation; only log-ins need the secret.
package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// Connector returns what [sql.OpenDB] makes a database of. settings are keywords and values, such as "sslmode=verify-full
// sslrootcert=global-bundle.pem"; host, port and dbname are those of the secret unless settings say otherwise.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
func Connector(secret *consumer.Secret, settings string) driver.Connector {
	return connector{secret, settings}
}

type connector struct {
	secret   *consumer.Secret
	settings string
}

func (c connector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	return consumer.Do(ctx, c.secret, rejected, func(ctx context.Context) (driver.Conn, error) {
		v, err := c.secret.Get(ctx)
		if err != nil {
			return nil, err
		}
		config, err := pgx.ParseConfig(endpoint(v) + c.settings)
		if err != nil {
			return nil, err
		}
		if config.User, config.Password, err = v.Login(); err != nil {
			return nil, err
		}
		return stdlib.GetConnector(*config).Connect(ctx)
	})
}

// endpoint returns the settings that the secret has.
func endpoint(v consumer.Version) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var settings strings.Builder
	for _, key := range []string{"host", "port", "dbname"} {
		if value, err := v.Field(key); err == nil {
			settings.WriteString(key + "='" + quote.Replace(value) + "' ")
		}
	}
	return settings.String()
}

// rejected reports whether a log-in failed because of its user or password. A statement can fail with the same codes, and is not repeated.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func rejected(err error) bool {
	_, login := errors.AsType[*pgconn.ConnectError](err)
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return login && ok && slices.Contains([]string{"28P01", "28000"}, answer.Code)
}
