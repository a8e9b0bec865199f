package play

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/xdg-go/scram"

	"github.com/rotasmith/rotasmith/generator/rehearsal/servers"
	"github.com/rotasmith/rotasmith/generator/rehearsal/wire"
)

// postgresDB is a [Database] on PostgreSQL.
type postgresDB struct {
	url     string
	config  *pgconn.Config // the admin's
	secure  bool           // whether the server is spoken to over TLS
	admin   *pgconn.PgConn // in the server's own database; holds the lock
	own     *servers.Server
	logged  int64
	version string
	project Project
	first   string // password of the user that AWSCURRENT names at first
	rotator string // password of the user that bootstrap.sql makes
}

// openPostgres logs in to a server as an admin who may create databases and users, as
// the URL says, and sees to it that no other rehearsal runs there. own is the server if
// it was started for the rehearsal, spoken to in clear text, and nil otherwise.
func openPostgres(ctx context.Context, url string, own *servers.Server) (Database, error) {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the URL is none of a PostgreSQL server") // the driver's words may hold the password
	}
	d := &postgresDB{url: url, config: config, own: own, first: randomText(), rotator: randomText()}
	if d.admin, err = pgconn.ConnectConfig(ctx, config); err != nil {
		return nil, err
	}
	_, d.secure = d.admin.Conn().(*tls.Conn)
	d.version = "PostgreSQL " + d.admin.ParameterStatus("server_version")
	locked, err := query(ctx, d.admin, "SELECT pg_try_advisory_lock(hashtext('"+Prefix+"'))")
	if err == nil && locked[0] != "t" {
		err = errBusy("this server")
	}
	if err != nil {
		return nil, errors.Join(err, d.admin.Close(ctx))
	}
	return d, nil
}

func (d *postgresDB) Version() string { return d.version }

func (d *postgresDB) Close(ctx context.Context) error { return d.admin.Close(ctx) }

func (d *postgresDB) Strangers(ctx context.Context) (int, error) {
	n, err := query(ctx, d.admin, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"+
		" AND usename NOT LIKE '"+likePrefix+"'")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(n[0])
}

func (d *postgresDB) Sweep(ctx context.Context) error {
	roles, err := query(ctx, d.admin, "SELECT rolname FROM pg_roles WHERE rolname LIKE '"+likePrefix+"' ORDER BY rolname DESC")
	if err != nil {
		return err
	}
	for _, role := range roles { // whose sessions and objects only a member may end and drop
		_, _ = query(ctx, d.admin, "GRANT "+role+" TO CURRENT_USER")
	}
	databases, err := query(ctx, d.admin, "SELECT datname FROM pg_database WHERE datname LIKE '"+likePrefix+"'")
	for _, database := range databases {
		_, dropped := query(ctx, d.admin, "DROP DATABASE "+database+" WITH (FORCE)")
		err = errors.Join(err, dropped)
	}
	for range roles { // one may depend on another
		for _, role := range roles {
			_, _ = query(ctx, d.admin, "DROP ROLE IF EXISTS "+role)
		}
	}
	left, looked := query(ctx, d.admin, "SELECT rolname FROM pg_roles WHERE rolname LIKE '"+likePrefix+"'")
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("these users could not be dropped: %s", strings.Join(left, ", ")))
	}
	return errors.Join(err, looked)
}

func (d *postgresDB) Prepare(ctx context.Context, project Project) error {
	d.project = project
	verifier, err := scramVerifier(d.first)
	if err != nil {
		return err
	}
	_, err = query(ctx, d.admin, "CREATE DATABASE "+Prefix)
	if err != nil {
		return err
	}
	err = d.run(ctx, d.login(), "CREATE ROLE "+userA+" LOGIN PASSWORD '"+verifier+"'", "GRANT CREATE, USAGE ON SCHEMA public TO "+userA)
	if err != nil {
		return err
	}
	if err := d.run(ctx, Login{userA, d.first}, "CREATE TABLE orders (note text)"); err != nil {
		return err
	}
	if project.TwoUsers && !project.Clone { // the owner role gets what the users have
		if err := d.run(ctx, d.login(), "REVOKE CREATE, USAGE ON SCHEMA public FROM "+userA); err != nil {
			return err
		}
		if err := d.bootstrap(ctx); err != nil {
			return err
		}
	}
	if d.own != nil {
		log, err := os.Stat(d.own.LogFile)
		if err != nil {
			return err
		}
		d.logged = log.Size()
	}
	return nil
}

// bootstrap runs the project's bootstrap.sql as its own first lines say.
func (d *postgresDB) bootstrap(ctx context.Context) error {
	u, err := url.Parse(d.url)
	if err != nil {
		return errors.New("bootstrap.sql needs the server's address as a URL")
	}
	u.User, u.Path = url.User(d.config.User), "/"+Prefix
	psql := exec.CommandContext(ctx, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
		"-v", "owner="+userOwner, "-v", "user_a="+userA, "-v", "user_b="+userB, "-v", "rotator="+userRotator,
		"-f", filepath.Join(d.project.Dir, "bootstrap.sql"), u.String())
	psql.Env = append(os.Environ(), "PGPASSWORD="+d.config.Password)
	out, err := psql.CombinedOutput()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("bootstrap.sql is for psql, and there is none here")
	case err != nil:
		return fmt.Errorf("bootstrap.sql: %w: %s", err, out)
	}
	return d.setPassword(ctx, userRotator, d.rotator)
}

func (d *postgresDB) setPassword(ctx context.Context, user, password string) error {
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	_, err = query(ctx, d.admin, "ALTER ROLE "+user+" PASSWORD '"+verifier+"'")
	return err
}

func (d *postgresDB) Fresh(ctx context.Context) (secret, admin map[string]any, err error) {
	secret = map[string]any{"username": userA, "password": d.first, "dbname": Prefix}
	admin = map[string]any{"username": d.config.User, "password": d.config.Password}
	err = d.setPassword(ctx, userA, d.first)
	switch {
	case d.project.Clone:
		_, dropped := query(ctx, d.admin, "DROP ROLE IF EXISTS "+userA+"_clone")
		err = errors.Join(err, dropped)
	case d.project.TwoUsers:
		_, reset := query(ctx, d.admin, "ALTER ROLE "+userB+" PASSWORD NULL")
		err = errors.Join(err, reset)
		secret["alternate_username"] = userB
		admin = map[string]any{"username": userRotator, "password": d.rotator}
	}
	if d.own == nil { // the way to the proxy stays in this machine, and only clear text can be passed on
		secret["ssl"], admin["ssl"] = false, false
	}
	return secret, admin, err
}

func (d *postgresDB) login() Login { return Login{d.config.User, d.config.Password} }

// connect opens a session in the rehearsal's database, past the proxy.
func (d *postgresDB) connect(ctx context.Context, login Login) (*pgconn.PgConn, error) {
	config := d.config.Copy()
	config.User, config.Password, config.Database = login.User, login.Password, Prefix
	return pgconn.ConnectConfig(ctx, config)
}

func (d *postgresDB) run(ctx context.Context, login Login, statements ...string) error {
	conn, err := d.connect(ctx, login)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, statement := range statements {
		if _, err := query(ctx, conn, statement); err != nil {
			return err
		}
	}
	return nil
}

func (d *postgresDB) LogIn(ctx context.Context, login Login) error { return d.run(ctx, login) }

// Work changes what whichever user came first has made.
func (d *postgresDB) Work(ctx context.Context, login Login) error {
	return d.run(ctx, login,
		"INSERT INTO orders (note) VALUES ('made by '||session_user)",
		"SELECT count(*) FROM orders",
		"ALTER TABLE orders ALTER COLUMN note SET STATISTICS 100",
		"CREATE TABLE IF NOT EXISTS made_later (id int)",
		"ALTER TABLE made_later ALTER COLUMN id SET STATISTICS 100",
	)
}

func (d *postgresDB) Proxy() (*wire.Proxy, error) {
	p := &wire.Proxy{Upstream: net.JoinHostPort(d.config.Host, strconv.Itoa(int(d.config.Port))), Relay: wire.Postgres}
	if d.secure {
		p.Server = d.config.TLSConfig
	}
	if d.own == nil {
		return p, nil
	}
	certificate, err := tls.LoadX509KeyPair(d.own.CertificateFile, d.own.KeyFile)
	p.Clients = &tls.Config{Certificates: []tls.Certificate{certificate}}
	return p, err
}

func (d *postgresDB) CAFile() string {
	if d.own == nil {
		return ""
	}
	return d.own.CAFile
}

func (d *postgresDB) IsChange(op string) bool { return strings.HasPrefix(op, "ALTER ROLE ") }

func (d *postgresDB) Gapless() bool { return d.project.TwoUsers }

func (d *postgresDB) Log() (string, error) {
	if d.own == nil {
		return "", nil
	}
	return readLog(d.own.LogFile, d.logged)
}

// query returns the first column of a statement's answer.
func query(ctx context.Context, conn *pgconn.PgConn, statement string) (column []string, err error) {
	results, err := conn.Exec(ctx, statement).ReadAll()
	if err != nil {
		words := strings.Fields(statement) // the rest may be a verifier
		return nil, fmt.Errorf("%s: %w", strings.Join(words[:min(4, len(words))], " "), err)
	}
	for _, result := range results {
		for _, row := range result.Rows {
			column = append(column, string(row[0]))
		}
	}
	return column, nil
}

// scramVerifier returns what a server stores for a password, so that none stands in the
// log of a server that others use.
// https://www.postgresql.org/docs/current/catalog-pg-authid.html
func scramVerifier(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		return "", err
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return "", err
	}
	base64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, base64(salt), base64(stored.StoredKey), base64(stored.ServerKey)), nil
}

func randomText() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
