package serverstest

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
)

// OpenMySQL returns a pool of connections to MySQL or MariaDB, over TLS.
func (s Server) OpenMySQL(login servers.Login, database string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = login.User, login.Password, database
	config.Net, config.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
	config.TLS = &tls.Config{RootCAs: s.CA, ServerName: s.Host}
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s Server) resetMySQL(ctx context.Context) (err error) {
	db, err := s.OpenMySQL(s.Superuser, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, catalogue := range []string{
		"SELECT CONCAT('DROP DATABASE `', REPLACE(schema_name, '`', '``'), '`') FROM information_schema.schemata" +
			" WHERE schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')",
		"SELECT CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host)) FROM mysql.user" +
			" WHERE user NOT IN ('root', 'admin', 'mariadb.sys') AND user NOT LIKE 'mysql.%' AND host <> ''",
		// A role of MariaDB has no host.
		"SELECT CONCAT('DROP ROLE ', QUOTE(user)) FROM mysql.user WHERE host = '' AND user <> ''",
	} {
		statements, err := column(ctx, db, catalogue)
		if err != nil {
			return err
		}
		for _, statement := range statements {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
	}
	return nil
}

func column(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}
