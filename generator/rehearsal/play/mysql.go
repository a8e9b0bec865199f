package play

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

// mysqlDB is a [Database] on MySQL or MariaDB.
type mysqlDB struct {
	mariadb  bool
	config   *mysql.Config // the admin's
	pool     *sql.DB       // of the admin, of two connections
	lock     *sql.Conn     // holds the lock
	own      *servers.Server
	logged   int64
	version  string
	project  Project
	first    string // password of the user that AWSCURRENT names at first
	rotator  string // password of the administrator that the project asks for
	overlaps bool   // whether the user may keep its previous password

	certificate tls.Certificate // the proxy's
	ca          string
}

// openMySQL logs in to a server as an admin who may create databases and users, as a
// URL such as mysql://admin@host:3306/?ca=FILE says, and sees to it that no other
// rehearsal runs there.
func openMySQL(mariadb bool) func(ctx context.Context, address string, own *servers.Server) (Database, error) {
	return func(ctx context.Context, address string, own *servers.Server) (Database, error) {
		d := &mysqlDB{mariadb: mariadb, own: own, first: randomText(), rotator: randomText()}
		var err error
		if d.config, err = mysqlConfig(address); err != nil {
			return nil, err
		}
		if d.pool, err = d.connect(Login{d.config.User, d.config.Passwd}, ""); err != nil {
			return nil, err
		}
		if err := d.begin(ctx); err != nil {
			return nil, errors.Join(err, d.pool.Close())
		}
		return d, nil
	}
}

func mysqlConfig(address string) (*mysql.Config, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the target is no URL") // the parser's words hold the password
	}
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.Logger = u.User.Username(), "tcp", u.Host, &mysql.NopLogger{}
	config.Passwd, _ = u.User.Password()
	if u.Port() == "" {
		config.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	config.TLS = &tls.Config{ServerName: u.Hostname()}
	if file := u.Query().Get("ca"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		config.TLS.RootCAs = x509.NewCertPool()
		config.TLS.RootCAs.AppendCertsFromPEM(pem)
	}
	return config, nil
}

// begin takes the lock and makes a certificate for the proxy.
func (d *mysqlDB) begin(ctx context.Context) (err error) {
	if d.lock, err = d.pool.Conn(ctx); err != nil {
		return err
	}
	var locked int
	if err := d.lock.QueryRowContext(ctx, "SELECT GET_LOCK('"+Prefix+"', 0)").Scan(&locked); err != nil {
		return err
	}
	if locked != 1 {
		return errBusy("this server")
	}
	if err := d.lock.QueryRowContext(ctx, "SELECT VERSION()").Scan(&d.version); err != nil {
		return err
	}
	certificate, authority, err := servers.Loopback()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "rotasmith-ca-*.pem")
	if err != nil {
		return err
	}
	d.certificate, d.ca = certificate, file.Name()
	_, err = file.Write(authority)
	return errors.Join(err, file.Close())
}

func (d *mysqlDB) Version() string {
	if d.mariadb {
		return "MariaDB " + d.version
	}
	return "MySQL " + d.version
}

func (d *mysqlDB) Close(context.Context) error {
	return errors.Join(d.lock.Close(), d.pool.Close(), os.Remove(d.ca))
}

func (d *mysqlDB) Strangers(ctx context.Context) (n int, err error) {
	err = d.pool.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.processlist"+
		" WHERE id NOT IN (CONNECTION_ID(), IS_USED_LOCK('"+Prefix+"')) AND user NOT IN ('event_scheduler', 'system user') AND user NOT LIKE '"+likePrefix+"'").Scan(&n)
	return n, err
}

func (d *mysqlDB) Sweep(ctx context.Context) error {
	rows, err := d.pool.QueryContext(ctx, "SELECT CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host)) FROM mysql.user WHERE user LIKE '"+likePrefix+"'")
	if err != nil {
		return err
	}
	statements := []string{"DROP DATABASE IF EXISTS " + Prefix}
	for rows.Next() {
		var statement string
		if err := rows.Scan(&statement); err != nil {
			return err
		}
		statements = append(statements, statement)
	}
	return errors.Join(rows.Err(), rows.Close(), d.admin(ctx, statements...))
}

func (d *mysqlDB) Prepare(ctx context.Context, project Project) error {
	d.project = project
	account := "'" + userA + "'@'%'"
	err := d.admin(ctx, "CREATE DATABASE "+Prefix, "CREATE TABLE "+Prefix+".orders (note text)")
	if err != nil {
		return err
	}
	switch {
	case project.TwoUsers && !project.Clone:
		err = d.bootstrap(ctx)
	default:
		err = d.admin(ctx, "CREATE USER "+account+" IDENTIFIED BY '"+d.first+"'", "GRANT SELECT, INSERT, CREATE, DROP ON "+Prefix+".* TO "+account)
	}
	if err != nil {
		return err
	}
	if !project.TwoUsers && project.ByAdmin {
		admin := "'" + userRotator + "'@'%'"
		err = d.admin(ctx, "CREATE USER "+admin+" IDENTIFIED BY '"+d.rotator+"' REQUIRE SSL", "GRANT CREATE USER ON *.* TO "+admin)
		if err == nil && d.mariadb {
			err = d.admin(ctx, "GRANT SELECT ON mysql.* TO "+admin)
		}
		d.overlaps = true
	}
	if !project.TwoUsers && !project.ByAdmin && !d.mariadb {
		d.overlaps = d.admin(ctx, "GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO "+account) == nil // as its README says: some cannot
	}
	if err == nil && d.own != nil {
		var log os.FileInfo
		if log, err = os.Stat(d.own.LogFile); err == nil {
			d.logged = log.Size()
		}
	}
	return err
}

// bootstrap runs the project's bootstrap.sql as its own first lines say.
func (d *mysqlDB) bootstrap(ctx context.Context) error {
	script, err := os.ReadFile(filepath.Join(d.project.Dir, "bootstrap.sql"))
	if err != nil {
		return err
	}
	pool, err := d.connect(Login{d.config.User, d.config.Passwd}, Prefix)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	settings := fmt.Sprintf("SET @user_a = '%s', @user_b = '%s', @rotator = '%s', @database = '%s';\n", userA, userB, userRotator, Prefix)
	if _, err := pool.ExecContext(ctx, settings+string(script)); err != nil {
		return fmt.Errorf("bootstrap.sql: %w", err)
	}
	return d.admin(ctx, "ALTER USER '"+userRotator+"'@'%' IDENTIFIED BY '"+d.rotator+"'")
}

func (d *mysqlDB) Fresh(ctx context.Context) (secret, admin map[string]any, err error) {
	secret = map[string]any{"username": userA, "password": d.first, "dbname": Prefix}
	admin = map[string]any{"username": d.config.User, "password": d.config.Passwd}
	if d.project.ByAdmin || d.project.TwoUsers && !d.project.Clone {
		admin = map[string]any{"username": userRotator, "password": d.rotator}
	}
	err = errors.Join(d.onlyPassword(ctx, userA, d.first), d.admin(ctx, "DROP TABLE IF EXISTS "+Prefix+".made_later"))
	switch {
	case d.project.Clone:
		err = errors.Join(err, d.admin(ctx, "DROP USER IF EXISTS '"+userA+"_clone'@'%'"))
	case d.project.TwoUsers:
		secret["alternate_username"] = userB
		err = errors.Join(err, d.onlyPassword(ctx, userB, randomText()))
	}
	return secret, admin, err
}

// onlyPassword gives a user one password.
func (d *mysqlDB) onlyPassword(ctx context.Context, user, password string) error {
	err := d.admin(ctx, "ALTER USER '"+user+"'@'%' IDENTIFIED BY '"+password+"'")
	if err == nil && d.overlaps && !d.mariadb {
		err = d.admin(ctx, "ALTER USER '"+user+"'@'%' DISCARD OLD PASSWORD")
	}
	return err
}

// connect opens a pool past the proxy.
func (d *mysqlDB) connect(login Login, database string) (*sql.DB, error) {
	config := d.config.Clone()
	config.User, config.Passwd, config.DBName, config.MultiStatements = login.User, login.Password, database, true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(2)
	return pool, nil
}

func (d *mysqlDB) admin(ctx context.Context, statements ...string) error {
	return execute(ctx, d.pool, statements)
}

func (d *mysqlDB) run(ctx context.Context, login Login, statements ...string) error {
	pool, err := d.connect(login, Prefix)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }()
	if err := pool.PingContext(ctx); err != nil {
		return err
	}
	return execute(ctx, pool, statements)
}

func execute(ctx context.Context, pool *sql.DB, statements []string) error {
	for _, statement := range statements {
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			words := strings.Fields(statement) // the rest may be a password
			return fmt.Errorf("%s: %w", strings.Join(words[:min(3, len(words))], " "), err)
		}
	}
	return nil
}

func (d *mysqlDB) LogIn(ctx context.Context, login Login) error { return d.run(ctx, login) }

// Work uses what whichever user came first has made.
func (d *mysqlDB) Work(ctx context.Context, login Login) error {
	return d.run(ctx, login,
		"INSERT INTO orders (note) VALUES (CONCAT('made by ', CURRENT_USER()))",
		"SELECT COUNT(*) FROM orders",
		"CREATE TABLE IF NOT EXISTS made_later (id int)",
		"SELECT COUNT(*) FROM made_later",
	)
}

func (d *mysqlDB) Proxy() (*wire.Proxy, error) {
	host, port, err := net.SplitHostPort(d.config.Addr)
	if _, invalid := strconv.Atoi(port); err != nil || invalid != nil {
		return nil, errors.New("the target names no port")
	}
	server := d.config.TLS.Clone()
	server.ServerName = host
	return &wire.Proxy{
		Upstream: d.config.Addr, Relay: wire.MySQL, Server: server,
		Clients: &tls.Config{Certificates: []tls.Certificate{d.certificate}},
	}, nil
}

func (d *mysqlDB) CAFile() string { return d.ca }

func (d *mysqlDB) IsChange(op string) bool {
	return strings.HasPrefix(op, "ALTER USER ") && strings.HasSuffix(op, " IDENTIFIED") || strings.HasPrefix(op, "SET PASSWORD ")
}

func (d *mysqlDB) Gapless() bool { return d.project.TwoUsers || d.overlaps }

func (d *mysqlDB) Log() (string, error) {
	if d.own == nil {
		return "", nil
	}
	return readLog(d.own.LogFile, d.logged)
}
