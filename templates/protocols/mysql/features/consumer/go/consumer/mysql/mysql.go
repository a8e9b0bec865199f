// Package mysql logs an application in to MySQL or MariaDB with a secret that is rotated, by database/sql. Connections that are open outlive a
// rotation; only log-ins need the secret.
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/templates/features/consumer/go/consumer"
)

// Connector returns what [sql.OpenDB] makes a database of. User and Passwd are those of the secret; so are Addr and DBName where config, which
// [mysql.NewConfig] made, has none. With TLS: &tls.Config{RootCAs: ...} the server's name is that of Addr.
func Connector(secret *consumer.Secret, config *mysql.Config) driver.Connector {
	return connector{secret, config.Clone()}
}

type connector struct {
	secret *consumer.Secret
	config *mysql.Config
}

func (c connector) Driver() driver.Driver { return mysql.MySQLDriver{} }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	return consumer.Do(ctx, c.secret, rejected, func(ctx context.Context) (driver.Conn, error) {
		v, err := c.secret.Get(ctx)
		if err != nil {
			return nil, err
		}
		config, err := c.with(v)
		if err != nil {
			return nil, err
		}
		to, err := mysql.NewConnector(config)
		if err != nil {
			return nil, err
		}
		return to.Connect(ctx)
	})
}

// with returns the configuration with what a version says.
func (c connector) with(v consumer.Version) (config *mysql.Config, err error) {
	config = c.config.Clone()
	if config.User, config.Passwd, err = v.Login(); err != nil {
		return nil, err
	}
	if config.Addr == "" {
		host, err := v.Field("host")
		if err != nil {
			return nil, err
		}
		port, err := v.Field("port")
		if err != nil {
			port = "3306"
		}
		config.Net, config.Addr = "tcp", net.JoinHostPort(host, port)
	}
	if config.DBName == "" {
		config.DBName, _ = v.Field("dbname")
	}
	return config, nil
}

// The errors of a log-in whose user or password is rejected. A statement fails with the first one too, for want of the right FILE, and does not
// come here.
// https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
const (
	accessDenied    = 1045
	noPasswordLogin = 1698
)

func rejected(err error) bool {
	answer, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && (answer.Number == accessDenied || answer.Number == noPasswordLogin)
}
